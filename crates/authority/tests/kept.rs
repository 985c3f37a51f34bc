//! An authority is made once and kept, and its key is nobody else's to read.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use apus_authority::Authority;

fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => directory,
    }
}

#[test]
fn the_second_start_finds_the_authority_of_the_first() {
    let directory = directory("kept");
    let first = Authority::load_or_create(&directory).expect("made");
    let second = Authority::load_or_create(&directory).expect("found");
    assert_eq!(first.certificate_pem(), second.certificate_pem());
    let mode = std::fs::metadata(directory.join("key.pem")).expect("there is a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_was_cut_short_is_made_again_and_what_is_damaged_is_said() {
    let directory = directory("damaged");
    let first = Authority::load_or_create(&directory).expect("made").certificate_pem().to_owned();
    // Killed before the key was written: nobody has trusted that certificate.
    std::fs::remove_file(directory.join("key.pem")).expect("there is a key");
    std::fs::write(directory.join("key.pem.new"), "half").expect("the directory is ours");
    assert_ne!(Authority::load_or_create(&directory).expect("made again").certificate_pem(), first);
    std::fs::write(directory.join("key.pem"), "nonsense").expect("the directory is ours");
    let error = Authority::load_or_create(&directory).err().expect("damaged").to_string();
    assert!(error.contains("its key is unreadable") && error.contains("remove the directory"), "{error}");
}
