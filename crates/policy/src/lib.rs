//! IAM policy documents to a decision. Knows nobody who stores them.
//!
//! [`Policy::parse`] reads a document strictly: what it does not understand is an error, never a statement that
//! quietly does not apply. [`evaluate`] decides a [`Request`] against all [`Policies`] that have a say in it, in AWS's
//! order; a denial knows which statement denied it, or which would nearly have allowed it.
//!
//! Pure: time, tags and addresses are facts in a [`Context`] that the caller fills.

mod arn;
mod caller;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod json;
mod operator;
mod parse;
mod pattern;
mod principal;
#[cfg(test)]
mod tests;
mod value;

pub use caller::Caller;
pub use context::Context;
pub use decision::{Decision, Hint, Miss, PolicyType, StatementRef};
pub use document::{Effect, Kind, Limits, MAX_DOCUMENT_BYTES, MAX_STATEMENTS, Policy, Version};
pub use evaluate::{Attached, Policies, Request, ResourceRule, evaluate};
pub use parse::ParseError;
