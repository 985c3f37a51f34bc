//! Lambda in a simulated world: on the memory store, with functions that are closures.

mod asynchronous;
mod destinations;
mod functions;
mod invocations;
mod logging;
mod mappings;
mod permissions;
mod provisioned;
mod queue;
mod readiness;
mod versions;
mod world;
