//! `application/vnd.amazon.eventstream`: messages with headers and a payload, each framed with its length and two
//! checksums, so that a response can tell events as they happen.
//!
//! ```text
//! total length u32 | length of headers u32 | CRC-32 of these 8 bytes | headers | payload | CRC-32 of all before
//! header: length of name u8 | name | type u8 (7: text) | length of text u16 | text
//! ```

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use apus_schema::{Body, BodyError, ByteStream, Structure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_core::Stream;

use crate::json;

/// The content type of a response that is such a stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The longest message that is read or written.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of headers in one message.
const HEADER_BYTES_MAX: usize = 128 * 1024;
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
/// The type of a header whose value is a text.
const TEXT: u8 = 7;
/// Lengths of the values of types 0 to 9, after the type; texts and bytes bring their own.
const VALUE_BYTES: [Option<usize>; 10] =
    [Some(0), Some(0), Some(1), Some(2), Some(4), Some(8), None, None, Some(8), Some(16)];
const JSON: &str = "application/json";

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Names and texts, in their order. Headers that are no text are passed over when a message is read.
    pub headers: Vec<(String, String)>,
    /// What it says.
    pub payload: Bytes,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The first checksum does not fit the lengths.
    Prelude,
    /// The second checksum does not fit the message.
    Checksum,
    /// A length is beyond its bound, or lengths contradict each other.
    Length,
    /// A header cannot be read.
    Header,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prelude => "the checksum of the lengths does not fit",
            Self::Checksum => "the checksum of the message does not fit",
            Self::Length => "the lengths of the message make no sense",
            Self::Header => "a header cannot be read",
        })
    }
}

impl std::error::Error for FrameError {}

impl Message {
    /// An event of that name, whose payload is JSON.
    pub fn event<T: Structure>(name: &str, value: T) -> Self {
        let mut payload = String::new();
        json::write_structure(&mut payload, T::SCHEMA, &value.into_fields(), json::Body::Whole, None);
        Self::json("event", ":event-type", name, payload)
    }

    /// An error that ends the stream: its name as the model has it, and a message for the caller.
    pub fn exception(name: &str, message: &str) -> Self {
        let mut payload = "{\"message\":".to_owned();
        json::write_string(&mut payload, message);
        payload.push('}');
        Self::json("exception", ":exception-type", name, payload)
    }

    fn json(kind: &str, header: &str, name: &str, payload: String) -> Self {
        let headers = [(":message-type", kind), (header, name), (":content-type", JSON)];
        Self {
            headers: headers.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            payload: payload.into(),
        }
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, text)| text.as_str())
    }

    /// The message as bytes. Names and texts that are longer than a header can say, and messages beyond
    /// [`MESSAGE_BYTES_MAX`], are a defect of the caller.
    pub fn encode(&self) -> Bytes {
        let mut headers = BytesMut::new();
        for (name, text) in &self.headers {
            let lengths = (u8::try_from(name.len()), u16::try_from(text.len()));
            let (Ok(name_length), Ok(text_length)) = lengths else {
                panic!("the header {name} is too long for a message")
            };
            headers.put_u8(name_length);
            headers.put_slice(name.as_bytes());
            headers.put_u8(TEXT);
            headers.put_u16(text_length);
            headers.put_slice(text.as_bytes());
        }
        let total = PRELUDE_BYTES + headers.len() + self.payload.len() + CHECKSUM_BYTES;
        assert!(total <= MESSAGE_BYTES_MAX && headers.len() <= HEADER_BYTES_MAX, "a message is too long");
        let mut bytes = BytesMut::with_capacity(total);
        bytes.put_u32(total as u32);
        bytes.put_u32(headers.len() as u32);
        bytes.put_u32(crc32fast::hash(&bytes));
        bytes.put_slice(&headers);
        bytes.put_slice(&self.payload);
        bytes.put_u32(crc32fast::hash(&bytes));
        bytes.freeze()
    }

    /// The message at the beginning of `bytes`, which are moved behind it; nothing while it is not there whole.
    pub fn decode(bytes: &mut Bytes) -> Result<Option<Self>, FrameError> {
        if bytes.len() < PRELUDE_BYTES {
            return Ok(None);
        }
        let mut prelude = bytes.slice(..PRELUDE_BYTES);
        let (total, headers) = (prelude.get_u32() as usize, prelude.get_u32() as usize);
        if prelude.get_u32() != crc32fast::hash(&bytes[..PRELUDE_BYTES - CHECKSUM_BYTES]) {
            return Err(FrameError::Prelude);
        }
        let least = PRELUDE_BYTES + headers + CHECKSUM_BYTES;
        if total > MESSAGE_BYTES_MAX || headers > HEADER_BYTES_MAX || total < least {
            return Err(FrameError::Length);
        }
        if bytes.len() < total {
            return Ok(None);
        }
        let message = bytes.split_to(total);
        let end = total - CHECKSUM_BYTES;
        if (&message[end..]).get_u32() != crc32fast::hash(&message[..end]) {
            return Err(FrameError::Checksum);
        }
        let payload_at = PRELUDE_BYTES + headers;
        let headers = read_headers(&message[PRELUDE_BYTES..payload_at]).ok_or(FrameError::Header)?;
        Ok(Some(Self { headers, payload: message.slice(payload_at..end) }))
    }
}

fn read_headers(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(take(&mut bytes, 1)?[0]);
        let name = String::from_utf8(take(&mut bytes, length)?.to_vec()).ok()?;
        let kind = take(&mut bytes, 1)?[0];
        let length = match VALUE_BYTES.get(usize::from(kind))? {
            Some(length) => *length,
            None => usize::from(take(&mut bytes, 2)?.get_u16()),
        };
        let value = take(&mut bytes, length)?;
        if kind == TEXT {
            headers.push((name, String::from_utf8(value.to_vec()).ok()?));
        }
    }
    Some(headers)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// A stream of events behind the message with which protocols that know no headers begin: the members of the output
/// that are no events, as JSON.
pub(crate) fn with_initial_response(members: String, events: &Body) -> Body {
    let initial = Message::json("event", ":event-type", "initial-response", members).encode();
    let rest = events.take().map_err(Some);
    Body::streaming(Box::pin(Chained { first: Some(initial), rest }), None)
}

struct Chained {
    first: Option<Bytes>,
    /// The error is told once.
    rest: Result<ByteStream, Option<BodyError>>,
}

impl Stream for Chained {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        match &mut self.rest {
            Ok(stream) => stream.as_mut().poll_next(context),
            Err(error) => Poll::Ready(error.take().map(Err)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Told by botocore: `EventStreamBuffer` reads these bytes as this event.
    #[test]
    fn a_message_is_the_bytes_that_clients_read() {
        let message = Message { headers: vec![("a".into(), "b".into())], payload: Bytes::from_static(b"{}") };
        let bytes = message.encode();
        assert_eq!(&bytes[..8], [0, 0, 0, 24, 0, 0, 0, 6]);
        assert_eq!(&bytes[12..20], [1, b'a', 7, 0, 1, b'b', b'{', b'}']);
        assert_eq!((&bytes[8..12]).get_u32(), crc32fast::hash(&bytes[..8]));
        assert_eq!((&bytes[20..]).get_u32(), crc32fast::hash(&bytes[..20]));
    }

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let header = ("[a-z:-]{1,20}", ".{0,30}");
        let message = (prop::collection::vec(header, 0..5), prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(headers, payload)| Message { headers, payload: payload.into() });
        prop::collection::vec(message, 1..5)
    }

    proptest! {
        #[test]
        fn messages_are_read_back_however_they_arrive(messages in messages(), cut in 1_usize..40) {
            let whole: Vec<u8> = messages.iter().flat_map(|message| message.encode()).collect();
            let (mut waiting, mut read) = (BytesMut::new(), Vec::new());
            for piece in whole.chunks(cut) {
                waiting.extend_from_slice(piece);
                let mut bytes = waiting.split().freeze();
                while let Some(message) = Message::decode(&mut bytes).expect("whole messages") {
                    read.push(message);
                }
                waiting = BytesMut::from(&bytes[..]);
            }
            prop_assert_eq!(read, messages);
            prop_assert!(waiting.is_empty());
        }

        #[test]
        fn a_changed_bit_is_found(messages in messages(), at: prop::sample::Index, bit in 0..8_u8) {
            let mut bytes = messages[0].encode().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Message::decode(&mut Bytes::from(bytes)).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _read_or_refused = Message::decode(&mut Bytes::from(bytes.clone()));
            let _read_or_not = read_headers(&bytes);
        }
    }
}
