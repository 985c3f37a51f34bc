//! The layers, each through a small story.

use std::time::Duration;

use apus_env::Env;
use apus_store::{DueCursor, DueIndex, Index, Key, Keyspace, Log, Queue, Store, StoreError, Table};

type Done<T = ()> = Result<T, StoreError>;

#[derive(Clone, Debug, PartialEq, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct Bird {
    #[n(0)]
    name: String,
    #[n(1)]
    grams: Option<u32>,
}

/// The same record as an older release knew it.
#[derive(minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
struct OldBird {
    #[n(0)]
    name: String,
}

pub(crate) async fn tables_and_indexes_agree(store: Store, _env: Env) {
    let space = Keyspace::new("123456789012", "eu-west-1", "aviary");
    let birds: Table<Bird> = Table::new(space.sub(("bird",)));
    let old_birds: Table<OldBird> = Table::new(space.sub(("bird",)));
    let by_name = Index::new(space.sub(("by name",)));
    let done: Done = store
        .transact(|tx| {
            for (id, name) in [(1u64, "apus"), (2, "cypseloides"), (3, "apus")] {
                birds.put(&tx, (id,), &Bird { name: name.into(), grams: Some(40) });
                by_name.put(&tx, (name,), (id,));
            }
            old_birds.put(&tx, (4u64,), &OldBird { name: "apus".into() });
            by_name.put(&tx, ("apus",), (4u64,));
            // A name that begins with another is another name.
            by_name.put(&tx, ("apus apus",), (9u64,));
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
    let (table, index) = (birds.clone(), by_name.clone());
    let done: Done = store
        .read(|tx| async move {
            let first = index.find::<(u64,)>(&tx, ("apus",), None, 2).await?;
            let next = index.find::<(u64,)>(&tx, ("apus",), Some(&first[1].0), 2).await?;
            let ids: Vec<_> = first.iter().chain(&next).map(|(_, (id,))| *id).collect();
            assert_eq!(ids, [1, 3, 4]);
            assert_eq!(table.get(&tx, (4u64,)).await?, Some(Bird { name: "apus".into(), grams: None }));
            let page = table.list(&tx, &table.range(()), 2).await?;
            let rest = table.list(&tx, &table.range(()).after(&page[1].0), 10).await?;
            assert_eq!((page.len(), rest.len()), (2, 2));
            assert_eq!(table.space().unpack::<(u64,)>(&rest[0].0)?, (3,));
            Ok(())
        })
        .await;
    done.expect("reads");
    let done: Done = store
        .transact(|tx| {
            birds.delete(&tx, (1u64,));
            by_name.delete(&tx, ("apus",), (1u64,));
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
    let left: Done<_> =
        store.read(|tx| async move { by_name.find::<(u64,)>(&tx, ("apus",), None, 9).await }).await;
    assert_eq!(left.expect("reads").len(), 2);
}

pub(crate) async fn queues_and_logs_keep_the_order_of_commits(store: Store, env: Env) {
    let queue = Queue::new(Key::of(("queue",)));
    let log = Log::new(Key::of(("log",)));
    let senders = (0..20u64).map(|number| {
        let (store, queue, log) = (store.clone(), queue.clone(), log.clone());
        async move {
            let done: Done<_> = store
                .transact(|tx| {
                    let (queue, log) = (queue.clone(), log.clone());
                    async move {
                        let pushed = queue.push(&tx, number.to_be_bytes().to_vec());
                        assert_eq!(pushed.get(), None);
                        let appended = log.append(&tx, number.to_be_bytes().to_vec()).await?;
                        Ok((pushed, appended))
                    }
                })
                .await;
            let (pushed, appended) = done.expect("commits");
            // Both were decided by the same commits, so both give the same place.
            assert_eq!(pushed.get(), Some(appended));
        }
    });
    super::all(&env, senders).await;
    let (items, entries) = (queue.clone(), log.clone());
    let done: Done<_> = store
        .read(|tx| async move { Ok((items.peek(&tx, 0, 100).await?, entries.read(&tx, 0, 100).await?)) })
        .await;
    let (items, entries) = done.expect("reads");
    assert_eq!(items, entries);
    assert!(items.iter().map(|(position, _)| *position).eq(0..20));

    let (reader, trimmed) = (log.clone(), queue.clone());
    let done: Done<_> = store
        .transact(|tx| {
            log.trim(&tx, 15);
            queue.remove(&tx, 0);
            queue.remove(&tx, 2);
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
    let done: Done<_> = store
        .read(|tx| async move {
            assert_eq!(reader.tail(&tx).await?, 20);
            assert_eq!(reader.read(&tx, 0, 1).await?[0].0, 15);
            let items = trimmed.peek(&tx, 0, 2).await?;
            assert_eq!(items.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [1, 3]);
            Ok(())
        })
        .await;
    done.expect("reads");
}

pub(crate) async fn due_items_come_in_time(store: Store, env: Env) {
    let index = DueIndex::new(Keyspace::global("123456789012", "timers"));
    let start = env.now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let done: Done = store
        .transact(|tx| {
            for (seconds, name) in [(30u64, "third"), (10, "first"), (20, "second"), (20, "second too")] {
                index.put(&tx, at(seconds), (name,), "");
            }
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
    let mut cursor = DueCursor::default();
    let mut told = Vec::new();
    loop {
        let seek = index.clone();
        let next: Done<_> = store.read(|tx| async move { seek.next_due(&tx, cursor).await }).await;
        let Some(due) = next.expect("reads") else { break };
        env.sleep_until(due).await;
        let now = env.now();
        let taken: Done<_> = store
            .transact(|tx| {
                let index = index.clone();
                async move {
                    let mut cursor = cursor;
                    let items = index.due(&tx, now, 10, &mut cursor).await?;
                    for item in &items {
                        index.remove(&tx, item);
                    }
                    Ok((items, cursor))
                }
            })
            .await;
        let (items, moved) = taken.expect("commits");
        cursor = moved;
        for item in items {
            told.push((item.due.since(start).as_secs(), index.item::<(String,)>(&item).expect("a name").0));
        }
        if told.len() == 3 {
            // One more, earlier than all that is left.
            cursor.include(at(21));
            let done: Done = store
                .transact(|tx| {
                    index.put(&tx, at(21), ("late",), "");
                    async { Ok(()) }
                })
                .await;
            done.expect("commits");
        }
    }
    let expect = [(10, "first"), (20, "second"), (20, "second too"), (21, "late"), (30, "third")];
    assert_eq!(told, expect.map(|(seconds, name)| (seconds, name.to_owned())));
}
