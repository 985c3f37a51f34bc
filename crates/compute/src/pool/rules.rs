//! Which environment serves which invocation, when one is started and when one goes: a pure function of
//! events. Knows no processes, no payloads and no clock; whoever calls it acts on what it returns.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apus_time::Timestamp;

pub use super::cold::ColdReason;
use super::cold::{Departed, Departure};
use super::pace::Pace;
use super::target::Target;
use super::under_way::{Counted, UnderWay};
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

/// Environments that are started ahead of invocations at the same time, of all functions: a start takes processors
/// from those who wait for an answer.
const AHEAD_MAX: usize = 8;

/// Environments of one function that may be started within [`SCALING_STRETCH`]: AWS's rate.
pub const SCALING_MAX: u32 = 1_000;
/// The stretch of time that [`SCALING_MAX`] is for.
pub const SCALING_STRETCH: Duration = Duration::from_secs(10);
/// Functions whose starts are counted; with one more, those go that have started nothing for a stretch.
const SCALING_FUNCTIONS: usize = 10_000;

impl PoolLimits {
    /// How many environments may be kept for functions that nobody invokes: a quarter is everybody's, and one at
    /// least, so that no function waits for ever.
    pub fn provisioned_max(&self) -> usize {
        self.environments_max - self.environments_max.div_ceil(4)
    }
}

/// How it stands with the environments that are kept of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many are to be.
    pub wanted: usize,
    /// How many there are that have initialised.
    pub standing: usize,
    /// How many of these serve nobody.
    pub free: usize,
    /// Whether the last start of one came to nothing.
    pub failing: bool,
    /// Whether more cannot be, for all those that are kept of all functions.
    pub crowded: bool,
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
    /// What it shares with others, if it has no share of its own.
    pub share: Option<Share>,
}

/// What functions share that have no concurrency of their own. What environments serve that are kept for their function
/// does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name.
    pub name: Arc<str>,
    /// How many invocations of all of them may be under way at once.
    pub max: u32,
}

/// Why an invocation is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// So many invocations of its function are under way, and no more may be.
    Function(u32),
    /// So many invocations of those that share with its function are under way, and no more may be.
    Share(u32),
    /// So many environments of its function were started lately, and no more may be.
    Scaling(u32),
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
    /// An environment has failed and is being ended; `Ended` follows.
    Failed(EnvironmentId),
    /// An environment could not be started; it is gone.
    StartFailed(EnvironmentId),
    /// An environment is gone.
    Ended(EnvironmentId),
    /// A function was changed or deleted: its environments end when they are done, and none is kept of it.
    Retired(FunctionKey),
    /// So many environments of a function are to stand from now on, whether it is invoked or not; what rests after a
    /// failure is tried at once.
    Provisioned(FunctionKey, usize),
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
    /// Start an environment for this function, which nobody waits for.
    Provision(EnvironmentId, FunctionKey),
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
    /// Whether it is one of those that are kept: it never goes for having nothing to do.
    provisioned: bool,
    has_served: bool,
    /// Whose invocation it serves.
    serves: Option<Counted>,
    /// Why it is stopped, if not for its own sake.
    departure: Departure,
}

impl Environment {
    /// Whether it is one of those that are kept, and stays so.
    fn is_kept(&self) -> bool {
        self.provisioned && !self.retired && self.phase != Phase::Stopping
    }
}

/// The pool's state.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    environments: BTreeMap<EnvironmentId, Environment>,
    waiting: VecDeque<Call>,
    under_way: UnderWay,
    /// Starts of each function's environments.
    scaling: BTreeMap<Arc<str>, Pace>,
    departed: Departed,
    /// Of how many environments are kept.
    targets: BTreeMap<FunctionKey, Target>,
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
            under_way: UnderWay::default(),
            scaling: BTreeMap::new(),
            departed: Departed::default(),
            targets: BTreeMap::new(),
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
            Event::Invoked(call) => self.invoked(now, call, &mut actions),
            Event::Abandoned(invoke) => {
                if let Some(at) = self.waiting.iter().position(|call| call.invoke == invoke) {
                    self.take_waiting(at);
                }
            }
            Event::Ready(id) => self.ready(now, id, &mut actions),
            Event::Answered(id) => self.answered(id),
            Event::Failed(id) => self.failed(now, id, &mut actions),
            Event::StartFailed(id) => self.start_failed(now, id, &mut actions),
            Event::Ended(id) => {
                self.ended(now, id);
                self.start_ahead(now, &mut actions);
                self.start_for_waiting(now, &mut actions);
            }
            Event::Retired(key) => self.retire(now, &key, &mut actions),
            Event::Provisioned(key, wanted) => self.provisioned(now, &key, wanted, &mut actions),
            Event::MemoryShort => self.shed(&mut actions),
            Event::Tick => self.tick(now, &mut actions),
            Event::Stopping => {
                self.stopping = true;
                actions.extend(self.waiting.drain(..).map(|call| Action::Refuse(call.invoke)));
                self.under_way = UnderWay::default();
                self.targets.clear();
                self.stop_where(&mut actions, Departure::Lost, |_, _| true);
            }
        }
        actions
    }

    /// When the next idle environment is due to be frozen or to go, or a start that failed to be tried again.
    pub fn next_tick(&self) -> Option<Timestamp> {
        let idle = self.environments.values().filter_map(|environment| match environment.phase {
            Phase::Idle(since) => match self.limits.freeze_after {
                Some(after) if !environment.frozen => Some(since + after.min(self.limits.idle_max)),
                _ if environment.provisioned => None,
                _ => Some(since + self.limits.idle_max),
            },
            _ => None,
        });
        idle.chain(self.targets.values().filter_map(|target| target.next_try)).min()
    }

    /// How it stands with the environments that are kept of a function, if any are to be.
    pub fn standing(&self, key: &FunctionKey) -> Option<Standing> {
        let target = self.targets.get(key)?;
        let (mut standing, mut free, mut starting) = (0, 0, 0);
        for environment in self.kept_of(key) {
            match environment.phase {
                Phase::Starting => starting += 1,
                Phase::Idle(_) => (standing, free) = (standing + 1, free + 1),
                Phase::Busy | Phase::Finishing => standing += 1,
                Phase::Stopping => {}
            }
        }
        let crowded =
            standing < target.wanted && starting == 0 && self.kept() >= self.limits.provisioned_max();
        Some(Standing { wanted: target.wanted, standing, free, failing: target.failing, crowded })
    }

    /// How many invocations of a function wait or are served.
    pub fn under_way(&self, function: &str) -> u32 {
        self.under_way.of_function(function)
    }

    /// Its bounds.
    pub fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    /// How many environments there are, those that are ending included.
    pub fn environments(&self) -> usize {
        self.environments.len()
    }

    fn invoked(&mut self, now: Timestamp, call: Call, actions: &mut Vec<Action>) {
        if let Some(max) = call.concurrency_max
            && self.under_way(&call.function) >= max
        {
            actions.push(Action::Throttle(call.invoke, Throttled::Function(max)));
            return;
        }
        let idle = self.idle_of(&call.key);
        let is_kept = |id: &EnvironmentId| self.environments.get(id).is_some_and(|one| one.provisioned);
        if let Some(share) = &call.share
            && !idle.as_ref().is_some_and(is_kept)
            && self.under_way.of_share(&share.name) >= share.max
        {
            actions.push(Action::Throttle(call.invoke, Throttled::Share(share.max)));
        } else if let Some(id) = idle {
            self.under_way.begin(&call);
            self.assign(id, &call, actions);
        } else if self.scaling_of(now, &call.function) >= SCALING_MAX {
            actions.push(Action::Throttle(call.invoke, Throttled::Scaling(SCALING_MAX)));
        } else if self.waiting.len() >= self.limits.waiting_max {
            actions.push(Action::Throttle(call.invoke, Throttled::Waiting(self.waiting.len())));
        } else {
            self.under_way.begin(&call);
            self.waiting.push_back(call);
            self.start_for_waiting(now, actions);
        }
    }

    /// Starts of a function's environments in the current stretch of time.
    fn scaling_of(&self, now: Timestamp, function: &str) -> u32 {
        self.scaling.get(function).map_or(0, |pace| pace.count(now, SCALING_STRETCH))
    }

    fn note_start(&mut self, now: Timestamp, function: &Arc<str>) {
        if self.scaling.len() >= SCALING_FUNCTIONS {
            self.scaling.retain(|_, pace| pace.count(now, SCALING_STRETCH) > 0);
        }
        self.scaling.entry(Arc::clone(function)).or_insert_with(|| Pace::new(now)).note(now, SCALING_STRETCH);
    }

    fn assign(&mut self, id: EnvironmentId, call: &Call, actions: &mut Vec<Action>) {
        let Some(environment) = self.environments.get_mut(&id) else { return };
        environment.phase = Phase::Busy;
        environment.has_served = true;
        environment.serves = Some(self.under_way.serve(call, environment.provisioned));
        if std::mem::take(&mut environment.frozen) {
            actions.push(Action::Thaw(id));
        }
        actions.push(Action::Assign(id, call.invoke));
    }

    /// Takes an invocation out of the queue that will not be served.
    fn take_waiting(&mut self, at: usize) -> Option<Call> {
        let call = self.waiting.remove(at)?;
        self.under_way.give_up(&call);
        Some(call)
    }

    fn answered(&mut self, id: EnvironmentId) {
        let Some(environment) = self.environments.get_mut(&id) else { return };
        if environment.phase == Phase::Busy {
            environment.phase = Phase::Finishing;
        }
        if let Some(counted) = environment.serves.take() {
            self.under_way.end(&counted);
        }
    }

    fn failed(&mut self, now: Timestamp, id: EnvironmentId, actions: &mut Vec<Action>) {
        self.answered(id);
        self.rest_if_useless(now, id);
        if let Some(environment) = self.environments.get_mut(&id) {
            environment.phase = Phase::Stopping;
            if std::mem::take(&mut environment.frozen) {
                actions.push(Action::Thaw(id));
            }
        }
        self.start_ahead(now, actions);
        self.start_for_waiting(now, actions);
    }

    fn ended(&mut self, now: Timestamp, id: EnvironmentId) {
        self.rest_if_useless(now, id);
        let Some(environment) = self.environments.remove(&id) else { return };
        let how = if environment.retired { Departure::Retired } else { environment.departure };
        self.departed.note(&environment.key, how);
        if let Some(counted) = environment.serves {
            self.under_way.end(&counted);
        }
    }

    /// One that is kept and dies before it was of use would be started and die without end.
    fn rest_if_useless(&mut self, now: Timestamp, id: EnvironmentId) {
        if let Some(environment) = self.environments.get(&id)
            && environment.is_kept()
            && !environment.has_served
            && let Some(target) = self.targets.get_mut(&environment.key)
        {
            target.failed(now);
        }
    }

    /// One that is kept, before one that may go; of these the one that was used last: the others may go sooner, and
    /// its caches are warm.
    fn idle_of(&self, key: &FunctionKey) -> Option<EnvironmentId> {
        let idle = self.environments.iter().filter_map(|(id, environment)| match environment.phase {
            Phase::Idle(since) if environment.key == *key && !environment.retired => {
                Some((environment.provisioned, since, *id))
            }
            _ => None,
        });
        idle.max().map(|(_, _, id)| id)
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
        let (was, provisioned) = (environment.phase, environment.provisioned);
        environment.phase = Phase::Idle(now);
        let own = environment.key.clone();
        if provisioned {
            if let Some(target) = self.targets.get_mut(&own).filter(|_| was == Phase::Starting) {
                target.succeeded();
            }
            if self.excess_of(&own) > 0 {
                self.stop_where(actions, Departure::Released, |one, _| one == id);
            }
            if self.environments.get(&id).is_none_or(|own| own.phase == Phase::Stopping) {
                self.start_ahead(now, actions);
                self.start_for_waiting(now, actions);
                return;
            }
        }
        if let Some(at) = self.waiting.iter().position(|call| call.key == own) {
            if let Some(call) = self.waiting.remove(at) {
                self.assign(id, &call, actions);
            }
        } else {
            // Others may wait for the room that this one takes.
            self.start_ahead(now, actions);
            self.start_for_waiting(now, actions);
        }
    }

    fn start_failed(&mut self, now: Timestamp, id: EnvironmentId, actions: &mut Vec<Action>) {
        let Some(environment) = self.environments.remove(&id) else { return };
        self.departed.note(&environment.key, Departure::Lost);
        if environment.provisioned {
            // Nobody's start: who waits gets one of his own, and hears of that one's failure.
            if let Some(target) = self.targets.get_mut(&environment.key).filter(|_| environment.is_kept()) {
                target.failed(now);
            }
        } else if let Some(at) = self.waiting.iter().position(|call| call.key == environment.key)
            && let Some(call) = self.take_waiting(at)
        {
            actions.push(Action::Fail(call.invoke, id));
        }
        self.start_ahead(now, actions);
        self.start_for_waiting(now, actions);
    }

    /// Starts environments until each waiting invocation has one on its way, or there is no more room.
    fn start_for_waiting(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
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
                _ => wanted.push((call.invoke, call.key.clone(), Arc::clone(&call.function))),
            }
        }
        // What is ending makes room already: its `Ended` calls again.
        let mut to_come = self.environments.values().filter(|e| e.phase == Phase::Stopping).count();
        for (invoke, key, function) in wanted {
            if self.environments.len() >= self.limits.environments_max {
                if to_come > 0 {
                    to_come -= 1;
                } else if let Some(id) = self.longest_idle() {
                    self.stop_where(actions, Departure::MadeRoom, |one, _| one == id);
                }
                continue;
            }
            let reason = self.cold_reason(&key);
            let id = self.starting(key, false);
            self.note_start(now, &function);
            actions.push(Action::Start(id, invoke, reason));
        }
    }

    fn starting(&mut self, key: FunctionKey, provisioned: bool) -> EnvironmentId {
        let id = self.next_id;
        self.next_id += 1;
        let environment = Environment {
            key,
            phase: Phase::Starting,
            retired: false,
            frozen: false,
            provisioned,
            has_served: false,
            serves: None,
            departure: Departure::Lost,
        };
        self.environments.insert(id, environment);
        id
    }

    fn provisioned(&mut self, now: Timestamp, key: &FunctionKey, wanted: usize, actions: &mut Vec<Action>) {
        if self.stopping {
            return;
        }
        if wanted == 0 {
            self.targets.remove(key);
        } else {
            self.targets.entry(key.clone()).or_default().wish(wanted);
        }
        // Those that are busy go when they are done.
        let mut going: Vec<_> =
            self.environments.iter().filter(|(_, one)| one.is_kept() && one.key == *key).collect();
        going.retain(|(_, one)| matches!(one.phase, Phase::Starting | Phase::Idle(_)));
        going.sort_by_key(|(id, one)| match one.phase {
            Phase::Idle(since) => (1, since, **id),
            _ => (0, now, **id),
        });
        let going: Vec<_> = going.into_iter().map(|(id, _)| *id).take(self.excess_of(key)).collect();
        self.stop_where(actions, Departure::Released, |id, _| going.contains(&id));
        self.start_ahead(now, actions);
        self.start_for_waiting(now, actions);
    }

    /// Starts what is missing of the environments that are to stand, as far as there is room. A function whose last
    /// start failed gets one at a time.
    fn start_ahead(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        if self.stopping || self.targets.is_empty() {
            return;
        }
        let is_starting = |one: &&Environment| one.is_kept() && one.phase == Phase::Starting;
        let mut kept = self.kept();
        let mut starting = self.environments.values().filter(is_starting).count();
        let mut to_come = self.environments.values().filter(|e| e.phase == Phase::Stopping).count();
        for key in self.targets.keys().cloned().collect::<Vec<_>>() {
            let (own, own_starting) =
                (self.kept_of(&key).count(), self.kept_of(&key).filter(is_starting).count());
            let Some(target) = self.targets.get_mut(&key) else { continue };
            if target.rests(now) {
                continue;
            }
            let missing = target.wanted.saturating_sub(own);
            let missing =
                if target.failing { missing.min(1_usize.saturating_sub(own_starting)) } else { missing };
            for _ in 0..missing {
                if kept >= self.limits.provisioned_max() || starting >= AHEAD_MAX {
                    break;
                }
                if self.environments.len() >= self.limits.environments_max {
                    // What is ending makes room already: its `Ended` calls again.
                    if to_come > 0 {
                        to_come -= 1;
                    } else if let Some(id) = self.longest_idle() {
                        self.stop_where(actions, Departure::MadeRoom, |one, _| one == id);
                    }
                    continue;
                }
                (kept, starting) = (kept + 1, starting + 1);
                let id = self.starting(key.clone(), true);
                actions.push(Action::Provision(id, key.clone()));
            }
        }
    }

    /// The environments that are kept, of all functions.
    fn kept(&self) -> usize {
        self.environments.values().filter(|one| one.is_kept()).count()
    }

    fn kept_of<'a>(&'a self, key: &'a FunctionKey) -> impl Iterator<Item = &'a Environment> {
        self.environments.values().filter(move |one| one.is_kept() && one.key == *key)
    }

    /// How many more are kept of a function than are to be.
    fn excess_of(&self, key: &FunctionKey) -> usize {
        let wanted = self.targets.get(key).map_or(0, |target| target.wanted);
        self.kept_of(key).count().saturating_sub(wanted)
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

    /// Of those that may go.
    fn longest_idle(&self) -> Option<EnvironmentId> {
        let idle = self.environments.iter().filter_map(|(id, environment)| match environment.phase {
            Phase::Idle(since) if !environment.is_kept() => Some((since, *id)),
            _ => None,
        });
        idle.min().map(|(_, id)| id)
    }

    fn retire(&mut self, now: Timestamp, key: &FunctionKey, actions: &mut Vec<Action>) {
        self.targets.remove(key);
        for environment in self.environments.values_mut().filter(|environment| environment.key == *key) {
            environment.retired = true;
        }
        self.stop_where(actions, Departure::Retired, |_, environment| {
            environment.retired && matches!(environment.phase, Phase::Idle(_))
        });
        self.start_for_waiting(now, actions);
    }

    /// Half of those that do nothing go, those that have done so longest: enough to matter, and not all. Those that are
    /// kept are somebody's express wish.
    fn shed(&mut self, actions: &mut Vec<Action>) {
        let mut idle: Vec<(Timestamp, EnvironmentId)> = Vec::new();
        for (id, environment) in &self.environments {
            if let Phase::Idle(since) = environment.phase
                && !environment.is_kept()
            {
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
            Phase::Idle(since) => !environment.is_kept() && since + idle_max <= now,
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
        self.start_ahead(now, actions);
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
