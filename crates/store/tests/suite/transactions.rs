//! What one transaction promises, alone and beside others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use apus_env::Env;
use apus_store::limits::{KEY_BYTES_MAX, TX_READS_MAX, VALUE_BYTES_MAX};
use apus_store::{Direction, Key, Range, Store, StoreError, Tx};
use bytes::Bytes;

type Done<T = ()> = Result<T, StoreError>;

pub(crate) async fn a_transaction_sees_its_own_changes(store: Store, _env: Env) {
    let (a, b, sum) = (Key::of(("a",)), Key::of(("b",)), Key::of(("sum",)));
    let done: Done = store
        .transact(|tx| {
            let (a, b, sum) = (a.clone(), b.clone(), sum.clone());
            async move {
                tx.put(&a, "1");
                assert_eq!(tx.get(&a).await?, Some(Bytes::from("1")));
                tx.add(&sum, 2);
                tx.add(&sum, 3);
                assert_eq!(tx.counter(&sum).await?, 5);
                tx.put(&b, "2");
                let rows = tx.range(&Range::all(), 10, Direction::Backward).await?;
                assert_eq!(rows.len(), 3);
                tx.delete_range(&Range::all());
                tx.put(&b, "3");
                assert_eq!(tx.get_many(&[a, b.clone(), sum]).await?, [None, Some(Bytes::from("3")), None]);
                assert_eq!(tx.range(&Range::all(), 10, Direction::Forward).await?, [(b, Bytes::from("3"))]);
                assert_eq!(tx.now(), tx.now());
                Ok(())
            }
        })
        .await;
    done.expect("commits");
}

pub(crate) async fn errors_change_nothing(store: Store, _env: Env) {
    let key = Key::of(("key",));
    put(&store, &key, "old").await;
    let text = store.transact(|tx| {
        tx.put(&key, "new");
        async move { Err::<(), _>(StoreError::NotACounter { key: "mine".into() }) }
    });
    assert_eq!(text.await, Err(StoreError::NotACounter { key: "mine".into() }));
    let counted: Done = store
        .transact(|tx| {
            tx.put(&Key::of(("other",)), "new");
            tx.add(&key, 1);
            async { Ok(()) }
        })
        .await;
    assert!(matches!(counted, Err(StoreError::NotACounter { .. })), "{counted:?}");
    let written: Done = store
        .read(|tx| {
            tx.put(&key, "new");
            async { Ok(()) }
        })
        .await;
    assert_eq!(written, Err(StoreError::ReadOnly));
    let rows: Done<Vec<_>> =
        store.read(|tx| async move { tx.range(&Range::all(), 9, Direction::Forward).await }).await;
    assert_eq!(rows.expect("reads"), [(key, Bytes::from("old"))]);
}

pub(crate) async fn bounds_are_told(store: Store, _env: Env) {
    let largest = Key::from(vec![b'k'; KEY_BYTES_MAX]);
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    let fits: Done = store
        .transact(|tx| {
            tx.put(&largest, value.clone());
            async { Ok(()) }
        })
        .await;
    fits.expect("the largest key and value fit");
    let back: Done<_> = store.read(|tx| async move { tx.get(&largest).await }).await;
    assert!(back.expect("reads").is_some_and(|back| back == value));

    let key = Key::of(("k",));
    let cases: [(Key, usize, &str); 2] = [
        (Key::from(vec![b'k'; KEY_BYTES_MAX + 1]), 1, "a key of 4097 is beyond the limit of 4096; split it"),
        (key.clone(), VALUE_BYTES_MAX + 1, "a value of 16777217 is beyond the limit of 16777216; split it"),
    ];
    for (key, length, expect) in cases {
        let refused: Done = store
            .transact(|tx| {
                tx.put(&key, vec![0; length]);
                async { Ok(()) }
            })
            .await;
        assert_eq!(refused.expect_err("too large").to_string(), expect);
    }
    let refused: Done = store
        .transact(|tx| {
            for part in 0..5u64 {
                tx.put(&key.with((part,)), value.clone());
            }
            async { Ok(()) }
        })
        .await;
    assert!(refused.expect_err("too large").to_string().starts_with("a transaction of"));
    // What commits remembers what it read, within a bound; what only reads remembers nothing.
    let committed = store.transact(read_much).await;
    assert!(matches!(committed, Err(StoreError::TooLarge { .. })), "{committed:?}");
    store.read(read_much).await.expect("nothing is remembered");
}

/// Reads more than a transaction may that commits.
async fn read_much(tx: Tx) -> Done {
    let keys: Vec<_> = (0..TX_READS_MAX as u64 / 10).map(|at| Key::of((at % 2,))).collect();
    for _ in 0..11 {
        tx.get_many(&keys).await?;
    }
    Ok(())
}

pub(crate) async fn conflict_free_changes_do_not_conflict(store: Store, env: Env) {
    let (sum, low, high, log) = (Key::of(("s",)), Key::of(("l",)), Key::of(("h",)), Key::of(("log",)));
    let keys = (sum.clone(), low.clone(), high.clone(), log.clone());
    let tasks = (0..50i64).map(|number| {
        let (store, (sum, low, high, log)) = (store.clone(), keys.clone());
        async move {
            let done: Done = store
                .transact(|tx| {
                    tx.add(&sum, number);
                    tx.min(&low, number);
                    tx.max(&high, number);
                    let _position = tx.append_at_commit(&log, "entry");
                    async { Ok(()) }
                })
                .await;
            done.expect("commits");
        }
    });
    super::all(&env, tasks).await;
    assert_eq!(store.metrics().conflicts, 0);
    let counters: Done<_> =
        store
            .read(|tx| async move {
                Ok((tx.counter(&sum).await?, tx.counter(&low).await?, tx.counter(&high).await?))
            })
            .await;
    assert_eq!(counters, Ok((49 * 50 / 2, 0, 49)));
}

/// A transaction reads, another one changes something, the first writes: whether it had to run again.
async fn runs_again(store: &Store, read: &'static str, changed: &'static str, backward: bool) -> bool {
    let runs = Arc::new(AtomicU32::new(0));
    let (other, count) = (store.clone(), runs.clone());
    let done: Done = store
        .transact(move |tx| {
            let (other, count) = (other.clone(), count.clone());
            async move {
                match read {
                    "a" => drop(tx.get(&"a".into()).await?),
                    "a (snapshot)" => drop(tx.get_snapshot(&"a".into()).await?),
                    "two of a..z" => {
                        let direction = if backward { Direction::Backward } else { Direction::Forward };
                        drop(tx.range(&Range::between(&"a".into(), &"z".into()), 2, direction).await?);
                    }
                    _ => {}
                }
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    put(&other, &changed.into(), "changed").await;
                }
                tx.put(&"result".into(), "done");
                Ok(())
            }
        })
        .await;
    done.expect("commits");
    runs.load(Ordering::SeqCst) > 1
}

pub(crate) async fn only_what_was_read_conflicts(store: Store, _env: Env) {
    for key in ["b", "d", "f", "h"] {
        put(&store, &key.into(), "here").await;
    }
    for (read, backward, changed, expect) in [
        ("a", false, "a", true),
        ("a", false, "b", false),
        ("a (snapshot)", false, "a", false),
        ("nothing", false, "a", false),
        ("two of a..z", false, "c", true),
        ("two of a..z", false, "e", false),
        ("two of a..z", false, "z", false),
        ("two of a..z", true, "g", true),
        ("two of a..z", true, "c1", false),
    ] {
        let again = runs_again(&store, read, changed, backward).await;
        assert_eq!(again, expect, "read {read}, backward {backward}, changed {changed}");
        let undo: Done = store
            .transact(|tx| {
                if !["b", "d", "f", "h"].contains(&changed) {
                    tx.delete(&changed.into());
                }
                tx.delete(&"result".into());
                async { Ok(()) }
            })
            .await;
        undo.expect("commits");
    }
}

pub(crate) async fn a_reader_keeps_its_version(store: Store, env: Env) {
    let writer = store.clone();
    for key in 0..20u64 {
        put(&store, &Key::of((key,)), "0").await;
    }
    let reader: Done = store
        .read(|tx| async move {
            for round in 1..10 {
                let rows = tx.range(&Range::all(), 100, Direction::Forward).await?;
                assert!(rows.len() == 20 && rows.iter().all(|(_, value)| value == "0"), "{rows:?}");
                let done: Done = writer
                    .transact(|tx| {
                        tx.delete_range(&Range::all());
                        tx.put(&Key::of((round,)), "1");
                        async { Ok(()) }
                    })
                    .await;
                done?;
            }
            Ok(())
        })
        .await;
    reader.expect("reads");
    drop(env);
}

pub(crate) async fn a_watch_wakes_after_the_change_is_visible(store: Store, env: Env) {
    let key = Key::of(("queue", 7u64));
    let mut watch = store.watch(&Key::of(("queue",)));
    let (waiter, watched) = (store.clone(), key.clone());
    let task = env.spawn("waiter", async move {
        watch.changed().await;
        let found: Done<_> = waiter.read(|tx| async move { tx.get(&watched).await }).await;
        assert_eq!(found, Ok(Some(Bytes::from("message"))));
    });
    put(&store, &Key::of(("quarry",)), "other").await;
    put(&store, &key, "message").await;
    task.join().await.expect("wakes");
}

pub(crate) async fn put(store: &Store, key: &Key, value: &'static str) {
    let done: Done = store
        .transact(|tx| {
            tx.put(key, value);
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
}
