use super::*;
use crate::code::evil::{Raw, zip};

fn check(entries: &[Raw]) -> Result<Plan, ArchiveError> {
    plan(&zip(entries)).map(|(_, plan)| plan)
}

fn file(name: &str) -> Raw {
    Raw::new(name, b"x")
}

fn link(name: &str, target: &str) -> Raw {
    Raw::new(name, target.as_bytes()).mode(0o120_777)
}

#[test]
fn a_plan_has_clean_paths_and_the_directories_between() {
    let plan = check(&[
        file("./lib//a.py"),
        file("handler.py").mode(0),
        Raw::new("lib/", b"").mode(0o040_755),
        Raw::new("bin/run", b"#!/bin/sh").mode(0o100_755),
        link("lib/current", "../bin/./run"),
        Raw::new("./", b""),
        file("back\\slash ü 🐦"),
    ])
    .expect("an honest archive");
    let paths: Vec<_> = plan.entries.keys().map(String::as_str).collect();
    assert_eq!(paths, ["back\\slash ü 🐦", "bin", "bin/run", "handler.py", "lib", "lib/a.py", "lib/current"]);
    assert_eq!(plan.bytes, 12);
    assert_eq!(plan.entries["bin/run"], Entry::File { index: 3, bytes: 9, executable: true });
    assert_eq!(plan.entries["handler.py"], Entry::File { index: 1, bytes: 1, executable: false });
    assert_eq!(plan.entries["lib/current"], Entry::Symlink { target: "../bin/./run".into() });
}

#[test]
fn evil_archives_are_refused_for_what_they_are() {
    let path = |text: &str| ArchiveError::Path(text.into());
    let collision = |text: &str| ArchiveError::Collision(text.into());
    let outside = |text: &str| ArchiveError::Symlink(text.into());
    let special = |text: &str| ArchiveError::Special(text.into());
    let long_name = "n".repeat(256);
    let long_path = "d/".repeat(600) + "f";
    for (entries, error) in [
        (vec![], ArchiveError::Empty),
        (vec![Raw::new("only/", b"").mode(0o040_755)], ArchiveError::Empty),
        (vec![link("a", "b")], ArchiveError::Empty),
        (vec![file("../evil")], path("../evil")),
        (vec![file("a/../../evil")], path("a/../../evil")),
        (vec![file("a/..")], path("a/..")),
        (vec![file("/etc/passwd")], path("/etc/passwd")),
        (vec![file("a\0b")], path("a\\0b")),
        (vec![file("./")], ArchiveError::Empty),
        (vec![file(".")], path(".")),
        (vec![file("")], path(".")),
        (vec![file(&long_name)], path(&long_name)),
        (vec![file(&long_path)], path(&long_path[..1_024])),
        (vec![file("a"), file("a")], collision("?")),
        (vec![file("a"), file("./a")], collision("a")),
        (vec![file("a"), file("a/b")], collision("a/b")),
        (vec![file("a/b"), file("a")], collision("a")),
        (vec![file("a"), Raw::new("a/", b"")], collision("a")),
        (vec![file("x"), link("a", "x"), file("a/b")], collision("a/b")),
        (vec![file("x"), link("a", "/etc")], outside("a")),
        (vec![file("x"), link("a", "..")], outside("a")),
        (vec![file("x"), link("d/a", "../../x")], outside("d/a")),
        (vec![file("x"), link("a", "b/../../x")], outside("a")),
        (vec![file("x"), link("a", "")], outside("a")),
        (vec![file("x"), link("a", &"t/".repeat(600))], outside("a")),
        (vec![file("x"), file("null").mode(0o020_666)], special("null")),
        (vec![file("x"), file("pipe").mode(0o010_666)], special("pipe")),
        (vec![file("x"), file("socket").mode(0o140_666)], special("socket")),
        (vec![file("big").claiming(262_144_001)], ArchiveError::TooLarge),
        (vec![file("a").claiming(200_000_000), file("b").claiming(62_144_001)], ArchiveError::TooLarge),
        (vec![file("a"), file("b").overlapping()], ArchiveError::Broken("entries overlap".into())),
    ] {
        assert_eq!(check(&entries), Err(error));
    }
}

#[test]
fn what_is_no_archive_is_broken() {
    let whole = zip(&[file("a"), file("b")]);
    for bytes in [&b""[..], b"PK", b"not an archive at all", &whole[..whole.len() - 1], &whole[..20]] {
        assert!(matches!(plan(bytes), Err(ArchiveError::Broken(_))), "{bytes:?}");
    }
}

#[test]
fn an_archive_that_announces_too_many_entries_is_not_read() {
    let mut bytes = zip(&[file("a")]);
    let end = bytes.split_off(bytes.len() - 22);
    let at = bytes.len() as u64;
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(70_000_u64.to_le_bytes());
    bytes.extend(70_000_u64.to_le_bytes());
    bytes.extend([0; 16]);
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend(at.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(end);
    assert_eq!(plan(&bytes).map(|_| ()), Err(ArchiveError::TooManyEntries));
}
