//! What the test files share.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;

use apus_sim::{Ending, Story, tell};

/// A story of a few seconds, with three crashes.
pub(crate) const SHORT: Story = Story { seed: 0, crashes: 3, operations: 400, fault: None };

/// Where the code of functions is unpacked.
pub(crate) fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

pub(crate) fn tell_one(story: Story) -> Ending {
    tell(story, scratch())
}

/// The seeds to try: the one that was asked for, or the first so many.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("APUS_SIM_SEED") {
        Ok(seed) => vec![seed.parse().expect("APUS_SIM_SEED is a number")],
        Err(_) => (0..count).collect(),
    }
}
