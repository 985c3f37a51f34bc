//! A short story whose power is cut at a chosen change of the disk, and what the next starts make of what is left.

use std::path::Path;
use std::time::Duration;

use apus_store::Options;
use apus_store::disk::{Crash, Loss, Point, SyncPoint};

use super::World;
use crate::history::Tally;
use crate::load::{self, Work};

/// Times that the machine is switched on in a story: between two, the power fails at a moment of the seed's choice,
/// so that a recovery and what follows it are part of every story.
const DAYS: u64 = 2;
/// Calls that are answered after the recovery, before the power fails once more.
const AFTER: u64 = 12;
/// Long enough for the sweep of blobs and for an idle checkpoint.
const REST: Duration = Duration::from_millis(400);
/// How often one looks whether the power is still there.
const GLANCE: Duration = Duration::from_micros(100);
/// The most that what runs lives on when nothing reaches the disk any more, in microseconds.
const LAST_MICROS_MAX: u64 = 1_000;

/// A short story. The same one makes the same changes of the disk, up to where it is cut.
#[derive(Clone, Copy, Debug)]
pub struct Plot {
    /// Decides everything else.
    pub seed: u64,
    /// About how many calls are answered each time that the machine is on.
    pub operations: u64,
    /// Syncs that do nothing.
    pub lost_sync: Option<SyncPoint>,
}

/// Where the power goes.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// During which change of the disk; the first is 1.
    pub at: u64,
    /// What that does to the disk.
    pub crash: Crash,
    /// During which change of the recovery it goes again, and everything is lost that was not synced.
    /// `u64::MAX`: not at all, but the start recovers without a look by `fsck` before it.
    pub again: Option<u64>,
}

/// What became of a story.
#[derive(Clone, Debug)]
pub struct CutEnding {
    /// What contradicts the history.
    pub violations: Vec<String>,
    /// The changes of the disk up to the cut, or to the story's end.
    pub points: Vec<Point>,
    /// Those of the start after it, up to the second cut if there is one.
    pub recovery: Vec<Point>,
    /// Calls that were answered, by kind and answer.
    pub tally: Tally,
    /// How often the power failed or the process was killed.
    pub crashes: u64,
}

/// Tells a story up to its cut and starts the machine again: what was acknowledged must be there, `fsck` must find
/// nothing, and all of it must last through more work and another loss of power. Without a cut the story goes to
/// its end, and the process is killed there.
///
/// Panics if the story, or the recovery, ends before its cut.
pub fn tell_cut(plot: Plot, cut: Option<Cut>, scratch: &Path) -> CutEnding {
    let mut world = World::new(plot.seed, scratch);
    world.options = tiny();
    world.disk.ignore_syncs(plot.lost_sync);
    world.disk.remember_points();
    world.live(plot.operations, cut.map(|cut| cut.at));
    let points = world.disk.points();
    let again = cut.and_then(|cut| cut.again);
    match cut {
        Some(cut) => {
            assert!(world.disk.is_powered_off(), "the story ends before {cut:?}");
            world.crash_as(cut.crash);
            // The look at the disk recovers it too, so every other point is left to the start.
            if (cut.at + mode(cut.crash)).is_multiple_of(2) && again.is_none() {
                world.look();
            }
        }
        None => world.crash_as(Crash::Kill),
    }
    let recovery = world.recover(again);
    world.stand();
    // Between the days, at the cut, in the recovery, and after the work that follows.
    let crashes = (DAYS - 1) + 1 + u64::from(again.is_some()) + 1;
    CutEnding {
        violations: world.history.violations(),
        points,
        recovery,
        tally: world.history.tally(),
        crashes,
    }
}

fn mode(crash: Crash) -> u64 {
    Crash::ALL.iter().position(|one| *one == crash).unwrap_or_default() as u64
}

/// Smaller still: every few calls see a checkpoint and a turn of the log.
fn tiny() -> Options {
    Options {
        checkpoint_bytes: 48 * 1024,
        checkpoint_idle: Duration::from_millis(100),
        log_extend_bytes: 8 * 1024,
        cache_bytes: 1 << 20,
    }
}

impl World {
    /// The whole story, or what comes of it before the change `cut_at`.
    fn live(&mut self, operations: u64, cut_at: Option<u64>) {
        for day in 0..DAYS {
            if day > 0 {
                self.crash();
            }
            if let Some(at) = cut_at {
                self.disk.power_off_after(at - self.disk.operations());
            }
            self.boot();
            if day == 0 {
                self.prepare();
            }
            self.work(operations);
            if self.disk.is_powered_off() {
                return;
            }
        }
        self.rest();
    }

    /// Works until so many calls were answered, or the power goes.
    fn work(&mut self, operations: u64) {
        let work = Work::until_crash(self.history.operations() + operations);
        let clients = self.clients();
        if clients.is_empty() {
            return;
        }
        let (env, disk, mut dice) = (self.env.clone(), self.disk.clone(), self.dice.fork());
        self.simulator.run(async {
            let tasks = load::start(&clients, &work);
            while !disk.is_powered_off() && !work.is_reached() {
                env.sleep(GLANCE).await;
            }
            if disk.is_powered_off() {
                env.sleep(Duration::from_micros(dice.below(LAST_MICROS_MAX))).await;
            }
            tasks.iter().for_each(apus_env::Task::abort);
            // What they drop may still change the disk, and the power may go meanwhile.
            env.sleep(Duration::from_micros(1)).await;
        });
    }

    fn rest(&mut self) {
        let (env, disk) = (self.env.clone(), self.disk.clone());
        self.simulator.run(async {
            let until = env.monotonic() + REST;
            while !disk.is_powered_off() && env.monotonic() < until {
                env.sleep(GLANCE * 20).await;
            }
        });
    }

    /// Starts again; if the power is to go meanwhile, it does, and the next start is left alone. Gives the changes
    /// of the first of them.
    fn recover(&mut self, cut_at: Option<u64>) -> Vec<Point> {
        let before = self.disk.points().len();
        let cut_at = cut_at.filter(|at| *at != u64::MAX);
        if let Some(at) = cut_at {
            self.disk.power_off_after(at);
        }
        self.boot();
        self.rest();
        let points = self.disk.points().split_off(before);
        if let Some(at) = cut_at {
            assert!(self.disk.is_powered_off(), "the recovery ends before its change {at}");
            self.crash_as(Crash::Worst(Loss::Everything));
            self.boot();
        }
        points
    }

    /// What is there is what must be, goes on working, and stays.
    fn stand(&mut self) {
        self.check();
        if !self.history.violations().is_empty() {
            return;
        }
        self.prepare();
        self.load_in_peace(AFTER);
        self.crash_as(Crash::Worst(Loss::Everything));
        self.look();
        self.boot();
        self.check();
    }

    /// `fsck`, once there is a store to look at.
    fn look(&mut self) {
        if self.opened {
            self.check_disk();
        }
    }
}
