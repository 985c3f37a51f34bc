//! Functions that bring their own runtime.

use std::path::Path;

use libtest_mimic::Trial;
use serde_json::json;

use crate::rig::{Function, Rig, write_program};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let has_curl = Path::new("/usr/bin/curl").exists();
    if !has_curl {
        eprintln!("\n*** SKIPPED: no custom runtime in shell is tried here: there is no `curl` ***\n");
    }
    vec![
        trial("a_runtime_in_shell_serves_from_code_and_from_a_layer", shell).with_ignored_flag(!has_curl),
        trial("what_cannot_be_executed_is_told_apart", refusals),
    ]
}

/// The Runtime API in shell: answers with the event and the handler's name.
const SHELL: &str = r#"#!/bin/sh
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  head=$(mktemp)
  event=$(curl -sS -D "$head" "$api/next")
  id=$(grep -i '^lambda-runtime-aws-request-id:' "$head" | tr -d '[:space:]' | cut -d: -f2)
  rm "$head"
  curl -sS -o /dev/null -d "{\"event\": $event, \"handler\": \"$_HANDLER\", \"in\": \"${AWS_EXECUTION_ENV:-none}\"}" \
    "$api/$id/response"
done
"#;

/// A function whose program is this file with this text and mode.
fn with_program(rig: &Rig, name: &str, file: &str, text: &[u8], mode: u32) -> Function {
    let function = rig.python(name, "").with(|spec| {
        spec.runtime = "provided.al2023".into();
        spec.handler = "my.handler".into();
    });
    write_program(&function.0.code_dir, file, text, mode);
    function
}

async fn shell() {
    let rig = Rig::start("provided");
    let function = with_program(&rig, "code", "bootstrap", SHELL.as_bytes(), 0o755);
    for number in 0..3 {
        let expected = json!({"event": {"n": number}, "handler": "my.handler", "in": "none"});
        assert_eq!(rig.value(&function, &json!({ "n": number }).to_string()).await, expected);
    }
    // A layer's serves where the code brings none.
    let layer = rig.directory.join("layer");
    write_program(&layer, "bootstrap", SHELL.as_bytes(), 0o755);
    let function = rig.python("layered", "").with(|spec| {
        spec.runtime = "provided.al2".into();
        spec.layer_dirs = vec![layer];
    });
    assert_eq!(rig.value(&function, "1").await["event"], 1);
    let function = with_program(&rig, "go", "bin/main", SHELL.as_bytes(), 0o755).with(|spec| {
        spec.runtime = "go1.x".into();
        spec.handler = "bin/main".into();
    });
    let outcome = rig.invoke(&function, "2").await;
    assert_eq!(
        crate::rig::json(&outcome),
        json!({"event": 2, "handler": "bin/main", "in": "AWS_Lambda_go1.x"})
    );
    assert!(outcome.notes.iter().any(|note| note.contains("provided.al2023")), "{:?}", outcome.notes);
    rig.stop().await;
}

async fn refusals() {
    let rig = Rig::start("provided-refusals");
    let other: u8 = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    let mut foreign = vec![0; 64];
    foreign[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    foreign[16] = 2;
    foreign[18] = other;
    let other = if cfg!(target_arch = "aarch64") { "x86_64" } else { "aarch64" };
    let cases: [(&str, &[u8], u32, String); 4] = [
        ("locked", SHELL.as_bytes(), 0o644, "fork/exec /var/task/bootstrap: permission denied".into()),
        (
            "interpreterless",
            b"#!/usr/bin/perl6\n",
            0o755,
            "fork/exec /var/task/bootstrap: no such file or directory".into(),
        ),
        ("garbage", b"\x00garbage", 0o755, "fork/exec /var/task/bootstrap: exec format error".into()),
        (
            "foreign",
            &foreign,
            0o755,
            format!(
                "fork/exec /var/task/bootstrap: exec format error: it is built for {other}, and this host is {}",
                std::env::consts::ARCH
            ),
        ),
    ];
    for (name, text, mode, expected) in cases {
        let function = with_program(&rig, name, "bootstrap", text, mode);
        let (error, outcome) = rig.error(&function, "{}", "Runtime.InvalidEntrypoint").await;
        let message = error["errorMessage"].as_str().unwrap_or_default();
        assert!(message.ends_with(&format!("Error: {expected}")), "{name}: {message}");
        assert!(outcome.log.contains(&expected), "{name}: {}", outcome.log);
    }
    let function = with_program(&rig, "missing", "other", b"", 0o755);
    let (error, _) = rig.error(&function, "{}", "Runtime.InvalidEntrypoint").await;
    let message = error["errorMessage"].as_str().unwrap_or_default();
    assert!(
        message.ends_with("Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"),
        "{message}"
    );
    let function = with_program(&rig, "leaving", "bootstrap", b"#!/bin/sh\nexit 3\n", 0o755);
    let (error, _) = rig.error(&function, "{}", "Runtime.ExitError").await;
    assert!(error["errorMessage"].as_str().is_some_and(|text| text.ends_with("exit status 3")), "{error}");
    rig.stop().await;
}
