//! `GET /_apus/executions`: the newest executions; `GET /_apus/executions/ID`: those of one request, with its event.
//!
//! Requests are signed as Lambda's are. Whoever asks needs `apus:ListExecutions` (on the function, or on all) or
//! `apus:GetExecution`, and sees his account's in his region.

use apus_kernel::{BoxFuture, Caller, Claims, Context, HttpFront, Origin, Platform, Resource};
use apus_schema::{Body, Common, ServiceError};
use apus_store::Store;
use apus_time::Timestamp;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::errors::{self, Failure};
use crate::function_name;
use crate::store::execution::{self, ExecutionKey, ExecutionRecord};

const PATH: &str = "/_apus/executions";
/// Executions in one answer, if no number is asked for.
const LIMIT_DEFAULT: usize = 20;
/// The most executions in one answer.
const LIMIT_MAX: usize = 100;
/// The most executions that are looked at for one answer.
const LOOKED_AT_MAX: usize = 2_000;
/// The most attempts of one request that are shown.
const ATTEMPTS_MAX: usize = 200;
const MIB: u64 = 1024 * 1024;

/// The front.
pub(crate) struct Executions {
    pub(crate) store: Store,
}

impl HttpFront for Executions {
    fn name(&self) -> &'static str {
        "executions"
    }

    fn claims(&self) -> Claims {
        Claims::Path(PATH)
    }

    fn signed_for(&self) -> Option<&'static str> {
        Some("lambda")
    }

    fn handle(&self, platform: Platform, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let store = self.store.clone();
        Box::pin(async move {
            match answer(&store, &platform, &request).await {
                Ok(found) => response(StatusCode::OK, &found),
                Err(error) => {
                    let status = StatusCode::from_u16(errors::status(&error));
                    let body = json!({ "code": error.name(), "message": error.message() });
                    response(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
                }
            }
        })
    }
}

async fn answer(store: &Store, platform: &Platform, request: &Request<Body>) -> Result<Value, ServiceError> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or_else(|| ServiceError::internal("an unverified request"))?.clone();
    let context = platform.context(caller, Origin::default(), None);
    if request.method() != Method::GET {
        return Err(ServiceError::named("MethodNotAllowed", 405, "use GET"));
    }
    match request.uri().path().strip_prefix(PATH).unwrap_or_default() {
        "" | "/" => list(store, &context, request.uri().query().unwrap_or_default()).await,
        path => show(store, &context, path.trim_start_matches('/')).await,
    }
}

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    function: Option<String>,
    limit: Option<usize>,
    before: Option<ExecutionKey>,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, ServiceError> {
        let mut asked = Self::default();
        for (name, value) in query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        {
            let invalid = || {
                let message = format!("`{value}` is no value for `{name}`");
                ServiceError::common(Common::Validation, message)
            };
            match name {
                "function" => asked.function = Some(value.replace("%3A", ":").replace("%24", "$")),
                "limit" => asked.limit = Some(value.parse().map_err(|_| invalid())?),
                "before" => asked.before = Some(read_token(value).ok_or_else(invalid)?),
                _ => {
                    let message = format!("`{name}` is none of function, limit and before");
                    return Err(ServiceError::common(Common::Validation, message));
                }
            }
        }
        Ok(asked)
    }
}

async fn list(store: &Store, context: &Context, query: &str) -> Result<Value, ServiceError> {
    let asked = Asked::parse(query)?;
    let caller = &context.caller;
    let named = asked.function.as_deref();
    let function = named.map(|text| function_name::parse(text, None, caller.account, &caller.region));
    let function = function.transpose().map_err(|error| errors::name_error(error, caller.region.as_str()))?;
    let resource = function.as_ref().map_or(Resource::All, |function| function.arn().into());
    context.platform().authorize(context, "apus:ListExecutions", [resource]).await?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let wanted = |execution: &ExecutionRecord| {
        is_of(caller, execution)
            && function.as_ref().is_none_or(|function| {
                function.id.name == execution.function
                    && function.id.account.as_str() == execution.account
                    && function.qualifier.as_ref().is_none_or(|own| execution.qualifier.as_ref() == Some(own))
            })
    };
    let read = store.read(|tx| async move {
        execution::newest(&tx, asked.before.as_ref(), limit, LOOKED_AT_MAX, wanted).await
    });
    let (found, next) = read.await.map_err(Failure::from)?;
    let executions: Vec<_> = found.iter().map(describe).collect();
    Ok(json!({ "executions": executions, "before": next.as_ref().map(token) }))
}

async fn show(store: &Store, context: &Context, request_id: &str) -> Result<Value, ServiceError> {
    context.platform().authorize(context, "apus:GetExecution", [Resource::All]).await?;
    let read = store.read(|tx| async move { execution::of_request(&tx, request_id, ATTEMPTS_MAX).await });
    let found = read.await.map_err(Failure::from)?;
    let attempts: Vec<_> = found.iter().filter(|execution| is_of(&context.caller, execution)).collect();
    let Some(first) = attempts.first() else {
        let message = format!("no execution of request {request_id} is kept; the newest are, for a week");
        return Err(ServiceError::named("ResourceNotFoundException", 404, message));
    };
    let event = first.event.as_deref().map(String::from_utf8_lossy);
    let described: Vec<_> = attempts.iter().map(|execution| describe(execution)).collect();
    Ok(json!({ "event": event, "attempts": described }))
}

fn is_of(caller: &Caller, execution: &ExecutionRecord) -> bool {
    execution.account == caller.account.as_str() && execution.region == caller.region.as_str()
}

fn describe(execution: &ExecutionRecord) -> Value {
    let e = execution;
    let ms = |micros: Option<u64>| micros.map(|micros| micros as f64 / 1000.0);
    json!({
        "requestId": e.request_id,
        "attempt": e.attempt,
        "function": e.function,
        "qualifier": e.qualifier,
        "version": e.version,
        "trigger": e.trigger,
        "invokedBy": e.by,
        "startedAt": Timestamp::from_micros(e.started_at_micros).to_iso8601_millis(),
        "status": e.status,
        "ended": e.ended,
        "cold": e.cold,
        "initMs": ms(e.init_micros),
        "durationMs": ms(e.duration_micros),
        "billedMs": e.billed_ms,
        "memoryMb": e.memory_mb,
        "memoryUsedMb": e.memory_max_bytes.map(|bytes| bytes.div_ceil(MIB)),
        "errorType": e.error_type,
        "errorMessage": e.error_message,
        "log": e.log,
        "eventBytes": e.event_bytes,
        "eventKept": e.event.is_some(),
        "undelivered": e.undelivered,
    })
}

/// A place in the list, for the next page.
fn token(key: &ExecutionKey) -> String {
    format!("{}.{}.{}", key.started_at_micros, key.attempt, key.request_id)
}

fn read_token(text: &str) -> Option<ExecutionKey> {
    let mut parts = text.splitn(3, '.');
    Some(ExecutionKey {
        started_at_micros: parts.next()?.parse().ok()?,
        attempt: parts.next()?.parse().ok()?,
        request_id: parts.next()?.to_owned(),
    })
}

fn response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(body.to_string() + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_list_are_read_back() {
        let key = ExecutionKey { started_at_micros: 7, request_id: "a.b-c".into(), attempt: 3 };
        assert_eq!(read_token(&token(&key)), Some(key));
        for text in ["", "1", "1.2", "x.1.y", "1.x.y", "1.-1.y"] {
            assert_eq!(read_token(text), None, "{text}");
        }
    }

    #[test]
    fn questions_are_read_strictly() {
        let asked = Asked::parse("function=f%3Alive&limit=7&before=1.2.r").expect("valid");
        assert_eq!((asked.function.as_deref(), asked.limit), (Some("f:live"), Some(7)));
        assert_eq!(Asked::parse("").expect("valid"), Asked::default());
        for query in ["limit=x", "limit=-1", "before=x", "other=1"] {
            assert!(Asked::parse(query).is_err(), "{query}");
        }
    }
}
