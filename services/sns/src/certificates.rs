//! `GET /SimpleNotificationService-….pem`: the certificate that notifications are verified with.

use std::sync::Arc;

use apus_kernel::{BoxFuture, Claims, HttpFront, Platform};
use apus_schema::Body;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tracing::error;

use crate::signing::{CERTIFICATE_PATH, Signer};

/// The front of the signer's certificate. Anybody may read it.
pub(crate) struct Certificates(pub(crate) Arc<Signer>);

impl HttpFront for Certificates {
    fn name(&self) -> &'static str {
        "signing certificates"
    }

    fn claims(&self) -> Claims {
        Claims::PathPrefix(CERTIFICATE_PATH)
    }

    fn handle(&self, _platform: Platform, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let signer = Arc::clone(&self.0);
        Box::pin(async move {
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                return plain(StatusCode::METHOD_NOT_ALLOWED, "use GET\n".into());
            }
            match signer.certificate().await {
                Ok(certificate) if certificate.path == request.uri().path() => {
                    let mut response = plain(StatusCode::OK, certificate.pem);
                    let kind = HeaderValue::from_static("application/x-pem-file");
                    response.headers_mut().insert(header::CONTENT_TYPE, kind);
                    response
                }
                Ok(_) => plain(StatusCode::NOT_FOUND, "this instance has no such certificate\n".into()),
                Err(failure) => {
                    error!(%failure, "the signing certificate could not be read");
                    plain(StatusCode::INTERNAL_SERVER_ERROR, "the certificate could not be read\n".into())
                }
            }
        })
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    response
}
