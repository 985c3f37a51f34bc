//! How one operation is called, by whom, in which lane, and what it leaves behind.
//!
//! [`Platform`] is the one door for calls, from a socket or from another service. A service registers
//! operations in a [`Service`] table; each declares its IAM action and resources in an [`Access`]. What must
//! happen later is left in the outbox, in the same transaction as the change that causes it.
//!
//! This crate knows no service's name, no protocol and no file.

mod access;
mod by_address;
mod call_record;
mod caller;
mod context;
mod front;
mod identity;
mod lane;
mod lease;
mod meter;
mod outbox;
mod platform;
mod scope;
mod service;
mod step;

pub use access::{Access, AccessRequest, Authorizer, BoxFuture, Resource, ResourcePolicies, ResourcePolicy};
pub use caller::{Caller, Principal};
pub use context::{Context, Origin};
pub use front::{Claims, HttpFront};
pub use identity::{Credential, CredentialError, Credentials};
pub use lane::{LaneError, Lanes};
pub use lease::{FenceError, Lease};
pub use meter::Count;
pub use outbox::{Dead, Delivery, LANES_MAX, Outbox, RetryPolicy, StepDelivery};
pub use platform::Platform;
pub use scope::{AccountId, Arn, Region, ScopeError};
pub use service::{Builder, Handler, Service};
pub use step::{Attempt, Step, StepEnd};
