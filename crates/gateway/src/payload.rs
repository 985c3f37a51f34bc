//! A request's body on its way to the codec: held whole or flowing, and held to what its signature says of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use apus_schema::{Body, BodyError, ByteStream, Common, OperationSchema, ServiceError, Trailers};
use apus_wire::sigv4::{ChunkDecoder, ChunkError, PayloadCheck};
use apus_wire::{BodyMode, Form, Payload, Route, body_mode};
use bytes::Bytes;
use futures_core::Stream;
use http::request::Parts;

use crate::hosts::HOST_STYLE_SERVICE;

/// The most bytes of a form, which is read before its operation is known. SQS's batches are the largest.
const FORM_BYTES_MAX: usize = 8 << 20;

/// The most bytes of a body that flows to its operation and has to be held for its signature. Lambda's events are the
/// largest.
const HELD_BYTES_MAX: usize = 8 << 20;
/// The header that declares a body's hash.
const BODY_HASH: &str = "x-amz-content-sha256";

/// A request's body before its operation is known.
pub(crate) struct Received {
    body: Body,
    form: Option<(Bytes, Form)>,
}

impl Received {
    pub(crate) fn new(body: Body) -> Self {
        Self { body, form: None }
    }

    /// Reads the body as a form.
    pub(crate) async fn read_form(&mut self) -> Result<(), ServiceError> {
        let bytes = collect(&self.body, FORM_BYTES_MAX).await?;
        let form = Form::parse_body(&bytes)
            .map_err(|error| ServiceError::common(Common::Malformed, error.to_string()))?;
        self.form = Some((bytes, form));
        Ok(())
    }

    pub(crate) fn form(&self) -> Option<&Form> {
        self.form.as_ref().map(|(_bytes, form)| form)
    }

    /// The body as the operation takes it; what flows is not read yet.
    pub(crate) async fn read(self, operation: &OperationSchema) -> Result<Payload, ServiceError> {
        if let Some((bytes, _form)) = self.form {
            return Ok(Payload::Bytes(bytes));
        }
        match body_mode(operation) {
            BodyMode::Buffered { limit } => Ok(Payload::Bytes(collect(&self.body, limit).await?)),
            BodyMode::Streaming => Ok(Payload::Stream(self.body)),
        }
    }
}

/// Holds a body that would flow, but whose signature can only be checked against the whole of it: of S3's operations
/// clients declare the hash of the body in advance, of others they do not.
pub(crate) async fn hold_undeclared(
    payload: Payload,
    route: &Route,
    parts: &Parts,
) -> Result<Payload, ServiceError> {
    match payload {
        Payload::Stream(body)
            if route.service.signing_name != HOST_STYLE_SERVICE && !parts.headers.contains_key(BODY_HASH) =>
        {
            Ok(Payload::Bytes(collect(&body, HELD_BYTES_MAX).await?))
        }
        other => Ok(other),
    }
}

/// The payload as the operation takes it, after its signature was checked.
pub(crate) fn flow_again(payload: Payload, operation: &OperationSchema) -> Payload {
    match (payload, body_mode(operation)) {
        (Payload::Bytes(bytes), BodyMode::Streaming) => Payload::Stream(Body::full(bytes)),
        (other, _) => other,
    }
}

pub(crate) async fn collect(body: &Body, limit: usize) -> Result<Bytes, ServiceError> {
    body.collect(limit).await.map_err(|error| match error {
        BodyError::TooLarge { limit } => ServiceError::common(
            Common::RequestTooLarge,
            format!("Request size exceeded the limit of {limit} bytes."),
        ),
        other => {
            ServiceError::common(Common::Malformed, "The request's body could not be read.").because(other)
        }
    })
}

/// What a body must keep.
pub(crate) enum Promise {
    /// Nothing: it is not signed, or was checked.
    None,
    /// Its hash.
    Hash(Box<PayloadCheck>),
    /// Its chunks' signatures and its trailer; `length` is of the data in it.
    Chunks { decoder: Box<ChunkDecoder>, length: Option<u64> },
}

/// The body without its framing. One that flows fails at the place where it breaks its promise, at the latest
/// at its end; whoever reads it must not act before that.
pub(crate) fn keep(payload: Payload, promise: Promise) -> Result<Payload, BodyError> {
    match (payload, promise) {
        (payload, Promise::None) => Ok(payload),
        (Payload::Bytes(bytes), Promise::Hash(mut check)) => {
            check.push(&bytes);
            check.finish().map_err(|error| BodyError::Untrusted(error.to_string()))?;
            Ok(Payload::Bytes(bytes))
        }
        (Payload::Bytes(bytes), Promise::Chunks { mut decoder, .. }) => {
            let pieces = decoder.push(bytes).map_err(broken)?;
            decoder.finish().map_err(broken)?;
            Ok(Payload::Bytes(pieces.concat().into()))
        }
        (Payload::Stream(body), promise) => {
            let (guard, length) = match promise {
                Promise::Chunks { decoder, length } => (Guard::Chunks(decoder), length),
                Promise::Hash(check) => (Guard::Hash(check), body.length()),
                Promise::None => return Ok(Payload::Stream(body)),
            };
            let trailers = Trailers::default();
            let guarded = Guarded {
                stream: body.take()?,
                guard: Some(guard),
                ready: VecDeque::new(),
                trailers: trailers.clone(),
            };
            Ok(Payload::Stream(Body::with_trailers(Box::pin(guarded), length, trailers)))
        }
    }
}

/// What a broken frame means to whoever reads the body.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn broken(error: ChunkError) -> BodyError {
    let text = error.to_string();
    match error {
        ChunkError::WrongSignature { .. } | ChunkError::WrongTrailerSignature => BodyError::Untrusted(text),
        ChunkError::WrongLength { .. } | ChunkError::Truncated => BodyError::Incomplete(text),
        ChunkError::MalformedChunk { .. }
        | ChunkError::TooSmall { .. }
        | ChunkError::MalformedTrailer { .. }
        | ChunkError::WrongTrailers { .. }
        | ChunkError::AfterEnd => BodyError::Malformed(text),
    }
}

enum Guard {
    Hash(Box<PayloadCheck>),
    Chunks(Box<ChunkDecoder>),
}

/// A stream that checks what flows past.
struct Guarded {
    stream: ByteStream,
    /// Gone once the stream has ended or failed.
    guard: Option<Guard>,
    ready: VecDeque<Bytes>,
    trailers: Trailers,
}

impl Guarded {
    fn push(&mut self, piece: Bytes) -> Result<(), BodyError> {
        match &mut self.guard {
            Some(Guard::Hash(check)) => {
                check.push(&piece);
                self.ready.push_back(piece);
            }
            Some(Guard::Chunks(decoder)) => {
                let data = decoder.push(piece).map_err(broken)?;
                self.ready.extend(data.into_iter().filter(|data| !data.is_empty()));
            }
            None => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BodyError> {
        match self.guard.take() {
            Some(Guard::Hash(check)) => {
                check.finish().map_err(|error| BodyError::Untrusted(error.to_string()))
            }
            Some(Guard::Chunks(decoder)) => {
                let trailers = decoder.finish().map_err(broken)?;
                self.trailers.set(trailers);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Stream for Guarded {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(piece)));
            }
            if self.guard.is_none() {
                return Poll::Ready(None);
            }
            let step = match self.stream.as_mut().poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(piece))) => self.push(piece),
                Poll::Ready(Some(Err(error))) => Err(error),
                Poll::Ready(None) => self.finish(),
            };
            if let Err(error) = step {
                self.guard = None;
                self.ready.clear();
                return Poll::Ready(Some(Err(error)));
            }
        }
    }
}
