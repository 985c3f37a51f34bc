//! The pool of execution environments: [`rules`] decide, [`environment`] does.

mod cold;
pub(crate) mod environment;
mod failure;
pub mod pace;
pub mod rules;
mod target;
