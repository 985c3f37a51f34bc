//! Functions that bring their own runtime: a program named `bootstrap`, or with `go1.x` the one that the handler names.

use super::{PlanFailure, Runtime, RuntimeContext, RuntimePlan};

pub(super) const PROVIDED: Runtime = Runtime { prefix: "provided", files: &[], plan };
pub(super) const GO: Runtime = Runtime { prefix: "go1.", files: &[], plan: plan_go };

/// The suffixes of `provided`, each an operating system on AWS.
const SUFFIXES: [&str; 3] = ["", ".al2", ".al2023"];
/// Where a runtime is looked for, in order, and the place on the host that shows there.
const TASK: &str = "/var/task/bootstrap";
const LAYERS: &str = "/opt/bootstrap";

fn plan(suffix: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure> {
    if !SUFFIXES.contains(&suffix) {
        return Err(PlanFailure::Unsupported(format!(
            "the runtime `provided{suffix}` is not supported; supported are provided.al2 and provided.al2023"
        )));
    }
    let of_layers = context.layers.iter().rev().map(|layer| (layer.join("bootstrap"), LAYERS));
    let mut places = std::iter::once((context.code.join("bootstrap"), TASK)).chain(of_layers);
    let found = places.find(|(source, _)| source.is_file());
    let (_, path) = found.ok_or_else(|| {
        PlanFailure::Entrypoint(format!("Couldn't find valid bootstrap(s): [{TASK} {LAYERS}]"))
    })?;
    Ok(start(path, None))
}

fn plan_go(version: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure> {
    if version != "x" {
        let message = format!("the runtime `go1.{version}` is not supported; supported is go1.x");
        return Err(PlanFailure::Unsupported(message));
    }
    let path = format!("/var/task/{}", context.handler);
    let note = "go1.x is retired on AWS: its programs run here if they were built with aws-lambda-go 1.16 or newer; \
                name the program `bootstrap` and use provided.al2023 to run on both"
        .to_owned();
    Ok(start(&path, Some(note)))
}

/// A program that cannot be executed, or not on this machine, is the driver's to refuse.
fn start(path: &str, note: Option<String>) -> RuntimePlan {
    RuntimePlan { root: Vec::new(), command: vec![path.to_owned()], variables: Vec::new(), note }
}
