//! Botocore's protocol vectors, turned round: its clients' requests must decode to their parameters, and its
//! clients' results must encode to the answers that they were read from.
//!
//! The vectors are read from a pinned download: the directory in `APUS_BOTOCORE`, or
//! `target/botocore/botocore-1.44.5` in the workspace. Without it the test says so and checks nothing.

/// Writes past the test harness, which keeps what a passing test prints to itself.
macro_rules! say {
    ($($part:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($part)*);
    }};
}

mod compare;
mod inputs;
mod model;
mod outputs;
mod services;
mod skipped;
mod values;

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// How many cases each direction has at least.
const MIN_CASES: usize = 290;

/// One case with the suite around it.
struct Case<'a> {
    file: &'a str,
    suite: &'a Json,
    json: &'a Json,
}

impl Case<'_> {
    fn id(&self) -> &str {
        self.json["id"].as_str().expect("a case has an id")
    }

    fn protocol(&self) -> apus_schema::Protocol {
        use apus_schema::Protocol;
        let metadata = &self.suite["metadata"];
        match (metadata["protocol"].as_str(), metadata["jsonVersion"].as_str()) {
            (Some("json"), Some("1.0")) => Protocol::AwsJson10,
            (Some("json"), _) => Protocol::AwsJson11,
            (Some("query"), _) => Protocol::Query,
            (Some("rest-json"), _) => Protocol::RestJson,
            (Some("rest-xml"), _) => Protocol::RestXml,
            (Some("smithy-rpc-v2-cbor"), _) => Protocol::RpcV2Cbor,
            other => panic!("{}: unknown protocol {other:?}", self.file),
        }
    }
}

#[test]
fn requests_decode_to_their_parameters() {
    run("input", inputs::check);
}

#[test]
fn results_encode_to_their_answers() {
    run("output", outputs::check);
}

fn run(direction: &str, check: fn(&Case<'_>) -> Result<(), String>) {
    let Some(vectors) = vectors() else {
        say!("SKIPPED: no protocol vectors; set APUS_BOTOCORE to an unpacked botocore source distribution");
        return;
    };
    let only = std::env::var("APUS_VECTOR").ok();
    let (mut passed, mut failures, mut skipped, mut other_protocols) = (0, Vec::new(), Vec::new(), 0);
    for file in files(&vectors.join(direction)) {
        let suites: Vec<Json> = read(&file);
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a file has a name");
        for suite in &suites {
            for case in suite["cases"].as_array().into_iter().flatten() {
                let case = Case { file: name, suite, json: case };
                if name == "ec2" {
                    other_protocols += 1;
                    continue;
                }
                if only.as_deref().is_some_and(|only| only != case.id()) {
                    continue;
                }
                let reason = skipped::reason(direction, name, case.id());
                match (check(&case), reason) {
                    (Ok(()), None) => passed += 1,
                    (Ok(()), Some(_)) => {
                        failures.push(format!("{name} {}: passes, but is in the table", case.id()));
                    }
                    (Err(_), Some(reason)) => skipped.push(format!("{name} {}: {reason}", case.id())),
                    (Err(error), None) => failures.push(format!("{name} {}: {error}", case.id())),
                }
            }
        }
    }
    say!(
        "{direction}: {passed} passed, {} skipped with a reason, {} failed, {other_protocols} of the ec2 protocol left out",
        skipped.len(),
        failures.len()
    );
    for line in &skipped {
        say!("  skipped {line}");
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(only.is_some() || passed > MIN_CASES, "the vectors are not all there");
}

#[test]
fn every_request_of_real_services_is_found_and_read() {
    services::check();
}

fn vectors() -> Option<PathBuf> {
    Some(botocore().join("tests/unit/protocols")).filter(|path| path.is_dir())
}

fn botocore() -> PathBuf {
    std::env::var_os("APUS_BOTOCORE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/botocore/botocore-1.44.5"),
        PathBuf::from,
    )
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn read(file: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(file).expect("the vectors can be read");
    serde_json::from_str(&text).expect("the vectors are JSON")
}
