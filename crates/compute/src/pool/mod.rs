//! The pool of execution environments: [`rules`] decide, [`environment`] does.

pub(crate) mod environment;
mod failure;
pub mod rules;
