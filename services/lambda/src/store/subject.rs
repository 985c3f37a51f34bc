//! What a policy can be of, and whose revision changes with it: a function, a version or an alias.

use apus_store::{StoreError, Tx};

use super::alias::{self, AliasRecord};
use super::function::{self, FunctionRecord};
use super::version;
use crate::function_name::{FunctionId, FunctionReference, Qualifier};

/// One of them.
#[derive(Debug)]
pub(crate) enum Subject {
    /// A function, by its `$LATEST`.
    Function(Box<FunctionRecord>),
    /// A version, by its number.
    Version(u64, Box<FunctionRecord>),
    /// An alias, by its name.
    Alias(String, AliasRecord),
}

/// What was named, if it is there.
pub(crate) async fn get(tx: &Tx, function: &FunctionReference) -> Result<Option<Subject>, StoreError> {
    let id = &function.id;
    let Some(latest) = function::get(tx, id).await? else { return Ok(None) };
    Ok(match function.qualifier() {
        Qualifier::Latest => Some(Subject::Function(Box::new(latest))),
        Qualifier::Version(number) => {
            version::get(tx, id, number).await?.map(|record| Subject::Version(number, Box::new(record)))
        }
        Qualifier::Alias(name) => alias::get(tx, id, &name).await?.map(|record| Subject::Alias(name, record)),
    })
}

impl Subject {
    pub(crate) fn revision(&self) -> &str {
        match self {
            Self::Function(record) | Self::Version(_, record) => &record.revision,
            Self::Alias(_, record) => &record.revision,
        }
    }

    /// Writes it with another revision.
    pub(crate) fn touch(self, tx: &Tx, id: &FunctionId, revision: String) {
        match self {
            Self::Function(mut record) => {
                record.touched(revision);
                function::put(tx, id, &record);
            }
            Self::Version(number, mut record) => {
                record.touched(revision);
                version::put(tx, id, number, &record);
            }
            Self::Alias(name, record) => alias::put(tx, id, &name, &AliasRecord { revision, ..record }),
        }
    }
}
