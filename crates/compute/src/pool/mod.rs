//! The pool of execution environments: [`rules`] decide, [`environment`] does.

pub(crate) mod environment;
pub mod rules;
