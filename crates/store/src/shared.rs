//! What the store's handles and its committer share: the current version, and whether all is well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use apus_env::Env;

use crate::error::StoreError;
use crate::limits::CHANGES_IN_PLACE_MAX;
use crate::metrics::Metrics;
use crate::state::{Change, State};
use crate::watch::Watchers;

pub(crate) struct Shared {
    env: Env,
    /// `None` once the store is closed.
    current: RwLock<Option<Snapshot>>,
    failed: OnceLock<StoreError>,
    metrics: Metrics,
    watchers: Arc<Watchers>,
    skips_conflict_checks: AtomicBool,
}

/// A version, and the sign that someone may yet commit what was read from it.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) state: Arc<State>,
    pub(crate) held: Arc<Held>,
}

/// Held by whoever may yet commit what was read at a version.
pub(crate) struct Held {
    pub(crate) version: u64,
}

impl Snapshot {
    fn new(state: State) -> Self {
        let held = Arc::new(Held { version: state.version });
        Self { state: Arc::new(state), held }
    }
}

impl Shared {
    pub(crate) fn new(env: Env, state: State) -> Self {
        Self {
            env,
            current: RwLock::new(Some(Snapshot::new(state))),
            failed: OnceLock::new(),
            metrics: Metrics::default(),
            watchers: Arc::new(Watchers::default()),
            skips_conflict_checks: AtomicBool::new(false),
        }
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// The newest durable version; `None` once the store is closed.
    pub(crate) fn current(&self) -> Option<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another version in the place of the newest.
    pub(crate) fn publish(&self, state: State) -> Arc<Held> {
        let next = Snapshot::new(state);
        let held = next.held.clone();
        self.replace(Some(next));
        held
    }

    /// Makes the next version out of the newest, with changes that are durable.
    pub(crate) fn publish_changes(&self, changes: Vec<Change>) -> Arc<Held> {
        if changes.len() <= CHANGES_IN_PLACE_MAX {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(snapshot) = current.as_mut() {
                // Where nobody reads the old version any more, nothing is copied.
                let state = Arc::make_mut(&mut snapshot.state);
                state.apply(changes);
                snapshot.held = Arc::new(Held { version: state.version });
                return snapshot.held.clone();
            }
            return Arc::new(Held { version: 0 });
        }
        let mut state = self.current().map(|snapshot| (*snapshot.state).clone()).unwrap_or_default();
        state.apply(changes);
        self.publish(state)
    }

    /// Lets go of the last version: whoever comes now finds the store closed.
    pub(crate) fn close(&self) {
        self.replace(None);
    }

    fn replace(&self, snapshot: Option<Snapshot>) {
        let old = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, snapshot)
        };
        // Outside of the lock: it may be the last handle on a large overlay.
        drop(old);
    }

    /// Stops all commits, for good.
    pub(crate) fn fail(&self, error: &StoreError) {
        let reason = error.to_string().into();
        if self.failed.set(StoreError::Failed { reason }).is_ok() {
            tracing::error!(%error, "the store failed and takes no more writes");
        }
    }

    pub(crate) fn failure(&self) -> Option<StoreError> {
        self.failed.get().cloned()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get().is_some()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn watchers(&self) -> &Arc<Watchers> {
        &self.watchers
    }

    pub(crate) fn checks_conflicts(&self) -> bool {
        !self.skips_conflict_checks.load(Ordering::Relaxed)
    }

    pub(crate) fn skip_conflict_checks(&self) {
        self.skips_conflict_checks.store(true, Ordering::Relaxed);
    }
}
