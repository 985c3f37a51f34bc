//! A backup is the store at one moment; a restored one is the same, or none.

use std::io::Write;
use std::sync::{Arc, Mutex};

use apus_store::disk::{Disk, SimDisk};
use apus_store::{Key, Store, StoreError, backup, restore};
use bytes::Bytes;

use super::{on_disk, options, put, rows};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn empty_disk() -> Arc<dyn Disk> {
    Arc::new(SimDisk::new(8))
}

#[test]
fn a_backup_under_load_is_one_moment_and_comes_back() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        let id = store.blobs().put(Bytes::from(vec![9; 3_000_000])).await.expect("writes");
        put(&store, 1, id.as_bytes().to_vec()).await.expect("commits");
        put(&store, 2, vec![1; 5_000_000]).await.expect("commits");
        let writer = store.clone();
        let load = env.spawn("load", async move {
            for number in 0..200u64 {
                // Both or neither: a backup that is no one moment would tear them.
                let done: Result<(), StoreError> = writer
                    .transact(|tx| {
                        tx.put(&Key::of((3u64,)), number.to_be_bytes().to_vec());
                        tx.put(&Key::of((4u64,)), number.to_be_bytes().to_vec());
                        if number == 50 {
                            tx.delete(&Key::of((1u64,)));
                        }
                        async { Ok(()) }
                    })
                    .await;
                done.expect("commits");
                if number == 50 {
                    writer.blobs().delete(id).await.expect("deletes");
                }
            }
        });
        let sink = Sink::default();
        let summary = backup(&store, sink.clone()).await.expect("backs up");
        load.join().await.expect("finishes");
        assert_eq!(store.blobs().list().await.expect("lists"), [], "the deletion was only put off");
        let archive = sink.0.lock().expect("not poisoned").clone();

        let disk = empty_disk();
        assert_eq!(restore(&env, archive.as_slice(), &disk, &options()).await.expect("restores"), summary);
        let restored = Store::open(&env, &disk, &options()).expect("opens");
        let found = rows(&restored).await;
        let value = |key: u64| found.iter().find(|row| row.0 == Key::of((key,))).map(|row| row.1.clone());
        assert_eq!(value(3), value(4));
        assert_eq!(value(2), Some(vec![1; 5_000_000].into()));
        if value(1).is_some() {
            let reader = restored.blobs().open_blob(id).await.expect("opens").expect("is there");
            assert_eq!(reader.read_all(4_000_000).await.expect("reads"), vec![9; 3_000_000]);
        }
    });
}

#[test]
fn a_damaged_or_cut_backup_is_refused_and_leaves_no_store() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        for key in 0..20 {
            put(&store, key, vec![key as u8; 50]).await.expect("commits");
        }
        store.blobs().put("blob".into()).await.expect("writes");
        let sink = Sink::default();
        backup(&store, sink.clone()).await.expect("backs up");
        let archive = sink.0.lock().expect("not poisoned").clone();
        let mut bad: Vec<Vec<u8>> =
            (0..archive.len()).step_by(61).map(|cut| archive[..cut].to_vec()).collect();
        bad.extend((0..archive.len()).step_by(97).map(|at| {
            let mut damaged = archive.clone();
            damaged[at] ^= 4;
            damaged
        }));
        for archive in bad {
            let disk = empty_disk();
            restore(&env, archive.as_slice(), &disk, &options()).await.expect_err("refused");
            let opened = Store::open(&env, &disk, &options()).expect_err("is no whole store").to_string();
            assert!(opened.contains("not restored to its end"), "{opened}");
        }
        let taken = restore(&env, archive.as_slice(), &empty_disk(), &options()).await;
        taken.expect("the whole one is fine");
        store.close().await;
        let taken =
            restore(&env, archive.as_slice(), &shared, &options()).await.expect_err("there is a store");
        assert!(taken.to_string().contains("into an empty directory"), "{taken}");
    });
}
