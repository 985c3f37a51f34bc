//! Ordered, transactional, durable key-value storage: tuple keys, layers, engines and blobs.
//!
//! Read [`Store`] first, then [`Tx`]; [`Keyspace`] says whose keys are whose, [`layers`] are the structures
//! that services build on. This crate knows nothing of AWS, and nothing above it knows which engine it uses.
//!
//! ```
//! # use apus_env::sim::Simulator;
//! use apus_store::{Keyspace, Store, StoreError};
//!
//! # let mut sim = Simulator::new(1);
//! # let env = sim.env();
//! # sim.run(async {
//! let store = Store::memory(&env);
//! let birds = Keyspace::new("123456789012", "eu-west-1", "aviary");
//! let key = birds.key(("swift", 7u64));
//! let seen = store
//!     .transact(|tx| {
//!         let key = key.clone();
//!         async move {
//!             let seen = tx.counter(&key).await?;
//!             tx.add(&key, 1);
//!             Ok::<_, StoreError>(seen + 1)
//!         }
//!     })
//!     .await?;
//! assert_eq!(seen, 1);
//! # Ok::<(), StoreError>(())
//! # }).unwrap();
//! ```

mod archive;
mod backup;
mod blobs;
mod commit;
pub mod disk;
mod embedded;
mod error;
pub mod fsck;
mod key;
mod keyspace;
pub mod layers;
pub mod limits;
mod metrics;
mod range;
pub mod record;
mod shared;
mod state;
mod store;
pub mod tuple;
mod tx;
mod watch;

pub use backup::{BackupSummary, backup, restore};
pub use blobs::{BLOB_READ_MAX, BlobId, BlobReader, BlobWriter, Blobs};
pub use embedded::{FORMAT, Options};
pub use error::StoreError;
pub use key::Key;
pub use keyspace::Keyspace;
pub use layers::counter::Counter;
pub use layers::due::{DueCursor, DueIndex, DueItem};
pub use layers::index::Index;
pub use layers::log::Log;
pub use layers::queue::Queue;
pub use layers::table::Table;
pub use metrics::StoreMetrics;
pub use range::{Direction, Range};
pub use record::{Record, decode, encode};
pub use store::Store;
pub use tx::{Position, Tx};
pub use watch::Watch;
