//! Which environment serves which invocation, when one is started and when one goes: a pure function of
//! events. Knows no processes, no payloads and no clock; whoever calls it acts on what it returns.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use apus_time::Timestamp;

use crate::spec::FunctionKey;

/// Names an environment; never used twice.
pub type EnvironmentId = u64;
/// Names an invocation within the pool; never used twice.
pub type InvokeId = u64;

/// The pool's bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Environments at once, of all functions.
    pub environments_max: usize,
    /// Invocations that wait, of all functions.
    pub waiting_max: usize,
    /// How long an environment may do nothing before it goes.
    pub idle_max: Duration,
}

/// What happens to the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An invocation arrives.
    Invoked(InvokeId, FunctionKey),
    /// The caller of an invocation went away before it was assigned.
    Abandoned(InvokeId),
    /// An environment can take an invocation: its first, or the next.
    Ready(EnvironmentId),
    /// An environment has answered its invocation; `Ready` or `Ended` follows soon.
    Answered(EnvironmentId),
    /// An environment could not be started; it is gone.
    StartFailed(EnvironmentId),
    /// An environment is gone.
    Ended(EnvironmentId),
    /// A function was changed or deleted: its environments end when they are done.
    Retired(FunctionKey),
    /// Time has passed.
    Tick,
    /// The pool closes.
    Stopping,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an environment for this function, with this invocation's specification.
    Start(EnvironmentId, InvokeId),
    /// Hand the invocation to the environment.
    Assign(EnvironmentId, InvokeId),
    /// End the environment; `Ended` follows.
    Stop(EnvironmentId),
    /// Tell the caller why the start for it failed, which is this environment's.
    Fail(InvokeId, EnvironmentId),
    /// Tell the caller that there is no room.
    Throttle(InvokeId),
    /// Tell the caller that the pool is closed.
    Refuse(InvokeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Idle(Timestamp),
    Busy,
    /// It has answered and has not asked for more yet: worth waiting for, being about to.
    Finishing,
    Stopping,
}

#[derive(Debug)]
struct Environment {
    key: FunctionKey,
    phase: Phase,
    retired: bool,
}

/// The pool's state.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    environments: BTreeMap<EnvironmentId, Environment>,
    waiting: VecDeque<(InvokeId, FunctionKey)>,
    next_id: EnvironmentId,
    stopping: bool,
}

impl Pool {
    /// An empty one.
    pub fn new(limits: PoolLimits) -> Self {
        Self { limits, environments: BTreeMap::new(), waiting: VecDeque::new(), next_id: 1, stopping: false }
    }

    /// What to do about an event.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Invoked(invoke, _) if self.stopping => actions.push(Action::Refuse(invoke)),
            Event::Invoked(invoke, key) => self.invoked(invoke, key, &mut actions),
            Event::Abandoned(invoke) => self.waiting.retain(|(waiting, _)| *waiting != invoke),
            Event::Ready(id) => self.ready(now, id, &mut actions),
            Event::Answered(id) => {
                if let Some(environment) = self.environments.get_mut(&id)
                    && environment.phase == Phase::Busy
                {
                    environment.phase = Phase::Finishing;
                }
            }
            Event::StartFailed(id) => self.start_failed(id, &mut actions),
            Event::Ended(id) => {
                self.environments.remove(&id);
                self.start_for_waiting(&mut actions);
            }
            Event::Retired(key) => self.retire(&key, &mut actions),
            Event::Tick => self.reap(now, &mut actions),
            Event::Stopping => {
                self.stopping = true;
                actions.extend(self.waiting.drain(..).map(|(invoke, _)| Action::Refuse(invoke)));
                self.stop_where(&mut actions, |_| true);
            }
        }
        actions
    }

    /// When the next idle environment is due to go.
    pub fn next_tick(&self) -> Option<Timestamp> {
        let idle = self.environments.values().filter_map(|environment| match environment.phase {
            Phase::Idle(since) => Some(since + self.limits.idle_max),
            _ => None,
        });
        idle.min()
    }

    /// How many environments there are, those that are ending included.
    pub fn environments(&self) -> usize {
        self.environments.len()
    }

    fn invoked(&mut self, invoke: InvokeId, key: FunctionKey, actions: &mut Vec<Action>) {
        if let Some(id) = self.idle_of(&key) {
            self.set(id, Phase::Busy);
            actions.push(Action::Assign(id, invoke));
        } else if self.waiting.len() >= self.limits.waiting_max {
            actions.push(Action::Throttle(invoke));
        } else {
            self.waiting.push_back((invoke, key));
            self.start_for_waiting(actions);
        }
    }

    /// The one that was used last: the others may go sooner, and its caches are warm.
    fn idle_of(&self, key: &FunctionKey) -> Option<EnvironmentId> {
        let idle = self.environments.iter().filter_map(|(id, environment)| match environment.phase {
            Phase::Idle(since) if environment.key == *key && !environment.retired => Some((since, *id)),
            _ => None,
        });
        idle.max().map(|(_, id)| id)
    }

    fn ready(&mut self, now: Timestamp, id: EnvironmentId, actions: &mut Vec<Action>) {
        let Some(environment) = self.environments.get_mut(&id) else { return };
        if environment.retired || self.stopping || environment.phase == Phase::Stopping {
            // Told to stop while it started, it had nothing yet that could be ended.
            environment.phase = Phase::Stopping;
            actions.push(Action::Stop(id));
            return;
        }
        if let Some(at) = self.waiting.iter().position(|(_, key)| *key == environment.key) {
            environment.phase = Phase::Busy;
            if let Some((invoke, _)) = self.waiting.remove(at) {
                actions.push(Action::Assign(id, invoke));
            }
        } else {
            environment.phase = Phase::Idle(now);
            // Another function may wait for the room that this one takes.
            self.start_for_waiting(actions);
        }
    }

    fn start_failed(&mut self, id: EnvironmentId, actions: &mut Vec<Action>) {
        let Some(environment) = self.environments.remove(&id) else { return };
        if let Some(at) = self.waiting.iter().position(|(_, key)| *key == environment.key)
            && let Some((invoke, _)) = self.waiting.remove(at)
        {
            actions.push(Action::Fail(invoke, id));
        }
        self.start_for_waiting(actions);
    }

    /// Starts environments until each waiting invocation has one on its way, or there is no more room.
    fn start_for_waiting(&mut self, actions: &mut Vec<Action>) {
        if self.stopping {
            return;
        }
        let mut on_their_way: BTreeMap<&FunctionKey, usize> = BTreeMap::new();
        for environment in self.environments.values() {
            if matches!(environment.phase, Phase::Starting | Phase::Finishing) && !environment.retired {
                *on_their_way.entry(&environment.key).or_default() += 1;
            }
        }
        let mut wanted = Vec::new();
        for (invoke, key) in &self.waiting {
            match on_their_way.get_mut(key) {
                Some(count @ 1..) => *count -= 1,
                _ => wanted.push((*invoke, key.clone())),
            }
        }
        // What is ending makes room already: its `Ended` calls again.
        let mut to_come = self.environments.values().filter(|e| e.phase == Phase::Stopping).count();
        for (invoke, key) in wanted {
            if self.environments.len() >= self.limits.environments_max {
                if to_come > 0 {
                    to_come -= 1;
                } else if let Some(id) = self.longest_idle() {
                    self.set(id, Phase::Stopping);
                    actions.push(Action::Stop(id));
                }
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            self.environments.insert(id, Environment { key, phase: Phase::Starting, retired: false });
            actions.push(Action::Start(id, invoke));
        }
    }

    fn longest_idle(&self) -> Option<EnvironmentId> {
        let idle = self.environments.iter().filter_map(|(id, environment)| match environment.phase {
            Phase::Idle(since) => Some((since, *id)),
            _ => None,
        });
        idle.min().map(|(_, id)| id)
    }

    fn retire(&mut self, key: &FunctionKey, actions: &mut Vec<Action>) {
        for environment in self.environments.values_mut().filter(|environment| environment.key == *key) {
            environment.retired = true;
        }
        self.stop_where(actions, |environment| {
            environment.retired && matches!(environment.phase, Phase::Idle(_))
        });
        self.start_for_waiting(actions);
    }

    fn reap(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let idle_max = self.limits.idle_max;
        self.stop_where(actions, |environment| match environment.phase {
            Phase::Idle(since) => since + idle_max <= now,
            _ => false,
        });
    }

    fn stop_where(&mut self, actions: &mut Vec<Action>, goes: impl Fn(&Environment) -> bool) {
        for (id, environment) in &mut self.environments {
            if environment.phase != Phase::Stopping && goes(environment) {
                environment.phase = Phase::Stopping;
                actions.push(Action::Stop(*id));
            }
        }
    }

    fn set(&mut self, id: EnvironmentId, phase: Phase) {
        if let Some(environment) = self.environments.get_mut(&id) {
            environment.phase = phase;
        }
    }
}
