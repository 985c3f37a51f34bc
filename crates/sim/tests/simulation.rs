//! The whole platform under crashes: nothing that was acknowledged is lost, and bugs planted on purpose are found.
//!
//! `APUS_SIM_SEED=7 cargo test -p apus-sim` tells the stories of that seed alone.

use std::path::Path;

use apus_sim::{Ending, Fault, Story, tell};
use apus_store::disk::SyncPoint;

/// Stories without planted bugs.
const SOUND_SEEDS: u64 = 6;

fn told(seed: u64, fault: Option<Fault>) -> Ending {
    let story = Story { seed, crashes: 3, operations: 400, fault };
    tell(story, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

/// The seeds to try: the one that was asked for, or the first so many.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("APUS_SIM_SEED") {
        Ok(seed) => vec![seed.parse().expect("APUS_SIM_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    for seed in seeds(SOUND_SEEDS) {
        let ending = told(seed, None);
        assert_eq!(ending.violations, Vec::<String>::new(), "seed {seed}");
        assert!(ending.operations >= 1_600, "{ending:?}");
        println!("seed {seed}: {ending:?}");
    }
}
