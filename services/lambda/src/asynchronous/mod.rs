//! Asynchronous invocations: an event is accepted when it is durably in the queue, and is then tried until it has an
//! end, of which there is exactly one.
//!
//! [`queue`] accepts, [`attempt`] is one try (a step that the outbox takes), [`rules`] decide what follows from it,
//! [`gate`] bounds how many run at once. The state of an event is a row of its own: whoever removes it, in a
//! transaction, has ended it.

pub(crate) mod attempt;
pub(crate) mod gate;
pub(crate) mod queue;
pub(crate) mod rules;
