//! Bytes in, bytes out: one schema-driven codec per AWS protocol, and Signature Version 4.
//!
//! A request goes through [`Router::find`] (which operation), [`decode`] (its members) and comes back through
//! [`encode`] or [`encode_error`]. The codecs know tables of [`apus_schema`] only: no storage, no runtime, no
//! service. What sets one service apart on the wire is a row of a table (`styles`, `faults`).

mod budget;
mod cbor;
mod codec;
mod entries;
pub mod event_stream;
mod faults;
mod form;
mod json;
mod message;
mod query;
mod rest;
mod router;
pub mod sigv4;
mod split;
mod styles;
mod text;
mod xml;

pub use budget::{MAX_DEPTH, MAX_PLACES};
pub use codec::{BodyMode, ErrorContext, body_mode, decode, encode, encode_error};
pub use faults::{common_fault, violation_error};
pub use form::{Form, MAX_PAIRS, ParseFormError};
pub use message::{Payload, RequestHead, Response};
pub use router::{Hint, Route, RouteError, Router, not_supported, virtual_host};
