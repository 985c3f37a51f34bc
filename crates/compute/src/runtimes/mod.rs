//! The runtimes, as a table: each says what a function of it needs in its root, how it is started and
//! with which variables. Adding one is one file and one line here.

mod interpreters;
mod nodejs;
mod python;

use std::path::{Path, PathBuf};

use crate::driver::RootEntry;

pub use interpreters::InterpreterSearch;

/// What a runtime adds to a sandbox.
#[derive(Clone, Debug)]
pub(crate) struct RuntimePlan {
    pub(crate) root: Vec<RootEntry>,
    pub(crate) command: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    /// Something that the user should know.
    pub(crate) note: Option<String>,
}

/// What a runtime may look at.
pub(crate) struct RuntimeContext<'a> {
    pub(crate) search: &'a InterpreterSearch,
    /// The directory of our own files, with one directory per runtime.
    pub(crate) files: &'a Path,
    /// Libraries that functions find without bringing them, per runtime.
    pub(crate) bundled: Option<&'a Path>,
}

/// One family of runtimes.
struct Runtime {
    /// What its names begin with.
    prefix: &'static str,
    /// Our own files, which are written once per start of the platform.
    files: &'static [(&'static str, &'static str)],
    /// `(what follows the prefix, context)` to a plan, or why it cannot run here.
    plan: fn(&str, &RuntimeContext<'_>) -> Result<RuntimePlan, String>,
}

const RUNTIMES: &[Runtime] = &[nodejs::RUNTIME, python::RUNTIME];

/// The plan for a runtime by its AWS name, such as `python3.12`.
pub(crate) fn plan(name: &str, context: &RuntimeContext<'_>) -> Result<RuntimePlan, String> {
    let found = RUNTIMES.iter().find_map(|runtime| Some((runtime, name.strip_prefix(runtime.prefix)?)));
    let Some((runtime, version)) = found else {
        let known: Vec<_> = RUNTIMES.iter().map(|runtime| runtime.prefix).collect();
        return Err(format!("the runtime `{name}` is not supported; supported are: {}", known.join(", ")));
    };
    (runtime.plan)(version, &RuntimeContext { files: &context.files.join(runtime.prefix), ..*context })
}

/// Our own files of all runtimes, relative to the directory that [`RuntimeContext::files`] names.
pub(crate) fn files() -> impl Iterator<Item = (PathBuf, &'static str)> {
    RUNTIMES.iter().flat_map(|runtime| {
        runtime.files.iter().map(|(name, text)| (Path::new(runtime.prefix).join(name), *text))
    })
}
