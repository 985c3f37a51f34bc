//! JSON under a schema: the reader, the writer, and what awsJson 1.0 and 1.1 put around them.

pub(crate) mod aws;
mod lexer;
mod plain;
mod read;
mod write;

pub(crate) use read::{read_document, read_payload, read_structure};
pub(crate) use write::{Body, write_document, write_string, write_structure, write_value};
