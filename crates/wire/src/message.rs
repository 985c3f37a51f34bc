//! The HTTP message without its transport: what a codec is given and what it hands back.

use apus_schema::Body;
use bytes::Bytes;
use http::header::{AsHeaderName, CONTENT_TYPE, IntoHeaderName};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// The header that names the request in answers.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The head of a request, as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, still percent-encoded; path style where S3 is addressed by host.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl<'a> RequestHead<'a> {
    /// A header's text; nothing if it is absent or not visible ASCII.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A body: held whole, or flowing.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Held whole.
    Bytes(Bytes),
    /// Flowing.
    Stream(Body),
}

impl Payload {
    /// No bytes.
    pub const fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// The bytes, if it is held whole.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Stream(_) => None,
        }
    }
}

/// An answer, ready for any transport.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers; `content-length` and `date` are the transport's business.
    pub headers: HeaderMap,
    /// The body.
    pub body: Payload,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers: HeaderMap::new(), body: Payload::empty() }
    }

    /// Sets a header that the codec itself names. A text that no header may hold is left out:
    /// it comes from ids and codes, which are visible ASCII.
    pub(crate) fn set(&mut self, name: impl IntoHeaderName, text: &str) {
        if let Ok(value) = HeaderValue::from_str(text) {
            self.headers.insert(name, value);
        }
    }

    /// Sets the content type to one of the protocols' own.
    pub(crate) fn set_content_type(&mut self, content_type: &'static str) {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
}
