//! What an API model says, as static tables, and the dynamic value that travels between bytes and types.
//!
//! A model crate holds [`ServiceSchema`] tables and typed shapes; a codec turns bytes into a [`Value`]
//! under a [`Schema`] and back; a typed shape is moved in and out of a [`Value`] by [`Shape`]. So one
//! codec per protocol serves every service, and generated code stays a line per field.
//!
//! This crate knows no protocol, no service and no clock.

mod body;
mod common;
mod constraint;
mod error;
mod generated;
mod shape;
mod shown;
mod tables;
mod value;

pub use body::{Body, BodyError, ByteStream, Content, Trailers};
pub use common::Common;
pub use constraint::{Reason, Step, Violation, violations};
pub use error::{ErrorKind, Fault, ServiceError};
pub use shape::{Boxed, Mismatch, Operation, Shape, Slot, Structure, Unit};
pub use shown::Shown;
pub use tables::{
    Auth, Checksum, ErrorSchema, Kind, Location, Member, OperationSchema, Pattern, Protocol, Schema,
    ServiceSchema, TimestampFormat, XmlNamespace,
};
pub use value::{Fields, Value};
