//! A streaming body: bytes that flow, of any source, read once. Runtime-neutral.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;

/// The stream inside a [`Body`].
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The peer went away or sent less than it announced.
    Incomplete(String),
    /// More bytes than the reader allows.
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
    },
    /// A chunk's signature, a trailer's signature or a checksum does not fit the bytes.
    Untrusted(String),
    /// The chunked framing is broken.
    Malformed(String),
    /// The source failed; the text is for the log.
    Source(String),
    /// Somebody has read it already.
    Taken,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(what) => write!(f, "the body ended early: {what}"),
            Self::TooLarge { limit } => write!(f, "the body is larger than {limit} bytes"),
            Self::Untrusted(what) => write!(f, "the body does not fit its signature: {what}"),
            Self::Malformed(what) => write!(f, "the body's framing is broken: {what}"),
            Self::Source(what) => write!(f, "the body's source failed: {what}"),
            Self::Taken => write!(f, "the body was read already"),
        }
    }
}

impl std::error::Error for BodyError {}

/// What comes after the bytes, filled in by the stream at its end: `aws-chunked` sends checksums there.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<Mutex<Vec<(String, String)>>>);

impl Trailers {
    /// Sets what came, as names in lower case with their values.
    pub fn set(&self, trailers: Vec<(String, String)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trailers;
    }

    /// The value of that name (in lower case), once the stream has ended.
    pub fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }
}

/// A streaming body. Clones share the one stream, which the first reader takes.
#[derive(Clone, Default)]
pub struct Body {
    length: Option<u64>,
    content: Arc<Mutex<Option<Content>>>,
    /// Of a body that may have some.
    trailers: Option<Trailers>,
}

/// What a [`Body`] holds until somebody reads it.
pub enum Content {
    /// All of the bytes.
    Whole(Bytes),
    /// Bytes that flow.
    Flowing(ByteStream),
}

impl Body {
    fn new(content: Content, length: Option<u64>, trailers: Option<Trailers>) -> Self {
        Self { length, content: Arc::new(Mutex::new(Some(content))), trailers }
    }

    /// A body that flows; `length` in bytes where known in advance.
    pub fn streaming(stream: ByteStream, length: Option<u64>) -> Self {
        Self::new(Content::Flowing(stream), length, None)
    }

    /// A body that flows, whose stream sets the trailers before it ends.
    pub fn with_trailers(stream: ByteStream, length: Option<u64>, trailers: Trailers) -> Self {
        Self::new(Content::Flowing(stream), length, Some(trailers))
    }

    /// A body held whole.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        Self::new(Content::Whole(bytes), Some(length), None)
    }

    /// No bytes.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// The length in bytes, where known in advance.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The value of that name (in lower case) among what came after the bytes; nothing until the stream has ended.
    pub fn trailer(&self, name: &str) -> Option<String> {
        self.trailers.as_ref()?.get(name)
    }

    /// What it holds; an error for every reader but the first.
    pub fn open(&self) -> Result<Content, BodyError> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or(BodyError::Taken)
    }

    /// The stream; an error for every reader but the first.
    pub fn take(&self) -> Result<ByteStream, BodyError> {
        Ok(match self.open()? {
            Content::Whole(bytes) => Box::pin(Once(Some(bytes))),
            Content::Flowing(stream) => stream,
        })
    }

    /// Reads all of it, up to `limit` bytes.
    pub async fn collect(&self, limit: usize) -> Result<Bytes, BodyError> {
        if self.length.is_some_and(|length| length > limit as u64) {
            return Err(BodyError::TooLarge { limit });
        }
        let mut stream = match self.open()? {
            Content::Whole(bytes) => return Ok(bytes),
            Content::Flowing(stream) => stream,
        };
        let mut whole = BytesMut::new();
        while let Some(piece) = next(&mut stream).await {
            let piece = piece?;
            if whole.len() + piece.len() > limit {
                return Err(BodyError::TooLarge { limit });
            }
            if whole.is_empty() && self.length == Some(piece.len() as u64) {
                return Ok(piece);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// The next piece of a stream.
async fn next(stream: &mut ByteStream) -> Option<Result<Bytes, BodyError>> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// Bodies are equal if they are the same stream: what flows cannot be compared.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.content, &other.content)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => write!(f, "Body(streaming)"),
        }
    }
}

struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().filter(|bytes| !bytes.is_empty()).map(Ok))
    }
}
