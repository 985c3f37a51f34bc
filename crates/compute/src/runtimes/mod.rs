//! The runtimes, as a table: each says what a function of it needs in its root, how it is started and
//! with which variables. Adding one is one file and one line here.

mod interpreters;
pub(crate) mod java;
mod nodejs;
mod provided;
mod python;

use std::path::{Path, PathBuf};

use crate::driver::RootEntry;
use crate::sdk::Sdk;
use crate::spec::FunctionSpec;

pub use interpreters::InterpreterSearch;

/// The variable that names a script by which a runtime is started.
const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// What a runtime adds to a sandbox.
#[derive(Clone, Debug)]
pub(crate) struct RuntimePlan {
    pub(crate) root: Vec<RootEntry>,
    pub(crate) command: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    /// Something that the user should know.
    pub(crate) note: Option<String>,
    /// The AWS SDK that functions of it expect.
    pub(crate) sdk: Option<Sdk>,
}

/// What a runtime may look at.
pub(crate) struct RuntimeContext<'a> {
    pub(crate) search: &'a InterpreterSearch,
    /// The directory of our own files, with one directory per runtime.
    pub(crate) files: &'a Path,
    /// Where the AWS SDKs are that functions find without bringing them.
    pub(crate) sdks: Option<&'a Path>,
    /// The function's unpacked code on the host.
    pub(crate) code: &'a Path,
    /// Its unpacked layers on the host, lowest first.
    pub(crate) layers: &'a [PathBuf],
    /// The name of its handler.
    pub(crate) handler: &'a str,
    /// What it may use, in MB.
    pub(crate) memory_mb: u32,
}

/// Why a function of a runtime cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlanFailure {
    /// Not here: the runtime is unknown, or not installed.
    Unsupported(String),
    /// It brings no program that could be started: the function's own fault, in AWS's words where it has some.
    Entrypoint(String),
}

impl From<String> for PlanFailure {
    fn from(why: String) -> Self {
        Self::Unsupported(why)
    }
}

/// One family of runtimes.
struct Runtime {
    /// What its names begin with.
    prefix: &'static str,
    /// Our own files, which are written once per start of the platform.
    files: &'static [(&'static str, &'static [u8])],
    /// `(what follows the prefix, context)` to a plan, or why it cannot run here.
    plan: fn(&str, &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure>,
}

const RUNTIMES: &[Runtime] =
    &[java::RUNTIME, nodejs::RUNTIME, python::RUNTIME, provided::PROVIDED, provided::GO];

/// The plan for a runtime by its AWS name, such as `python3.12`.
pub(crate) fn plan(name: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, PlanFailure> {
    let found = RUNTIMES.iter().find_map(|runtime| Some((runtime, name.strip_prefix(runtime.prefix)?)));
    let Some((runtime, version)) = found else {
        let known: Vec<_> = RUNTIMES.iter().map(|runtime| runtime.prefix).collect();
        let known = known.join(", ");
        return Err(format!("the runtime `{name}` is not supported; supported are: {known}").into());
    };
    (runtime.plan)(version, &RuntimeContext { files: &context.files.join(runtime.prefix), ..*context })
}

/// The script that a function has its runtime started by, if it names one. Who brings a runtime starts it as he likes.
pub(crate) fn wrapper(spec: &FunctionSpec) -> Option<String> {
    let brings_one =
        [provided::PROVIDED, provided::GO].iter().any(|own| spec.runtime.starts_with(own.prefix));
    let found = spec.variables.iter().find(|(name, value)| name == WRAPPER && !value.is_empty());
    found.filter(|_| !brings_one).map(|(_, value)| value.clone())
}

/// Our own files of all runtimes, relative to the directory that [`RuntimeContext::files`] names.
pub(crate) fn files() -> impl Iterator<Item = (PathBuf, &'static [u8])> {
    RUNTIMES.iter().flat_map(|runtime| {
        runtime.files.iter().map(|(name, bytes)| (Path::new(runtime.prefix).join(name), *bytes))
    })
}
