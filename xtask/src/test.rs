//! The whole test command: style, drift, direction, Rust tests, and the real clients.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::clients;
use crate::run::{Failure, run, workspace_root};

/// One step, its name and what it does.
type Step = (&'static str, fn(&[String]) -> Result<(), Failure>);

/// In order: cheap checks first.
const STEPS: [Step; 7] = [
    ("fmt", |_| run(cargo(&["fmt", "--all", "--check"]))),
    ("sources", |_| crate::codegen::fetch()),
    ("models", |_| crate::codegen::check()),
    ("tidy", |_| crate::tidy::check()),
    ("clippy", |_| run(cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))),
    ("rust", rust_tests),
    ("clients", client_tests),
];
