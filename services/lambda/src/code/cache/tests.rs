use std::os::unix::fs::PermissionsExt;

use apus_env::sim::Simulator;

use super::*;
use crate::code::archive::ArchiveError;
use crate::code::evil::{Raw, zip};

/// An empty directory of that test's own.
fn fresh(test: &str) -> PathBuf {
    let program = std::env::current_exe().expect("the test's own path");
    let directory = program.with_file_name("code-cache").join(test);
    let _ = fs::remove_dir_all(&directory);
    directory
}

/// A package with one file of that size.
fn package(letter: u8, bytes: usize) -> Bytes {
    zip(&[Raw::new("a", &vec![letter; bytes])]).into()
}

async fn get(cache: &CodeCache, package: &Bytes) -> Result<Arc<UnpackedCode>, UnpackError> {
    cache.get(CodeHash::of(package), async { Ok(package.clone()) }).await
}

/// As [`get`], when it has to be there already.
async fn get_kept(cache: &CodeCache, package: &Bytes) -> Arc<UnpackedCode> {
    let load = async { Err(UnpackError::Io(io::Error::other("it was not kept"))) };
    cache.get(CodeHash::of(package), load).await.expect("kept")
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn code_is_unpacked_once_with_its_modes() {
    let mut simulator = Simulator::new(1);
    let cache = CodeCache::open(simulator.env(), &fresh("once"), 1_000).expect("a cache");
    let bytes: Bytes = zip(&[
        Raw::new("handler.py", b"pass"),
        Raw::new("bin/run", b"#!").mode(0o100_700),
        Raw::new("run", b"bin/run").mode(0o120_777),
    ])
    .into();
    simulator.run(async {
        let (first, second) = futures_util::join!(get(&cache, &bytes), get(&cache, &bytes));
        let (first, second) = (first.expect("unpacked"), second.expect("unpacked"));
        assert!(Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&first, &get_kept(&cache, &bytes).await));
        let mode =
            |path: &str| fs::metadata(first.directory.join(path)).expect(path).permissions().mode() & 0o777;
        assert_eq!(
            [mode("."), mode("bin"), mode("handler.py"), mode("bin/run")],
            [0o755, 0o755, 0o444, 0o555]
        );
        assert_eq!(fs::read(first.directory.join("run")).expect("through the link"), b"#!");
    });
    assert_eq!(names(&cache.directory).len(), 1);
}

#[test]
fn a_restart_finds_what_is_whole_and_removes_the_rest() {
    let mut simulator = Simulator::new(1);
    let directory = fresh("restart");
    let bytes = package(b'x', 10);
    let cache = CodeCache::open(simulator.env(), &directory, 1_000).expect("a cache");
    simulator.run(get(&cache, &bytes)).expect("unpacked");
    let own = cache.directory.clone();
    drop(cache);
    for torn in [own.join(".staging-1/a"), own.join("no-hash"), directory.join("another-boot/x")] {
        fs::create_dir_all(torn).expect("a directory");
    }
    let cache = CodeCache::open(simulator.env(), &directory, 1_000).expect("a cache");
    assert_eq!(names(&directory).len(), 1);
    assert_eq!(names(&own), [format!("{}.10", CodeHash::of(&bytes))]);
    simulator.run(get_kept(&cache, &bytes));
}

#[test]
fn the_least_recently_used_goes_first_and_what_is_in_use_stays() {
    let mut simulator = Simulator::new(1);
    let cache = CodeCache::open(simulator.env(), &fresh("room"), 100).expect("a cache");
    let [a, b, c, d] = [b'a', b'b', b'c', b'd'].map(|letter| package(letter, 40));
    simulator.run(async {
        let in_use = get(&cache, &a).await.expect("unpacked");
        get(&cache, &b).await.expect("unpacked");
        get(&cache, &c).await.expect("unpacked");
        assert!(in_use.directory.join("a").exists());
        get_kept(&cache, &a).await;
        get_kept(&cache, &c).await;
        drop(in_use);
        // The use of `c` is the more recent one.
        get(&cache, &d).await.expect("unpacked");
        get_kept(&cache, &c).await;
        let load = async { Err(UnpackError::Io(io::Error::other("gone"))) };
        assert!(cache.get(CodeHash::of(&a), load).await.is_err());
        // What is gone can come back.
        get(&cache, &a).await.expect("unpacked");
    });
}

#[test]
fn archives_that_lie_leave_nothing_behind() {
    let mut simulator = Simulator::new(1);
    let directory = fresh("lies");
    let cache = CodeCache::open(simulator.env(), &directory, 1_000).expect("a cache");
    let honest = Raw::new("a", &[b'x'; 100]);
    // Deflated: one block of a thousand zeros, as zlib writes it.
    let zeros =
        Raw { content: vec![99, 96, 24, 5, 163, 96, 20, 12, 119, 0, 0], method: 8, ..Raw::new("a", b"") };
    for (name, entry) in [
        ("more than it says", zeros.clone().claiming(10)),
        ("less than it says", honest.clone().claiming(101)),
        ("another content", Raw { crc: 7, ..honest.clone() }),
        ("an unknown method", Raw { method: 77, ..honest.clone() }),
        ("an encrypted file", Raw { method: 99, ..honest }),
        ("no deflate stream", Raw { content: vec![0xff; 10], ..zeros.claiming(10) }),
    ] {
        let result = simulator.run(get(&cache, &zip(&[Raw::new("b", b"first"), entry]).into()));
        assert!(matches!(result, Err(UnpackError::Archive(ArchiveError::Broken(_)))), "{name}: {result:?}");
        assert_eq!(names(&cache.directory), [""; 0], "{name}");
        assert!(cache.slots().by_hash.is_empty(), "{name}");
    }
    assert_eq!(fs::read_dir(directory).expect("a directory").count(), 1);
}
