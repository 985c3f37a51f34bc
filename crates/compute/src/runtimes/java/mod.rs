//! Java: the virtual machine at `/var/lang`, and our own bootstrap, which is compiled by `cargo xtask java`.

use std::path::{Path, PathBuf};

use super::{InterpreterSearch, PlanFailure, Runtime, RuntimeContext, RuntimePlan};
use crate::certificates;
use crate::driver::RootEntry;

pub(super) const RUNTIME: Runtime = Runtime { prefix: "java", files: FILES, plan };

/// The oldest that the bootstrap runs on.
const MAJOR_MIN: u32 = 11;
/// Memory that is not the heap's: the machine itself, classes, compiled code, stacks; in MB.
const BESIDE_HEAP_MB_MIN: u32 = 64;
/// The same as a share of the memory, where that is more.
const BESIDE_HEAP_SHARE: u32 = 8;
/// Where Debian keeps a machine's configuration, to which links in its directory lead.
pub(crate) const CONFIGURATIONS: &str = "java-";

macro_rules! classes {
    ($($name:literal),+ $(,)?) => {
        &[$((concat!("classes/apus/", $name, ".class"), include_bytes!(concat!("classes/apus/", $name, ".class")))),+]
    };
}

const FILES: &[(&str, &[u8])] = classes![
    "Api",
    "Api$Invocation",
    "Bootstrap",
    "Convert",
    "Entry",
    "Fault",
    "InvocationContext",
    "Json",
    "Log"
];

fn plan(version: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure> {
    let wanted: u32 = version.parse().ok().filter(|major| *major >= MAJOR_MIN).ok_or_else(|| {
        format!("the runtime `java{version}` is not supported; supported are java{MAJOR_MIN} and newer")
    })?;
    let found = find(wanted, context.search).ok_or_else(|| {
        format!(
            "no Java for the runtime `java{wanted}` was found in {} directories; install Java {wanted}, for example \
             openjdk-{wanted}-jre-headless of your system's packages",
            context.search.directories.len()
        )
    })?;
    let note = (found.major != wanted).then(|| {
        format!(
            "Java {wanted} is not installed; the function runs on Java {} ({})",
            found.major,
            found.prefix.display()
        )
    });
    let heap_mb = context.memory_mb - beside_heap_mb(context.memory_mb).min(context.memory_mb / 2);
    Ok(RuntimePlan {
        root: found.root(context)?,
        sdk: None,
        command: vec![
            "/var/lang/bin/java".into(),
            format!("-Xmx{heap_mb}m"),
            // For short lives, as on AWS: one processor's collector, and code that is compiled quickly.
            "-XX:+UseSerialGC".into(),
            "-XX:TieredStopAtLevel=1".into(),
            "-Xshare:auto".into(),
            "-XX:-UsePerfData".into(),
            format!("-Djavax.net.ssl.trustStore={}", certificates::JAVA_STORE),
            "-cp".into(),
            "/var/runtime/classes:/var/task:/var/task/lib/*:/opt/java/lib/*".into(),
            "apus.Bootstrap".into(),
        ],
        variables: Vec::new(),
        note,
    })
}

fn beside_heap_mb(memory_mb: u32) -> u32 {
    (memory_mb / BESIDE_HEAP_SHARE).max(BESIDE_HEAP_MB_MIN)
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Java {
    major: u32,
    prefix: PathBuf,
}

/// The version that is wanted, else the next newer, else the newest of the older ones.
fn find(wanted: u32, search: &InterpreterSearch) -> Option<Java> {
    let found = search.find("java").filter_map(|program| {
        let prefix = program.parent()?.parent()?.to_owned();
        let complete = prefix.join("lib/modules").is_file();
        Some(Java { major: major(&prefix)?, prefix }).filter(|java| complete && java.major >= MAJOR_MIN)
    });
    found.min_by_key(|java| {
        let older = java.major < wanted;
        (older, java.major.abs_diff(wanted))
    })
}

/// From the file that every installation has.
fn major(prefix: &Path) -> Option<u32> {
    let release = std::fs::read_to_string(prefix.join("release")).ok()?;
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    version.trim_matches('"').split(['.', '-', '+']).next()?.parse().ok()
}

impl Java {
    fn root(&self, context: &RuntimeContext<'_>) -> Result<Vec<RootEntry>, String> {
        let mut root = vec![
            RootEntry::Bind { source: text(&self.prefix)?, path: "/var/lang".into() },
            RootEntry::Bind { source: text(context.files)?, path: "/var/runtime".into() },
        ];
        for configuration in configurations() {
            let path = text(&configuration)?;
            root.push(RootEntry::Bind { source: path.clone(), path });
        }
        Ok(root)
    }
}

/// Configurations of this host's machines, outside of their directories.
pub(crate) fn configurations() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(CONFIGURATIONS));
    named.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_leaves_room_for_the_machine() {
        let heap = |memory_mb: u32| memory_mb - beside_heap_mb(memory_mb).min(memory_mb / 2);
        assert_eq!([128, 256, 512, 1024, 2048].map(heap), [64, 192, 448, 896, 1792]);
        assert_eq!(heap(0), 0);
    }

    #[test]
    fn the_classes_are_made_from_the_sources() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/runtimes/java");
        let mut names: Vec<PathBuf> = std::fs::read_dir(&sources)
            .expect("the sources are here")
            .map(|entry| entry.expect("it can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "java"))
            .collect();
        names.sort();
        let text: String =
            names.iter().map(|path| std::fs::read_to_string(path).expect("it can be read")).collect();
        let made_from = std::fs::read_to_string(sources.join("classes/made-from.txt")).expect("it is here");
        let expected = format!("{:016x}", crate::sdk::fingerprint(&text));
        assert!(made_from.contains(&expected), "run `cargo xtask java`: the sources are {expected} now");
        let classes = std::fs::read_dir(sources.join("classes/apus")).expect("the classes are here").count();
        assert_eq!(classes, FILES.len(), "every class, and no other");
    }
}
