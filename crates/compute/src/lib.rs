//! Sandboxes, the Runtime API and the pool of execution environments.
