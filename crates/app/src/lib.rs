//! Apus's wiring: the only crate that names every service.
//!
//! The binary lays the command line on top; the simulator boots the same wiring on another environment.

pub mod checks;
mod endpoint;
mod function_logs;
mod http_endpoints;
mod letters;
pub mod sweep;
pub mod wiring;
