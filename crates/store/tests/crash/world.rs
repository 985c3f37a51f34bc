//! One world: a disk, a simulator, and a series of boots that each end in a crash.

use std::sync::Arc;
use std::time::Duration;

use apus_env::sim::{Rng, Simulator};
use apus_store::disk::{Crash, Disk, SimDisk, SyncPoint};
use apus_store::{Options, Store, StoreError};

use super::load::Clients;

/// Boots of a long life.
const BOOTS: u64 = 5;
/// Operations of the disk until a new store has made its first few commits.
const FIRST_COMMITS: u64 = 90;
/// The longest time, simulated, from a boot to its crash.
const UPTIME_MAX: Duration = Duration::from_secs(5);

pub(crate) struct World {
    sim: Simulator,
    disk: SimDisk,
    dice: Rng,
    clients: Clients,
    lives: Lives,
}

/// Where in a store's life its crashes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lives {
    /// Several boots, each ending anywhere.
    Long,
    /// One boot, ending while the store is made or soon after.
    Short,
}

/// Leads a life; the error says what was lost. A base that lost a sync may make its library panic; that counts.
pub(crate) fn life(lives: Lives, seed: u64, ignored: Option<SyncPoint>) -> Result<(), String> {
    let life = std::panic::AssertUnwindSafe(|| World::new(lives, seed, ignored).live());
    std::panic::catch_unwind(life).unwrap_or_else(|_| Err("panicked".to_owned()))
}

impl World {
    pub(crate) fn new(lives: Lives, seed: u64, ignored: Option<SyncPoint>) -> Self {
        let disk = SimDisk::new(seed);
        disk.ignore_syncs(ignored);
        Self { sim: Simulator::new(seed), disk, dice: Rng::new(!seed), clients: Clients::default(), lives }
    }

    pub(crate) fn trace_hash(&self) -> u64 {
        self.sim.trace_hash()
    }

    pub(crate) fn live(&mut self) -> Result<(), String> {
        match self.lives {
            Lives::Short => self.boot(FIRST_COMMITS)?,
            Lives::Long => {
                for _ in 0..BOOTS {
                    // Early crashes hit the opening and the recovery, late ones the load and its checkpoints.
                    let within = [12, 60, 400, 1_500][self.dice.below(4) as usize];
                    self.boot(within)?;
                }
            }
        }
        // Once more, with the power on: everything must be there.
        let (env, disk) = (self.sim.env(), self.disk());
        let clients = self.clients.clone();
        self.sim.run(async {
            let store = Store::open(&env, &disk, &self::options(0)).map_err(|error| error.to_string())?;
            clients.check(&store).await
        })
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    /// Opens the store, checks it, puts load on it, and pulls the plug within so many operations.
    fn boot(&mut self, within: u64) -> Result<(), String> {
        self.disk.power_off_after(1 + self.dice.below(within));
        let (env, disk, options) = (self.sim.env(), self.disk(), options(self.dice.below(3)));
        let clients = self.clients.clone();
        let before = self.disk.clone();
        let checked = self.sim.run(async {
            let store = match Store::open(&env, &disk, &options) {
                Ok(store) => store,
                Err(error) => {
                    return if is_power(&before, &error) { Ok(()) } else { Err(format!("opening: {error}")) };
                }
            };
            match clients.check(&store).await {
                Err(_) if before.is_powered_off() => return Ok(()),
                checked => checked?,
            }
            let _ = env.timeout(UPTIME_MAX, clients.run(&store, &env)).await;
            Ok(())
        });
        let crash = if self.dice.chance(1, 3) { Crash::Kill } else { Crash::PowerLoss };
        self.disk.power_off_after(0);
        self.sim.crash();
        self.disk.crash(crash);
        checked
    }
}

fn is_power(disk: &SimDisk, _error: &StoreError) -> bool {
    disk.is_powered_off()
}

fn options(kind: u64) -> Options {
    Options {
        checkpoint_bytes: [3_000, 20_000, 1 << 20][kind as usize],
        checkpoint_idle: Duration::from_millis(20),
        log_extend_bytes: 4_096,
        cache_bytes: 1 << 20,
    }
}
