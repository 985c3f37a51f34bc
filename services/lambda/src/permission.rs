//! Resource policies: the statements that `AddPermission` writes, and the document that they make.

use crate::store::policy::StatementRecord;

/// The policy that these statements make, as JSON.
pub(crate) fn document(statements: &[StatementRecord]) -> String {
    let statements: Vec<&str> = statements.iter().map(|statement| statement.json.as_str()).collect();
    format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, statements.join(","))
}
