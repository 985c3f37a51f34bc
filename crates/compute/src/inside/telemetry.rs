//! The Telemetry API, and the Logs API before it, as HTTP.

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::Inside;
use super::extensions::{forbidden, identifier};
use super::reply::{self, Reply, problem, refused, wrong_method};
use crate::platform_event::{PlatformRecord, Subscription};
use crate::telemetry::subscription::{self, Api};

/// The largest subscription that is read.
const BODY_BYTES_MAX: usize = 16 * 1024;

pub(super) async fn route(inside: &Inside, api: Api, request: Request<Incoming>) -> Reply {
    if request.method() != Method::PUT {
        return wrong_method();
    }
    let id = match identifier(request.headers()) {
        Ok(id) => id,
        Err(reply) => return *reply,
    };
    let asked = match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
        Ok(body) => subscription::read(api, &body.to_bytes()),
        Err(error) => Err(error.to_string()),
    };
    let name = match inside.exchange.extension(&id) {
        Ok(name) => name,
        Err(misuse) => return refused(misuse),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(why) => return problem(StatusCode::BAD_REQUEST, "ValidationError", &why),
    };
    let types = asked.streams.iter().map(|stream| stream.name()).collect();
    let told = Subscription { name, types };
    if !inside.telemetry.subscribe(&told.name, api, asked) {
        return match api {
            Api::Telemetry => {
                forbidden("Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already")
            }
            Api::Logs => forbidden("Logs.SubscriptionClosed", "Logs API subscription is closed already"),
        };
    }
    inside.log.platform(match api {
        Api::Telemetry => PlatformRecord::TelemetrySubscription(told),
        Api::Logs => PlatformRecord::LogsSubscription(told),
    });
    reply::json(StatusCode::OK, &"OK".into())
}
