//! What the store's handles and its committer share: the current version, and whether all is well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use apus_env::Env;

use crate::error::StoreError;
use crate::metrics::Metrics;
use crate::state::State;
use crate::watch::Watchers;

pub(crate) struct Shared {
    env: Env,
    /// `None` once the store is closed.
    current: RwLock<Option<Arc<State>>>,
    failed: OnceLock<StoreError>,
    metrics: Metrics,
    watchers: Arc<Watchers>,
    skips_conflict_checks: AtomicBool,
}

impl Shared {
    pub(crate) fn new(env: Env, state: State) -> Self {
        Self {
            env,
            current: RwLock::new(Some(Arc::new(state))),
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
    pub(crate) fn current(&self) -> Option<Arc<State>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn publish(&self, state: State) -> Arc<State> {
        let state = Arc::new(state);
        self.replace(Some(state.clone()));
        state
    }

    /// Lets go of the last version: whoever comes now finds the store closed.
    pub(crate) fn close(&self) {
        self.replace(None);
    }

    fn replace(&self, state: Option<Arc<State>>) {
        let old = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, state)
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
