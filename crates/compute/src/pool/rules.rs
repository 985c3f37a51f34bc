//! Which environment serves which invocation, when one is started and when one goes: a pure function of
//! events. Knows no processes, no payloads and no clock; whoever calls it acts on what it returns.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apus_time::Timestamp;

pub use super::cold::ColdReason;
use super::cold::{Departed, Departure};
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
    /// How long an environment does nothing before it is frozen; `None`: it never is.
    pub freeze_after: Option<Duration>,
}

/// An invocation, as far as the pool cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub invoke: InvokeId,
    /// What must serve it.
    pub key: FunctionKey,
    /// The function across its versions, whose invocations are counted together.
    pub function: Arc<str>,
    /// How many invocations of the function may be under way at once.
    pub concurrency_max: Option<u32>,
}

/// Why an invocation is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// So many invocations of its function are under way, and no more may be.
    Function(u32),
    /// So many invocations of all functions wait, and no more may.
    Waiting(usize),
}

/// What happens to the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An invocation arrives.
    Invoked(Call),
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
    /// The host is short of memory.
    MemoryShort,
    /// Time has passed.
    Tick,
    /// The pool closes.
    Stopping,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an environment for this function, with this invocation's specification.
    Start(EnvironmentId, InvokeId, ColdReason),
    /// Hand the invocation to the environment.
    Assign(EnvironmentId, InvokeId),
    /// Let nothing in the environment run.
    Freeze(EnvironmentId),
    /// Let it run again; comes before `Assign` and `Stop`.
    Thaw(EnvironmentId),
    /// End the environment; `Ended` follows.
    Stop(EnvironmentId),
    /// Tell the caller why the start for it failed, which is this environment's.
    Fail(InvokeId, EnvironmentId),
    /// Tell the caller that there is no room.
    Throttle(InvokeId, Throttled),
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

/// What an environment does, for who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is being started.
    Starting,
    /// It waits for an invocation.
    Idle,
    /// The same, and nothing in it runs.
    Frozen,
    /// It serves an invocation.
    Busy,
    /// It has answered one, and finishes.
    Finishing,
    /// It is being ended.
    Stopping,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Frozen => "frozen",
            Self::Busy => "busy",
            Self::Finishing => "finishing",
            Self::Stopping => "stopping",
        })
    }
}

#[derive(Debug)]
struct Environment {
    key: FunctionKey,
    phase: Phase,
    retired: bool,
    frozen: bool,
    /// The function whose invocation it serves.
    serves: Option<Arc<str>>,
    /// Why it is stopped, if not for its own sake.
    departure: Departure,
}

/// The pool's state.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    environments: BTreeMap<EnvironmentId, Environment>,
    waiting: VecDeque<Call>,
    /// Invocations of each function that wait or are served.
    under_way: BTreeMap<Arc<str>, u32>,
    departed: Departed,
    next_id: EnvironmentId,
    stopping: bool,
}

impl Pool {
    /// An empty one.
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            environments: BTreeMap::new(),
            waiting: VecDeque::new(),
            under_way: BTreeMap::new(),
            departed: Departed::default(),
            next_id: 1,
            stopping: false,
        }
    }

    /// The environments and what they do, the oldest first.
    pub fn conditions(&self) -> impl Iterator<Item = (EnvironmentId, &FunctionKey, Condition)> {
        self.environments.iter().map(|(id, environment)| {
            let condition = match environment.phase {
                Phase::Starting => Condition::Starting,
                Phase::Idle(_) if environment.frozen => Condition::Frozen,
                Phase::Idle(_) => Condition::Idle,
                Phase::Busy => Condition::Busy,
                Phase::Finishing => Condition::Finishing,
                Phase::Stopping => Condition::Stopping,
            };
            (*id, &environment.key, condition)
        })
    }

    /// What to do about an event.
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Invoked(call) if self.stopping => actions.push(Action::Refuse(call.invoke)),
            Event::Invoked(call) => self.invoked(call, &mut actions),
            Event::Abandoned(invoke) => {
                if let Some(at) = self.waiting.iter().position(|call| call.invoke == invoke) {
                    self.take_waiting(at);
                }
            }
            Event::Ready(id) => self.ready(now, id, &mut actions),
            Event::Answered(id) => self.answered(id),
            Event::StartFailed(id) => self.start_failed(id, &mut actions),
            Event::Ended(id) => {
                self.ended(id);
                self.start_for_waiting(&mut actions);
            }
            Event::Retired(key) => self.retire(&key, &mut actions),
            Event::MemoryShort => self.shed(&mut actions),
            Event::Tick => self.tick(now, &mut actions),
            Event::Stopping => {
                self.stopping = true;
                actions.extend(self.waiting.drain(..).map(|call| Action::Refuse(call.invoke)));
                self.under_way.clear();
                self.stop_where(&mut actions, Departure::Lost, |_, _| true);
            }
        }
        actions
    }

    /// When the next idle environment is due to be frozen or to go.
    pub fn next_tick(&self) -> Option<Timestamp> {
        let idle = self.environments.values().filter_map(|environment| match environment.phase {
            Phase::Idle(since) => match self.limits.freeze_after {
                Some(after) if !environment.frozen => Some(since + after.min(self.limits.idle_max)),
                _ => Some(since + self.limits.idle_max),
            },
            _ => None,
        });
        idle.min()
    }

    /// How many invocations of a function wait or are served.
    pub fn under_way(&self, function: &str) -> u32 {
        self.under_way.get(function).copied().unwrap_or(0)
    }

    /// How many environments there are, those that are ending included.
    pub fn environments(&self) -> usize {
        self.environments.len()
    }

    fn invoked(&mut self, call: Call, actions: &mut Vec<Action>) {
        if let Some(max) = call.concurrency_max
            && self.under_way(&call.function) >= max
        {
            actions.push(Action::Throttle(call.invoke, Throttled::Function(max)));
            return;
        }
        if let Some(id) = self.idle_of(&call.key) {
            *self.under_way.entry(Arc::clone(&call.function)).or_default() += 1;
            self.assign(id, &call, actions);
        } else if self.waiting.len() >= self.limits.waiting_max {
            actions.push(Action::Throttle(call.invoke, Throttled::Waiting(self.waiting.len())));
        } else {
            *self.under_way.entry(Arc::clone(&call.function)).or_default() += 1;
            self.waiting.push_back(call);
            self.start_for_waiting(actions);
        }
    }

    fn assign(&mut self, id: EnvironmentId, call: &Call, actions: &mut Vec<Action>) {
        let Some(environment) = self.environments.get_mut(&id) else { return };
        environment.phase = Phase::Busy;
        environment.serves = Some(Arc::clone(&call.function));
        if std::mem::take(&mut environment.frozen) {
            actions.push(Action::Thaw(id));
        }
        actions.push(Action::Assign(id, call.invoke));
    }

    /// Takes an invocation out of the queue that will not be served.
    fn take_waiting(&mut self, at: usize) -> Option<Call> {
        let call = self.waiting.remove(at)?;
        self.release(&call.function);
        Some(call)
    }

    /// An invocation of the function is over.
    fn release(&mut self, function: &Arc<str>) {
        if let Some(count) = self.under_way.get_mut(function) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(function);
            }
        }
    }

    fn answered(&mut self, id: EnvironmentId) {
        let Some(environment) = self.environments.get_mut(&id) else { return };
        if environment.phase == Phase::Busy {
            environment.phase = Phase::Finishing;
        }
        if let Some(function) = environment.serves.take() {
            self.release(&function);
        }
    }

    fn ended(&mut self, id: EnvironmentId) {
        let Some(environment) = self.environments.remove(&id) else { return };
        let how = if environment.retired { Departure::Retired } else { environment.departure };
        self.departed.note(&environment.key, how);
        if let Some(function) = environment.serves {
            self.release(&function);
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
        self.answered(id);
        let Some(environment) = self.environments.get_mut(&id) else { return };
        if environment.retired || self.stopping || environment.phase == Phase::Stopping {
            // Told to stop while it started, it had nothing yet that could be ended.
            environment.phase = Phase::Stopping;
            actions.push(Action::Stop(id));
            return;
        }
        environment.phase = Phase::Idle(now);
        let own = environment.key.clone();
        match self.waiting.iter().position(|call| call.key == own) {
            Some(at) => {
                if let Some(call) = self.waiting.remove(at) {
                    self.assign(id, &call, actions);
                }
            }
            // Another function may wait for the room that this one takes.
            None => self.start_for_waiting(actions),
        }
    }

    fn start_failed(&mut self, id: EnvironmentId, actions: &mut Vec<Action>) {
        let Some(environment) = self.environments.remove(&id) else { return };
        self.departed.note(&environment.key, Departure::Lost);
        if let Some(at) = self.waiting.iter().position(|call| call.key == environment.key)
            && let Some(call) = self.take_waiting(at)
        {
            actions.push(Action::Fail(call.invoke, id));
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
        for call in &self.waiting {
            match on_their_way.get_mut(&call.key) {
                Some(count @ 1..) => *count -= 1,
                _ => wanted.push((call.invoke, call.key.clone())),
            }
        }
        // What is ending makes room already: its `Ended` calls again.
        let mut to_come = self.environments.values().filter(|e| e.phase == Phase::Stopping).count();
        for (invoke, key) in wanted {
            if self.environments.len() >= self.limits.environments_max {
                if to_come > 0 {
                    to_come -= 1;
                } else if let Some(id) = self.longest_idle() {
                    self.stop_where(actions, Departure::MadeRoom, |one, _| one == id);
                }
                continue;
            }
            let id = self.next_id;
            self.next_id += 1;
            let reason = self.cold_reason(&key);
            let environment = Environment {
                key,
                phase: Phase::Starting,
                retired: false,
                frozen: false,
                serves: None,
                departure: Departure::Lost,
            };
            self.environments.insert(id, environment);
            actions.push(Action::Start(id, invoke, reason));
        }
    }

    fn cold_reason(&self, key: &FunctionKey) -> ColdReason {
        let (mut in_use, mut of_others) = (0, false);
        for environment in self.environments.values().filter(|one| one.key.arn == key.arn) {
            let of_this = environment.key.revision == key.revision && !environment.retired;
            in_use += usize::from(of_this && environment.phase != Phase::Stopping);
            of_others |= !of_this;
        }
        self.departed.reason(key, in_use, of_others)
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
        self.stop_where(actions, Departure::Retired, |_, environment| {
            environment.retired && matches!(environment.phase, Phase::Idle(_))
        });
        self.start_for_waiting(actions);
    }

    /// Half of those that do nothing go, those that have done so longest: enough to matter, and not all.
    fn shed(&mut self, actions: &mut Vec<Action>) {
        let mut idle: Vec<(Timestamp, EnvironmentId)> = Vec::new();
        for (id, environment) in &self.environments {
            if let Phase::Idle(since) = environment.phase {
                idle.push((since, *id));
            }
        }
        idle.sort_unstable();
        idle.truncate(idle.len().div_ceil(2));
        self.stop_where(actions, Departure::MadeRoom, |id, _| idle.iter().any(|(_, one)| *one == id));
    }

    fn tick(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let (idle_max, freeze_after) = (self.limits.idle_max, self.limits.freeze_after);
        self.stop_where(actions, Departure::Idle, |_, environment| match environment.phase {
            Phase::Idle(since) => since + idle_max <= now,
            _ => false,
        });
        for (id, environment) in &mut self.environments {
            if let (Phase::Idle(since), Some(after)) = (environment.phase, freeze_after)
                && !environment.frozen
                && since + after <= now
            {
                environment.frozen = true;
                actions.push(Action::Freeze(*id));
            }
        }
    }

    fn stop_where(
        &mut self,
        actions: &mut Vec<Action>,
        departure: Departure,
        goes: impl Fn(EnvironmentId, &Environment) -> bool,
    ) {
        for (id, environment) in &mut self.environments {
            if environment.phase != Phase::Stopping && goes(*id, environment) {
                environment.phase = Phase::Stopping;
                environment.departure = departure;
                if std::mem::take(&mut environment.frozen) {
                    actions.push(Action::Thaw(*id));
                }
                actions.push(Action::Stop(*id));
            }
        }
    }
}
