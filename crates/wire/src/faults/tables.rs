//! The errors that all services share, as each family of protocols calls them. Codes, statuses and texts are
//! those of the real services; an error that comes without a message gets its family's.

use apus_schema::{Common, Protocol, ServiceSchema};

/// One shared error in one family's words.
pub(super) struct Entry {
    common: Common,
    pub(super) code: &'static str,
    pub(super) status: u16,
    /// The JSON member that holds the message.
    pub(super) message_key: &'static str,
    /// The message of an error that brings none.
    pub(super) text: &'static str,
}

const fn row(common: Common, code: &'static str, status: u16, text: &'static str) -> Entry {
    Entry { common, code, status, message_key: "message", text }
}

/// The authorizer's and the parser's messages begin with a capital letter in JSON.
const fn capital(common: Common, code: &'static str, status: u16, text: &'static str) -> Entry {
    Entry { common, code, status, message_key: "Message", text }
}

/// What that service calls the error in that protocol.
pub(super) fn entry(service: Option<&ServiceSchema>, protocol: Protocol, common: Common) -> &'static Entry {
    let family = Family::of(protocol);
    let own = OVERRIDES.iter().find(|(name, of, _)| {
        // A REST request that names no service at all is taken for one of S3, which claims every path.
        *of == family && service.map_or("s3", |service| service.name) == *name
    });
    let listed = |table: &'static [Entry]| table.iter().find(|entry| entry.common == common);
    let found = own.and_then(|(_, _, table)| listed(table)).or_else(|| listed(family.table()));
    // A test holds every family's table against every shared error.
    found.unwrap_or(&UNLISTED)
}

static UNLISTED: Entry = row(Common::Internal, "InternalFailure", 500, INTERNAL);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Json,
    Query,
    RestJson,
    RestXml,
}

impl Family {
    fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => Self::Json,
            Protocol::Query => Self::Query,
            Protocol::RestJson => Self::RestJson,
            Protocol::RestXml => Self::RestXml,
        }
    }

    fn table(self) -> &'static [Entry] {
        match self {
            Self::Json => JSON,
            // CloudFront and Route 53 answer with the query protocol's codes.
            Self::Query | Self::RestXml => QUERY,
            Self::RestJson => REST_JSON,
        }
    }
}

const DENIED: &str = "User is not authorized to perform this action";
const INVALID_TOKEN: &str = "The security token included in the request is invalid.";
const EXPIRED_TOKEN: &str = "The security token included in the request is expired";
const NO_TOKEN: &str = "Missing Authentication Token";
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
const INCOMPLETE: &str = "The request signature does not conform to AWS standards.";
const EXPIRED: &str = "Signature expired.";
const INTERNAL: &str = "We encountered an internal error. Please try again.";
const UNSUPPORTED: &str = "Apus does not support this operation yet";
const TOO_LARGE: &str = "Request size exceeded the maximum.";
const RATE: &str = "Rate exceeded";
const UNAVAILABLE: &str = "The service is temporarily unavailable. Please try again.";

static JSON: &[Entry] = &[
    capital(Common::AccessDenied, "AccessDeniedException", 400, DENIED),
    row(
        Common::MissingAuthentication,
        "MissingAuthenticationTokenException",
        400,
        "Request is missing Authentication Token",
    ),
    row(Common::UnknownAccessKey, "UnrecognizedClientException", 400, INVALID_TOKEN),
    row(Common::InvalidSessionToken, "UnrecognizedClientException", 400, INVALID_TOKEN),
    row(Common::ExpiredSessionToken, "ExpiredTokenException", 400, EXPIRED_TOKEN),
    row(Common::SignatureMismatch, "InvalidSignatureException", 400, MISMATCH),
    row(Common::IncompleteSignature, "IncompleteSignatureException", 400, INCOMPLETE),
    row(Common::RequestExpired, "InvalidSignatureException", 400, EXPIRED),
    capital(Common::Malformed, "SerializationException", 400, "The request cannot be read."),
    row(Common::Validation, "ValidationException", 400, "The request is not valid."),
    row(Common::UnknownOperation, "UnknownOperationException", 400, "Unknown operation"),
    row(Common::NotSupported, "NotImplementedException", 501, UNSUPPORTED),
    row(Common::UnknownService, "UnknownOperationException", 404, "No service here has that target."),
    row(Common::RequestTooLarge, "RequestEntityTooLargeException", 413, TOO_LARGE),
    row(Common::Throttled, "ThrottlingException", 400, RATE),
    row(Common::Internal, "InternalFailure", 500, INTERNAL),
    row(Common::Unavailable, "ServiceUnavailableException", 503, UNAVAILABLE),
];

static REST_JSON: &[Entry] = &[
    capital(Common::AccessDenied, "AccessDeniedException", 403, DENIED),
    row(Common::MissingAuthentication, "MissingAuthenticationTokenException", 403, NO_TOKEN),
    row(Common::UnknownAccessKey, "UnrecognizedClientException", 403, INVALID_TOKEN),
    row(Common::InvalidSessionToken, "UnrecognizedClientException", 403, INVALID_TOKEN),
    row(Common::ExpiredSessionToken, "ExpiredTokenException", 403, EXPIRED_TOKEN),
    row(Common::SignatureMismatch, "InvalidSignatureException", 403, MISMATCH),
    row(Common::IncompleteSignature, "IncompleteSignatureException", 403, INCOMPLETE),
    row(Common::RequestExpired, "InvalidSignatureException", 403, EXPIRED),
    capital(Common::Malformed, "SerializationException", 400, "The request cannot be read."),
    row(Common::Validation, "ValidationException", 400, "The request is not valid."),
    row(Common::UnknownOperation, "UnknownOperationException", 404, "Unknown operation"),
    row(Common::NotSupported, "NotImplementedException", 501, UNSUPPORTED),
    row(Common::UnknownService, "UnknownOperationException", 404, "No service here has that path."),
    row(Common::RequestTooLarge, "RequestEntityTooLargeException", 413, TOO_LARGE),
    row(Common::Throttled, "ThrottlingException", 429, RATE),
    row(Common::Internal, "InternalFailure", 500, INTERNAL),
    row(Common::Unavailable, "ServiceUnavailableException", 503, UNAVAILABLE),
];

static QUERY: &[Entry] = &[
    row(Common::AccessDenied, "AccessDenied", 403, DENIED),
    row(
        Common::MissingAuthentication,
        "MissingAuthenticationToken",
        403,
        "Request is missing Authentication Token",
    ),
    row(Common::UnknownAccessKey, "InvalidClientTokenId", 403, INVALID_TOKEN),
    row(Common::InvalidSessionToken, "InvalidClientTokenId", 403, INVALID_TOKEN),
    row(Common::ExpiredSessionToken, "ExpiredToken", 403, EXPIRED_TOKEN),
    row(Common::SignatureMismatch, "SignatureDoesNotMatch", 403, MISMATCH),
    row(Common::IncompleteSignature, "IncompleteSignature", 400, INCOMPLETE),
    row(Common::RequestExpired, "SignatureDoesNotMatch", 403, EXPIRED),
    row(Common::Malformed, "MalformedInput", 400, "The request cannot be read."),
    row(Common::Validation, "ValidationError", 400, "The request is not valid."),
    row(Common::UnknownOperation, "InvalidAction", 400, "The action or operation requested is invalid."),
    row(Common::NotSupported, "NotImplemented", 501, UNSUPPORTED),
    row(Common::UnknownService, "InvalidAction", 400, "No service here has that action."),
    row(Common::RequestTooLarge, "RequestEntityTooLarge", 413, TOO_LARGE),
    row(Common::Throttled, "Throttling", 400, RATE),
    row(Common::Internal, "InternalFailure", 500, INTERNAL),
    row(Common::Unavailable, "ServiceUnavailable", 503, UNAVAILABLE),
];

static S3: &[Entry] = &[
    row(Common::AccessDenied, "AccessDenied", 403, "Access Denied"),
    row(Common::MissingAuthentication, "AccessDenied", 403, "Access Denied"),
    row(
        Common::UnknownAccessKey,
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    row(
        Common::InvalidSessionToken,
        "InvalidToken",
        400,
        "The provided token is malformed or otherwise invalid.",
    ),
    row(Common::ExpiredSessionToken, "ExpiredToken", 400, "The provided token has expired."),
    row(
        Common::SignatureMismatch,
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    ),
    row(
        Common::IncompleteSignature,
        "AuthorizationHeaderMalformed",
        400,
        "The authorization header that you provided is not valid.",
    ),
    row(
        Common::RequestExpired,
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
    ),
    row(
        Common::Malformed,
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    row(Common::Validation, "InvalidRequest", 400, "The request is not valid."),
    row(
        Common::UnknownOperation,
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
    ),
    row(Common::NotSupported, "NotImplemented", 501, UNSUPPORTED),
    row(
        Common::UnknownService,
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
    ),
    row(
        Common::RequestTooLarge,
        "EntityTooLarge",
        400,
        "Your proposed upload exceeds the maximum allowed size",
    ),
    row(Common::Throttled, "SlowDown", 503, "Please reduce your request rate."),
    row(Common::Internal, "InternalError", 500, INTERNAL),
    row(Common::Unavailable, "ServiceUnavailable", 503, "Please reduce your request rate."),
];

static LAMBDA: &[Entry] = &[
    row(Common::Malformed, "InvalidRequestContentException", 400, "Could not parse request body into json."),
    row(Common::RequestTooLarge, "RequestTooLargeException", 413, TOO_LARGE),
    row(Common::Throttled, "TooManyRequestsException", 429, RATE),
    row(Common::Internal, "ServiceException", 500, INTERNAL),
];

static SQS_QUERY: &[Entry] = &[
    row(Common::Malformed, "MalformedInput", 400, "The request cannot be read."),
    row(Common::Validation, "InvalidParameterValue", 400, "The request is not valid."),
    row(Common::Throttled, "RequestThrottled", 403, RATE),
];

static SQS_JSON: &[Entry] = &[
    // Refused credentials keep the status that they had in the query protocol.
    row(Common::AccessDenied, "AccessDeniedException", 403, DENIED),
    row(Common::UnknownAccessKey, "UnrecognizedClientException", 403, INVALID_TOKEN),
    row(Common::InvalidSessionToken, "UnrecognizedClientException", 403, INVALID_TOKEN),
    row(Common::ExpiredSessionToken, "ExpiredTokenException", 403, EXPIRED_TOKEN),
    row(Common::Validation, "InvalidParameterValueException", 400, "The request is not valid."),
    row(Common::Throttled, "RequestThrottled", 400, RATE),
];

/// CloudWatch Logs says of a broken constraint what it says of any other parameter.
static LOGS: &[Entry] =
    &[row(Common::Validation, "InvalidParameterException", 400, "The request is not valid.")];

static DYNAMODB: &[Entry] = &[row(Common::Internal, "InternalServerError", 500, INTERNAL)];

/// A service's own words, before its family's.
static OVERRIDES: &[(&str, Family, &[Entry])] = &[
    ("dynamodb", Family::Json, DYNAMODB),
    ("lambda", Family::RestJson, LAMBDA),
    ("logs", Family::Json, LOGS),
    ("s3", Family::RestXml, S3),
    ("sqs", Family::Json, SQS_JSON),
    ("sqs", Family::Query, SQS_QUERY),
];

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Common; 17] = [
        Common::AccessDenied,
        Common::MissingAuthentication,
        Common::UnknownAccessKey,
        Common::InvalidSessionToken,
        Common::ExpiredSessionToken,
        Common::SignatureMismatch,
        Common::IncompleteSignature,
        Common::RequestExpired,
        Common::Malformed,
        Common::Validation,
        Common::UnknownOperation,
        Common::NotSupported,
        Common::UnknownService,
        Common::RequestTooLarge,
        Common::Throttled,
        Common::Internal,
        Common::Unavailable,
    ];

    #[test]
    fn every_family_has_words_for_every_shared_error_once() {
        for (table, name) in [(JSON, "json"), (REST_JSON, "rest-json"), (QUERY, "query"), (S3, "s3")] {
            for common in ALL {
                let rows = table.iter().filter(|entry| entry.common == common).count();
                assert_eq!(rows, 1, "{name} {common:?}");
            }
        }
    }

    #[test]
    fn a_status_says_whose_fault_it_is_but_for_the_two_that_aws_answers_otherwise() {
        for table in [JSON, REST_JSON, QUERY, S3, LAMBDA, SQS_JSON, SQS_QUERY, LOGS, DYNAMODB] {
            for entry in table {
                let slow_down = entry.code == "SlowDown" || entry.common == Common::NotSupported;
                assert_eq!(
                    entry.status < 500,
                    entry.common.is_sender_fault() && !slow_down,
                    "{}",
                    entry.code
                );
            }
        }
    }
}
