//! Errors that services answer and no model lists.

use apus_schema::{ErrorSchema, Kind, Schema};

static NO_MEMBERS: Schema =
    Schema::new("Error", Kind::Structure { members: &[], union: false, eventstream: false, payload: None });

const fn client_error(name: &'static str, code: &'static str) -> ErrorSchema {
    ErrorSchema { name, code, status: 400, query_status: 400, sender_fault: true, schema: &NO_MEMBERS }
}

/// SQS names a parameter that is missing.
pub(crate) static MISSING_PARAMETER: ErrorSchema =
    client_error("MissingRequiredParameterException", "MissingParameter");
/// S3 cannot read a header or a parameter.
pub(crate) static INVALID_ARGUMENT: ErrorSchema = client_error("InvalidArgument", "InvalidArgument");
/// S3 cannot read the path or the query string.
pub(crate) static INVALID_URI: ErrorSchema = client_error("InvalidURI", "InvalidURI");
