//! hyper's bodies to the platform's, and back.

use std::pin::Pin;
use std::task::{Context, Poll};

use apus_schema::{Body, BodyError, ByteStream};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

/// A request's body as it arrives.
pub(crate) fn from_http(incoming: Incoming) -> Body {
    let length = incoming.size_hint().exact();
    Body::streaming(Box::pin(Arriving(incoming)), length)
}

struct Arriving(Incoming);

impl Stream for Arriving {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return match Pin::new(&mut self.0).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    // HTTP trailers: AWS's trailing checksums travel inside aws-chunked, not here.
                    Err(_trailers) => continue,
                },
                Poll::Ready(Some(Err(error))) => {
                    Poll::Ready(Some(Err(BodyError::Incomplete(error.to_string()))))
                }
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            };
        }
    }
}

/// A response's body as it leaves.
pub(crate) struct Leaving {
    stream: Option<ByteStream>,
    length: Option<u64>,
}

impl From<Body> for Leaving {
    fn from(body: Body) -> Self {
        Self { length: body.length(), stream: body.take().ok() }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
        stream.as_mut().poll_next(context).map(|piece| Some(piece?.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_none() || self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
