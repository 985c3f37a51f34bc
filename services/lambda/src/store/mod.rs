//! Every key of Lambda, by noun.
//!
//! ```text
//! account region "lambda" "function" name              → FunctionRecord: `$LATEST`, and what all versions share
//! account region "lambda" "version"  name number       → FunctionRecord: a published version
//! account region "lambda" "running"  name              → FunctionRecord: what runs until an update is through
//! account region "lambda" "number"   name              → the number of the last version; outlives the function
//! account region "lambda" "alias"    name alias        → AliasRecord
//! account region "lambda" "policy"   name qualifier    → PolicyRecord; of the function where the qualifier is ""
//! account region "lambda" "event-invoke" name qualifier → EventInvokeRecord
//! account region "lambda" "event"    request-id        → EventRecord: accepted, and not ended
//! account region "lambda" "event-progress" request-id  → ProgressRecord: what became of its attempts
//! account region "lambda" "layer"    name number       → LayerRecord: a version of a layer
//! account region "lambda" "layer-number" name          → the number of the layer's last version
//! account region "lambda" "mapping"  UUID             → MappingRecord: an event source mapping
//! account region "lambda" "mapping-pair" source function → the UUID of their mapping
//! account region "lambda" "provisioned" name qualifier → ProvisionedRecord: environments that are to stand
//! account region "lambda" "code-signing" id            → CodeSigningRecord
//! account region "lambda" "code-signed" id name        → nothing: a function that has that configuration
//! account region "lambda" "reserved"                   → counter: what all functions have for themselves, reserved or
//!                                                        else provisioned
//! ""      ""     "lambda" "unready"  account region name number → nothing: a version, or `$LATEST` as 0, to be made ready
//! ""      ""     "lambda" "provisioned" account region name → nothing: a function with provisioned concurrency
//! ""      ""     "lambda" "execution" time request-id attempt → ExecutionRecord
//! ""      ""     "lambda" "execution-id" request-id time attempt → nothing
//! ""      ""     "lambda" "executions"                 → counter: the executions that are kept
//! ""      ""     "lambda" "mapping"  account region UUID → nothing: a mapping to be polled for
//! ""      ""     "lambda" "blob"     id                → nothing: a blob that code is in
//! ""      ""     "lambda" "holder"   id ARN            → nothing: who needs that blob
//! ```
//!
//! Invariants: a blob was finished before a record names it; it has an entry for as long as a record does.

pub(crate) mod alias;
pub(crate) mod blob;
mod check;
pub(crate) mod code_signing;
pub(crate) mod event;
pub(crate) mod event_invoke;
pub(crate) mod execution;
pub(crate) mod find;
pub(crate) mod function;
pub(crate) mod layer;
pub(crate) mod mapping;
pub(crate) mod pages;
pub(crate) mod policy;
pub(crate) mod provisioned;
pub(crate) mod running;
pub(crate) mod stage;
pub(crate) mod subject;
pub(crate) mod version;

use apus_store::Keyspace;

use crate::function_name::FunctionId;

pub(crate) use self::check::Contradictions;
pub(crate) use self::function::FunctionRecord;

const SERVICE: &str = "lambda";

/// What belongs to an account in a region.
fn space(id: &FunctionId) -> Keyspace {
    Keyspace::new(id.account.as_str(), id.region.as_str(), SERVICE)
}
