//! The pool's rules against an executor that does what they say in any order: every invocation gets exactly one
//! answer, bounds hold, and an environment serves one invocation of its own revision at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apus_compute::FunctionKey;
use apus_compute::pool::rules::{
    Action, Call, ColdReason, EnvironmentId, Event, InvokeId, Pool, PoolLimits, SCALING_MAX, SCALING_STRETCH,
    Share, Throttled,
};
use apus_time::Timestamp;
use proptest::prelude::*;

const ENVIRONMENTS_MAX: usize = 3;
const WAITING_MAX: usize = 4;
const IDLE_MAX: Duration = Duration::from_mins(1);
const FREEZE_AFTER: Duration = Duration::from_secs(10);
/// The longest rest after starts that failed.
const REST_MAX: Duration = Duration::from_mins(5);
/// What one of the functions is limited to.
const CONCURRENCY_MAX: u32 = 2;
const LIMITED: u8 = 3;
/// What the others share.
const SHARE_MAX: u32 = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Busy(InvokeId),
    Finishing,
    Idle,
    Stopping,
}

/// What the outside world knows.
struct World {
    pool: Pool,
    now: Timestamp,
    environments: BTreeMap<EnvironmentId, (FunctionKey, Phase)>,
    /// Invocations without an answer, and those that are assigned.
    open: BTreeMap<InvokeId, FunctionKey>,
    assigned: BTreeSet<InvokeId>,
    retired: BTreeSet<EnvironmentId>,
    frozen: BTreeSet<EnvironmentId>,
    /// The environments that nobody waited for, and how many of each function are to be kept.
    ahead: BTreeSet<EnvironmentId>,
    targets: BTreeMap<FunctionKey, usize>,
    /// Those of `ahead` that were told to go.
    released: BTreeSet<EnvironmentId>,
    stops: bool,
    next_invoke: InvokeId,
    last_reason: Option<ColdReason>,
    throttled: usize,
}

impl World {
    fn new() -> Self {
        Self::with_room(ENVIRONMENTS_MAX)
    }

    fn with_room(environments_max: usize) -> Self {
        let limits = PoolLimits {
            environments_max,
            waiting_max: WAITING_MAX,
            idle_max: IDLE_MAX,
            freeze_after: Some(FREEZE_AFTER),
        };
        Self {
            pool: Pool::new(limits),
            now: Timestamp::from_secs(1_000_000),
            environments: BTreeMap::new(),
            open: BTreeMap::new(),
            assigned: BTreeSet::new(),
            retired: BTreeSet::new(),
            frozen: BTreeSet::new(),
            ahead: BTreeSet::new(),
            targets: BTreeMap::new(),
            released: BTreeSet::new(),
            stops: false,
            next_invoke: 1,
            last_reason: None,
            throttled: 0,
        }
    }

    fn step(&mut self, event: Event) {
        let ticked = event == Event::Tick;
        for action in self.pool.step(self.now, event) {
            match action {
                Action::Start(id, invoke, reason) => {
                    self.last_reason = Some(reason);
                    let key = self.open.get(&invoke).expect("started for an invocation that waits").clone();
                    assert!(
                        self.environments.insert(id, (key, Phase::Starting)).is_none(),
                        "a name is used twice"
                    );
                }
                Action::Provision(id, key) => {
                    let wanted = self.targets.get(&key).copied().unwrap_or(0);
                    assert!(self.kept_of(&key) < wanted, "more than are to be kept");
                    self.ahead.insert(id);
                    assert!(
                        self.environments.insert(id, (key, Phase::Starting)).is_none(),
                        "a name is used twice"
                    );
                }
                Action::Assign(id, invoke) => {
                    let wanted = self.open.get(&invoke).expect("an answered invocation is assigned");
                    assert!(self.assigned.insert(invoke), "assigned twice");
                    assert!(!self.retired.contains(&id), "a retired environment serves");
                    assert!(!self.frozen.contains(&id), "assigned to a frozen environment");
                    let (key, phase) = self.environments.get_mut(&id).expect("assigned to nothing");
                    assert_eq!(key, wanted, "another function's environment");
                    assert!(matches!(phase, Phase::Idle), "assigned to an environment that is {phase:?}");
                    *phase = Phase::Busy(invoke);
                }
                Action::Freeze(id) => {
                    assert_eq!(self.environments[&id].1, Phase::Idle, "frozen at work");
                    assert!(self.frozen.insert(id), "frozen twice");
                }
                Action::Thaw(id) => assert!(self.frozen.remove(&id), "thawed what is not frozen"),
                Action::Stop(id) => {
                    assert!(!self.frozen.contains(&id), "stopped while it is frozen");
                    if self.ahead.contains(&id) && !self.retired.contains(&id) && !self.stops {
                        let key = &self.environments[&id].0;
                        let wanted = self.targets.get(key).copied().unwrap_or(0);
                        assert!(
                            self.released.contains(&id) || self.kept_of(key) > wanted,
                            "one to be kept goes"
                        );
                        self.released.insert(id);
                    }
                    let (_, phase) = self.environments.get_mut(&id).expect("stopped nothing");
                    if let Phase::Busy(invoke) = *phase {
                        self.answer(invoke);
                    }
                    if let Some((_, phase)) = self.environments.get_mut(&id)
                        && *phase != Phase::Starting
                    {
                        *phase = Phase::Stopping;
                    }
                }
                Action::Throttle(invoke, Throttled::Function(max)) => {
                    assert_eq!(max, CONCURRENCY_MAX);
                    // Itself, which is not under way, is among those that are open.
                    let others = self.of_function(LIMITED) - 1;
                    assert_eq!(others, CONCURRENCY_MAX as usize, "turned away below its limit");
                    self.throttled += 1;
                    self.answer(invoke);
                }
                Action::Throttle(invoke, Throttled::Scaling(max)) => {
                    assert_eq!(max, SCALING_MAX);
                    self.throttled += 1;
                    self.answer(invoke);
                }
                Action::Throttle(invoke, Throttled::Share(max)) => {
                    assert_eq!(max, SHARE_MAX);
                    assert_eq!(self.sharing() - 1, SHARE_MAX as usize, "turned away below the share");
                    self.throttled += 1;
                    self.answer(invoke);
                }
                Action::Fail(invoke, _) | Action::Throttle(invoke, _) | Action::Refuse(invoke) => {
                    assert!(!self.assigned.contains(&invoke), "refused after it was assigned");
                    self.answer(invoke);
                }
            }
        }
        let limits = self.pool.limits();
        assert!(self.environments.len() <= limits.environments_max, "too many environments");
        let kept: usize = self.targets.keys().map(|key| self.kept_of(key)).sum();
        assert!(kept <= limits.provisioned_max(), "no room is left for others");
        for key in self.targets.keys() {
            let standing = self.pool.standing(key).expect("some are to be kept");
            assert_eq!(standing.standing, self.standing(key), "the pool counts otherwise");
        }
        if let Some(next) = self.pool.next_tick() {
            assert!(!ticked || next > self.now, "a tick that is due again at once");
        }
        assert_eq!(self.pool.environments(), self.environments.len(), "the pool forgets environments");
        let waiting = self.open.keys().filter(|invoke| !self.assigned.contains(invoke)).count();
        assert!(waiting <= WAITING_MAX, "too many wait");
        assert!(self.sharing() <= SHARE_MAX as usize, "more than the share are under way");
        assert!(self.of_function(LIMITED) <= CONCURRENCY_MAX as usize, "more than its limit are under way");
    }

    /// Those that are kept of the function: neither retired nor told to go.
    fn kept_of(&self, key: &FunctionKey) -> usize {
        self.kept(key).count()
    }

    fn kept<'a>(&'a self, key: &'a FunctionKey) -> impl Iterator<Item = &'a Phase> {
        let own = self.environments.iter().filter(move |(_, (of, _))| of == key);
        own.filter(|(id, _)| {
            self.ahead.contains(id) && !self.retired.contains(id) && !self.released.contains(id)
        })
        .map(|(_, (_, phase))| phase)
    }

    /// Of these, those that have initialised.
    fn standing(&self, key: &FunctionKey) -> usize {
        self.kept(key).filter(|phase| **phase != Phase::Starting).count()
    }

    fn provision(&mut self, function: u8, wanted: usize) {
        if wanted == 0 {
            self.targets.remove(&key(function));
        } else if !self.stops {
            self.targets.insert(key(function), wanted);
        }
        self.step(Event::Provisioned(key(function), wanted));
    }

    /// Time passes, with a tick at the end of it.
    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.step(Event::Tick);
    }

    /// An environment that does nothing dies by itself.
    fn die(&mut self, choice: usize) {
        let idle: Vec<_> = self.environments.iter().filter(|(_, (_, phase))| *phase == Phase::Idle).collect();
        let Some((id, _)) = idle.get(choice % idle.len().max(1)) else { return };
        let id = **id;
        self.environments.remove(&id);
        self.frozen.remove(&id);
        self.step(Event::Ended(id));
    }

    /// An environment fails, at work or not, and takes its time to go.
    fn fail(&mut self, choice: usize) {
        let standing = |phase: &Phase| !matches!(phase, Phase::Starting | Phase::Stopping);
        let ids: Vec<_> =
            self.environments.iter().filter(|(_, (_, phase))| standing(phase)).map(|(id, _)| *id).collect();
        let Some(id) = ids.get(choice % ids.len().max(1)).copied() else { return };
        let (_, phase) = self.environments.get_mut(&id).expect("it is there");
        if let Phase::Busy(invoke) = std::mem::replace(phase, Phase::Stopping) {
            self.answer(invoke);
        }
        if self.ahead.contains(&id) {
            self.released.insert(id);
        }
        self.step(Event::Failed(id));
        assert!(!self.frozen.contains(&id), "it cannot go while it is frozen");
    }

    fn stop(&mut self) {
        self.stops = true;
        self.targets.clear();
        self.step(Event::Stopping);
    }

    /// The function's invocations that have no answer yet.
    fn of_function(&self, function: u8) -> usize {
        self.open.values().filter(|of| **of == key(function)).count()
    }

    /// The invocations without an answer that count for the share: not those that kept environments serve.
    fn sharing(&self) -> usize {
        let is_kept = |invoke: &InvokeId| {
            let mut serves =
                self.environments.iter().filter(|(_, (_, phase))| *phase == Phase::Busy(*invoke));
            serves.any(|(id, _)| self.ahead.contains(id))
        };
        self.open.iter().filter(|(invoke, of)| **of != key(LIMITED) && !is_kept(invoke)).count()
    }

    fn answer(&mut self, invoke: InvokeId) {
        assert!(self.open.remove(&invoke).is_some(), "answered twice");
    }

    fn invoke(&mut self, function: u8) {
        let invoke = self.next_invoke;
        self.next_invoke += 1;
        self.open.insert(invoke, key(function));
        self.step(Event::Invoked(Call {
            invoke,
            key: key(function),
            function: format!("function-{function}").into(),
            concurrency_max: (function == LIMITED).then_some(CONCURRENCY_MAX),
            share: (function != LIMITED).then(|| Share { name: "shared".into(), max: SHARE_MAX }),
        }));
    }

    /// One environment goes on: `well` or not.
    fn progress(&mut self, choice: usize, well: bool) {
        let ids: Vec<EnvironmentId> = self
            .environments
            .iter()
            .filter(|(_, (_, phase))| *phase != Phase::Idle)
            .map(|(id, _)| *id)
            .collect();
        let Some(id) = ids.get(choice % ids.len().max(1)).copied() else { return };
        let phase = self.environments[&id].1.clone();
        match (phase, well) {
            (Phase::Starting | Phase::Finishing, true) => {
                self.environments.get_mut(&id).expect("it is there").1 = Phase::Idle;
                self.step(Event::Ready(id));
            }
            (Phase::Starting, false) => {
                self.environments.remove(&id);
                self.step(Event::StartFailed(id));
            }
            (Phase::Busy(invoke), true) => {
                self.answer(invoke);
                self.environments.get_mut(&id).expect("it is there").1 = Phase::Finishing;
                self.step(Event::Answered(id));
            }
            (Phase::Busy(invoke), false) => {
                self.answer(invoke);
                self.environments.remove(&id);
                self.step(Event::Ended(id));
            }
            (Phase::Finishing, false) | (Phase::Stopping, _) => {
                self.environments.remove(&id);
                self.step(Event::Ended(id));
            }
            (Phase::Idle, _) => unreachable!("filtered above"),
        }
    }

    fn do_one(&mut self, move_: &Move) {
        match *move_ {
            Move::Invoke(function) => self.invoke(function),
            Move::Progress(choice, well) => self.progress(choice, well),
            Move::Abandon(choice) => {
                let waiting: Vec<InvokeId> =
                    self.open.keys().filter(|invoke| !self.assigned.contains(invoke)).copied().collect();
                if let Some(invoke) = waiting.get(choice % waiting.len().max(1)).copied() {
                    self.answer(invoke);
                    self.step(Event::Abandoned(invoke));
                }
            }
            Move::Retire(function) => {
                let ids =
                    self.environments.iter().filter(|(_, (of, _))| *of == key(function)).map(|(id, _)| *id);
                self.retired.extend(ids);
                self.targets.remove(&key(function));
                self.step(Event::Retired(key(function)));
            }
            Move::Pass(seconds) => self.pass(Duration::from_secs(seconds)),
            Move::Provision(function, wanted) => self.provision(function, wanted),
            Move::Die(choice) => self.die(choice),
            Move::Fail(choice) => self.fail(choice),
            Move::Shortage => {
                let idle = |world: &Self| {
                    let idle = world.environments.iter().filter(|(_, (_, phase))| *phase == Phase::Idle);
                    idle.filter(|(id, _)| !world.ahead.contains(id)).count()
                };
                let before = idle(self);
                self.step(Event::MemoryShort);
                assert_eq!(idle(self), before / 2, "half of the idle ones go");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Move {
    Invoke(u8),
    Progress(usize, bool),
    Abandon(usize),
    Retire(u8),
    Pass(u64),
    Shortage,
    Provision(u8, usize),
    Die(usize),
    Fail(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0_u8..4).prop_map(Move::Invoke),
        8 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(choice, well)| Move::Progress(choice, well)),
        1 => any::<usize>().prop_map(Move::Abandon),
        1 => (0_u8..4).prop_map(Move::Retire),
        1 => (1_u64..90).prop_map(Move::Pass),
        1 => Just(Move::Shortage),
        1 => (0_u8..4, 0_usize..4).prop_map(|(function, wanted)| Move::Provision(function, wanted)),
        1 => any::<usize>().prop_map(Move::Die),
        1 => any::<usize>().prop_map(Move::Fail),
    ];
    prop::collection::vec(one, 0..80)
}

fn key(function: u8) -> FunctionKey {
    FunctionKey { arn: format!("function-{function}"), revision: "1".into() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_invocation_is_answered_once_within_the_bounds(
        moves in moves(),
        stops in any::<bool>(),
        room in 1_usize..8,
    ) {
        let mut world = World::with_room(room);
        for move_ in &moves {
            world.do_one(move_);
        }
        if stops {
            world.stop();
            world.invoke(0);
        }
        // When nothing new comes and all goes well, everything ends.
        for turn in 0..1000 {
            if world.open.is_empty() {
                break;
            }
            world.progress(turn, true);
        }
        prop_assert!(world.open.is_empty(), "invocations starve: {:?}", world.open);
        for turn in 0..100 {
            world.progress(turn, true);
        }
        if !stops {
            // What is to be kept comes to stand, as far as there is room; all else goes.
            for _ in 0..4 {
                world.pass(REST_MAX);
                for turn in 0..100 {
                    world.progress(turn, true);
                }
            }
            let kept: usize = world.targets.keys().map(|key| world.standing(key)).sum();
            let wanted = world.targets.values().sum::<usize>().min(world.pool.limits().provisioned_max());
            prop_assert_eq!((kept, world.environments.len()), (wanted, wanted), "{:?}", world.environments);
            for function in 0..4 {
                world.provision(function, 0);
            }
        }
        for turn in 0..100 {
            world.progress(turn, true);
        }
        prop_assert!(world.environments.is_empty(), "environments stay: {:?}", world.environments);
        prop_assert_eq!(world.pool.next_tick(), None);
    }
}

impl World {
    /// Every start goes well.
    fn settle_starts(&mut self) {
        while let Some(at) = self
            .phases()
            .iter()
            .filter(|phase| **phase != Phase::Idle)
            .position(|phase| *phase == Phase::Starting)
        {
            self.progress(at, true);
        }
    }

    /// Everything that is under way goes well.
    fn settle(&mut self) {
        for turn in 0..200 {
            self.progress(turn, true);
        }
    }

    fn phases(&self) -> Vec<Phase> {
        self.environments.values().map(|(_, phase)| phase.clone()).collect()
    }
}

#[test]
fn a_share_is_used_up_by_all_and_not_by_what_is_kept() {
    let mut world = World::with_room(8);
    world.provision(0, 1);
    world.settle();
    world.invoke(0);
    for number in 0..4 {
        world.invoke(number % 3);
        world.settle_starts();
    }
    assert_eq!((world.sharing(), world.throttled), (4, 0));
    world.invoke(2);
    world.invoke(2);
    assert_eq!((world.sharing(), world.throttled), (5, 1));
    // Its own concurrency is no part of it.
    world.invoke(LIMITED);
    assert_eq!((world.open.len(), world.throttled), (7, 1));
    world.settle();
    world.invoke(2);
    assert_eq!(world.throttled, 1);
}

#[test]
fn a_function_gets_so_many_environments_in_ten_seconds() {
    let mut world = World::with_room(4);
    let mut began = 0;
    while world.throttled == 0 {
        world.invoke(0);
        began += 1;
        // The environment dies at its work: the next one wants another.
        world.progress(0, true);
        world.progress(0, false);
    }
    assert_eq!(began, SCALING_MAX + 1);
    world.invoke(1);
    assert_eq!(world.throttled, 1, "it is that function's affair");
    world.now = world.now + SCALING_STRETCH;
    world.invoke(0);
    assert_eq!(world.throttled, 1);
    world.settle();
}

#[test]
fn what_is_kept_stands_before_anybody_calls_and_stays() {
    let mut world = World::with_room(8);
    world.provision(0, 2);
    assert_eq!(world.phases(), [Phase::Starting, Phase::Starting]);
    world.settle();
    let standing = world.pool.standing(&key(0)).expect("some are to be kept");
    assert_eq!((standing.wanted, standing.standing, standing.free), (2, 2, 2));
    for _ in 0..3 {
        world.pass(IDLE_MAX);
        world.step(Event::MemoryShort);
    }
    assert_eq!((world.phases(), world.frozen.len()), (vec![Phase::Idle; 2], 2));
    assert_eq!(world.pool.next_tick(), None);
    // Calls get them, and more where they do not suffice; what came for a call goes again.
    for _ in 0..3 {
        world.invoke(0);
    }
    assert_eq!(world.phases(), [Phase::Busy(2), Phase::Busy(1), Phase::Starting]);
    assert_eq!(world.last_reason, Some(ColdReason::Busy(2)));
    world.settle();
    assert_eq!(world.phases(), vec![Phase::Idle; 3]);
    world.invoke(0);
    assert_eq!(world.environments[&3].1, Phase::Idle, "who may go is asked last");
    world.settle();
    world.pass(IDLE_MAX);
    world.settle();
    assert_eq!(world.environments.keys().copied().collect::<Vec<_>>(), [1, 2]);
    // Fewer are wanted: a busy one goes when it is done.
    world.invoke(0);
    world.provision(0, 0);
    assert_eq!(world.pool.standing(&key(0)), None);
    world.settle();
    assert!(world.environments.is_empty() && world.open.is_empty());
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::Released));
}

#[test]
fn what_dies_is_replaced_and_what_cannot_start_is_tried_ever_more_seldom() {
    let mut world = World::with_room(8);
    world.provision(0, 1);
    world.settle();
    world.invoke(0);
    world.progress(0, false);
    assert_eq!(world.phases(), [Phase::Starting], "it has served: replaced at once");
    for rest in [1, 2, 4, 8] {
        world.progress(0, false);
        let standing = world.pool.standing(&key(0)).expect("some are to be kept");
        assert!(standing.failing && world.environments.is_empty());
        let next = world.now + Duration::from_secs(rest);
        assert_eq!(world.pool.next_tick(), Some(next));
        world.pass(Duration::from_secs(rest));
        assert_eq!(world.phases(), [Phase::Starting]);
    }
    world.settle();
    assert!(!world.pool.standing(&key(0)).expect("one is to be kept").failing);
    world.die(0);
    assert!(world.environments.is_empty(), "it has never served: it rests");
    // A call is not made to wait for that.
    world.invoke(0);
    world.settle();
    assert!(world.open.is_empty());
}

#[test]
fn a_call_that_waits_for_an_environment_of_nobodys_does_not_fail_with_it() {
    let mut world = World::with_room(8);
    world.provision(0, 1);
    world.invoke(0);
    assert_eq!(world.environments.len(), 1, "it waits for what is on its way");
    world.progress(0, false);
    assert_eq!((world.phases(), world.open.len()), (vec![Phase::Starting], 1));
    world.settle();
    assert!(world.open.is_empty());
}

#[test]
fn what_is_kept_leaves_room_for_others() {
    let mut world = World::with_room(4);
    world.provision(0, 100);
    world.settle();
    let standing = world.pool.standing(&key(0)).expect("some are to be kept");
    assert_eq!((standing.standing, standing.crowded), (3, true));
    for function in 1..3 {
        world.invoke(function);
        world.settle();
        assert!(world.open.is_empty(), "{function} starves");
    }
    world.provision(0, 1);
    world.settle();
    world.provision(1, 2);
    world.settle();
    assert_eq!(world.pool.standing(&key(1)).expect("some are to be kept").standing, 2);
}

#[test]
fn the_environment_used_last_serves_first_and_the_one_used_first_makes_room() {
    let mut world = World::new();
    for _ in 0..2 {
        world.invoke(0);
    }
    let ready = |world: &mut World, id: EnvironmentId| {
        world.environments.get_mut(&id).expect("it is there").1 = Phase::Idle;
        world.step(Event::Ready(id));
    };
    ready(&mut world, 1);
    ready(&mut world, 2);
    world.progress(0, true);
    world.progress(1, true);
    ready(&mut world, 2);
    world.now = world.now + Duration::from_secs(1);
    ready(&mut world, 1);
    world.invoke(0);
    assert!(matches!(world.environments[&1].1, Phase::Busy(_)), "{:?}", world.environments);
    world.invoke(1);
    world.invoke(2);
    // Three are the limit: the idle one goes.
    assert_eq!(world.environments[&2].1, Phase::Stopping);
}

#[test]
fn an_environment_about_to_be_free_is_waited_for() {
    let mut world = World::new();
    world.invoke(0);
    world.progress(0, true);
    world.progress(0, true);
    assert_eq!(world.environments[&1].1, Phase::Finishing);
    world.invoke(0);
    assert_eq!(world.environments.len(), 1, "a second one would be a cold start for nothing");
    world.progress(0, true);
    assert!(matches!(world.environments[&1].1, Phase::Busy(2)));
}

#[test]
fn every_cold_start_has_its_reason() {
    let mut world = World::new();
    let ready = |world: &mut World, id: EnvironmentId| {
        world.environments.get_mut(&id).expect("it is there").1 = Phase::Idle;
        world.step(Event::Ready(id));
    };
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::First));
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::Busy(1)));
    ready(&mut world, 1);
    ready(&mut world, 2);
    world.progress(0, false);
    world.progress(0, false);
    assert!(world.environments.is_empty());
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::Lost));
    ready(&mut world, 3);
    world.progress(0, true);
    ready(&mut world, 3);
    world.now = world.now + IDLE_MAX;
    world.step(Event::Tick);
    world.progress(0, true);
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::Idle));
    ready(&mut world, 4);
    world.progress(0, true);
    ready(&mut world, 4);
    world.step(Event::MemoryShort);
    world.progress(0, true);
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::MadeRoom));
    ready(&mut world, 5);
    world.progress(0, true);
    ready(&mut world, 5);
    world.step(Event::Retired(key(0)));
    world.progress(0, true);
    world.invoke(0);
    assert_eq!(world.last_reason, Some(ColdReason::Changed));
}

#[test]
fn a_limited_function_turns_away_what_is_too_much_and_serves_the_rest() {
    let mut world = World::new();
    for _ in 0..5 {
        world.invoke(LIMITED);
    }
    assert_eq!((world.of_function(LIMITED), world.throttled), (2, 3));
    for turn in 0..4 {
        world.progress(turn, true);
    }
    assert_eq!(world.of_function(LIMITED), 0, "{:?}", world.open);
    world.invoke(LIMITED);
    assert_eq!((world.of_function(LIMITED), world.throttled), (1, 3));
}

#[test]
fn nobody_waits_for_what_has_failed() {
    let mut world = World::new();
    world.invoke(0);
    world.progress(0, true);
    world.fail(0);
    assert_eq!(world.phases(), [Phase::Stopping]);
    world.invoke(0);
    assert_eq!(world.phases(), [Phase::Stopping, Phase::Starting], "while it goes, another comes");
    // What is kept and fails before it served is tried again after a rest, like one that died.
    let mut world = World::new();
    world.provision(1, 1);
    world.progress(0, true);
    world.fail(0);
    assert_eq!(world.phases(), [Phase::Stopping]);
    assert!(world.pool.standing(&key(1)).expect("one is to be kept").failing);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.phases(), [Phase::Stopping, Phase::Starting]);
}

#[test]
fn what_does_nothing_is_frozen_and_what_is_needed_again_is_thawed() {
    let mut world = World::new();
    world.invoke(0);
    world.progress(0, true);
    world.progress(0, true);
    world.progress(0, true);
    assert_eq!(world.pool.next_tick(), Some(world.now + FREEZE_AFTER));
    world.now = world.now + FREEZE_AFTER;
    world.step(Event::Tick);
    assert_eq!(world.frozen, BTreeSet::from([1]));
    assert_eq!(world.pool.next_tick(), Some(world.now + IDLE_MAX - FREEZE_AFTER));
    world.invoke(0);
    assert!(world.frozen.is_empty(), "thawed before it is assigned");
}
