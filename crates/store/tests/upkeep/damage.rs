//! Damage is told, never guessed around; the torn end that every crash may leave is none.

use std::sync::atomic::{AtomicUsize, Ordering};

use apus_store::fsck::{Check, Checked, Examined, FINDINGS_MAX, Look, Space, examine, fsck};
use apus_store::{BlobId, Key, Keyspace, Range, Store, StoreError};

use super::{file, find, flip, on_disk, options, put, rows};

#[test]
fn a_damaged_frame_in_the_middle_is_refused_and_one_at_the_end_dropped() {
    for (damaged, expect) in [(b"second", Some("a whole one follows")), (b"third!", None)] {
        on_disk(async |env, _disk, shared| {
            let store = Store::open(&env, &shared, &options()).expect("opens");
            for (key, value) in [(1, "first!"), (2, "second"), (3, "third!")] {
                put(&store, key, value).await.expect("commits");
            }
            store.close().await;
            let log = file(shared.as_ref(), "log-");
            flip(log.as_ref(), find(log.as_ref(), damaged));
            match (Store::open(&env, &shared, &options()), expect) {
                (Err(error), Some(expect)) => {
                    let text = error.to_string();
                    assert!(text.contains(expect) && text.contains("apus fsck"), "{text}");
                    let report = fsck(&env, &shared, &options(), &[]).await.expect("looks");
                    assert!(report.findings[0].detail.contains(expect), "{report:?}");
                }
                (Ok(store), None) => assert_eq!(rows(&store).await.len(), 2),
                (Ok(_), Some(_)) => panic!("damage in the middle was not seen"),
                (Err(error), None) => panic!("{error}"),
            }
        });
    }
}

#[test]
fn a_missing_segment_is_noticed() {
    on_disk(async |env, _disk, shared| {
        for key in 1..4 {
            let store = Store::open(&env, &shared, &options()).expect("opens");
            put(&store, key, "value").await.expect("commits");
            store.close().await;
        }
        let names = shared.list("").expect("lists");
        let segments: Vec<_> = names.iter().filter(|name| name.starts_with("log-")).collect();
        assert_eq!(segments.len(), 3);
        shared.remove(segments[1]).expect("removes");
        let error = Store::open(&env, &shared, &options()).expect_err("noticed").to_string();
        assert!(error.contains("frames 2 to 2 are missing"), "{error}");
    });
}

#[test]
fn a_look_at_a_sound_store_counts_and_finds_nothing() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        put(&store, 1, vec![1; 200_000]).await.expect("commits");
        store.checkpoint().await.expect("moves");
        put(&store, 2, vec![2; 100]).await.expect("commits");
        store.blobs().put("blob".into()).await.expect("writes");
        assert!(matches!(fsck(&env, &shared, &options(), &[]).await, Err(StoreError::Locked { .. })));
        store.close().await;
        let report = fsck(&env, &shared, &options(), &[]).await.expect("looks");
        assert_eq!((report.rows, report.blobs, report.log_frames), (2, 1, 1));
        assert_eq!(report.bytes, 200_000 + 100 + 2 * 2);
        assert_eq!(report.findings, []);
    });
}

#[test]
fn a_flipped_bit_in_the_base_is_found() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        for key in 0..50 {
            put(&store, key, vec![key as u8 + 100; 3_000]).await.expect("commits");
        }
        let before = rows(&store).await;
        store.checkpoint().await.expect("moves");
        store.close().await;
        let base = file(shared.as_ref(), "base");
        let at = find(base.as_ref(), &[120; 1_000]) + 500;
        flip(base.as_ref(), at);
        let report = fsck(&env, &shared, &options(), &[]).await.expect("looks");
        assert!(!report.findings.is_empty(), "a flipped bit in a value was not found");
        flip(base.as_ref(), at);
        let report = fsck(&env, &shared, &options(), &[]).await.expect("looks");
        assert_eq!(report.findings, [], "sound again");
        let store = Store::open(&env, &shared, &options()).expect("opens");
        assert_eq!(rows(&store).await, before);
    });
}

/// A service that refers to blobs from its rows.
struct References;

impl Check for References {
    fn name(&self) -> &'static str {
        "references"
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(async move {
            let read = look.tx().get(&Key::of((1u64,))).await?;
            let id = read.and_then(|value| <[u8; 16]>::try_from(value.as_ref()).ok()).map(BlobId::from);
            let Some(id) = id else { return Ok(()) };
            if look.blobs().open_blob(id).await?.is_none() {
                look.finding("row 1", format!("blob {id} is missing"));
            }
            Ok(())
        })
    }
}

/// Finds fault with every row, and ends before its time.
struct Fault;

impl Check for Fault {
    fn name(&self) -> &'static str {
        "fault"
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(async move {
            let mut rows = look.rows(Range::all());
            while let Some((key, _)) = rows.next().await? {
                look.finding(format!("{key:?}"), "it is there");
            }
            look.remark("all of it", "it will go");
            Err(StoreError::Closed)
        })
    }
}

#[test]
fn services_add_their_own_checks() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        let id = store.blobs().put("content".into()).await.expect("writes");
        put(&store, 1, id.as_bytes().to_vec()).await.expect("commits");
        store.close().await;
        let report = fsck(&env, &shared, &options(), &[&References]).await.expect("looks");
        assert_eq!(report.findings, []);
        shared.remove(&format!("blobs/{id}")).expect("removes");
        let report = fsck(&env, &shared, &options(), &[&References]).await.expect("looks");
        assert_eq!(report.findings[0].place, "row 1");
    });
}

#[test]
fn what_a_check_tells_is_bounded_and_an_early_end_is_told() {
    on_disk(async |env, _disk, shared| {
        let store = Store::open(&env, &shared, &options()).expect("opens");
        for key in 0..FINDINGS_MAX as u64 + 7 {
            put(&store, key, "value").await.expect("commits");
        }
        // Of an open store too, while others write.
        let checks: [&dyn Check; 2] = [&Fault, &References];
        let Examined { findings, remarks } = examine(&store, &checks).await.expect("looks");
        assert_eq!(findings.len(), FINDINGS_MAX + 1);
        assert_eq!(findings[FINDINGS_MAX].to_string(), "fault: there are 8 more like these");
        assert_eq!(remarks.len(), 1);
        store.close().await;
        let report = fsck(&env, &shared, &options(), &checks).await.expect("looks");
        assert_eq!((report.findings, report.remarks), (findings, remarks));
    });
}

#[test]
fn a_part_is_walked_a_beginning_at_a_time() {
    on_disk(async |env, _disk, _shared| {
        let store = Store::memory(&env);
        let spaces = [("a", "r1", "x"), ("a", "r1", "y"), ("a", "r2", "x"), ("b", "", "x")];
        store
            .transact(|tx| async move {
                for (account, region, service) in spaces {
                    let space = Keyspace::new(account, region, service);
                    for at in 0..5_u64 {
                        tx.put(&space.key((at % 2, at)), "");
                    }
                }
                Ok::<_, StoreError>(())
            })
            .await
            .expect("commits");
        let found = examine(&store, &[&Beginnings]).await.expect("looks").findings;
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a/r1: 0", "a/r1: 1", "a/r2: 0", "a/r2: 1", "b/: 0", "b/: 1"]);
    });
}

/// Tells what the keys of a service begin with.
struct Beginnings;

impl Check for Beginnings {
    fn name(&self) -> &'static str {
        "beginnings"
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(async move {
            for Space { account, region, keys } in look.spaces("x").await? {
                let mut rest = keys.all();
                while let Some((number,)) = look.next_beginning::<(u64,)>(&keys, &rest).await? {
                    look.finding(format!("{account}/{region}"), number.to_string());
                    rest = rest.behind(&keys.key((number,)));
                }
            }
            Ok(())
        })
    }
}

#[test]
fn damage_anywhere_in_the_base_is_told_and_never_a_panic() {
    const PLACES: u64 = 60;
    const BYTES: usize = 64;
    let found = AtomicUsize::new(0);
    for place in 0..PLACES {
        on_disk(async |env, _disk, shared| {
            let store = Store::open(&env, &shared, &options()).expect("opens");
            for key in 0..200 {
                put(&store, key, vec![key as u8; 300]).await.expect("commits");
            }
            store.checkpoint().await.expect("moves");
            store.close().await;
            let base = file(shared.as_ref(), "base");
            let at = base.size().expect("has a size") * place / PLACES;
            base.write_at(at, &[0x5a; BYTES]).expect("writes");
            let report = fsck(&env, &shared, &options(), &[]).await.expect("looks");
            found.fetch_add(usize::from(!report.findings.is_empty()), Ordering::Relaxed);
            // A start says the same, or does not need what was damaged.
            if let Ok(store) = Store::open(&env, &shared, &options()) {
                store.close().await;
            }
        });
    }
    let found = found.into_inner();
    assert!(found > 5, "only {found} of {PLACES} were found: most pages are free, but not all");
}
