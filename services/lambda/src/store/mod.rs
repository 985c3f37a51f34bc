//! Every key of Lambda, by noun.
//!
//! ```text
//! account region "lambda" "function" name             → FunctionRecord: `$LATEST`, and what all versions share
//! account region "lambda" "reserved"                  → counter: the reserved concurrency of all functions
//! ""      ""     "lambda" "blob"     id               → nothing: a blob that code is in
//! ```

pub(crate) mod blob;
pub(crate) mod function;

use apus_store::Keyspace;

use crate::function_name::FunctionId;

pub(crate) use self::function::FunctionRecord;

const SERVICE: &str = "lambda";

/// What belongs to an account in a region.
fn space(id: &FunctionId) -> Keyspace {
    Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE)
}
