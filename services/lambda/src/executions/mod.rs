//! Records of executions: what became of each invocation, how it was started, what it cost and what it said.
//!
//! Invocations that somebody waits for are noted in memory and written in batches ([`journal`]): the caller waits for
//! no disk, and a crash may lose the last of them. Events' attempts are written with what follows from them, and are
//! never lost. [`front`] shows them.

pub(crate) mod front;
pub(crate) mod journal;
pub(crate) mod observed;
