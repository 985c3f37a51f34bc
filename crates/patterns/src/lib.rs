//! Filter patterns in the style of EventBridge: parsed from JSON into a typed tree, and matched against an event.
//!
//! Event source mappings, SNS subscriptions and EventBridge rules share the language and differ in which operators
//! and limits they allow: a [`Dialect`] says so, as data. This crate is pure: it knows no service, no clock, no I/O.
//!
//! ```
//! use apus_patterns::{Dialect, Pattern};
//! let pattern = Pattern::parse(r#"{"detail": {"state": [{"anything-but": "running"}]}}"#, &Dialect::EVENT_BRIDGE);
//! let event = serde_json::json!({"detail": {"state": "stopped"}});
//! assert!(pattern.unwrap().matches(&event));
//! ```

mod address;
mod condition;
mod dialect;
mod error;
mod number;
mod parse;
mod pattern;
mod wildcard;

pub use dialect::{Dialect, Operator};
pub use error::PatternError;
pub use pattern::Pattern;
