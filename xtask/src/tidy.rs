//! Rules of the house that the compiler does not know: which crate may depend on which, and that generated
//! files say so.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::codegen::{self, MARKER};
use crate::run::{Failure, output, workspace_root};

/// For each crate, those of ours that it may depend on. A name that ends in `*` stands for all that begin so.
/// Arrows point down: a crate's own line comes after the lines of what it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("apus-time", &[]),
    ("apus-env", &["apus-time"]),
    ("apus-schema", &["apus-time"]),
    ("apus-model-*", &["apus-schema", "apus-time"]),
    ("apus-policy", &["apus-time"]),
    ("apus-patterns", &[]),
    ("apus-wire", &["apus-schema", "apus-time"]),
    ("apus-store", &["apus-env", "apus-time"]),
    ("apus-authority", &[]),
    ("apus-compute", &["apus-env", "apus-time"]),
    ("apus-kernel", &["apus-env", "apus-model-*", "apus-schema", "apus-store", "apus-time"]),
    ("apus-gateway", &["apus-env", "apus-kernel", "apus-schema", "apus-time", "apus-wire"]),
    ("apus-service-iam", &["apus-policy", SERVICE]),
    // The pieces of streamed responses are framed as they come.
    ("apus-service-lambda", &["apus-compute", "apus-patterns", "apus-wire", SERVICE]),
    // Events of its live tail are framed as they are made.
    ("apus-service-logs", &["apus-wire", SERVICE]),
    ("apus-service-sns", &["apus-patterns", "apus-policy", SERVICE]),
    ("apus-service-sqs", &["apus-policy", SERVICE]),
    ("apus-service-sts", &["apus-policy", SERVICE]),
    ("apus-service-*", &[SERVICE]),
    ("apus", &["apus-*"]),
    ("apus-bakeoff", &["apus-env", "apus-store"]),
    ("apus-bench", &["apus", "apus-*"]),
    ("apus-sim", &["apus", "apus-*"]),
    // The generated crates only in tests: see `DEVELOPMENT_ONLY`.
    ("xtask", &["apus-model-*", "apus-schema", "apus-time"]),
];

/// Stands for what every service may use.
const SERVICE: &str = "(service)";

/// What every service may use: never another service.
const SERVICE_MAY_USE: &[&str] =
    &["apus-env", "apus-kernel", "apus-model-*", "apus-schema", "apus-store", "apus-time"];

/// Uses that are for tests alone.
const DEVELOPMENT_ONLY: &[(&str, &str)] = &[("xtask", "apus-model-*")];

/// One crate's use of another.
#[derive(Clone, Debug)]
struct Use {
    from: String,
    to: String,
    /// Only its tests do.
    in_tests: bool,
}

/// Checks all; a failure lists what is wrong.
pub(crate) fn check() -> Result<(), Failure> {
    let mut command = Command::new("cargo");
    command
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(workspace_root());
    let metadata = serde_json::from_slice(&output(&mut command)?)
        .map_err(|error| Failure(format!("`cargo metadata` printed no JSON: {error}")))?;
    let (crates, uses) = graph(&metadata);
    let mut wrongs = direction(&crates, &uses);
    wrongs.extend(unmarked());
    if wrongs.is_empty() { Ok(()) } else { Err(Failure(format!("\n  {}", wrongs.join("\n  ")))) }
}

/// Our crates, and who uses whom.
fn graph(metadata: &Value) -> (Vec<String>, Vec<Use>) {
    let mut crates = Vec::new();
    let mut uses = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let Some(from) = package["name"].as_str() else { continue };
        crates.push(from.to_owned());
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // Only our own crates are named by a path.
            if let (Some(to), Some(_)) = (dependency["name"].as_str(), dependency["path"].as_str()) {
                let in_tests = dependency["kind"] == "dev";
                uses.push(Use { from: from.to_owned(), to: to.to_owned(), in_tests });
            }
        }
    }
    (crates, uses)
}

/// Uses that the table forbids, and crates that it does not know.
fn direction(crates: &[String], uses: &[Use]) -> Vec<String> {
    let mut wrongs = Vec::new();
    for name in crates {
        if rule(name).is_none() {
            wrongs.push(format!("{name} has no line in the table of xtask/src/tidy.rs: who may it use?"));
        }
    }
    for Use { from, to, in_tests } in uses {
        let Some(allowed) = rule(from) else { continue };
        let listed = allowed
            .iter()
            .any(|name| if *name == SERVICE { one_of(SERVICE_MAY_USE, to) } else { is(name, to) });
        let for_tests = DEVELOPMENT_ONLY.iter().any(|(own, other)| is(own, from) && is(other, to));
        let fine = listed && (*in_tests || !for_tests);
        if !fine {
            let place = if *in_tests { "in its tests, " } else { "" };
            wrongs.push(format!(
                "{place}{from} uses {to}: arrows point down only (xtask/src/tidy.rs has the table)"
            ));
        }
    }
    wrongs
}

/// The first line of the table that a crate fits.
fn rule(name: &str) -> Option<&'static [&'static str]> {
    MAY_USE.iter().find(|(pattern, _)| is(pattern, name)).map(|(_, allowed)| *allowed)
}

fn one_of(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| is(pattern, name))
}

fn is(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// Files of model crates that do not say that they are generated, and model crates of no service.
fn unmarked() -> Vec<String> {
    let mut wrongs = Vec::new();
    for (path, text) in files_of_models() {
        if !text.lines().next().unwrap_or_default().contains(MARKER) {
            wrongs.push(format!(
                "{path} does not begin with `{MARKER}…`: model crates are generated as a whole"
            ));
        }
        let service = path.split('/').nth(1).unwrap_or_default();
        if !codegen::SERVICES.iter().any(|known| known.name == service) {
            wrongs.push(format!("{path} belongs to no service of xtask/src/codegen/services.rs"));
        }
    }
    wrongs
}

/// The manifests and sources under `models`, with their text.
fn files_of_models() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![workspace_root().join("models")];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(workspace_root()).unwrap_or(&path);
                files.insert(path.to_string_lossy().into_owned(), text);
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, in_tests: bool, fine: bool) {
        let uses = [Use { from: from.into(), to: to.into(), in_tests }];
        let wrongs = direction(&[], &uses);
        assert_eq!(wrongs.is_empty(), fine, "{from} → {to}, in tests: {in_tests}: {wrongs:?}");
    }

    #[test]
    fn arrows_point_down_only() {
        check("apus-service-sqs", "apus-kernel", false, true);
        check("apus-service-sqs", "apus-model-lambda", false, true);
        check("apus-service-lambda", "apus-compute", false, true);
        check("apus-service-sts", "apus-policy", false, true);
        check("apus", "apus-service-sqs", false, true);
        check("apus-sim", "apus", false, true);
        check("apus-bench", "apus", false, true);
        check("apus-bench", "apus-store", false, true);

        check("apus-service-sqs", "apus-service-lambda", false, false);
        check("apus-service-sqs", "apus-service-lambda", true, false);
        check("apus-service-sqs", "apus-compute", false, false);
        check("apus-service-s3", "apus-policy", false, false);
        check("apus-service-sqs", "apus-wire", false, false);
        check("apus-kernel", "apus-gateway", false, false);
        check("apus-wire", "apus-store", false, false);
        check("apus-model-sqs", "apus-model-s3", false, false);
        check("apus-time", "apus-env", false, false);
        check("apus-env", "apus-store", false, false);
        check("apus-compute", "apus", false, false);
        check("apus-service-sqs", "apus-bench", true, false);
    }

    #[test]
    fn some_uses_are_for_tests_alone() {
        check("xtask", "apus-model-sqs", true, true);
        check("xtask", "apus-model-sqs", false, false);
    }

    #[test]
    fn a_crate_without_a_line_is_named() {
        let wrongs = direction(&["apus-surprise".into()], &[]);
        assert!(wrongs[0].starts_with("apus-surprise has no line"), "{wrongs:?}");
    }

    #[test]
    fn the_repository_is_tidy() {
        assert_eq!(super::check().map_err(|failure| failure.0), Ok(()));
    }
}
