//! Making functions, versions and updates ready: code unpacked, a runtime on this host, its SDK fetched. An operation
//! answers `Pending` or `InProgress` when all it needs is durable; the worker here does the rest, after a crash too.
//! What may be done with a function meanwhile is decided here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_compute::InvokeError;
use apus_kernel::Platform;
use apus_schema::ServiceError;
use apus_store::{BlobId, StoreError, Tx};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::function_name::{FunctionId, FunctionReference, LATEST, Qualifier};
use crate::store::find::Found;
use crate::store::pages::{self, PAGE};
use crate::store::stage::{self, Stage, Unready};
use crate::store::{FunctionRecord, function, version};
use crate::unpacked::LoadError;
use crate::{Lambda, errors};

/// What is made ready at once. Most of them wait for the same SDK.
const AT_ONCE_MAX: usize = 256;
/// The rest after a failure of the store.
const REST: Duration = Duration::from_secs(1);
/// Attempts at reading code, where the host or the store fails.
const ATTEMPTS_MAX: u32 = 5;

/// Refuses a function that is not made yet, never was, or is being updated: to be changed or published.
pub(crate) fn check_settled(
    function: &FunctionReference,
    record: &FunctionRecord,
) -> Result<(), ServiceError> {
    match (&record.state, &record.update) {
        (Some(stage), _) => Err(errors::not_active(stage)),
        (None, Some(Stage::Pending)) => Err(errors::update_in_progress(function)),
        (None, _) => Ok(()),
    }
}

/// Refuses to invoke what is not made yet, or never was.
pub(crate) fn check_invocable(found: &Found) -> Result<(), ServiceError> {
    found.record.state.as_ref().map_or(Ok(()), |stage| Err(errors::not_active(stage)))
}

/// What operations and the worker tell each other.
#[derive(Default)]
pub(crate) struct Readiness {
    books: Mutex<Books>,
    /// Rung when there is something to be made ready.
    wake: Notify,
    /// Rung when something is, or never will be.
    settled: Notify,
}

#[derive(Default)]
struct Books {
    /// What nobody has begun with.
    changed: BTreeSet<Unready>,
    /// What is not settled, of what operations have begun.
    open: BTreeSet<Unready>,
}

impl Readiness {
    /// `$LATEST` was made or changed, and that version published of it.
    fn changed(&self, all: &[Unready]) {
        let mut books = self.lock();
        books.changed.extend(all.iter().cloned());
        books.open.extend(all.iter().cloned());
        drop(books);
        self.wake.notify_one();
    }

    fn is_settled(&self, all: &[Unready]) -> bool {
        let books = self.lock();
        all.iter().all(|unready| !books.open.contains(unready))
    }

    fn settled(&self, unready: &Unready) {
        self.lock().open.remove(unready);
        self.settled.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker.
pub(crate) async fn keep_ready(lambda: Arc<Lambda>, _platform: Platform) {
    while let Err(error) = find_all(&lambda).await {
        warn!(%error, "functions that are not ready cannot be read yet");
        lambda.env.sleep(REST).await;
    }
    let mut settling = FuturesUnordered::new();
    loop {
        while settling.len() < AT_ONCE_MAX {
            let Some(unready) = lambda.readiness.lock().changed.pop_first() else { break };
            settling.push(lambda.make_ready(unready));
        }
        tokio::select! {
            Some(()) = settling.next() => {}
            () = lambda.readiness.wake.notified() => {}
        }
    }
}

/// Everything that was on its way when the platform ended.
async fn find_all(lambda: &Lambda) -> Result<(), StoreError> {
    let read = |after: Option<_>| {
        lambda.store.read(move |tx| {
            let after = after.clone();
            async move { stage::list(&tx, after.as_ref(), PAGE).await }
        })
    };
    pages::every(read, |unready: &Unready| {
        lambda.readiness.lock().changed.insert(unready.clone());
    })
    .await
}

/// What an attempt to make something ready came to.
enum Prepared {
    Ready,
    Failed(Stage),
    /// It was changed or deleted meanwhile.
    Gone,
    /// The platform ends.
    Stopping,
}

impl Lambda {
    /// Fails if this host cannot run functions of that runtime: says what to install.
    pub(crate) fn check_runtime(&self, runtime: &str) -> Result<(), ServiceError> {
        match self.compute.check(runtime) {
            Ok(_) => Ok(()),
            Err(InvokeError::Unsupported(why)) => Err(errors::invalid_parameter(why)),
            Err(other) => Err(errors::invoke_error(other)),
        }
    }

    /// Has `$LATEST`, which was made or changed, made ready, and that version, if one was published of it. What takes no time
    /// is waited for: who looks right after the answer finds it done, instead of looking again a second later.
    pub(crate) async fn begin_readiness(&self, id: &FunctionId, version: &str) {
        let mut all = vec![Unready::latest(id)];
        if let Qualifier::Version(number) = Qualifier::of(version) {
            all.push(Unready::version(id, number));
        }
        self.readiness.changed(&all);
        let settled = async {
            loop {
                let settled = self.readiness.settled.notified();
                if self.readiness.is_settled(&all) {
                    return;
                }
                settled.await;
            }
        };
        // If it takes longer, the caller waits for it as he does on AWS.
        let _elapsed = self.env.timeout(self.readiness_wait, settled).await;
    }

    /// Makes it ready, or notes why it cannot be.
    async fn make_ready(&self, unready: Unready) {
        let mut failures = 0;
        loop {
            match self.make_ready_once(&unready, failures + 1 < ATTEMPTS_MAX).await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    warn!(function = unready.id.name, %error, "a function waits for being made ready");
                    failures += 1;
                    self.env.sleep(REST).await;
                }
            }
        }
        self.readiness.settled(&unready);
    }

    /// Whether it is settled; if not, it has changed meanwhile. `patient`: a failure of the platform is an error;
    /// otherwise it is the function's end.
    async fn make_ready_once(&self, unready: &Unready, patient: bool) -> Result<bool, ServiceError> {
        let Some(record) = self.unready(unready).await.map_err(errors::Failure::from)? else {
            return Ok(true);
        };
        let end = match self.prepare(unready, &record, patient).await? {
            Prepared::Ready => None,
            Prepared::Failed(stage) => Some(stage),
            Prepared::Gone => return Ok(false),
            Prepared::Stopping => return Ok(true),
        };
        let (name, qualifier) = (&unready.id.name, unready.qualifier());
        let settled =
            self.write_readiness(unready, &record, end.as_ref()).await.map_err(errors::Failure::from)?;
        let Some(unused) = settled else { return Ok(false) };
        match &end {
            None => info!(function = name, version = qualifier, "a function is ready"),
            Some(Stage::Failed { code, reason }) => {
                warn!(function = name, version = qualifier, code, reason, "a function cannot be made ready");
            }
            Some(Stage::Pending) => {}
        }
        if end.is_none() && unready.number.is_none() && record.update.is_some() {
            // Environments of the content before are no good any more: they end, busy ones when they are done.
            for key in self.sessions.forget(&unready.id, Some(LATEST)) {
                self.compute.retire(&key);
            }
        }
        for blob in unused {
            self.delete_blob(blob).await;
        }
        Ok(true)
    }

    /// What is to be made ready, if it still is.
    async fn unready(&self, unready: &Unready) -> Result<Option<FunctionRecord>, StoreError> {
        let read = self.store.read(|tx| async move { get(&tx, unready).await });
        Ok(read.await?.filter(is_pending))
    }

    async fn prepare(
        &self,
        unready: &Unready,
        record: &FunctionRecord,
        patient: bool,
    ) -> Result<Prepared, ServiceError> {
        let failed = |code: &str, reason: String| {
            Ok(Prepared::Failed(Stage::Failed { code: code.to_owned(), reason }))
        };
        let function = FunctionReference { id: unready.id.clone(), qualifier: Some(unready.qualifier()) };
        match self.unpacked_or_gone(&function, record).await {
            Ok(_) => {}
            Err(LoadError::Gone) => return Ok(Prepared::Gone),
            Err(LoadError::Refused(error)) if patient => return Err(error),
            Err(LoadError::Refused(error)) => {
                return failed("InternalError", format!("The code could not be unpacked: {error}"));
            }
        }
        match self.compute.prepare(&record.runtime).await {
            Ok(notes) => {
                // An SDK that cannot be had is no reason to fail a function, which may not need it.
                for note in notes {
                    warn!(function = unready.id.name, note, "about the function's runtime");
                }
                Ok(Prepared::Ready)
            }
            Err(InvokeError::Stopping) => Ok(Prepared::Stopping),
            Err(InvokeError::Unsupported(why)) => failed("InvalidRuntime", why),
            Err(other) => failed("InternalError", other.to_string()),
        }
    }

    /// Writes down that it is ready, or why it is not: the blobs that are nobody's now. Nothing if it has changed.
    async fn write_readiness(
        &self,
        unready: &Unready,
        seen: &FunctionRecord,
        end: Option<&Stage>,
    ) -> Result<Option<Vec<BlobId>>, StoreError> {
        let written = self.store.transact(|tx| async move {
            let found = get(&tx, unready).await?.filter(is_pending);
            let same = |record: &FunctionRecord| record.content_revision() == seen.content_revision();
            let Some(mut record) = found.filter(same) else { return Ok(None) };
            if record.state.is_some() {
                record.state = end.cloned();
            } else {
                record.update = end.cloned();
            }
            let unused = if end.is_none() {
                function::settle(&tx, unready).await?
            } else {
                stage::delete(&tx, unready);
                Vec::new()
            };
            match unready.number {
                None => function::put(&tx, &unready.id, &record),
                Some(number) => version::put(&tx, &unready.id, number, &record),
            }
            Ok::<_, StoreError>(Some(unused))
        });
        written.await
    }
}

async fn get(tx: &Tx, unready: &Unready) -> Result<Option<FunctionRecord>, StoreError> {
    match unready.number {
        None => function::get(tx, &unready.id).await,
        Some(number) => version::get(tx, &unready.id, number).await,
    }
}

fn is_pending(record: &FunctionRecord) -> bool {
    [&record.state, &record.update].into_iter().any(|stage| *stage == Some(Stage::Pending))
}
