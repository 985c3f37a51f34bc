//! hyper's bodies to the platform's, and back.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use apus_schema::{Body, BodyError, Content};
use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

/// The most bytes that are read of a body which nobody wants, to keep the connection for the next request.
const UNWANTED_BYTES_MAX: usize = 256 << 10;

/// A request's body as it arrives, and the means to leave its connection in order.
pub(crate) fn from_http(incoming: Incoming) -> (Body, Remainder) {
    let length = incoming.size_hint().exact();
    let ended = Arc::new(AtomicBool::new(incoming.is_end_stream()));
    let body = Body::streaming(Box::pin(Arriving { incoming, ended: Arc::clone(&ended) }), length);
    (body.clone(), Remainder { body, ended })
}

/// What may be left of a request's body once its answer is ready.
pub(crate) struct Remainder {
    body: Body,
    ended: Arc<AtomicBool>,
}

impl Remainder {
    /// Reads what is left, if it is little. Whether the connection can take another request.
    ///
    /// A client that waits for `100 Continue` has sent nothing, and asking now would make it.
    pub(crate) async fn read_out(self, expects_continue: bool) -> bool {
        if !self.ended.load(Ordering::Acquire) && !expects_continue {
            // One that was begun and dropped, or is larger, is not worth the time.
            let _unwanted = self.body.collect(UNWANTED_BYTES_MAX).await;
        }
        self.ended.load(Ordering::Acquire)
    }
}

struct Arriving {
    incoming: Incoming,
    ended: Arc<AtomicBool>,
}

impl Stream for Arriving {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            };
            if frame.is_none() || self.incoming.is_end_stream() {
                self.ended.store(true, Ordering::Release);
            }
            return Poll::Ready(match frame {
                None => None,
                Some(Err(error)) => Some(Err(BodyError::Incomplete(error.to_string()))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    // HTTP trailers: AWS's trailing checksums travel inside aws-chunked, not here.
                    Err(_trailers) => continue,
                },
            });
        }
    }
}

/// A response's body as it leaves.
pub(crate) struct Leaving {
    /// What is left of it.
    content: Option<Content>,
    length: Option<u64>,
}

impl From<Body> for Leaving {
    fn from(body: Body) -> Self {
        Self { length: body.length(), content: body.open().ok() }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.content.take() {
            None => Poll::Ready(None),
            Some(Content::Whole(bytes)) => Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))),
            Some(Content::Flowing(mut stream)) => {
                let polled = stream.as_mut().poll_next(context);
                self.content = Some(Content::Flowing(stream));
                polled.map(|piece| Some(piece?.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none() || self.length == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
