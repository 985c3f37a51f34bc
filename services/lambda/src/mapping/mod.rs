//! Event source mappings: what is polled for a function, in which batches, and what becomes of it.
//!
//! One poller serves every kind of source. Read it in this order: [`settings`] says what a mapping may be; [`source`]
//! is what a kind of source must be able to do, and [`sqs`] the first one; [`flow`] decides, without a clock or I/O,
//! when to poll, when to invoke and with how much at once ([`scaling`], [`back_off`]); [`poller`] does it;
//! [`keeper`] starts and ends pollers, and writes down when a change has taken effect.

pub(crate) mod access;
pub(crate) mod back_off;
pub(crate) mod batch;
pub(crate) mod describe;
pub(crate) mod errors;
pub(crate) mod filter;
pub(crate) mod flow;
pub(crate) mod id;
pub(crate) mod keeper;
pub(crate) mod poller;
pub(crate) mod response;
pub(crate) mod role;
pub(crate) mod scaling;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod sqs;
pub(crate) mod sqs_event;
pub(crate) mod state;
pub(crate) mod tags;
