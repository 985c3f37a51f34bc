//! Who owns the lanes: a lease with a fence.
//!
//! The owner of a lease may keep state in memory and batch its work, because nobody else changes the
//! entity. Every transaction of a lane passes the fence: it reads the lease's epoch, so that an owner whose
//! lease was taken over cannot commit, however late it notices.

use std::fmt;

use apus_store::{Key, Store, StoreError, Tx};

/// A lease on everything under a name, held in one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    key: Key,
    epoch: u64,
    #[cfg(feature = "planted-bugs")]
    unfenced: bool,
}

/// Why a fenced transaction did not pass.
#[derive(Debug)]
pub enum FenceError {
    /// Another owner holds the lease in a later epoch.
    Lost {
        /// The epoch in which this owner held it.
        held: u64,
        /// The epoch now.
        current: u64,
    },
    /// The store failed.
    Store(StoreError),
}

impl fmt::Display for FenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { held, current } => {
                write!(f, "the lease of epoch {held} was taken over in epoch {current}")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FenceError {}

impl From<StoreError> for FenceError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Lease {
    /// Takes the lease over, whoever holds it: the epoch rises, and earlier owners no longer pass the fence.
    pub async fn acquire(store: &Store, key: Key) -> Result<Self, StoreError> {
        let epoch = store
            .transact(|tx| {
                let key = key.clone();
                async move {
                    let epoch = epoch(&tx, &key).await? + 1;
                    tx.put(&key, epoch.to_be_bytes().to_vec());
                    Ok::<_, StoreError>(epoch)
                }
            })
            .await?;
        Ok(Self {
            key,
            epoch,
            #[cfg(feature = "planted-bugs")]
            unfenced: false,
        })
    }

    /// The fence: the transaction commits only if this owner still holds the lease.
    pub async fn fence(&self, tx: &Tx) -> Result<(), FenceError> {
        #[cfg(feature = "planted-bugs")]
        if self.unfenced {
            return Ok(());
        }
        let current = epoch(tx, &self.key).await?;
        if current == self.epoch { Ok(()) } else { Err(FenceError::Lost { held: self.epoch, current }) }
    }

    /// The epoch in which it is held.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A planted bug: two owners at once, neither of whom the fence stops.
    #[cfg(feature = "planted-bugs")]
    #[must_use]
    pub fn without_fence(mut self) -> Self {
        self.unfenced = true;
        self
    }
}

async fn epoch(tx: &Tx, key: &Key) -> Result<u64, StoreError> {
    let bytes = tx.get(key).await?;
    Ok(bytes.and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?))).unwrap_or(0))
}
