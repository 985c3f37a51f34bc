//! Node.js: the interpreter at `/var/lang`, and our own bootstrap.

use std::path::{Path, PathBuf};

use super::{InterpreterSearch, PlanFailure, Runtime, RuntimeContext, RuntimePlan};
use crate::driver::RootEntry;

pub(super) const RUNTIME: Runtime =
    Runtime { prefix: "nodejs", files: &[("bootstrap.js", include_str!("bootstrap.js"))], plan };

/// The oldest that the bootstrap runs on.
const MAJOR_MIN: u32 = 16;

fn plan(version: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure> {
    let wanted: u32 = version
        .strip_suffix(".x")
        .and_then(|major| major.parse().ok())
        .filter(|major| *major >= MAJOR_MIN)
        .ok_or_else(|| {
            format!(
                "the runtime `nodejs{version}` is not supported; supported are nodejs{MAJOR_MIN}.x and newer"
            )
        })?;
    let found = find(wanted, context.search).ok_or_else(|| {
        format!(
            "no Node.js for the runtime `nodejs{wanted}.x` was found in {} directories; install Node.js {wanted}",
            context.search.directories.len()
        )
    })?;
    let note = (found.major != Some(wanted)).then(|| {
        let version =
            found.major.map_or_else(|| "of an unknown version".to_owned(), |major| major.to_string());
        format!(
            "Node.js {wanted} is not installed; the function runs on Node.js {version} ({})",
            found.program.display()
        )
    });
    Ok(RuntimePlan {
        root: vec![
            RootEntry::BindFile { source: text(&found.program)?, path: "/var/lang/bin/node".into() },
            RootEntry::Bind { source: text(context.files)?, path: "/var/runtime".into() },
        ],
        command: vec![
            "/var/lang/bin/node".into(),
            // It brings certificates of its own; ours are where OpenSSL looks. NODE_EXTRA_CA_CERTS costs more.
            "--use-openssl-ca".into(),
            "/var/runtime/bootstrap.js".into(),
        ],
        variables: vec![(
            "NODE_PATH".into(),
            format!(
                "/opt/nodejs/node{wanted}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/task"
            ),
        )],
        note,
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    /// Unknown where neither its path nor its headers tell.
    major: Option<u32>,
    program: PathBuf,
}

/// The version that is wanted, else the next newer, else the newest of the older ones, else any.
fn find(wanted: u32, search: &InterpreterSearch) -> Option<Node> {
    let found = search.find("node").map(|program| Node { major: major(&program), program });
    found.filter(|node| node.major.is_none_or(|major| major >= MAJOR_MIN)).min_by_key(|node| {
        match node.major {
            Some(major) if major >= wanted => (0, major - wanted),
            Some(major) => (1, wanted - major),
            None => (2, 0),
        }
    })
}

/// From the directory of a version manager, such as `v20.11.1`, or from the header beside the program.
fn major(program: &Path) -> Option<u32> {
    let prefix = program.parent()?.parent()?;
    let number = |text: &str| text.split('.').next()?.parse::<u32>().ok();
    let directory = prefix.file_name()?.to_str()?;
    if let Some(major) = number(directory.trim_start_matches("node-").trim_start_matches('v')) {
        return Some(major);
    }
    let header = std::fs::read_to_string(prefix.join("include/node/node_version.h")).ok()?;
    header.lines().find_map(|line| line.strip_prefix("#define NODE_MAJOR_VERSION")?.trim().parse().ok())
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no UTF-8", path.display()))
}
