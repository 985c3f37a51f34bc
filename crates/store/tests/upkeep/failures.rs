//! When the disk refuses: nothing is acknowledged that is not safe, and what can go on goes on.

use std::io;

use apus_store::disk::{OpenMode, SyncPoint};
use apus_store::{FORMAT, Store, StoreError};

use super::{on_disk, options, put, rows};

#[test]
fn a_full_disk_refuses_a_commit_whole_and_takes_the_next() {
    on_disk(async |env, disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        put(&store, 1, "before").await.expect("commits");
        disk.set_capacity(Some(disk.bytes() + 1_000));
        let full = put(&store, 2, vec![0; 20_000]).await;
        assert!(matches!(full, Err(StoreError::Full { .. })), "{full:?}");
        put(&store, 3, "a little fits").await.expect("commits");
        disk.set_capacity(None);
        put(&store, 4, vec![0; 20_000]).await.expect("commits");
        assert_eq!(store.failure(), None);
        let before = rows(&store).await;
        assert_eq!(before.len(), 3);
        store.close().await;
        let store = Store::open(&env, &shared, &options()).expect("opens again");
        assert_eq!(rows(&store).await, before);
    });
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_reads_go_on() {
    on_disk(async |env, disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        put(&store, 1, "before").await.expect("commits");
        let syncs = disk.syncs(SyncPoint::LogAppend);
        // A commit is a write and a sync; the first of the two passes.
        disk.fail_after(2, io::ErrorKind::Other);
        let failed = put(&store, 2, "lost").await.expect_err("fails");
        assert!(failed.to_string().contains("takes no writes since an earlier failure"), "{failed}");
        assert_eq!(put(&store, 3, "refused").await, Err(failed.clone()));
        assert_eq!(store.failure(), Some(failed));
        assert_eq!(disk.syncs(SyncPoint::LogAppend), syncs, "a failed sync is not tried again");
        assert_eq!(rows(&store).await.len(), 1);
        store.close().await;
        let store = Store::open(&env, &shared, &options()).expect("opens again");
        put(&store, 4, "after").await.expect("commits");
        let found = rows(&store).await;
        assert!(found.len() == 2 || found.len() == 3, "the failed one is whole or absent: {found:?}");
    });
}

#[test]
fn a_failed_checkpoint_loses_nothing() {
    on_disk(async |env, disk, shared| {
        for at in 1..40 {
            let Ok(store) = Store::open(&env, &shared, &options()) else { panic!("opens") };
            put(&store, at, vec![at as u8; 10_000]).await.expect("commits");
            disk.fail_after(at, io::ErrorKind::Other);
            let _ = store.checkpoint().await;
            store.close().await;
            disk.fail_after(u64::MAX / 2, io::ErrorKind::Other);
            let store = Store::open(&env, &shared, &options()).expect("opens again");
            assert_eq!(rows(&store).await.len() as u64, at);
            store.close().await;
        }
    });
}

#[test]
fn a_store_has_one_process() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        let second = Store::open(&env, &shared, &options()).expect_err("in use");
        assert!(second.to_string().contains("in use by another process"), "{second}");
        put(&store, 1, "still fine").await.expect("commits");
        let clone = store.clone();
        store.close().await;
        assert_eq!(put(&clone, 2, "late").await, Err(StoreError::Closed));
        drop(Store::open(&env, &shared, &options()).expect("free again"));
    });
}

#[test]
fn a_newer_format_and_what_is_no_store_are_refused() {
    for (file, content, expect) in [
        ("format", format!("apus store {}\n", FORMAT + 1), format!("the store has format {}", FORMAT + 1)),
        ("format", "apus shop 1\n".into(), "does not hold a format number".into()),
        ("notes.txt", "dear diary".into(), "this is no store".into()),
    ] {
        on_disk(async |env, _disk, shared| {
            let handle = shared.open(file, OpenMode::Create).expect("creates");
            handle.write_at(0, content.as_bytes()).expect("writes");
            let refused = Store::open(&env, &shared, &options()).expect_err("refused").to_string();
            assert!(refused.contains(&expect), "{refused}");
        });
    }
}
