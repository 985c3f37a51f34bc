//! Operations as keys: each has one schema, so that its address says which it is, with no look at names.

use std::ptr;

use apus_schema::OperationSchema;

/// Where an operation's schema lies. The order says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByAddress(usize);

impl ByAddress {
    pub(crate) fn of(operation: &'static OperationSchema) -> Self {
        Self(ptr::from_ref(operation).addr())
    }
}
