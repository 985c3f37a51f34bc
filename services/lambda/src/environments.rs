//! `GET /_apus/environments`: the execution environments that stand, the oldest first.
//!
//! Requests are signed as Lambda's are. Whoever asks needs `apus:ListEnvironments`, and sees his account's in his region.

use apus_compute::{Compute, Standing};
use apus_kernel::{Arn, BoxFuture, Caller, Claims, HttpFront, Origin, Platform, Resource};
use apus_schema::{Body, ServiceError};
use apus_time::Timestamp;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::errors;

const PATH: &str = "/_apus/environments";
/// Why a provisioned environment stands.
const AHEAD: &str = "it is provisioned: it was started ahead of invocations";
const MIB: u64 = 1024 * 1024;

/// The front.
pub(crate) struct Environments {
    pub(crate) compute: Compute,
}

impl HttpFront for Environments {
    fn name(&self) -> &'static str {
        "environments"
    }

    fn claims(&self) -> Claims {
        Claims::Path(PATH)
    }

    fn signed_for(&self) -> Option<&'static str> {
        Some("lambda")
    }

    fn handle(&self, platform: Platform, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let compute = self.compute.clone();
        Box::pin(async move {
            match answer(&compute, &platform, &request).await {
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

async fn answer(
    compute: &Compute,
    platform: &Platform,
    request: &Request<Body>,
) -> Result<Value, ServiceError> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.ok_or_else(|| ServiceError::internal("an unverified request"))?.clone();
    let context = platform.context(caller.clone(), Origin::default(), None);
    if request.method() != Method::GET || request.uri().path() != PATH {
        return Err(ServiceError::named("MethodNotAllowed", 405, "use GET, on the path without more"));
    }
    platform.authorize(&context, "apus:ListEnvironments", [Resource::All]).await?;
    let now = platform.env().now();
    let described = compute.environments().into_iter().filter_map(|one| describe(&one, &caller, now));
    Ok(json!({ "environments": described.collect::<Vec<_>>() }))
}

/// An environment of the caller's account and region.
fn describe(standing: &Standing, caller: &Caller, now: Timestamp) -> Option<Value> {
    let arn: Arn = standing.key.arn.parse().ok()?;
    if arn.account != caller.account.as_str() || arn.region != caller.region.as_str() {
        return None;
    }
    let mut name = arn.resource.split(':').skip(1);
    let started = standing.started.as_ref();
    Some(json!({
        "id": standing.id,
        "function": name.next(),
        "version": name.next(),
        "state": standing.condition.to_string(),
        "startedAt": started.map(|started| started.since.to_iso8601_millis()),
        "ageSeconds": started.map(|started| now.since(started.since).as_secs_f64()),
        "reason": started.map(|started| {
            started.reason.map_or_else(|| AHEAD.to_owned(), |reason| reason.to_string())
        }),
        "initMs": started.map(|started| started.init_duration.as_secs_f64() * 1000.0),
        "invocations": started.map(|started| started.invocations),
        "memoryMb": started.map(|started| started.memory_mb),
        "memoryUsedMb": started.and_then(|started| started.memory_peak_bytes).map(|bytes| bytes.div_ceil(MIB)),
    }))
}

fn response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(body.to_string() + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
