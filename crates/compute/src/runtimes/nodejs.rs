//! Node.js: the interpreter at `/var/lang`, and our own bootstrap.

use std::path::{Path, PathBuf};

use super::{InterpreterSearch, PlanFailure, Runtime, RuntimeContext, RuntimePlan};
use crate::driver::RootEntry;
use crate::sdk::{NODEJS_MAJOR_MIN, Sdk};

pub(super) const RUNTIME: Runtime = Runtime { prefix: "nodejs", files: FILES, plan };

const FILES: &[(&str, &[u8])] = &[
    ("bootstrap.js", include_bytes!("bootstrap.js")),
    ("json_lines.js", include_bytes!("json_lines.js")),
    ("streaming.js", include_bytes!("streaming.js")),
    // Where the SDK is mounted.
    ("node_modules/.keep", b""),
];

/// The oldest that the bootstrap runs on.
const MAJOR_MIN: u32 = 16;
/// Of a function's memory, what objects that live may take.
const OLD_SPACE_PERCENT: u32 = 90;
/// Of a function's memory, what each half of the space of new objects may take.
const SEMI_SPACE_PERCENT: u32 = 5;

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
    let mut root = vec![
        RootEntry::BindFile { source: text(&found.program)?, path: "/var/lang/bin/node".into() },
        RootEntry::Bind { source: text(context.files)?, path: "/var/runtime".into() },
    ];
    let sdk = found.major.is_none_or(|major| major >= NODEJS_MAJOR_MIN);
    let sdk = sdk.then(|| Sdk::Nodejs { program: found.program.clone() });
    if let Some(sdk) = sdk.as_ref().zip(context.sdks).and_then(|(sdk, shelf)| sdk.found(shelf)) {
        root.push(RootEntry::Bind { source: text(&sdk)?, path: "/var/runtime/node_modules".into() });
    }
    // Modules are not looked for by NODE_PATH but in the directories above them, and find there what it names on AWS.
    let of_version = format!("nodejs/node{wanted}/node_modules");
    let of_layers = context.layers.iter().any(|layer| layer.join(&of_version).is_dir());
    let of_layers = if of_layers { &*of_version } else { "nodejs/node_modules" };
    root.push(RootEntry::Link { path: "/var/node_modules".into(), target: format!("/opt/{of_layers}") });
    root.push(RootEntry::Link { path: "/node_modules".into(), target: "/var/runtime/node_modules".into() });
    let share = |percent| context.memory_mb * percent / 100;
    Ok(RuntimePlan {
        root,
        sdk,
        command: vec![
            "/var/lang/bin/node".into(),
            // It brings certificates of its own; ours are where OpenSSL looks. NODE_EXTRA_CA_CERTS costs more.
            "--use-openssl-ca".into(),
            // It would collect garbage by the memory of the host, and be killed before. AWS's shares of the memory.
            format!("--max-old-space-size={}", share(OLD_SPACE_PERCENT)),
            format!("--max-semi-space-size={}", share(SEMI_SPACE_PERCENT)),
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
