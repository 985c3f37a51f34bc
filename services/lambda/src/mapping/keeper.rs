//! Keeps a poller for every mapping: from the start of the platform on, and whenever one is made, changed or deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_env::Task;
use apus_kernel::Platform;
use apus_store::StoreError;
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::id::MappingId;
use super::poller::{self, Poller};
use crate::Lambda;
use crate::store::mapping::{self, MappingRecord};
use crate::store::pages::{self, PAGE};

/// The rest after a failure of the store, and before a poller is started anew that broke off.
const REST: Duration = Duration::from_secs(1);

/// What operations and pollers tell each other.
#[derive(Default)]
pub(crate) struct Mappings {
    changed: Mutex<BTreeSet<MappingId>>,
    wake: Notify,
    /// How a mapping's last batch ended, once something went wrong. Not kept: a start begins anew.
    results: Mutex<BTreeMap<MappingId, String>>,
}

impl Mappings {
    /// A mapping was made, changed or deleted.
    pub(crate) fn changed(&self, id: &MappingId) {
        lock(&self.changed).insert(id.clone());
        self.wake.notify_one();
    }

    /// `LastProcessingResult`, if there is anything to say.
    pub(crate) fn result(&self, id: &MappingId) -> Option<String> {
        lock(&self.results).get(id).cloned()
    }

    /// A problem, if one there was, is over.
    pub(crate) fn note_success(&self, id: &MappingId) {
        if let Some(result) = lock(&self.results).get_mut(id) {
            "OK".clone_into(result);
        }
    }

    pub(crate) fn note_problem(&self, id: &MappingId, problem: String) {
        lock(&self.results).insert(id.clone(), problem);
    }

    fn take_one(&self) -> Option<MappingId> {
        lock(&self.changed).pop_first()
    }

    fn forget(&self, id: &MappingId) {
        lock(&self.results).remove(id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A poller that runs; it ends with its keeper.
struct Running {
    wanted: watch::Sender<Arc<MappingRecord>>,
    task: Task,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The worker.
pub(crate) async fn keep_mappings(lambda: Arc<Lambda>, platform: Platform) {
    while let Err(error) = find_all(&lambda).await {
        warn!(%error, "event source mappings cannot be read yet");
        lambda.env.sleep(REST).await;
    }
    let mut running = BTreeMap::new();
    loop {
        while let Some(id) = lambda.mappings.take_one() {
            if let Err(error) = tend(&lambda, &platform, &mut running, &id).await {
                warn!(mapping = id.uuid, %error, "a change of an event source mapping waits");
                lambda.mappings.changed(&id);
                lambda.env.sleep(REST).await;
            }
        }
        lambda.mappings.wake.notified().await;
    }
}

/// Every mapping that there is counts as changed.
async fn find_all(lambda: &Lambda) -> Result<(), StoreError> {
    let read = |after: Option<_>| {
        lambda.store.read(move |tx| {
            let after = after.clone();
            async move { mapping::list_all(&tx, after.as_ref(), PAGE).await }
        })
    };
    pages::every(read, |id| lambda.mappings.changed(id)).await
}

/// Tells the mapping's poller what is wanted; starts or ends it, where it is to.
async fn tend(
    lambda: &Arc<Lambda>,
    platform: &Platform,
    running: &mut BTreeMap<MappingId, Running>,
    id: &MappingId,
) -> Result<(), StoreError> {
    let Some(record) = lambda.store.read(|tx| async move { mapping::get(&tx, id).await }).await? else {
        running.remove(id);
        lambda.mappings.forget(id);
        return Ok(());
    };
    let record = Arc::new(record);
    if let Some(poller) = running.get(id)
        && poller.wanted.send(Arc::clone(&record)).is_ok()
    {
        return Ok(());
    }
    let (wanted, wish) = watch::channel(Arc::clone(&record));
    match Poller::new(Arc::clone(lambda), platform.clone(), id.clone(), &record) {
        Ok(poller) => {
            let (env, broke_off) = (lambda.env.clone(), running.contains_key(id));
            let task = lambda.env.spawn("event source mapping", async move {
                if broke_off {
                    env.sleep(REST).await;
                }
                poller::run(Arc::new(poller), wish).await;
            });
            running.insert(id.clone(), Running { wanted, task });
        }
        Err(problem) => lambda.mappings.note_problem(id, problem),
    }
    Ok(())
}
