//! Mappings under crashes: what was acknowledged reaches the function, and groups keep their order.
//!
//! `APUS_SIM_SEED=7 cargo test -p apus-sim --test mappings` tells the story of that seed alone.

mod common;

use apus_sim::{Story, World};
use common::{scratch, seeds};

const SEEDS: u64 = 6;
const STORY: Story = Story { seed: 0, crashes: 3, operations: 500, fault: None };

#[test]
fn every_acknowledged_message_reaches_the_function_whatever_crashes() {
    let (mut acknowledged, mut repeated) = (0, 0);
    for seed in seeds(SEEDS) {
        let tell = || {
            let mut world = World::new(seed, scratch());
            world.boot();
            world.prepare();
            world.prepare_mappings();
            for _ in 0..STORY.crashes {
                world.load_and_crash(STORY.operations);
                world.check_disk();
                world.boot();
                world.check();
            }
            world.load_in_peace(STORY.operations);
            world.check();
            (world.ending(), world.history().fed_counts())
        };
        let (ending, counts) = tell();
        assert_eq!(ending.violations, Vec::<String>::new(), "seed {seed}");
        (acknowledged, repeated) = (acknowledged + counts.0, repeated + counts.1);
        if seed == 0 {
            assert_eq!(ending, tell().0, "the same seed tells the same story");
        }
    }
    println!("{acknowledged} messages acknowledged and handled, {repeated} of them more than once");
    assert!(acknowledged >= SEEDS * 20 && repeated > 0, "the story is too quiet: {acknowledged}, {repeated}");
}
