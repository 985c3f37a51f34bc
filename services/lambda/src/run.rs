//! Running a version of a function once, for whoever wants it run: a caller who waits, the queue of events, a part
//! of the platform. Whether it may be run is asked before, by who knows in whose name.

use apus_compute::{FunctionKey, InvokeOutcome, InvokeRequest};
use apus_kernel::Context;
use apus_schema::ServiceError;
use tracing::warn;

use crate::errors::{self, Failure};
use crate::function_name::FunctionReference;
use crate::store::find::{Found, find};
use crate::unpacked::LoadError;
use crate::{Lambda, environment};

/// Changes of a version that one invocation runs into.
const CHANGES_MAX: usize = 8;

/// An invocation to be made.
pub(crate) struct Run<'a> {
    /// The function, as it was named.
    pub(crate) function: &'a FunctionReference,
    /// The version that the name leads to.
    pub(crate) found: Found,
    /// By which an alias chose it: from 0 to below 1, of [`chance`].
    pub(crate) chance: f64,
    pub(crate) request: InvokeRequest,
}

/// An invocation that was made.
pub(crate) struct Ran {
    pub(crate) outcome: InvokeOutcome,
    /// The version that ran: `$LATEST` or a number.
    pub(crate) version: String,
}

impl Lambda {
    /// Runs the version, and says which it was. A version that was changed while its code was looked for is looked
    /// up again: no change loses a call. An error means that the function did not run.
    pub(crate) async fn run(&self, context: &Context, run: Run<'_>) -> Result<Ran, ServiceError> {
        let Run { function, mut found, chance, request } = run;
        let id = &function.id;
        for _ in 0..CHANGES_MAX {
            let Found { version, record, .. } = &found;
            let retire = |key: &FunctionKey| self.compute.retire(key);
            match self.unpacked_or_gone(function, record).await {
                Ok((code, layers)) => {
                    let session = self.sessions.get(context, id, version, record, retire).await?;
                    let spec = environment::spec(self, id, &found, session, code, layers);
                    let outcome = self.compute.invoke(spec, request).await.map_err(errors::invoke_error)?;
                    for note in &outcome.notes {
                        warn!(function = %id.name, note, "about this environment");
                    }
                    return Ok(Ran { outcome, version: found.version });
                }
                Err(LoadError::Refused(error)) => return Err(error),
                Err(LoadError::Gone) => {
                    let asked = function.clone();
                    let again = self.store.read(|tx| async move { find(&tx, &asked, Some(chance)).await });
                    let again = again.await.map_err(Failure::from)?;
                    found = again.ok_or_else(|| errors::function_not_found(function))?;
                }
            }
        }
        Err(errors::function_not_found(function))
    }
}

/// A number from 0 to below 1, in steps that it can hold exactly.
pub(crate) fn chance(random: u64) -> f64 {
    const STEPS: u32 = 53;
    (random >> (u64::BITS - STEPS)) as f64 / (1_u64 << STEPS) as f64
}
