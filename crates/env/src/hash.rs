//! Hash maps whose order nobody outside can predict when real, and which repeat themselves when simulated.
//!
//! Which of the two holds is decided when a map is made: on a thread with a living simulator it is the fixed seed.
#![allow(clippy::disallowed_types, reason = "this is the replacement that the lint names")]

use std::cell::Cell;
use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::BuildHasher;
use std::sync::OnceLock;

/// A hash map; make one with `HashMap::default()`.
pub type HashMap<K, V> = std::collections::HashMap<K, V, SeedState>;
/// A hash set; make one with `HashSet::default()`.
pub type HashSet<T> = std::collections::HashSet<T, SeedState>;

thread_local! {
    static SIMULATORS: Cell<usize> = const { Cell::new(0) };
}

/// The hasher's keys: random per process when real, fixed under simulation.
#[derive(Clone, Debug)]
pub struct SeedState(Option<RandomState>);

impl Default for SeedState {
    fn default() -> Self {
        static PROCESS: OnceLock<RandomState> = OnceLock::new();
        if SIMULATORS.get() > 0 {
            return Self(None);
        }
        Self(Some(PROCESS.get_or_init(RandomState::new).clone()))
    }
}

impl BuildHasher for SeedState {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        self.0.as_ref().map_or_else(DefaultHasher::new, BuildHasher::build_hasher)
    }
}

/// While one of these lives, maps made on its thread have the fixed seed.
pub(crate) struct FixedSeeds {
    /// The count belongs to one thread, so the guard may not leave it.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl FixedSeeds {
    pub(crate) fn new() -> Self {
        SIMULATORS.set(SIMULATORS.get() + 1);
        Self { _not_send: std::marker::PhantomData }
    }
}

impl Drop for FixedSeeds {
    fn drop(&mut self) {
        SIMULATORS.set(SIMULATORS.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_fixed_only_while_a_simulator_lives() {
        let real = SeedState::default().hash_one("swift");
        assert_eq!(real, SeedState::default().hash_one("swift"));
        let fixed = {
            let _guard = FixedSeeds::new();
            SeedState::default().hash_one("swift")
        };
        assert_eq!(fixed, DefaultHasher::new_hash("swift"));
        assert_ne!(real, fixed);
        assert_eq!(real, SeedState::default().hash_one("swift"));
    }

    trait NewHash {
        fn new_hash(text: &str) -> u64;
    }

    impl NewHash for DefaultHasher {
        fn new_hash(text: &str) -> u64 {
            std::hash::BuildHasherDefault::<DefaultHasher>::default().hash_one(text)
        }
    }
}
