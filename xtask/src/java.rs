//! Compiles the bootstrap of the Java runtimes. Its classes are committed, so that nobody needs a JDK to build Apus.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failure, run, workspace_root};

const SOURCES: &str = "crates/compute/src/runtimes/java";
/// The oldest Java that it runs on.
const RELEASE: &str = "11";

/// Writes the classes, or with `--check` says whether the committed ones are what this compiler makes of the sources.
pub(crate) fn run_java(arguments: &[String]) -> Result<(), Failure> {
    let root = workspace_root();
    let sources = root.join(SOURCES);
    let check = arguments.iter().any(|argument| argument == "--check");
    let classes = if check { root.join("target/java-classes") } else { sources.join("classes") };
    if classes.exists() {
        fs::remove_dir_all(&classes).map_err(|error| Failure::io(&classes, &error))?;
    }
    let files = files(&sources)?;
    // Neither strings nor anything else shall be put together at the first use, which is at each start.
    let options =
        ["--release", RELEASE, "-XDstringConcat=inline", "-g:source,lines", "-Xlint:all", "-Werror", "-d"];
    run(Command::new("javac").args(options).arg(&classes).args(&files))?;
    let mut text = String::new();
    for file in &files {
        text += &fs::read_to_string(file).map_err(|error| Failure::io(file, &error))?;
    }
    let made_from = classes.join("made-from.txt");
    let stamp = format!("made by `cargo xtask java` from sources {:016x}\n", fingerprint(&text));
    fs::write(&made_from, stamp).map_err(|error| Failure::io(&made_from, &error))?;
    if check {
        return run(Command::new("diff").arg("-r").arg(&classes).arg(sources.join("classes")));
    }
    Ok(())
}

fn files(sources: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(sources).map_err(|error| Failure::io(sources, &error))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "java"))
        .collect();
    files.sort();
    Ok(files)
}

/// FNV-1a, as the test of the runtime has it.
fn fingerprint(text: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
