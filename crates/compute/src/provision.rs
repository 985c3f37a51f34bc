//! Environments that are kept of a function whether it is invoked or not: what callers wish for, and what stands of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::futures::Notified;

use crate::compute::Compute;
use crate::pool::init::StartFailure;
use crate::pool::rules::Event;
use crate::spec::{FunctionKey, FunctionSpec};

/// What stands of the environments that are kept of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// How many are to be.
    pub wanted: usize,
    /// How many have initialised.
    pub standing: usize,
    /// How many of these serve nobody at the moment.
    pub free: usize,
    /// Why there are fewer than are to be, if it is not for being on their way.
    pub shortfall: Option<Shortfall>,
}

/// Why fewer environments stand than are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// The function's code does not initialise; what it says is in its log.
    Function,
    /// The host refuses something, or lacks what the function needs.
    Platform(String),
    /// This platform keeps at most so many environments of all functions.
    Crowded(usize),
}

impl Provisioned {
    /// Whether nothing is on its way that is worth waiting for.
    pub fn is_settled(&self) -> bool {
        self.standing >= self.wanted || self.shortfall.is_some()
    }
}

/// The functions of which environments are kept.
#[derive(Default)]
pub(crate) struct Wishes(BTreeMap<FunctionKey, Wish>);

struct Wish {
    spec: Arc<FunctionSpec>,
    /// Why the last start that failed did.
    failure: Option<Shortfall>,
}

impl Wishes {
    pub(crate) fn spec(&self, key: &FunctionKey) -> Option<Arc<FunctionSpec>> {
        self.0.get(key).map(|wish| Arc::clone(&wish.spec))
    }

    pub(crate) fn remove(&mut self, key: &FunctionKey) {
        self.0.remove(key);
    }

    /// Notes why a start failed.
    pub(crate) fn failed(&mut self, key: &FunctionKey, failure: &StartFailure) {
        let why = match failure {
            StartFailure::Function(_) => Shortfall::Function,
            StartFailure::Platform(error) => Shortfall::Platform(error.to_string()),
        };
        if let Some(wish) = self.0.get_mut(key) {
            wish.failure = Some(why);
        }
    }
}

impl Compute {
    /// Keeps so many environments of the function's revision from now on, whether it is invoked or not: started ahead,
    /// never ended for having nothing to do, and replaced when they die. Where all of them are busy, invocations get
    /// others as always. With 0 none is kept any more: they end, busy ones when they are done.
    ///
    /// What does not come to stand is tried again, ever more seldom, and at once when this is called again;
    /// [`Self::provisioned`] says why.
    pub fn provision(&self, spec: FunctionSpec, wanted: usize) {
        let mut state = self.inner.state();
        let key = spec.key.clone();
        if wanted == 0 {
            state.wishes.remove(&key);
        } else {
            state.wishes.0.insert(key.clone(), Wish { spec: Arc::new(spec), failure: None });
        }
        self.inner.step_in(state, Event::Provisioned(key, wanted), None);
        self.inner.provisioning.notify_waiters();
    }

    /// Keeps none of the function's revision any more.
    pub fn release(&self, key: &FunctionKey) {
        let mut state = self.inner.state();
        state.wishes.remove(key);
        self.inner.step_in(state, Event::Provisioned(key.clone(), 0), None);
        self.inner.provisioning.notify_waiters();
    }

    /// What stands of the environments that are kept of a function's revision; nothing, if none is to be.
    pub fn provisioned(&self, key: &FunctionKey) -> Option<Provisioned> {
        let state = self.inner.state();
        let found = state.pool.standing(key)?;
        let failure = state.wishes.0.get(key).and_then(|wish| wish.failure.clone());
        let shortfall = match (found.failing, found.crowded) {
            _ if found.standing >= found.wanted => None,
            // One that initialises and dies then has no failure to tell of.
            (true, _) => Some(failure.unwrap_or(Shortfall::Function)),
            (false, true) => Some(Shortfall::Crowded(state.pool.limits().provisioned_max())),
            (false, false) => None,
        };
        Some(Provisioned { wanted: found.wanted, standing: found.standing, free: found.free, shortfall })
    }

    /// Ends when something may have changed, since this was called, about what [`Self::provisioned`] says.
    pub fn provisioning(&self) -> Notified<'_> {
        self.inner.provisioning.notified()
    }

    /// Waits until what is to be kept of the function's revision stands, or cannot, or is no more to be.
    pub async fn settled(&self, key: &FunctionKey) {
        loop {
            let changed = self.provisioning();
            if self.provisioned(key).is_none_or(|found| found.is_settled()) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_or_cannot_is_settled() {
        let check =
            |wanted, standing, shortfall| Provisioned { wanted, standing, free: 0, shortfall }.is_settled();
        assert!(check(2, 2, None));
        assert!(check(2, 3, None));
        assert!(!check(2, 1, None));
        assert!(check(2, 1, Some(Shortfall::Crowded(1))));
        assert!(check(2, 0, Some(Shortfall::Function)));
    }
}
