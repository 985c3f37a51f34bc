//! `docs/coverage.md`: every operation of the models, and whether Apus has it, read from the registration tables.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::run::{Failure, output, workspace_root};
use crate::test::build_apus;

/// Writes the list; with `--check`, says whether it is up to date.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let path = workspace_root().join("docs/coverage.md");
    let listed = output(Command::new(build_apus()?).arg("operations"))?;
    let services: Value = serde_json::from_slice(&listed)
        .map_err(|error| Failure(format!("`apus operations` printed no JSON: {error}")))?;
    let text = render(&services);
    if arguments.iter().any(|argument| argument == "--check") {
        let current = fs::read_to_string(&path).unwrap_or_default();
        let fresh = current == text;
        return if fresh {
            Ok(())
        } else {
            Err(Failure("docs/coverage.md is not what the code says; run `cargo xtask coverage`".into()))
        };
    }
    fs::write(&path, text).map_err(|error| Failure::io(&path, &error))
}

fn render(services: &Value) -> String {
    let mut text = String::from(
        "# What is supported\n\nGenerated from the code by `cargo xtask coverage`; do not edit. Every other operation of \
         these services is\nrefused by name, with HTTP 501 and the code `NotImplemented` or its protocol's form of it.\n",
    );
    for service in services.as_array().into_iter().flatten() {
        let operations: Vec<&Value> = service["operations"].as_array().into_iter().flatten().collect();
        let implemented: Vec<&&Value> =
            operations.iter().filter(|operation| !operation["action"].is_null()).collect();
        let name = service["id"].as_str().unwrap_or_default();
        let _ = write!(text, "\n## {name}: {} of {}\n\n", implemented.len(), operations.len());
        text += "| operation | IAM action |\n|---|---|\n";
        for operation in implemented {
            let field = |name: &str| operation[name].as_str().unwrap_or_default();
            let _ = writeln!(text, "| {} | `{}` |", field("name"), field("action"));
        }
    }
    text
}
