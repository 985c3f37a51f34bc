//! Crashes: whatever happens, what was acknowledged is there, whole, and what was seen stays.
//!
//! A load runs on a simulated disk until the power goes, at any operation, be it in a checkpoint or in a
//! recovery; then the disk loses what it may, the store is opened again, and everything is compared.

mod load;
mod syncs;
mod world;

use apus_store::disk::SyncPoint;
use world::{Lives, World, life};

/// Lives that are led without a fault of ours.
const LONG_LIVES: u64 = 40;
const SHORT_LIVES: u64 = 300;

#[test]
fn acknowledged_commits_survive_every_crash() {
    for (lives, count) in [(Lives::Short, SHORT_LIVES), (Lives::Long, LONG_LIVES)] {
        for seed in 0..count {
            if let Err(loss) = life(lives, seed, None) {
                panic!("{lives:?}, seed {seed}: {loss}");
            }
        }
    }
}

#[test]
fn the_same_seed_leads_the_same_life() {
    for seed in 0..5 {
        let trace = |seed| {
            let mut world = World::new(Lives::Long, seed, None);
            world.live().expect("no loss");
            world.trace_hash()
        };
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}

/// Leaving out any one kind of sync is found within so many seeds.
fn assert_is_needed(point: SyncPoint, lives: Lives, seeds: u64) {
    let found = (0..seeds).find_map(|seed| life(lives, seed, Some(point)).err().map(|loss| (seed, loss)));
    let (seed, loss) = found.unwrap_or_else(|| panic!("nobody misses the sync {point:?} in {seeds} lives"));
    eprintln!("{point:?}: seed {seed}: {loss}");
}
