//! What happens to a request, in order: [`Gateway::answer`] is the list.

use std::net::SocketAddr;
use std::sync::Arc;

use apus_kernel::{HttpFront, Origin};
use apus_schema::{Body, Common, Fault, Fields, Protocol, ServiceError, ServiceSchema, violations};
use apus_wire::{
    ErrorContext, Hint, Payload, RequestHead, Route, decode, encode, encode_error, violation_error,
};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use std::borrow::Cow;
use tracing::error;

use crate::hosts::{addressed, host};
use crate::identity::{Claimed, Identity, signed};
use crate::payload::{Received, collect, flow_again, hold_undeclared, keep};
use crate::{Gateway, Listener};

/// The most bytes of a request that is signed for a front.
const FRONT_BODY_BYTES_MAX: usize = 64 << 10;

impl Gateway {
    /// Answers a request that arrived at a listener.
    pub async fn handle(
        &self,
        listener: &Listener,
        peer: Option<SocketAddr>,
        request: Request<Body>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let host = host(&parts);
        let (name, path) = (host.unwrap_or_default(), parts.uri.path());
        let fronts = self.platform.fronts().iter().filter(|front| front.claims().matches(name, path));
        if let Some(front) = fronts.max_by_key(|front| front.claims().closeness()) {
            return self.in_front(front.as_ref(), listener, parts, body).await;
        }
        let request_id = self.platform.env().uuid_v4().into();
        let answer = self.answer(listener, peer, &parts, host, body, &request_id).await;
        into_http(answer.unwrap_or_else(|refusal| refusal.encode(&parts, &request_id)))
    }

    /// Answers a request that is a front's own.
    async fn in_front(
        &self,
        front: &dyn HttpFront,
        listener: &Listener,
        mut parts: Parts,
        body: Body,
    ) -> Response<Body> {
        let Some(service) = front.signed_for() else {
            return front.handle(self.platform.clone(), Request::from_parts(parts, body)).await;
        };
        let now = self.platform.env().now();
        let verified = async {
            let body = collect(&body, FRONT_BODY_BYTES_MAX).await?;
            let caller = signed(listener, &self.signing_keys, service, &parts, &body, now).await?;
            Ok::<_, ServiceError>((caller, body))
        };
        match verified.await {
            Ok((caller, body)) => {
                parts.extensions.insert(caller);
                front.handle(self.platform.clone(), Request::from_parts(parts, Body::full(body))).await
            }
            Err(error) => {
                let request_id = self.platform.env().uuid_v4();
                into_http(Refusal::unrouted(Protocol::RestJson, error).encode(&parts, &request_id))
            }
        }
    }

    /// Recognise, receive, verify, decode, check, call, encode.
    async fn answer(
        &self,
        listener: &Listener,
        peer: Option<SocketAddr>,
        parts: &Parts,
        host: Option<&str>,
        body: Body,
        request_id: &Arc<str>,
    ) -> Result<apus_wire::Response, Refusal> {
        let claimed = Claimed::read(parts);
        let mut received = Received::new(body);
        if is_form(parts) {
            received.read_form().await.map_err(|error| Refusal::unrouted(Protocol::Query, error))?;
        }
        let addressed = addressed(parts.uri.path(), host, claimed.service(), &listener.base_url);
        let head = RequestHead {
            method: &parts.method,
            path: &addressed.path,
            query: parts.uri.query(),
            headers: &without_framing(&parts.headers),
        };
        let hint = Hint { signing_name: claimed.service(), host: addressed.host };
        let route = self.router.find(&head, &hint, received.form()).map_err(|refused| Refusal {
            service: refused.service(),
            protocol: refused.protocol(),
            error: refused.to_error(),
        })?;
        self.call(listener, peer, parts, &head, &route, claimed, received, request_id)
            .await
            .map_err(|error| Refusal { service: Some(route.service), protocol: route.protocol, error })
    }

    /// The rest of the list, from where errors are those of an operation.
    #[expect(clippy::too_many_arguments, reason = "the facts of one request, each of another kind")]
    async fn call(
        &self,
        listener: &Listener,
        peer: Option<SocketAddr>,
        parts: &Parts,
        head: &RequestHead<'_>,
        route: &Route,
        claimed: Claimed,
        received: Received,
        request_id: &Arc<str>,
    ) -> Result<apus_wire::Response, ServiceError> {
        let payload = hold_undeclared(received.read(route.operation).await?, route, parts).await?;
        let now = self.platform.env().now();
        let proof = claimed.verify(listener, &self.signing_keys, route, parts, &payload, now);
        let Identity { caller, promise } = proof.await?;
        let payload = keep(payload, promise)
            .map_err(|error| ServiceError::common(Common::Malformed, "").because(error))?;
        let fields = decode(route, head, flow_again(payload, route.operation))?;
        check(route, &fields)?;
        let origin = origin(listener, peer, parts);
        let context = self.platform.context(caller, origin, Some(Arc::clone(request_id)));
        let output = self.platform.dispatch(route.operation, context, fields).await?;
        encode(route.operation, route.protocol, &output, request_id)
    }
}

/// The headers without the mark of a framing that the codec does not see: `aws-chunked` is no encoding of the
/// data (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>).
fn without_framing(headers: &HeaderMap) -> Cow<'_, HeaderMap> {
    let Some(encodings) = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return Cow::Borrowed(headers);
    };
    let kept: Vec<&str> = encodings.split(',').map(str::trim).filter(|one| *one != "aws-chunked").collect();
    let mut headers = headers.clone();
    match HeaderValue::from_str(&kept.join(",")) {
        Ok(kept) if !kept.is_empty() => headers.insert(CONTENT_ENCODING, kept),
        _ => headers.remove(CONTENT_ENCODING),
    };
    Cow::Owned(headers)
}

/// The model's constraints.
fn check(route: &Route, fields: &Fields) -> Result<(), ServiceError> {
    let found = violations(route.operation.input, fields);
    if found.is_empty() { Ok(()) } else { Err(violation_error(route.service, &found)) }
}

/// A form may name the operation of a query service in its body.
fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    parts.method == Method::POST
        && content_type.is_some_and(|found| found.starts_with("application/x-www-form-urlencoded"))
}

/// What SDKs send the trace in that their program works for.
static TRACE_HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// The longest trace header that is believed; AWS's own are below 256 bytes, and lineages may make them longer.
const TRACE_BYTES_MAX: usize = 1_024;

fn origin(listener: &Listener, peer: Option<SocketAddr>, parts: &Parts) -> Origin {
    let trace = parts.headers.get(&TRACE_HEADER).and_then(|value| value.to_str().ok());
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        source_ip: peer.map(|peer| peer.ip()),
        base_url: Arc::clone(&listener.base_url),
        secure: listener.is_secure(),
        user_agent: user_agent.map(str::to_owned),
        trace: trace.filter(|trace| trace.len() <= TRACE_BYTES_MAX).map(str::to_owned),
        source: None,
    }
}

/// An error, and in whose words it is to be answered.
struct Refusal {
    service: Option<&'static ServiceSchema>,
    protocol: Protocol,
    error: ServiceError,
}

impl Refusal {
    fn unrouted(protocol: Protocol, error: ServiceError) -> Self {
        Self { service: None, protocol, error }
    }

    fn encode(&self, parts: &Parts, request_id: &str) -> apus_wire::Response {
        // The door logs what passes it; what fails before or behind it is logged here.
        if self.error.fault() == Fault::Receiver && !self.error.is_common(Common::NotSupported) {
            error!(request_id, path = parts.uri.path(), error = %self.error, "failed");
        }
        let context = ErrorContext { request_id, head: parts.method == Method::HEAD };
        encode_error(self.service, self.protocol, &self.error, context)
    }
}

fn into_http(answer: apus_wire::Response) -> Response<Body> {
    let body = match answer.body {
        Payload::Bytes(bytes) => Body::full(bytes),
        Payload::Stream(body) => body,
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
