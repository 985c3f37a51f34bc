//! The whole platform on simulated time, disk and chance: the real wiring, a mixed load, crashes, and a checker.
//!
//! Read [`World`] first. [`History`] holds what was asked and answered, and says what must be there; the
//! `load` asks; `check` looks, after each recovery. It knows the public operations of the services and
//! nothing of how they keep their state.

mod check;
mod fed;
mod history;
mod load;
mod messages;
mod register;
mod topics;
mod value;
mod world;

pub use history::{History, Tally};
pub use world::{
    Cut, CutEnding, Ending, EventsEnding, Fault, Plot, Story, World, tell, tell_cut, tell_events,
};
