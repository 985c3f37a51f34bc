//! Small structures over keys and values. Each is a few lines over [`crate::Tx`], and knows no engine.

pub mod counter;
pub mod due;
pub mod index;
pub mod log;
pub mod queue;
pub mod table;
