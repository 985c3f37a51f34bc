//! The Extensions API as HTTP. Statuses and names of errors are those of AWS's own runtime interface emulator.

use apus_time::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::Inside;
use super::reply::{self, Reply, accepted, problem, refused, wrong_method, wrong_path};
use crate::exchange::{
    EXTENSION_NAME_BYTES_MAX, EXTENSIONS_MAX, ExtensionEvent, Invocation, Lifecycle, RegisterError,
};

/// The largest body of a registration that is read, or of an error's report, which nobody keeps.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest error type: it goes into logs.
const ERROR_TYPE_BYTES_MAX: usize = 256;

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const ACCEPT_FEATURE: &str = "lambda-extension-accept-feature";
const EVENT_IDENTIFIER: &str = "lambda-extension-event-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// Answers a request whose path goes on so.
pub(super) async fn route(inside: &Inside, rest: &str, request: Request<Incoming>) -> Reply {
    match (request.method(), rest) {
        (&Method::POST, "register") => register(inside, request).await,
        (&Method::GET, "event/next") => next(inside, request.headers()).await,
        (&Method::POST, "init/error") => fail(inside, true, request).await,
        (&Method::POST, "exit/error") => fail(inside, false, request).await,
        (_, "register" | "event/next" | "init/error" | "exit/error") => wrong_method(),
        _ => wrong_path(),
    }
}

async fn register(inside: &Inside, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let name = text(&parts.headers, NAME).unwrap_or_default();
    if name.is_empty() || name.len() > EXTENSION_NAME_BYTES_MAX {
        let message = if name.is_empty() { "Empty extension name" } else { "Extension name is too long" };
        return forbidden("Extension.InvalidExtensionName", message);
    }
    let wants = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => wants(&body.to_bytes()),
        Err(error) => Err(("InvalidRequestFormat", error.to_string())),
    };
    let wants = match wants {
        Ok(wants) => wants,
        Err((error_type, message)) => return forbidden(error_type, &message),
    };
    let id = inside.env.uuid_v4();
    match inside.exchange.register(&name, wants, id.clone()) {
        Ok(()) => {
            let features = text(&parts.headers, ACCEPT_FEATURE).unwrap_or_default();
            let mut told = json!({
                "functionName": inside.function.name,
                "functionVersion": inside.function.version,
                "handler": inside.function.handler,
            });
            if features.split(',').any(|feature| feature.trim() == "accountId") {
                told["accountId"] = inside.function.account.as_str().into();
            }
            with_header(reply::json(StatusCode::OK, &told), IDENTIFIER, &id)
        }
        Err(RegisterError::Closed) => {
            forbidden("Extension.RegistrationClosed", "Extension registration closed already")
        }
        Err(RegisterError::TooMany) => {
            let message = format!("Extension limit ({EXTENSIONS_MAX}) reached");
            forbidden("Extension.TooManyExtensions", &message)
        }
        Err(RegisterError::NameTaken) => {
            forbidden("Extension.AlreadyRegistered", "Extension with this name already registered")
        }
        Err(RegisterError::ShutdownOfInternal) => {
            let message = "SHUTDOWN: internal extensions are not told of it";
            forbidden("Extension.InvalidEventType", message)
        }
    }
}

/// What a registration is for.
fn wants(body: &Bytes) -> Result<Vec<Lifecycle>, (&'static str, String)> {
    let malformed = |why: &str| ("InvalidRequestFormat", why.to_owned());
    let body: Value = serde_json::from_slice(body).map_err(|error| malformed(&error.to_string()))?;
    let body = body.as_object().ok_or_else(|| malformed("the body is no object"))?;
    let keys = body.get("configurationKeys").and_then(Value::as_array);
    if keys.is_some_and(|keys| !keys.is_empty()) {
        return Err(malformed("configurationKeys are not supported; use environment variables"));
    }
    let events = match body.get("events") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(events) => events.as_array().ok_or_else(|| malformed("events is no list"))?,
    };
    let mut wants = Vec::new();
    for event in events {
        let all = [Lifecycle::Invoke, Lifecycle::Shutdown];
        let Some(found) = all.into_iter().find(|lifecycle| event == lifecycle.name()) else {
            let message = "events has others than INVOKE and SHUTDOWN";
            return Err(("Extension.InvalidEventType", message.to_owned()));
        };
        if !wants.contains(&found) {
            wants.push(found);
        }
    }
    Ok(wants)
}

async fn next(inside: &Inside, headers: &HeaderMap) -> Reply {
    let id = match identifier(headers) {
        Ok(id) => id,
        Err(reply) => return *reply,
    };
    match inside.exchange.next_event(&id).await {
        Ok(event) => {
            let told = match event {
                ExtensionEvent::Invoke(invocation) => invoked(&invocation),
                ExtensionEvent::Shutdown { reason, deadline } => json!({
                    "eventType": "SHUTDOWN",
                    "shutdownReason": reason.name(),
                    "deadlineMs": milliseconds(deadline),
                }),
            };
            with_header(reply::json(StatusCode::OK, &told), EVENT_IDENTIFIER, &inside.env.uuid_v4())
        }
        Err(misuse) => refused(misuse),
    }
}

fn invoked(invocation: &Invocation) -> Value {
    let mut told = json!({
        "eventType": "INVOKE",
        "deadlineMs": milliseconds(invocation.deadline),
        "requestId": invocation.request_id,
        "invokedFunctionArn": invocation.function_arn,
    });
    if let Some(trace_id) = &invocation.trace_id {
        told["tracing"] = json!({ "type": "X-Amzn-Trace-Id", "value": trace_id });
    }
    told
}

fn milliseconds(time: Timestamp) -> i64 {
    time.as_millis()
}

async fn fail(inside: &Inside, in_init: bool, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let id = match identifier(&parts.headers) {
        Ok(id) => id,
        Err(reply) => return *reply,
    };
    let error_type =
        text(&parts.headers, ERROR_TYPE).map(|text| text.chars().take(ERROR_TYPE_BYTES_MAX).collect());
    let Some(error_type) = error_type else {
        return forbidden("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type is missing");
    };
    // Read, as a client writes first and listens then; the header says what is worth keeping.
    let _report = Limited::new(body, BODY_BYTES_MAX).collect().await;
    accepted(inside.exchange.fail_extension(&id, in_init, Some(error_type)))
}

/// By which an extension says who it is.
pub(super) fn identifier(headers: &HeaderMap) -> Result<String, Box<Reply>> {
    let Some(id) = text(headers, IDENTIFIER) else {
        let message = "Missing Lambda-Extension-Identifier header";
        return Err(Box::new(forbidden("Extension.MissingExtensionIdentifier", message)));
    };
    if is_uuid(&id) {
        return Ok(id.to_ascii_lowercase());
    }
    Err(Box::new(forbidden("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn with_header(mut reply: Reply, name: &'static str, value: &str) -> Reply {
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
    reply
}

pub(super) fn forbidden(error_type: &str, message: &str) -> Reply {
    problem(StatusCode::FORBIDDEN, error_type, message)
}
