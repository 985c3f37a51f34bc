//! The answers that the APIs inside a sandbox share, in AWS's shape.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::exchange::Misuse;

pub(super) type Reply = Response<Full<Bytes>>;

pub(super) fn accepted(result: Result<(), Misuse>) -> Reply {
    match result {
        Ok(()) => json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" })),
        Err(misuse) => refused(misuse),
    }
}

pub(super) fn refused(misuse: Misuse) -> Reply {
    match misuse {
        Misuse::InvalidRequestId => {
            problem(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Misuse::InvalidStateTransition => {
            problem(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed")
        }
        Misuse::UnknownExtension => problem(
            StatusCode::FORBIDDEN,
            "Extension.UnknownExtensionIdentifier",
            "Unknown extension identifier",
        ),
        Misuse::Closed => problem(StatusCode::GONE, "EnvironmentClosed", "the environment is ending"),
    }
}

pub(super) fn wrong_method() -> Reply {
    problem(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "this path takes another method")
}

pub(super) fn wrong_path() -> Reply {
    problem(StatusCode::NOT_FOUND, "NotFound", "no such path in the Runtime API")
}

pub(super) fn problem(status: StatusCode, error_type: &str, message: &str) -> Reply {
    json(status, &serde_json::json!({ "errorMessage": message, "errorType": error_type }))
}

pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(value.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
