//! Ordered, transactional, durable key-value storage: tuple keys, layers, engines and blobs.
//!
//! Read [`Store`] first, then [`Tx`]; [`Keyspace`] says whose keys are whose, [`layers`] are the structures
//! that services build on. This crate knows nothing of AWS, and nothing above it knows which engine it uses.

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
pub use record::Record;
pub use store::Store;
pub use tx::{Position, Tx};
pub use watch::Watch;
