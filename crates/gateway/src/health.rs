//! `GET /_apus/health`: whether the platform answers, its version and the services it has.

use apus_kernel::{BoxFuture, Claims, HttpFront, Platform};
use apus_schema::Body;
use http::{Method, Request, Response, StatusCode, header};

/// The front of everything under `/_apus`.
pub struct Health {
    /// The version of the binary.
    pub version: &'static str,
}

impl HttpFront for Health {
    fn name(&self) -> &'static str {
        "health"
    }

    fn claims(&self) -> Claims {
        Claims::Path("/_apus")
    }

    fn handle(&self, platform: Platform, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let answer = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/_apus/health") => {
                let services: Vec<_> =
                    platform.services().map(|service| format!("\"{}\"", service.name)).collect();
                let version = self.version;
                json(
                    StatusCode::OK,
                    format!(r#"{{"status":"ok","version":"{version}","services":[{}]}}"#, services.join(",")),
                )
            }
            (_, "/_apus/health") => {
                json(StatusCode::METHOD_NOT_ALLOWED, r#"{"message":"use GET"}"#.to_owned())
            }
            _ => json(
                StatusCode::NOT_FOUND,
                r#"{"message":"nothing is at this path; /_apus/health tells the platform's health"}"#
                    .to_owned(),
            ),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text + "\n"));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
