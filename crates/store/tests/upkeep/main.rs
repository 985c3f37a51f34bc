//! What keeps a store healthy: refusals, failures of the disk, looking for damage, backups.

mod backups;
mod damage;
mod failures;

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_store::disk::{Disk, DiskFile, OpenMode, SimDisk};
use apus_store::{Direction, Key, Options, Range, Store, StoreError};
use bytes::Bytes;

pub(crate) fn options() -> Options {
    Options {
        checkpoint_bytes: 1 << 20,
        checkpoint_idle: Duration::from_mins(1),
        log_extend_bytes: 4_096,
        cache_bytes: 1 << 20,
    }
}

/// Runs a story in a simulated world with an empty disk.
pub(crate) fn on_disk(story: impl AsyncFn(Env, SimDisk, Arc<dyn Disk>)) {
    let mut sim = Simulator::new(7);
    let disk = SimDisk::new(7);
    let (env, shared): (_, Arc<dyn Disk>) = (sim.env(), Arc::new(disk.clone()));
    sim.run(async { story(env, disk, shared).await });
}

pub(crate) async fn put(store: &Store, key: u64, value: impl Into<Bytes>) -> Result<(), StoreError> {
    let value = value.into();
    store
        .transact(|tx| {
            tx.put(&Key::of((key,)), value.clone());
            async { Ok(()) }
        })
        .await
}

pub(crate) async fn rows(store: &Store) -> Vec<(Key, Bytes)> {
    let rows: Result<_, StoreError> =
        store.read(|tx| async move { tx.range(&Range::all(), 1_000, Direction::Forward).await }).await;
    rows.expect("reads")
}

/// The only file whose name begins like this.
pub(crate) fn file(disk: &dyn Disk, beginning: &str) -> Arc<dyn DiskFile> {
    let names = disk.list("").expect("lists");
    let found: Vec<_> = names.iter().filter(|name| name.starts_with(beginning)).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    disk.open(found[0], OpenMode::Existing).expect("opens")
}

pub(crate) fn flip(file: &dyn DiskFile, at: u64) {
    let mut byte = [0];
    file.read_at(at, &mut byte).expect("reads");
    file.write_at(at, &[byte[0] ^ 1]).expect("writes");
}

/// Where a value's bytes lie in a file.
pub(crate) fn find(file: &dyn DiskFile, needle: &[u8]) -> u64 {
    let mut content = vec![0; file.size().expect("size") as usize];
    file.read_at(0, &mut content).expect("reads");
    content.windows(needle.len()).position(|window| window == needle).expect("is there") as u64
}
