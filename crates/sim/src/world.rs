//! One machine in a world of its own: it is switched on, worked, unplugged and switched on again.

mod cut;
mod events;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apus::checks::checks;
use apus::sweep::Sweep;
use apus::wiring::{self, Foundation, Instance};
use apus_compute::driver::fake::{FakeDriver, FakeEnd, FakeReply};
use apus_compute::{Compute, PoolLimits, exchange};
use apus_env::sim::{Rng, Simulator};
use apus_env::{Env, Task};
use apus_kernel::{AccountId, Caller, Lease, Region};
use apus_service_iam::Mode;
use apus_service_lambda::LambdaConfig;
use apus_store::disk::{Crash, Disk, SimDisk, SyncPoint};
use apus_store::{Options, Store, StoreError, fsck};

use crate::check;
use crate::history::{History, Tally};
use crate::load::{self, Client, Kind, Work};

pub use cut::{Cut, CutEnding, Plot, tell_cut};
pub use events::{EventsEnding, tell_events};

/// The URL that clients reach the platform at.
const BASE_URL: &str = "http://127.0.0.1:4566";
/// The most execution environments of functions.
const ENVIRONMENTS_MAX: usize = 6;
/// How long an execution environment takes to start.
const INIT: Duration = Duration::from_millis(40);
/// Of so many batches of events, a function fails at one.
const FAILS_ONCE_IN: u64 = 10;
/// The most changes of the disk between the decision to cut the power and its end.
const LAST_CHANGES_MAX: u64 = 25;
/// The most time between that decision and the end of every process, in microseconds.
const LAST_MICROS_MAX: u64 = 3_000;

/// One machine, its disk, and what its clients remember.
pub struct World {
    simulator: Simulator,
    env: Env,
    disk: SimDisk,
    store: Option<Store>,
    instances: Vec<Instance>,
    history: History,
    dice: Rng,
    scratch: Scratch,
    options: Options,
    /// Whether there ever was a whole store.
    opened: bool,
    /// Whether there are mappings to be fed.
    feeds: bool,
}

/// A bug that is planted to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Syncs of this kind do nothing, and say that they did.
    LostSync(SyncPoint),
    /// Transactions commit without looking for conflicts.
    SkippedConflictChecks,
}

/// What is to happen in a world.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Decides everything else.
    pub seed: u64,
    /// How often the power fails.
    pub crashes: u64,
    /// About how many calls are answered before each crash, and after the last.
    pub operations: u64,
    /// What is broken.
    pub fault: Option<Fault>,
}

/// How a story ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What contradicts the history; the story ends with the first round that finds any.
    pub violations: Vec<String>,
    /// A digest of all that happened.
    pub trace_hash: u64,
    /// Calls that were answered, one way or the other.
    pub operations: u64,
    /// The same by kind and answer.
    pub tally: Tally,
    /// Blobs that a crash left without a reference, and that were swept away.
    pub blobs_swept: u64,
    /// Simulated time.
    pub elapsed: Duration,
}

/// Tells a story, with a directory of the real file system beneath `scratch` for unpacked code.
pub fn tell(story: Story, scratch: &Path) -> Ending {
    let mut world = World::new(story.seed, scratch);
    world.plant(story.fault);
    world.boot();
    world.prepare();
    for _ in 0..story.crashes {
        world.load_and_crash(story.operations);
        world.check_disk();
        world.boot();
        world.plant(story.fault);
        world.check();
        if !world.history.violations().is_empty() {
            return world.ending();
        }
    }
    world.load_in_peace(story.operations);
    world.check();
    world.crash();
    world.check_disk();
    world.ending()
}

impl World {
    /// A machine that is off, with an empty disk.
    pub fn new(seed: u64, scratch: &Path) -> Self {
        let simulator = Simulator::new(seed);
        let env = simulator.env();
        Self {
            history: History::new(env.clone()),
            env,
            simulator,
            disk: SimDisk::new(seed),
            store: None,
            instances: Vec::new(),
            dice: Rng::new(seed ^ 0x5eed),
            scratch: Scratch::new(scratch),
            options: options(),
            opened: false,
            feeds: false,
        }
    }

    /// What the clients remember.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Breaks something. The store must be open for what is broken in it.
    pub fn plant(&mut self, fault: Option<Fault>) {
        match fault {
            None => {}
            Some(Fault::LostSync(point)) => self.disk.ignore_syncs(Some(point)),
            Some(Fault::SkippedConflictChecks) => {
                if let Some(store) = &self.store {
                    store.plant_skipped_conflict_checks();
                }
            }
        }
    }

    /// Opens the store and starts the platform.
    pub fn boot(&mut self) {
        self.boot_under(|lease| lease);
    }

    /// As [`Self::boot`], under the lease that `hold` makes of the instance's own. While another instance runs,
    /// both stand on the same open store.
    pub fn boot_under(&mut self, hold: impl FnOnce(Lease) -> Lease) {
        if self.store.is_none() {
            match self.simulator.run(open(&self.env, &self.disk, &self.options, &self.history)) {
                Ok(store) => self.store = Some(store),
                Err(error) => return self.blame(format!("the store does not open: {error}")),
            }
            self.opened = true;
        }
        let Some(store) = self.store.clone() else { return };
        let foundation = Foundation {
            env: self.env.clone(),
            store,
            compute: compute(&self.env, &self.history),
            lambda: LambdaConfig::new(self.scratch.code_dir(), BASE_URL),
            iam: Mode::Enforce,
            base_url: BASE_URL.to_owned(),
            letter_dir: self.scratch.code_dir().join("outgoing"),
            inside_tls: None,
            root_secret: "test".into(),
        };
        match self.simulator.run(wiring::start_under(foundation, hold)) {
            Ok(instance) => self.instances.push(instance),
            Err(error) => self.blame(format!("the platform does not start: {error}")),
        }
    }

    /// Notes what went wrong, unless it did for want of power.
    fn blame(&self, what: String) {
        if !self.disk.is_powered_off() {
            self.history.violation(what);
        }
    }

    /// Makes what the load works on, as far as it is not there.
    pub fn prepare(&mut self) {
        for client in self.clients().into_iter().take(1) {
            if let Err(error) = self.simulator.run(load::prepare(&client)) {
                self.blame(format!("the load cannot begin: {error}"));
            }
        }
    }

    /// Makes mappings, whose queues are fed from then on.
    pub fn prepare_mappings(&mut self) {
        self.feeds = true;
        for client in self.clients().into_iter().take(1) {
            if let Err(error) = self.simulator.run(load::prepare_mappings(&client)) {
                self.blame(format!("the mappings cannot be made: {error}"));
            }
        }
    }

    /// Works until about so many calls were answered, then waits for all that is under way.
    pub fn load(&mut self, operations: u64) {
        let work = Work::until(self.history.operations() + operations);
        let (clients, feeds) = (self.clients(), self.feeds);
        self.simulator.run(async {
            for task in start(&clients, &work, feeds) {
                if task.join().await.is_err() {
                    self.history.violation("a client was stopped");
                }
            }
        });
    }

    /// As [`Self::load`], with nothing broken: a call that fails contradicts that.
    pub fn load_in_peace(&mut self, operations: u64) {
        let (before, _) = self.history.failures();
        self.load(operations);
        let (after, last) = self.history.failures();
        if after > before {
            let last = last.unwrap_or_default();
            self.history.violation(format!("{} calls failed, the last: {last}", after - before));
        }
    }

    /// Works until about so many calls were answered; after half of them another instance starts on the same
    /// store, and the first is not told. From then on messages are sent through the new one and received
    /// through the old one; nobody publishes, whom the outbox would have wait for its two owners.
    pub fn load_and_take_over(&mut self, operations: u64, hold: impl FnOnce(Lease) -> Lease) {
        let begun = self.history.operations();
        let (half, whole) = (Work::until(begun + operations / 2), Work::until(begun + operations));
        let old = self.clients();
        let mut tasks = self.simulator.run(async {
            let mut tasks = load::start_those(&old, &whole, |kind| {
                !matches!(kind, Kind::Producer | Kind::Publisher | Kind::Feeder)
            });
            tasks.extend(load::start_those(&old, &half, |kind| kind == Kind::Producer));
            half.reached().await;
            tasks
        });
        self.boot_under(hold);
        let new = self.clients().split_off(old.len());
        tasks.extend(load::start_those(&new, &whole, |kind| {
            !matches!(kind, Kind::Consumer | Kind::Publisher | Kind::Feeder)
        }));
        self.simulator.run(async {
            for task in tasks {
                if task.join().await.is_err() {
                    self.history.violation("a client was stopped");
                }
            }
        });
    }

    /// Works until about so many calls were answered, then pulls the plug at a moment that the seed decides.
    pub fn load_and_crash(&mut self, operations: u64) {
        let work = Work::until_crash(self.history.operations() + operations);
        let clients = self.clients();
        let (env, disk, mut dice) = (self.env.clone(), self.disk.clone(), self.dice.fork());
        let feeds = self.feeds;
        self.simulator.run(async {
            let tasks = start(&clients, &work, feeds);
            work.reached().await;
            if dice.chance(2, 3) {
                disk.power_off_after(1 + dice.below(LAST_CHANGES_MAX));
            }
            if dice.chance(2, 3) {
                env.sleep(Duration::from_micros(dice.below(LAST_MICROS_MAX))).await;
            }
            drop(tasks);
        });
        self.crash();
    }

    /// Pulls the plug: everything ends where it stands, and of what was not synced the disk keeps what it likes.
    pub fn crash(&mut self) {
        let crash = if self.dice.chance(1, 4) { Crash::Kill } else { Crash::PowerLoss };
        self.crash_as(crash);
    }

    fn crash_as(&mut self, crash: Crash) {
        // The disk first: what runs as the processes' state is dropped must reach nothing.
        self.disk.crash(crash);
        self.instances.clear();
        self.store = None;
        self.simulator.crash();
        if crash != Crash::Kill {
            self.scratch.clear();
        }
    }

    /// Looks through the store on the disk, which nobody has open.
    pub fn check_disk(&mut self) {
        let (env, disk) = (self.env.clone(), disk(&self.disk));
        let checks = checks();
        let checks: Vec<_> = checks.iter().map(AsRef::as_ref).collect();
        match self.simulator.run(fsck::fsck(&env, &disk, &self.options, &checks)) {
            Ok(report) => {
                for finding in report.findings {
                    self.history.violation(format!("fsck: {finding}"));
                }
            }
            Err(error) => self.history.violation(format!("fsck: {error}")),
        }
    }

    /// Compares what is there with the history, with nothing else under way, through every instance.
    pub fn check(&mut self) {
        for client in self.clients() {
            self.simulator.run(check::check(&client));
            if self.feeds {
                self.simulator.run(load::check_mappings(&client));
            }
        }
        if let Some(store) = &self.store {
            self.simulator.run(check::blobs(store, &self.history));
        }
    }

    /// The facts so far.
    pub fn ending(&self) -> Ending {
        Ending {
            violations: self.history.violations(),
            trace_hash: self.simulator.trace_hash(),
            operations: self.history.operations(),
            tally: self.history.tally(),
            blobs_swept: self.history.blobs_swept(),
            elapsed: self.simulator.elapsed(),
        }
    }

    /// One handle for each running instance.
    fn clients(&self) -> Vec<Client> {
        let client = |instance: &Instance| Client {
            env: self.env.clone(),
            platform: instance.platform.clone(),
            credentials: instance.development.clone(),
            caller: Caller::root(AccountId::DEVELOPMENT, Region::default()),
            history: self.history.clone(),
        };
        self.instances.iter().map(client).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.instances.clear();
        self.store = None;
        self.simulator.crash();
    }
}

/// Opens the store, and lets the sweep of what a crash left behind run beside whatever comes.
async fn open(
    env: &Env,
    simulated: &SimDisk,
    options: &Options,
    history: &History,
) -> Result<Store, StoreError> {
    let store = Store::open(env, &disk(simulated), options)?;
    let (sweep, history) = (Sweep::begin(&store).await?, history.clone());
    env.spawn("sweep", async move {
        // A crash that comes meanwhile leaves the rest to the next one.
        if let Ok(swept) = sweep.run().await {
            history.swept(swept);
        }
    });
    Ok(store)
}

/// Starts the load of those instances.
fn start(clients: &[Client], work: &Work, feeds: bool) -> Vec<Task> {
    if feeds { load::start_those(clients, work, |_| true) } else { load::start(clients, work) }
}

fn disk(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// Everything small, so that a few thousand calls see many checkpoints.
fn options() -> Options {
    Options {
        checkpoint_bytes: 300_000,
        checkpoint_idle: Duration::from_millis(200),
        log_extend_bytes: 64 * 1024,
        cache_bytes: 1 << 20,
    }
}

/// Functions answer with the event that they were given, after a while; with a batch of events they fail at times, and
/// with an event that begins with `"fail` always.
fn compute(env: &Env, history: &History) -> Compute {
    let (dice, history) = (env.clone(), history.clone());
    let driver = FakeDriver::new(env.clone(), INIT, move |_, invocation| {
        let batch_fails =
            load::note_batch(&history, &invocation.payload) && dice.random_below(FAILS_ONCE_IN) == 0;
        let end = if batch_fails || invocation.payload.starts_with(b"\"fail") {
            FakeEnd::Fault(exchange::Fault { error_type: Some("Failure".into()), body: "{}".into() })
        } else {
            FakeEnd::Response(invocation.payload.clone())
        };
        FakeReply { after: Duration::from_millis(dice.random_below(50)), output: "working\n".into(), end }
    });
    let limits = PoolLimits {
        environments_max: ENVIRONMENTS_MAX,
        waiting_max: 100,
        idle_max: Duration::from_secs(10),
        freeze_after: None,
    };
    Compute::with_driver(env.clone(), Arc::new(driver), limits)
}

/// A directory of this world alone.
struct Scratch(PathBuf);

impl Scratch {
    fn new(above: &Path) -> Self {
        static WORLDS: AtomicU64 = AtomicU64::new(0);
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let scratch = Self(above.join(format!("world-{}-{number}", std::process::id())));
        scratch.clear();
        scratch
    }

    fn code_dir(&self) -> PathBuf {
        self.0.join("code")
    }

    fn clear(&self) {
        // What is not there need not go, and what cannot go is the next build's business.
        let _absent = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}
