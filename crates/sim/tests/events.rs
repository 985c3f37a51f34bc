//! Events are accepted, tried and told of while the power fails.

mod common;

use apus_sim::{Fault, tell_events};
use apus_store::disk::SyncPoint;
use common::{scratch, seeds};

const SEEDS: u64 = 6;
const CRASHES: u64 = 4;
/// Seeds within which a lost sync must be found.
const LOST_SYNC_SEEDS: u64 = 24;

#[test]
fn every_accepted_event_ends_and_is_told_of_through_crashes() {
    let (mut accepted, mut told_again) = (0, 0);
    for seed in seeds(SEEDS) {
        let ending = tell_events(seed, CRASHES, None, scratch());
        assert_eq!(ending.violations, [] as [String; 0], "seed {seed}");
        accepted += ending.accepted;
        told_again += ending.told_again;
    }
    assert!(accepted > 100, "too few events to prove anything: {accepted}");
    println!("{accepted} events accepted, {told_again} ends told again after a crash");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    assert_eq!(tell_events(3, CRASHES, None, scratch()), tell_events(3, CRASHES, None, scratch()));
}

/// Without its name in the folder, a whole segment of the log is gone, with the events in it.
#[test]
fn events_that_a_lost_sync_forgets_are_missed() {
    let found = (0..LOST_SYNC_SEEDS).find(|seed| {
        let ending = tell_events(*seed, CRASHES, Some(Fault::LostSync(SyncPoint::LogDir)), scratch());
        ending.violations.iter().any(|what| what.contains("was not told"))
    });
    println!("found with seed {}", found.expect("nothing was found"));
}
