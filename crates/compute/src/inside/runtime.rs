//! The Runtime API as HTTP.

use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};

use super::reply::{Reply, accepted, problem, refused, wrong_method, wrong_path};

use crate::exchange::{Answer, Exchange, Fault, Invocation, RESPONSE_BYTES_MAX};
use crate::response_stream::{ResponsePart, ResponseWriter, STREAM_BYTES_MAX};

/// The largest error report that is kept.
const FAULT_BYTES_MAX: usize = 256 * 1024;
/// The longest error type: it goes into headers.
const ERROR_TYPE_BYTES_MAX: usize = 256;

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
const STREAMING: &str = "streaming";

/// Answers a request whose path goes on so.
pub(super) async fn route(exchange: &Exchange, rest: &str, request: Request<Incoming>) -> Reply {
    let parts: Vec<&str> = rest.split('/').collect();
    match (request.method(), &parts[..]) {
        (&Method::GET, ["invocation", "next"]) => next(exchange).await,
        (&Method::POST, ["invocation", id, "response"]) => response(exchange, id, request).await,
        (&Method::POST, ["invocation", id, "error"]) => {
            let fault = fault(request).await;
            accepted(exchange.answer(id, Answer::Fault(fault)))
        }
        (&Method::POST, ["init", "error"]) => {
            let fault = fault(request).await;
            accepted(exchange.fail_init(fault))
        }
        (_, ["invocation", "next"] | ["init", "error"] | ["invocation", _, "response" | "error"]) => {
            wrong_method()
        }
        _ => wrong_path(),
    }
}

async fn next(exchange: &Exchange) -> Reply {
    match exchange.next().await {
        Ok(invocation) => {
            let mut reply = Response::new(Full::new(invocation.payload.clone()));
            put_headers(reply.headers_mut(), &invocation);
            reply
        }
        Err(misuse) => refused(misuse),
    }
}

fn put_headers(headers: &mut HeaderMap, invocation: &Invocation) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let deadline = invocation.deadline.as_millis().to_string();
    let all = [
        ("lambda-runtime-aws-request-id", Some(&invocation.request_id)),
        ("lambda-runtime-deadline-ms", Some(&deadline)),
        ("lambda-runtime-invoked-function-arn", Some(&invocation.function_arn)),
        ("lambda-runtime-trace-id", invocation.trace_id.as_ref()),
        ("lambda-runtime-client-context", invocation.client_context.as_ref()),
        ("lambda-runtime-cognito-identity", invocation.cognito_identity.as_ref()),
    ];
    for (name, value) in all {
        // Values with bytes that no header may carry were refused at the edge, or are of no use to anybody.
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

async fn response(exchange: &Exchange, id: &str, request: Request<Incoming>) -> Reply {
    match request.headers().get(RESPONSE_MODE) {
        None => {}
        Some(mode) if mode.as_bytes().eq_ignore_ascii_case(STREAMING.as_bytes()) => {
            match exchange.begin_stream(id) {
                Ok(Some(writer)) => return stream(exchange, writer, request).await,
                // Whoever invoked wants it whole.
                Ok(None) => {}
                Err(misuse) => return refused(misuse),
            }
        }
        Some(_) => {
            let error_type = "Runtime.InvalidResponseModeHeader";
            let report = serde_json::json!({
                "errorType": error_type,
                "errorMessage": format!("{RESPONSE_MODE} is neither absent nor `{STREAMING}`"),
            });
            let fault = Fault { error_type: Some(error_type.into()), body: report.to_string().into() };
            return match exchange.answer(id, Answer::Fault(fault)) {
                Ok(()) => problem(
                    StatusCode::BAD_REQUEST,
                    "InvalidFunctionResponseMode",
                    "Invalid function response mode",
                ),
                Err(misuse) => refused(misuse),
            };
        }
    }
    let declared = request.body().size_hint().lower();
    if declared > RESPONSE_BYTES_MAX as u64 {
        // Judged by its announced length, but read to its end: a runtime writes first and listens then.
        let mut body = request.into_body();
        while let Some(Ok(_)) = body.frame().await {}
        return too_large(exchange, id);
    }
    let collected = match Limited::new(request.into_body(), RESPONSE_BYTES_MAX).collect().await {
        Ok(collected) => collected,
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return too_large(exchange, id),
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "InvalidRequest",
                &format!("the body broke off: {error}"),
            );
        }
    };
    let answer = match collected.trailers().and_then(late_error) {
        Some(fault) => Answer::Fault(fault),
        None => Answer::Response(collected.to_bytes()),
    };
    let answered = exchange.answer(id, answer);
    // Whoever waits for the answer goes first, and then the runtime hears that it was taken.
    tokio::task::yield_now().await;
    accepted(answered)
}

/// Hands a response on as it comes, until it ends, breaks off or is too long.
async fn stream(exchange: &Exchange, writer: ResponseWriter, request: Request<Incoming>) -> Reply {
    // However this ends, and be it by the end of the connection, the invocation has its answer.
    let mut end = StreamEnd { exchange, answer: Answer::Truncated };
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
    writer.write(ResponsePart::Begin { content_type }).await;
    let mut body = request.into_body();
    let mut total = 0;
    let mut late = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let message = "HTTP request detected as truncated";
            return problem(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", message);
        };
        match frame.into_data() {
            Ok(bytes) if total + bytes.len() as u64 > STREAM_BYTES_MAX => {
                end.answer = Answer::StreamTooLarge;
                let message = format!("Exceeded maximum allowed payload size ({STREAM_BYTES_MAX} bytes).");
                return problem(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message);
            }
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => {
                total += bytes.len() as u64;
                writer.write(ResponsePart::Bytes(bytes)).await;
            }
            Err(frame) => late = frame.trailers_ref().and_then(late_error),
        }
    }
    end.answer = late.map_or(Answer::Streamed, Answer::Fault);
    drop(end);
    // Whoever waits for the end goes first.
    tokio::task::yield_now().await;
    accepted(Ok(()))
}

/// Answers when it is dropped.
struct StreamEnd<'a> {
    exchange: &'a Exchange,
    answer: Answer,
}

impl Drop for StreamEnd<'_> {
    fn drop(&mut self) {
        self.exchange.end_stream(std::mem::replace(&mut self.answer, Answer::Truncated));
    }
}

/// A response in pieces may fail midway, which its trailers tell.
fn late_error(trailers: &HeaderMap) -> Option<Fault> {
    let error_type = error_type(trailers).filter(|error_type| !error_type.is_empty())?;
    Some(Fault { error_type: Some(error_type), body: late_body(trailers) })
}

/// The report of an error midway: JSON in base64, as trailers carry no JSON.
fn late_body(trailers: &HeaderMap) -> Bytes {
    let body = trailers.get(ERROR_BODY).map_or(&b""[..], HeaderValue::as_bytes);
    match base64::engine::general_purpose::STANDARD.decode(body) {
        Ok(decoded) => decoded.into(),
        Err(_) => Bytes::copy_from_slice(body),
    }
}

fn too_large(exchange: &Exchange, id: &str) -> Reply {
    match exchange.answer(id, Answer::TooLarge) {
        Ok(()) => problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes)."),
        ),
        Err(misuse) => refused(misuse),
    }
}

async fn fault(request: Request<Incoming>) -> Fault {
    let error_type = error_type(request.headers());
    let body = match Limited::new(request.into_body(), FAULT_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        // What went wrong is known all the same; the details are not worth their size.
        Err(_) => Bytes::from_static(b"{\"errorMessage\":\"the error report exceeds 262144 bytes\"}"),
    };
    Fault { error_type, body }
}

fn error_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(ERROR_TYPE)?.to_str().ok()?;
    Some(value.chars().take(ERROR_TYPE_BYTES_MAX).collect())
}
