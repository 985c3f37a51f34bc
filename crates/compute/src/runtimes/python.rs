//! Python: the interpreter's prefix at `/var/lang` without the host's packages, and our own bootstrap.

use std::path::{Path, PathBuf};

use super::{InterpreterSearch, PlanFailure, Runtime, RuntimeContext, RuntimePlan};
use crate::driver::RootEntry;

pub(super) const RUNTIME: Runtime = Runtime {
    prefix: "python",
    files: &[
        ("bootstrap.py", include_str!("bootstrap.py")),
        ("apus/exceptions.py", include_str!("exceptions.py")),
        ("apus/logging_format.py", include_str!("logging_format.py")),
        // Where bundled libraries are mounted.
        ("site-packages/.keep", ""),
    ],
    plan,
};

/// Minor versions of Python 3 that are looked for; the bootstrap needs the first.
const MINORS: std::ops::RangeInclusive<u32> = 8..=30;

fn plan(version: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure> {
    let wanted: u32 = version
        .strip_prefix("3.")
        .and_then(|minor| minor.parse().ok())
        .ok_or_else(|| format!("the runtime `python{version}` is not supported; supported are python3.x"))?;
    let found = find(wanted, context.search).ok_or_else(|| {
        format!(
            "no Python interpreter for the runtime `python3.{wanted}` was found in {} directories; install python3.{wanted}, \
             for example with your system's packages or `uv python install 3.{wanted}`",
            context.search.directories.len()
        )
    })?;
    let note = (found.minor != wanted).then(|| {
        format!(
            "python3.{wanted} is not installed; the function runs on python3.{} ({})",
            found.minor,
            found.program.display()
        )
    });
    Ok(RuntimePlan {
        root: found.root(context)?,
        command: vec![
            format!("/var/lang/bin/python3.{}", found.minor),
            // Without `site`, which looks for packages of the host, and without writing bytecode to read-only places.
            "-S".into(),
            "-B".into(),
            "/var/runtime/bootstrap.py".into(),
        ],
        variables: vec![("PYTHONPATH".into(), "/var/runtime".into())],
        note,
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Python {
    minor: u32,
    program: PathBuf,
    prefix: PathBuf,
}

/// The version that is wanted, else the next newer, else the newest of the older ones.
fn find(wanted: u32, search: &InterpreterSearch) -> Option<Python> {
    preference(wanted).find_map(|minor| {
        search.find(&format!("python3.{minor}")).find_map(|program| {
            let prefix = program.parent()?.parent()?.to_owned();
            let complete = prefix.join(format!("lib/python3.{minor}/os.py")).is_file();
            complete.then_some(Python { minor, program, prefix })
        })
    })
}

fn preference(wanted: u32) -> impl Iterator<Item = u32> {
    let newer = MINORS.filter(move |minor| *minor >= wanted);
    newer.chain(MINORS.rev().filter(move |minor| *minor < wanted))
}

impl Python {
    fn root(&self, context: &RuntimeContext<'_>) -> Result<Vec<RootEntry>, String> {
        let name = format!("python3.{}", self.minor);
        let program = format!("/var/lang/bin/{name}");
        let mut root = vec![
            RootEntry::BindFile { source: text(&self.program)?, path: program },
            RootEntry::Link { path: "/var/lang/bin/python3".into(), target: name.clone() },
            RootEntry::Link { path: "/var/lang/bin/python".into(), target: name.clone() },
        ];
        // A prefix that is shared with the rest of a system gives only what is Python's.
        let shared = ["/usr", "/usr/local"].iter().any(|shared| self.prefix == Path::new(shared));
        if shared {
            let library = self.prefix.join("lib").join(&name);
            root.push(RootEntry::Bind { source: text(&library)?, path: format!("/var/lang/lib/{name}") });
            let linked = self.prefix.join(format!("lib/lib{name}.so.1.0"));
            if linked.is_file() {
                let path = format!("/var/lang/lib/lib{name}.so.1.0");
                root.push(RootEntry::BindFile { source: text(&linked)?, path });
            }
        } else {
            root.push(RootEntry::Bind {
                source: text(&self.prefix.join("lib"))?,
                path: "/var/lang/lib".into(),
            });
        }
        let packages = format!("lib/{name}/site-packages");
        if self.prefix.join(&packages).is_dir() {
            let path = format!("/var/lang/{packages}");
            root.push(RootEntry::Hidden { path });
        }
        root.push(RootEntry::Bind { source: text(context.files)?, path: "/var/runtime".into() });
        if let Some(bundled) = context.bundled {
            root.push(RootEntry::Bind { source: text(bundled)?, path: "/var/runtime/site-packages".into() });
        }
        Ok(root)
    }
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_newer_version_stands_in_before_an_older_one() {
        assert_eq!(preference(12).take(3).collect::<Vec<_>>(), [12, 13, 14]);
        assert_eq!(preference(29).take(4).collect::<Vec<_>>(), [29, 30, 28, 27]);
    }
}
