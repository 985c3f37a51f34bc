//! A response that reaches whoever invoked while the function still runs: pieces in order, at most so many that wait,
//! so that a reader who is slow slows the function down. Knows no HTTP.

use bytes::Bytes;
use tokio::sync::mpsc;

/// The most bytes of a streamed response: AWS's number.
pub const STREAM_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// The most pieces that wait for the reader.
const WAITING_MAX: usize = 8;

/// What comes of a streamed response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponsePart {
    /// The function has begun to answer.
    Begin {
        /// What it says that its response is.
        content_type: Option<String>,
    },
    /// The next bytes; never none.
    Bytes(Bytes),
}

/// For the runtime's side. Clones write the same response.
#[derive(Clone, Debug)]
pub struct ResponseWriter(mpsc::Sender<ResponsePart>);

/// For who invoked. Dropping it loses what is still to come, and nothing else: the function runs on.
#[derive(Debug)]
pub struct ResponseReader(mpsc::Receiver<ResponsePart>);

/// The two ends of one response.
pub fn response_stream() -> (ResponseWriter, ResponseReader) {
    let (writer, reader) = mpsc::channel(WAITING_MAX);
    (ResponseWriter(writer), ResponseReader(reader))
}

impl ResponseWriter {
    /// Hands on a part, and waits while too many are waiting. Nobody may be there any more.
    pub async fn write(&self, part: ResponsePart) {
        let _gone = self.0.send(part).await;
    }
}

impl ResponseReader {
    /// The next part; nothing when no more can come. A response that failed ends like any other.
    pub async fn next(&mut self) -> Option<ResponsePart> {
        self.0.recv().await
    }

    /// The next part that is here already.
    pub fn take_ready(&mut self) -> Option<ResponsePart> {
        self.0.try_recv().ok()
    }
}
