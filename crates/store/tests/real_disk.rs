//! A walk over the real file system, with real threads: what the simulated disk stands for.

use std::path::{Path, PathBuf};

use apus_env::Env;
use apus_store::{Key, Store, StoreError};

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).join("data");
    if directory.exists() {
        std::fs::remove_dir_all(&directory).expect("is removed");
    }
    directory
}

#[test]
fn many_writers_commit_and_everything_is_there_after_a_restart() {
    const WRITERS: u64 = 32;
    const COMMITS: u64 = 20;
    let directory = directory("many-writers");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime starts").block_on(async {
        let env = Env::real();
        let store = Store::open_dir(&env, &directory).expect("opens");
        assert!(matches!(Store::open_dir(&env, &directory), Err(StoreError::Locked { .. })));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = store.clone();
                env.spawn("writer", async move {
                    for number in 0..COMMITS {
                        let done: Result<(), StoreError> = store
                            .transact(|tx| {
                                tx.put(&Key::of((writer, number)), vec![writer as u8; 100]);
                                tx.add(&Key::of(("total",)), 1);
                                async { Ok(()) }
                            })
                            .await;
                        done.expect("commits");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().await.expect("finishes");
        }
        let metrics = store.metrics();
        assert_eq!((metrics.commits, metrics.conflicts), (WRITERS * COMMITS, 0));
        assert!(metrics.batches <= metrics.commits);
        let blob = store.blobs().put(vec![3; 3_000_000].into()).await.expect("writes");
        store.close().await;

        for checkpointed in [false, true] {
            let store = Store::open_dir(&env, &directory).expect("opens again");
            let total: Result<i64, StoreError> =
                store.read(|tx| async move { tx.counter(&Key::of(("total",))).await }).await;
            assert_eq!(total, Ok((WRITERS * COMMITS) as i64));
            let last: Result<_, StoreError> =
                store.read(|tx| async move { tx.get(&Key::of((WRITERS - 1, COMMITS - 1))).await }).await;
            assert_eq!(last.expect("reads").map(|value| value.len()), Some(100));
            let reader = store.blobs().open_blob(blob).await.expect("opens").expect("is there");
            assert_eq!(reader.read_all(4_000_000).await.expect("reads"), vec![3; 3_000_000]);
            if !checkpointed {
                store.checkpoint().await.expect("moves");
            }
            store.close().await;
        }
    });
}
