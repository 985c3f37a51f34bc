//! The pool of execution environments: [`rules`] decide, [`init`], [`environment`] and [`living`] do.

mod cold;
pub(crate) mod environment;
mod failure;
pub(crate) mod init;
pub(crate) mod living;
pub mod pace;
pub mod rules;
mod target;
mod under_way;
