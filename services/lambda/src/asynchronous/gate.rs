//! How many events run at once. Each that runs holds a place of the outbox: the bounds leave places to the other
//! services, and to the events of other functions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apus_env::Env;
use apus_kernel::LANES_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::function_name::FunctionId;

/// Events that run at once: half of the places of the outbox.
const RUNNING_MAX: usize = LANES_MAX / 2;
/// Events of one function that run at once: half of those.
const RUNNING_OF_FUNCTION_MAX: usize = RUNNING_MAX / 2;
/// How long an event waits for its turn before it leaves its place to others and comes back later.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// The gate that events pass to run.
pub(crate) struct Gate {
    all: Arc<Semaphore>,
    /// Of the functions that have events running or waiting.
    by_function: Mutex<BTreeMap<FunctionId, Arc<Semaphore>>>,
}

/// The right to run. Dropping it lets another in.
pub(crate) struct Turn<'a> {
    gate: &'a Gate,
    id: FunctionId,
    permits: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(RUNNING_MAX)), by_function: Mutex::default() }
    }
}

impl Gate {
    /// A turn for an event of that function; nothing if none comes soon.
    pub(crate) async fn enter(&self, env: &Env, id: &FunctionId) -> Option<Turn<'_>> {
        let own = {
            let mut all = self.by_function.lock().unwrap_or_else(PoisonError::into_inner);
            let own =
                all.entry(id.clone()).or_insert_with(|| Arc::new(Semaphore::new(RUNNING_OF_FUNCTION_MAX)));
            Arc::clone(own)
        };
        // From here on its end takes what nobody needs off the books.
        let mut turn = Turn { gate: self, id: id.clone(), permits: None };
        let permits = env.timeout(WAIT_MAX, async {
            let own = own.acquire_owned().await.ok()?;
            Some((own, Arc::clone(&self.all).acquire_owned().await.ok()?))
        });
        turn.permits = Some(permits.await.ok().flatten()?);
        Some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permits = None;
        let mut all = self.gate.by_function.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever runs or waits holds it too.
        if all.get(&self.id).is_some_and(|own| Arc::strong_count(own) == 1) {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;
    use apus_kernel::{AccountId, Region};

    use super::*;

    #[test]
    fn one_function_leaves_room_to_others_and_nothing_is_left_on_the_books() {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        simulator.run(async {
            let gate = Gate::default();
            let id = |name: &str| FunctionId {
                account: AccountId::DEVELOPMENT,
                region: Region::default(),
                name: name.into(),
            };
            let mut slow = Vec::new();
            for _ in 0..RUNNING_OF_FUNCTION_MAX {
                slow.push(gate.enter(&env, &id("slow")).await.expect("room"));
            }
            assert!(gate.enter(&env, &id("slow")).await.is_none());
            let other = gate.enter(&env, &id("other")).await.expect("room");
            slow.pop();
            let again = gate.enter(&env, &id("slow")).await.expect("room again");
            drop((slow, other, again));
            assert!(gate.by_function.lock().expect("no panic").is_empty());
            assert_eq!(gate.all.available_permits(), RUNNING_MAX);
        });
    }
}
