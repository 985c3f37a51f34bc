//! How far a version, or a change of `$LATEST`, has come; and which ones are on the way.

use std::fmt;

use apus_store::{Direction, Keyspace, StoreError, Tx};
use bytes::Bytes;
use minicbor::{Decode, Encode};

use super::SERVICE;
use crate::function_name::{FunctionId, LATEST};

/// Where something is that is not ready. What is ready has none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Stage {
    /// It is being made ready.
    #[n(0)]
    Pending,
    /// It cannot be.
    #[n(1)]
    Failed {
        /// In the API's words.
        #[n(0)]
        code: String,
        /// For people.
        #[n(1)]
        reason: String,
    },
}

/// As `State` shows it.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "Pending",
            Self::Failed { .. } => "Failed",
        })
    }
}

/// A version of a function, or `$LATEST`, that is to be made ready.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unready {
    pub(crate) id: FunctionId,
    /// Nothing for `$LATEST`.
    pub(crate) number: Option<u64>,
}

impl Unready {
    /// `$LATEST`.
    pub(crate) fn latest(id: &FunctionId) -> Self {
        Self { id: id.clone(), number: None }
    }

    /// A version, by its number.
    pub(crate) fn version(id: &FunctionId, number: u64) -> Self {
        Self { id: id.clone(), number: Some(number) }
    }

    /// `$LATEST` or the number.
    pub(crate) fn qualifier(&self) -> String {
        self.number.map_or_else(|| LATEST.to_owned(), |number| number.to_string())
    }

    /// `$LATEST` is version 0 here: numbers begin with 1.
    pub(super) fn key(&self) -> (&str, &str, &str, u64) {
        let id = &self.id;
        (id.account.as_str(), id.region.as_str(), id.name.as_str(), self.number.unwrap_or(0))
    }
}

pub(super) fn all() -> Keyspace {
    Keyspace::new("", "", SERVICE).sub(("unready",))
}

/// Notes that it is to be made ready.
pub(crate) fn put(tx: &Tx, unready: &Unready) {
    tx.put(&all().key(unready.key()), Bytes::new());
}

/// Notes that it is ready, or never will be.
pub(crate) fn delete(tx: &Tx, unready: &Unready) {
    tx.delete(&all().key(unready.key()));
}

/// At most `limit` of what is to be made ready, of all accounts and regions, those after `after` only.
pub(crate) async fn list(tx: &Tx, after: Option<&Unready>, limit: usize) -> Result<Vec<Unready>, StoreError> {
    let space = all();
    let mut range = space.range(());
    if let Some(unready) = after {
        range = range.after(&space.key(unready.key()));
    }
    let corrupt = |detail: String| StoreError::Corrupt {
        place: "the list of functions that are being made ready".into(),
        detail,
    };
    let mut found = Vec::new();
    for (key, _) in tx.range(&range, limit, Direction::Forward).await? {
        let (account, region, name, number) = space.unpack::<(String, String, String, u64)>(&key)?;
        let id = FunctionId {
            account: account.parse().map_err(|error| corrupt(format!("{error}")))?,
            region: region.parse().map_err(|error| corrupt(format!("{error}")))?,
            name,
        };
        found.push(Unready { id, number: (number > 0).then_some(number) });
    }
    Ok(found)
}
