//! The simulated world's state: its tasks, its timers, its clock and its dice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::rng::Rng;
use super::trace::Trace;
use super::{Stuck, TURNS_MAX};
use crate::environment::BoxFuture;

/// The id of the future that `run` was given.
pub(crate) const MAIN_TASK: u64 = 0;

pub(crate) struct Shared {
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) clock: Duration,
    pub(crate) timers: BTreeMap<(Duration, u64), Waker>,
    pub(crate) chance: Rng,
    pub(crate) trace: Trace,
    pub(crate) next_id: u64,
    schedule: Rng,
    tasks: BTreeMap<u64, Slot>,
    runnable: Vec<u64>,
    turns: u64,
}

struct Slot {
    name: &'static str,
    /// Absent while the task is being polled.
    future: Option<BoxFuture>,
    queued: bool,
}

/// Whose turn it is.
pub(crate) enum Next {
    Main,
    Task(u64, BoxFuture),
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Self {
        let mut seeds = Rng::new(seed);
        Self {
            state: Mutex::new(State {
                clock: Duration::ZERO,
                timers: BTreeMap::new(),
                chance: seeds.fork(),
                trace: Trace::new(),
                next_id: MAIN_TASK + 1,
                schedule: seeds.fork(),
                tasks: BTreeMap::new(),
                runnable: Vec::new(),
                turns: 0,
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, id: u64) {
        self.lock().add(id, "the test itself", None);
    }

    pub(crate) fn spawn(&self, name: &'static str, future: BoxFuture) {
        let mut state = self.lock();
        let id = state.new_id();
        state.trace.record(name.as_bytes());
        state.add(id, name, Some(future));
    }

    pub(crate) fn end(&self, id: u64) {
        let mut state = self.lock();
        state.tasks.remove(&id);
        state.runnable.retain(|&other| other != id);
    }

    pub(crate) fn put_back(&self, id: u64, future: BoxFuture) {
        // A task may have been dropped by a crash from within; then its future goes too, outside of the lock.
        let _orphan = match self.lock().tasks.get_mut(&id) {
            Some(slot) => slot.future.replace(future),
            None => Some(future),
        };
    }

    pub(crate) fn take_all(&self) -> Vec<BoxFuture> {
        let mut state = self.lock();
        state.runnable.clear();
        let timers = std::mem::take(&mut state.timers);
        let tasks = std::mem::take(&mut state.tasks);
        drop(state);
        drop(timers);
        tasks.into_values().filter_map(|slot| slot.future).collect()
    }

    /// Picks a runnable task, moving the clock to the next timer if there is none.
    pub(crate) fn next(&self) -> Result<Next, Stuck> {
        loop {
            let due = {
                let mut state = self.lock();
                if !state.runnable.is_empty() {
                    return state.pick();
                }
                state.advance_to_next_timer()?
            };
            due.into_iter().for_each(Waker::wake);
        }
    }

    pub(crate) fn wake(&self, id: u64) {
        let mut state = self.lock();
        if let Some(slot) = state.tasks.get_mut(&id)
            && !slot.queued
        {
            slot.queued = true;
            state.runnable.push(id);
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.lock().clock
    }

    pub(crate) fn trace_event(&self, event: &str) {
        self.lock().trace.record(event.as_bytes());
    }

    pub(crate) fn trace_hash(&self) -> u64 {
        self.lock().trace.digest()
    }
}

impl State {
    pub(crate) fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    fn add(&mut self, id: u64, name: &'static str, future: Option<BoxFuture>) {
        self.tasks.insert(id, Slot { name, future, queued: true });
        self.runnable.push(id);
    }

    fn pick(&mut self) -> Result<Next, Stuck> {
        self.turns += 1;
        if self.turns > TURNS_MAX {
            let runnable = self.runnable.iter().filter_map(|id| self.tasks.get(id));
            return Err(Stuck::Spinning(runnable.map(|slot| slot.name).collect()));
        }
        let index = self.schedule.below(self.runnable.len() as u64) as usize;
        let id = self.runnable.swap_remove(index);
        self.trace.number(id);
        let slot = self.tasks.get_mut(&id).expect("a runnable task is in the table");
        slot.queued = false;
        Ok(slot.future.take().map_or(Next::Main, |future| Next::Task(id, future)))
    }

    fn advance_to_next_timer(&mut self) -> Result<Vec<Waker>, Stuck> {
        let Some((&(at, _), _)) = self.timers.first_key_value() else {
            return Err(Stuck::Deadlock(self.tasks.values().map(|slot| slot.name).collect()));
        };
        self.turns = 0;
        self.clock = self.clock.max(at);
        self.trace.number(self.clock.as_nanos() as u64);
        let later = self.timers.split_off(&(self.clock, u64::MAX));
        Ok(std::mem::replace(&mut self.timers, later).into_values().collect())
    }
}

pub(crate) struct TaskWaker {
    id: u64,
    shared: Weak<Shared>,
}

impl TaskWaker {
    pub(crate) fn new(id: u64, shared: &Arc<Shared>) -> Self {
        Self { id, shared: Arc::downgrade(shared) }
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.wake(self.id);
        }
    }
}
