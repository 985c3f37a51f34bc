//! Time, chance and spawning as inputs: a real environment and a simulated one.
