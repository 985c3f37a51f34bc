//! Data directories of earlier formats, opened for ever after. A directory is made once, by the release that
//! introduces its format, with `cargo test -p apus-store --test golden -- --ignored`, and never changed again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apus_env::sim::Simulator;
use apus_store::disk::{Disk, OpenMode, RealDisk, SimDisk};
use apus_store::fsck::fsck;
use apus_store::{BlobId, Direction, FORMAT, Key, Log, Options, Range, Store, StoreError};
use bytes::Bytes;

/// Runs of zeros longer than this are left out of the files that are kept, as holes.
const HOLE_MIN: usize = 64;

fn directory(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{format}"))
}

fn options() -> Options {
    Options { log_extend_bytes: 4_096, checkpoint_idle: Duration::from_hours(1), ..Options::default() }
}

/// What every golden store holds.
fn expected(blob: BlobId) -> Vec<(Key, Bytes)> {
    let mut rows = vec![
        (Key::of(("blob",)), Bytes::copy_from_slice(blob.as_bytes())),
        (Key::of(("counter",)), Bytes::copy_from_slice(&42i64.to_be_bytes())),
        (Key::of(("in the base",)), Bytes::from("small")),
        (Key::of(("in the log",)), Bytes::from("small too")),
        (Key::of(("in the log, large",)), vec![8; 5_000].into()),
        (Key::of(("large",)), vec![7; 60_000].into()),
        (Key::of(("log", 0u64)), Bytes::from("first")),
        (Key::of(("log", 1u64)), Bytes::from("second")),
        (Key::of(("log", false)), Bytes::copy_from_slice(&2i64.to_be_bytes())),
    ];
    rows.sort();
    rows
}

async fn fill(store: &Store) {
    let blob = store.blobs().put(Bytes::from(vec![5; 10_000])).await.expect("writes");
    let log = Log::new(Key::of(("log",)));
    let done: Result<(), StoreError> = store
        .transact(|tx| {
            tx.put(&Key::of(("blob",)), blob.as_bytes().to_vec());
            tx.put(&Key::of(("in the base",)), "small");
            tx.put(&Key::of(("large",)), vec![7; 60_000]);
            tx.put(&Key::of(("deleted later",)), "gone");
            tx.add(&Key::of(("counter",)), 40);
            let _position = log.append_at_commit(&tx, "first");
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
    store.checkpoint().await.expect("moves");
    let done: Result<(), StoreError> = store
        .transact(|tx| {
            tx.put(&Key::of(("in the log",)), "small too");
            tx.put(&Key::of(("in the log, large",)), vec![8; 5_000]);
            tx.delete(&Key::of(("deleted later",)));
            tx.add(&Key::of(("counter",)), 2);
            let _position = log.append_at_commit(&tx, "second");
            async { Ok(()) }
        })
        .await;
    done.expect("commits");
}

#[test]
fn every_format_there_ever_was_still_opens() {
    for format in 1..=FORMAT {
        let mut sim = Simulator::new(1);
        let (env, disk): (_, Arc<dyn Disk>) = (sim.env(), Arc::new(SimDisk::volatile()));
        unpack(&directory(format), disk.as_ref());
        sim.run(async {
            let report = fsck(&env, &disk, &options(), &[]).await.expect("looks");
            assert_eq!(report.findings, [], "format {format}");
            let store = Store::open(&env, &disk, &options()).expect("opens");
            let blobs = store.blobs().list().await.expect("lists");
            let rows: Result<_, StoreError> =
                store.read(|tx| async move { tx.range(&Range::all(), 100, Direction::Forward).await }).await;
            assert!(rows.expect("reads") == expected(blobs[0]), "format {format} reads differently");
            let reader = store.blobs().open_blob(blobs[0]).await.expect("opens").expect("is there");
            assert_eq!(reader.read_all(20_000).await.expect("reads"), vec![5; 10_000]);
        });
    }
}

#[test]
#[ignore = "makes the directory of the current format, once"]
fn make() {
    let directory = directory(FORMAT);
    assert!(!directory.exists(), "{} is there, and stays as it is", directory.display());
    let scratch = directory.with_extension("scratch");
    let mut sim = Simulator::new(1);
    let (env, disk): (_, Arc<dyn Disk>) = (sim.env(), Arc::new(RealDisk::new(&scratch).expect("is made")));
    sim.run(async {
        let store = Store::open(&env, &disk, &options()).expect("opens");
        fill(&store).await;
        store.close().await;
    });
    drop(sim);
    pack(&scratch, &directory);
    std::fs::remove_dir_all(scratch).expect("is removed");
}

/// Keeps a directory's files: each as (offset, length, bytes) of what is not zero, and its size.
fn pack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("is made");
    for entry in std::fs::read_dir(from).expect("lists").map(|entry| entry.expect("lists")) {
        let name = entry.file_name().into_string().expect("a name of ours");
        if entry.path().is_dir() {
            pack(&entry.path(), &to.join(name));
            continue;
        }
        let content = std::fs::read(entry.path()).expect("reads");
        let mut packed = (content.len() as u64).to_le_bytes().to_vec();
        let mut at = 0;
        while let Some(start) = content[at..].iter().position(|&byte| byte != 0).map(|skip| at + skip) {
            let hole =
                content[start..].windows(HOLE_MIN).position(|window| window.iter().all(|&byte| byte == 0));
            let end = hole.map_or(content.len(), |length| start + length);
            packed.extend_from_slice(&(start as u64).to_le_bytes());
            packed.extend_from_slice(&((end - start) as u64).to_le_bytes());
            packed.extend_from_slice(&content[start..end]);
            at = end;
        }
        std::fs::write(to.join(format!("{name}.packed")), packed).expect("writes");
    }
}

fn unpack(from: &Path, disk: &dyn Disk) {
    unpack_folder(from, "", disk);
}

fn unpack_folder(from: &Path, folder: &str, disk: &dyn Disk) {
    for entry in
        std::fs::read_dir(from).expect("the golden directory is there").map(|entry| entry.expect("lists"))
    {
        let name = format!("{folder}{}", entry.file_name().into_string().expect("a name of ours"));
        if entry.path().is_dir() {
            disk.create_dir(&name).expect("is made");
            unpack_folder(&entry.path(), &format!("{name}/"), disk);
            continue;
        }
        let packed = std::fs::read(entry.path()).expect("reads");
        let number = |at: usize| u64::from_le_bytes(packed[at..at + 8].try_into().expect("eight bytes"));
        let file = disk.open(name.trim_end_matches(".packed"), OpenMode::Create).expect("is made");
        file.set_len(number(0)).expect("grows");
        let mut at = 8;
        while at < packed.len() {
            let (offset, length) = (number(at), number(at + 8) as usize);
            file.write_at(offset, &packed[at + 16..at + 16 + length]).expect("writes");
            at += 16 + length;
        }
    }
}
