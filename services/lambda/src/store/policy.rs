//! Resource policies: of a function, of a version and of an alias, each its own.

use apus_store::{StoreError, Table, Tx};
use minicbor::{Decode, Encode};

use super::space;
use crate::function_name::FunctionId;

/// A resource's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PolicyRecord {
    /// In the order in which they were added.
    #[n(0)]
    pub(crate) statements: Vec<StatementRecord>,
}

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct StatementRecord {
    #[n(0)]
    pub(crate) sid: String,
    /// The whole statement.
    #[n(1)]
    pub(crate) json: String,
}

pub(super) fn policies(id: &FunctionId) -> Table<PolicyRecord> {
    Table::new(space(id).sub(("policy",)))
}

/// The policy of what has that qualifier, or of the function.
pub(crate) async fn get(
    tx: &Tx,
    id: &FunctionId,
    qualifier: Option<&str>,
) -> Result<Option<PolicyRecord>, StoreError> {
    policies(id).get(tx, (id.name.as_str(), qualifier.unwrap_or_default())).await
}

/// Sets the policy of what has that qualifier, or of the function.
pub(crate) fn put(tx: &Tx, id: &FunctionId, qualifier: Option<&str>, record: &PolicyRecord) {
    policies(id).put(tx, (id.name.as_str(), qualifier.unwrap_or_default()), record);
}

/// Deletes the policy of a version or alias; of the function, for an empty qualifier.
pub(crate) fn delete(tx: &Tx, id: &FunctionId, qualifier: &str) {
    policies(id).delete(tx, (id.name.as_str(), qualifier));
}

/// Deletes every policy of a function.
pub(super) fn delete_all(tx: &Tx, id: &FunctionId) {
    tx.delete_range(&policies(id).range((id.name.as_str(),)));
}
