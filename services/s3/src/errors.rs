//! Rule failures as errors: those of the model, and those that AWS documents but the model lacks.
//!
//! Codes, statuses and elements beside the message are those of the API reference's "Error responses" page and
//! of the real service's answers.

use std::fmt;

use apus_model_s3::errors as modelled;
use apus_schema::{BodyError, Common, ServiceError};
use apus_store::StoreError;

use crate::bucket::LocationError;
use crate::checksum::Algorithm;
use crate::condition::WriteRefusal;
use crate::object::{METADATA_BYTES_MAX, OBJECT_BYTES_MAX, ObjectKey};

/// An error that the model lacks: its code and its status.
type Code = (&'static str, u16);

const ACLS_NOT_SUPPORTED: Code = ("AccessControlListNotSupported", 400);
const BAD_DIGEST: Code = ("BadDigest", 400);
const BUCKET_NOT_EMPTY: Code = ("BucketNotEmpty", 409);
const CONDITIONAL_REQUEST_CONFLICT: Code = ("ConditionalRequestConflict", 409);
const CONTENT_SHA256_MISMATCH: Code = ("XAmzContentSHA256Mismatch", 400);
const ENTITY_TOO_LARGE: Code = ("EntityTooLarge", 400);
const ILLEGAL_LOCATION_CONSTRAINT: Code = ("IllegalLocationConstraintException", 400);
const INCOMPLETE_BODY: Code = ("IncompleteBody", 400);
const INVALID_ARGUMENT: Code = ("InvalidArgument", 400);
const INVALID_BUCKET_ACL: Code = ("InvalidBucketAclWithObjectOwnership", 400);
const INVALID_BUCKET_NAME: Code = ("InvalidBucketName", 400);
const INVALID_DIGEST: Code = ("InvalidDigest", 400);
const INVALID_LOCATION_CONSTRAINT: Code = ("InvalidLocationConstraint", 400);
const INVALID_PART_NUMBER: Code = ("InvalidPartNumber", 416);
const INVALID_RANGE: Code = ("InvalidRange", 416);
const INVALID_STORAGE_CLASS: Code = ("InvalidStorageClass", 400);
const KEY_TOO_LONG: Code = ("KeyTooLongError", 400);
const METADATA_TOO_LARGE: Code = ("MetadataTooLarge", 400);
const MISSING_CONTENT_LENGTH: Code = ("MissingContentLength", 411);
const NOT_IMPLEMENTED: Code = ("NotImplemented", 501);
const NOT_MODIFIED: Code = ("NotModified", 304);
const OPERATION_ABORTED: Code = ("OperationAborted", 409);
const PRECONDITION_FAILED: Code = ("PreconditionFailed", 412);

fn new((code, status): Code, message: impl Into<String>) -> ServiceError {
    ServiceError::named(code, status, message)
}

/// What goes wrong within a transaction: the store's failure, or an answer to the client.
#[derive(Debug)]
pub(crate) enum Failure {
    Store(StoreError),
    Answer(ServiceError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Answer(error)
    }
}

impl From<Failure> for ServiceError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => store(error),
            Failure::Answer(error) => error,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "{error}"),
            Self::Answer(error) => write!(f, "{error}"),
        }
    }
}

/// A failure of the store. Endless conflicts are the client's to try again.
pub(crate) fn store(error: StoreError) -> ServiceError {
    if matches!(error, StoreError::Conflict { .. }) {
        let message =
            "A conflicting conditional operation is currently in progress against this resource. Try again.";
        return new(OPERATION_ABORTED, message).because(error);
    }
    ServiceError::internal(error)
}

pub(crate) fn access_denied() -> ServiceError {
    ServiceError::common(Common::AccessDenied, "Access Denied")
}

pub(crate) fn no_such_bucket(bucket: &str) -> ServiceError {
    modelled::no_such_bucket("The specified bucket does not exist").with_element("BucketName", bucket)
}

pub(crate) fn no_such_key(key: &ObjectKey) -> ServiceError {
    modelled::no_such_key("The specified key does not exist.").with_element("Key", key.as_str())
}

pub(crate) fn bucket_already_exists(bucket: &str) -> ServiceError {
    let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                   system. Please select a different name and try again.";
    modelled::bucket_already_exists(message).with_element("BucketName", bucket)
}

pub(crate) fn bucket_already_owned_by_you(bucket: &str) -> ServiceError {
    let message = "Your previous request to create the named bucket succeeded and you already own it.";
    modelled::bucket_already_owned_by_you(message).with_element("BucketName", bucket)
}

pub(crate) fn bucket_not_empty(bucket: &str) -> ServiceError {
    new(BUCKET_NOT_EMPTY, "The bucket you tried to delete is not empty").with_element("BucketName", bucket)
}

pub(crate) fn invalid_bucket_name(bucket: &str) -> ServiceError {
    new(INVALID_BUCKET_NAME, "The specified bucket is not valid.").with_element("BucketName", bucket)
}

pub(crate) fn location(error: &LocationError) -> ServiceError {
    match error {
        LocationError::Invalid(constraint) => {
            new(INVALID_LOCATION_CONSTRAINT, "The specified location-constraint is not valid")
                .with_element("LocationConstraint", constraint)
        }
        LocationError::Illegal(constraint) => {
            let constraint = constraint.as_deref().unwrap_or("unspecified");
            let message = format!(
                "The {constraint} location constraint is incompatible for the region specific endpoint this \
                 request was sent to."
            );
            new(ILLEGAL_LOCATION_CONSTRAINT, message)
        }
    }
}

pub(crate) fn key_too_long(size: usize) -> ServiceError {
    new(KEY_TOO_LONG, "Your key is too long")
        .with_element("Size", size.to_string())
        .with_element("MaxSizeAllowed", ObjectKey::LENGTH_MAX.to_string())
}

pub(crate) fn invalid_argument(name: &'static str, value: &str, message: impl Into<String>) -> ServiceError {
    new(INVALID_ARGUMENT, message).with_element("ArgumentName", name).with_element("ArgumentValue", value)
}

pub(crate) fn invalid_request(message: impl Into<String>) -> ServiceError {
    modelled::invalid_request(message)
}

/// What S3 has and Apus has not, by the header or parameter that asked for it.
pub(crate) fn not_implemented(header: &'static str) -> ServiceError {
    new(NOT_IMPLEMENTED, "A header you provided implies functionality that is not implemented")
        .with_element("Header", header)
}

pub(crate) fn acls_not_supported() -> ServiceError {
    new(ACLS_NOT_SUPPORTED, "The bucket does not allow ACLs")
}

pub(crate) fn bucket_acls() -> ServiceError {
    let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    new(INVALID_BUCKET_ACL, message)
}

pub(crate) fn invalid_token(token: &str) -> ServiceError {
    invalid_argument("continuation-token", token, "The continuation token provided is incorrect")
}

pub(crate) fn invalid_storage_class(class: &str) -> ServiceError {
    new(INVALID_STORAGE_CLASS, "The storage class you specified is not valid")
        .with_element("StorageClassRequested", class)
}

pub(crate) fn entity_too_large(proposed: u64) -> ServiceError {
    new(ENTITY_TOO_LARGE, "Your proposed upload exceeds the maximum allowed size")
        .with_element("ProposedSize", proposed.to_string())
        .with_element("MaxSizeAllowed", OBJECT_BYTES_MAX.to_string())
}

pub(crate) fn metadata_too_large(size: usize) -> ServiceError {
    new(METADATA_TOO_LARGE, "Your metadata headers exceed the maximum allowed metadata size")
        .with_element("Size", size.to_string())
        .with_element("MaxSizeAllowed", METADATA_BYTES_MAX.to_string())
}

pub(crate) fn missing_content_length() -> ServiceError {
    new(MISSING_CONTENT_LENGTH, "You must provide the Content-Length HTTP header.")
}

pub(crate) fn incomplete_body() -> ServiceError {
    let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    new(INCOMPLETE_BODY, message)
}

/// Why a request's body could not be taken.
pub(crate) fn body(error: BodyError) -> ServiceError {
    match error {
        BodyError::Incomplete(_) => incomplete_body().because(error),
        BodyError::TooLarge { limit } => entity_too_large(limit as u64).because(error),
        BodyError::Untrusted(_) => {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            new(CONTENT_SHA256_MISMATCH, message).because(error)
        }
        BodyError::Malformed(_) => {
            invalid_request("The body's chunks or trailers cannot be read.").because(error)
        }
        BodyError::Source(_) | BodyError::Taken => ServiceError::internal(error),
    }
}

pub(crate) fn invalid_digest(header: &str) -> ServiceError {
    new(INVALID_DIGEST, "The Content-MD5 you specified was invalid.").with_element("Content-MD5", header)
}

pub(crate) fn bad_md5(expected: String, calculated: String) -> ServiceError {
    new(BAD_DIGEST, "The Content-MD5 you specified did not match what we received.")
        .with_element("ExpectedDigest", expected)
        .with_element("CalculatedDigest", calculated)
}

pub(crate) fn invalid_checksum(algorithm: Algorithm) -> ServiceError {
    invalid_request(format!("Value for {} header is invalid.", algorithm.header()))
}

pub(crate) fn unknown_algorithm() -> ServiceError {
    invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid or not supported.")
}

pub(crate) fn bad_checksum(algorithm: Algorithm) -> ServiceError {
    let message = format!("The {} you specified did not match the calculated checksum.", algorithm.name());
    new(BAD_DIGEST, message)
}

pub(crate) fn precondition_failed(condition: &'static str) -> ServiceError {
    new(PRECONDITION_FAILED, "At least one of the pre-conditions you specified did not hold")
        .with_element("Condition", condition)
}

/// A write whose condition does not hold.
pub(crate) fn write_refused(refusal: WriteRefusal, key: &ObjectKey) -> ServiceError {
    match refusal {
        WriteRefusal::Failed(condition) => precondition_failed(condition),
        WriteRefusal::NoSuchKey => no_such_key(key),
    }
}

pub(crate) fn conditional_request_conflict(error: StoreError) -> ServiceError {
    let message =
        "The conditional request cannot succeed due to a conflicting operation against this resource.";
    new(CONDITIONAL_REQUEST_CONFLICT, message).because(error)
}

pub(crate) fn not_modified() -> ServiceError {
    new(NOT_MODIFIED, "Not Modified")
}

pub(crate) fn invalid_range(requested: &str, size: u64) -> ServiceError {
    new(INVALID_RANGE, "The requested range is not satisfiable")
        .with_element("RangeRequested", requested)
        .with_element("ActualObjectSize", size.to_string())
}

pub(crate) fn invalid_part_number(requested: i32) -> ServiceError {
    new(INVALID_PART_NUMBER, "The requested partnumber is not satisfiable")
        .with_element("PartNumberRequested", requested.to_string())
        .with_element("ActualPartCount", "1")
}
