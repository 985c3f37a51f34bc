//! The simulator is to be trusted because it finds what was planted: each bug within a known number of seeds.

mod common;

use apus_kernel::Lease;
use apus_sim::{Fault, Story, World};
use apus_store::disk::SyncPoint;
use common::{scratch, tell_one};

/// Seeds within which each planted bug must be found: three times what was seen, since every change of the code
/// above tells each seed another story.
const LOST_SYNC_SEEDS: u64 = 24;
const LOST_BLOB_SYNC_SEEDS: u64 = 48;
const SKIPPED_CHECKS_SEEDS: u64 = 12;
const DOUBLE_LEASE_SEEDS: u64 = 60;
/// Seeds in which the fence must leave nothing to find.
const FENCED_SEEDS: u64 = 6;

/// Calls while two owners run.
const DOUBLE_OPERATIONS: u64 = 1_500;

fn found(seeds: u64, story: impl Fn(u64) -> Vec<String>) -> (u64, Vec<String>) {
    for seed in 0..seeds {
        let violations = story(seed);
        if !violations.is_empty() {
            return (seed, violations);
        }
    }
    panic!("nothing was found within {seeds} seeds");
}

fn planted(seed: u64, fault: Fault) -> Vec<String> {
    tell_one(Story { seed, fault: Some(fault), ..common::SHORT }).violations
}

#[test]
fn a_lost_sync_of_the_log_is_found() {
    let (seed, violations) =
        found(LOST_SYNC_SEEDS, |seed| planted(seed, Fault::LostSync(SyncPoint::LogAppend)));
    println!("seed {seed}: {violations:?}");
}

/// Without its name in the folder, a whole segment of the log is gone, and nothing looks damaged.
#[test]
fn a_lost_sync_of_the_folder_is_found_by_what_clients_remember() {
    let forgotten = |what: &String| what.contains("can be there") || what.contains("and is not there");
    let (seed, violations) = found(LOST_SYNC_SEEDS, |seed| {
        let violations = planted(seed, Fault::LostSync(SyncPoint::LogDir));
        violations.into_iter().filter(forgotten).collect()
    });
    println!("seed {seed}: {violations:?}");
}

#[test]
fn a_lost_sync_of_a_blob_is_found() {
    let (seed, violations) =
        found(LOST_BLOB_SYNC_SEEDS, |seed| planted(seed, Fault::LostSync(SyncPoint::BlobFile)));
    println!("seed {seed}: {violations:?}");
}

/// Sizes and checksums show it before anybody reads the object or the package.
#[test]
fn a_lost_sync_of_a_blob_is_found_by_the_services_checks() {
    let of_content = |what: &String| what.starts_with("fsck: ") && what.contains("that was stored");
    let (seed, violations) = found(LOST_BLOB_SYNC_SEEDS, |seed| {
        let violations = planted(seed, Fault::LostSync(SyncPoint::BlobFile));
        violations.into_iter().filter(of_content).collect()
    });
    println!("seed {seed}: {violations:?}");
}

#[test]
fn skipped_conflict_checks_are_found() {
    let (seed, violations) = found(SKIPPED_CHECKS_SEEDS, |seed| planted(seed, Fault::SkippedConflictChecks));
    println!("seed {seed}: {violations:?}");
}

/// A second instance starts on the store while the first does not notice; both are worked and asked.
fn two_owners(seed: u64, hold: fn(Lease) -> Lease) -> Vec<String> {
    let mut world = World::new(seed, scratch());
    world.boot_under(hold);
    world.prepare();
    world.load_and_take_over(DOUBLE_OPERATIONS, hold);
    world.check();
    if world.history().violations().is_empty() {
        world.crash();
        world.check_disk();
        world.boot();
        world.check();
    }
    world.ending().violations
}

#[test]
fn a_double_lease_is_found() {
    let (seed, violations) = found(DOUBLE_LEASE_SEEDS, |seed| two_owners(seed, Lease::without_fence));
    println!("seed {seed}: {violations:?}");
}

#[test]
fn the_fence_keeps_the_first_owner_out() {
    for seed in 0..FENCED_SEEDS {
        assert_eq!(two_owners(seed, |lease| lease), Vec::<String>::new(), "seed {seed}");
    }
}
