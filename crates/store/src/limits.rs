//! Every bound of the store, named.

use std::time::Duration;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 4 * 1024;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most that one transaction may write: its keys and values together, in bytes.
pub const TX_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most keys and ranges that one transaction may read, for each is remembered until it commits; one that only reads
/// may read more, by and by.
pub const TX_READS_MAX: usize = 250_000;
/// The most keys that the range deletions of one transaction may meet.
pub const TX_CLEARED_KEYS_MAX: usize = 250_000;
/// How often a transaction is tried before its conflict is reported.
pub const TX_ATTEMPTS_MAX: u32 = 64;
/// The longest pause between two attempts; pauses are random and double up to it.
pub const TX_PAUSE_MAX: Duration = Duration::from_millis(64);

/// Commits that may wait for the committer; more wait at the door.
pub(crate) const COMMITS_WAITING_MAX: usize = 4 * 1024;
/// A batch takes no further commit once it holds so many bytes.
pub(crate) const BATCH_BYTES_SOFT_MAX: usize = 8 * 1024 * 1024;
/// Recently written keys that are remembered for the sake of old snapshots; a snapshot older than they reach conflicts.
pub(crate) const RECENT_KEYS_MAX: usize = 250_000;
/// Changes up to so many are made while those who begin wait; for more, a version is made beside the newest.
pub(crate) const CHANGES_IN_PLACE_MAX: usize = 512;
/// Published versions that are remembered before those that nobody holds are sorted out.
pub(crate) const LIVE_VERSIONS_SORTED_AT: usize = 4_096;
/// Rows that a scan gives before it lets others run.
pub(crate) const ROWS_PER_TURN: usize = 1_000;
