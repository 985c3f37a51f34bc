//! The suite is to be trusted because it finds what was planted: here, commits that look for no conflicts.

mod suite;

use apus_env::sim::Simulator;
use apus_store::Store;

/// Seeds within which each planted bug must be found.
const SEEDS: u64 = 5;

fn found_by(story: impl AsyncFn(Store, apus_env::Env) -> bool) -> u64 {
    let finds = |seed: &u64| {
        let mut sim = Simulator::new(*seed);
        let env = sim.env();
        sim.run(async {
            let store = Store::memory(&env);
            store.plant_skipped_conflict_checks();
            story(store, env.clone()).await
        })
    };
    (0..SEEDS).filter(finds).count() as u64
}

#[test]
fn skipped_conflict_checks_are_found_as_write_skew() {
    assert!(found_by(suite::serializable::both_doctors_leave) > 0);
}

#[test]
fn skipped_conflict_checks_are_found_as_cycles() {
    assert!(found_by(suite::serializable::a_history_has_a_cycle) > 0);
}
