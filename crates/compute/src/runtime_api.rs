//! The Runtime API, as HTTP on a sandbox's own listener: it translates between requests and the
//! [`Exchange`], and decides nothing. Which environment a request concerns is which listener it came to.

use std::convert::Infallible;
use std::sync::Arc;

use apus_env::Env;
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::exchange::{Answer, Exchange, Fault, Invocation, Misuse, RESPONSE_BYTES_MAX};

/// The version that AWS's runtimes speak.
const VERSION: &str = "/2018-06-01";
/// The largest error report that is kept.
const FAULT_BYTES_MAX: usize = 256 * 1024;
/// The longest error type: it goes into headers.
const ERROR_TYPE_BYTES_MAX: usize = 256;

/// Connections at once from one sandbox: a runtime needs one, extensions some.
const CONNECTIONS_MAX: usize = 64;

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";

type Reply = Response<Full<Bytes>>;

/// Serves one environment until it ends.
pub(crate) async fn serve(env: Env, listener: TcpListener, exchange: Arc<Exchange>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("a sandbox's runtime cannot connect: {error}");
                    return;
                }
            },
            () = exchange.closed() => return,
        };
        // Small answers go out at once; a socket that will not have it so still works.
        let _ = stream.set_nodelay(true);
        let exchange = exchange.clone();
        env.spawn("runtime api connection", async move {
            let _place = place;
            let service = service_fn(|request| {
                let exchange = exchange.clone();
                async move { Ok::<_, Infallible>(route(&exchange, request).await) }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // A runtime that hangs up has ended or will connect again.
                _ = connection => {}
                () = exchange.closed() => {}
            }
        });
    }
}

async fn route(exchange: &Exchange, request: Request<Incoming>) -> Reply {
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix("/runtime/")) else {
        return problem(StatusCode::NOT_FOUND, "NotFound", "no such path in the Runtime API");
    };
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
            problem(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "this path takes another method")
        }
        _ => problem(StatusCode::NOT_FOUND, "NotFound", "no such path in the Runtime API"),
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
    // A streamed response may fail midway, which its trailers tell.
    let late_error = collected.trailers().and_then(|trailers| {
        let error_type = error_type(trailers)?;
        Some(Fault { error_type: Some(error_type), body: late_body(trailers) })
    });
    let answer = match late_error {
        Some(fault) => Answer::Fault(fault),
        None => Answer::Response(collected.to_bytes()),
    };
    let answered = exchange.answer(id, answer);
    // Whoever waits for the answer goes first, and then the runtime hears that it was taken.
    tokio::task::yield_now().await;
    accepted(answered)
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

fn accepted(result: Result<(), Misuse>) -> Reply {
    match result {
        Ok(()) => json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" })),
        Err(misuse) => refused(misuse),
    }
}

fn refused(misuse: Misuse) -> Reply {
    match misuse {
        Misuse::InvalidRequestId => {
            problem(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
        Misuse::InvalidStateTransition => {
            problem(StatusCode::FORBIDDEN, "InvalidStateTransition", "State transition is not allowed")
        }
        Misuse::Closed => problem(StatusCode::GONE, "EnvironmentClosed", "the environment is ending"),
    }
}

fn problem(status: StatusCode, error_type: &str, message: &str) -> Reply {
    json(status, &serde_json::json!({ "errorMessage": message, "errorType": error_type }))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(value.to_string())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}
