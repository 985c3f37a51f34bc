//! DNS messages, as far as a stub needs them (RFC 1035, and of RFC 6891 the size of a datagram): one question in,
//! one answer out. Trusts no length that it reads.

use std::net::Ipv4Addr;

pub(super) const TYPE_A: u16 = 1;
const TYPE_OPT: u16 = 41;
const CLASS_IN: u16 = 1;
const HEADER: usize = 12;
/// The longest name, with its lengths.
const NAME_BYTES_MAX: usize = 255;
/// What a datagram may hold unless the client says otherwise.
const DATAGRAM_BYTES: u16 = 512;
/// How long clients may keep an answer of ours, in seconds: as long as the sandbox lives, it stays true.
const TTL_SECS: u32 = 60;

const FLAG_ANSWER: u16 = 0x8000;
const FLAG_AUTHORITATIVE: u16 = 0x0400;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_WANTS_RECURSION: u16 = 0x0100;
const FLAG_RECURSES: u16 = 0x0080;
const MASK_OPCODE: u16 = 0x7800;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    id: u16,
    wants_recursion: bool,
    /// In lower case, without the dot at the end.
    pub(super) name: String,
    pub(super) kind: u16,
    class: u16,
    question: &'a [u8],
    /// The largest datagram that the client takes.
    pub(super) datagram_bytes: u16,
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Malformed = 1,
    Failed = 2,
    NoSuchName = 3,
    NotImplemented = 4,
}

impl<'a> Query<'a> {
    /// Reads a question; otherwise what its sender is to be told, or nothing if it is none.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Option<Vec<u8>>> {
        let id = u16_at(bytes, 0).ok_or(None)?;
        let flags = u16_at(bytes, 2).ok_or(None)?;
        if bytes.len() < HEADER || flags & FLAG_ANSWER != 0 {
            return Err(None);
        }
        let refused =
            |code: Code| Some(header(id, FLAG_ANSWER | flags & FLAG_WANTS_RECURSION | code as u16, 0, 0));
        if flags & MASK_OPCODE != 0 {
            return Err(refused(Code::NotImplemented));
        }
        if u16_at(bytes, 4) != Some(1) {
            return Err(refused(Code::Malformed));
        }
        let (name, end) = name(bytes, HEADER).ok_or_else(|| refused(Code::Malformed))?;
        let (Some(kind), Some(class)) = (u16_at(bytes, end), u16_at(bytes, end + 2)) else {
            return Err(refused(Code::Malformed));
        };
        let additional = bytes.get(end + 4..).unwrap_or_default();
        let datagram_bytes = match additional {
            [0, rest @ ..] if u16_at(rest, 0) == Some(TYPE_OPT) => u16_at(rest, 2).unwrap_or(DATAGRAM_BYTES),
            _ => DATAGRAM_BYTES,
        };
        Ok(Self {
            id,
            wants_recursion: flags & FLAG_WANTS_RECURSION != 0,
            name,
            kind,
            class,
            question: &bytes[HEADER..end + 4],
            datagram_bytes: datagram_bytes.max(DATAGRAM_BYTES),
        })
    }

    /// The answer that the name is at this address. Other kinds of questions learn that there is nothing.
    pub(super) fn at(&self, address: Ipv4Addr) -> Vec<u8> {
        let answers = u16::from(self.kind == TYPE_A && self.class == CLASS_IN);
        let mut answer = self.header(FLAG_AUTHORITATIVE, answers);
        if answers == 1 {
            // The name is the one in the question.
            answer.extend([0xc0, HEADER as u8]);
            answer.extend(TYPE_A.to_be_bytes());
            answer.extend(CLASS_IN.to_be_bytes());
            answer.extend(TTL_SECS.to_be_bytes());
            answer.extend(4_u16.to_be_bytes());
            answer.extend(address.octets());
        }
        answer
    }

    /// The answer that there is none.
    pub(super) fn without(&self, code: Code) -> Vec<u8> {
        self.header(code as u16, 0)
    }

    /// The answer to ask again by TCP.
    pub(super) fn truncated(&self) -> Vec<u8> {
        self.header(FLAG_TRUNCATED, 0)
    }

    /// Whether this is an answer to it that was asked under that id.
    pub(super) fn is_answered_by(&self, answer: &[u8], id: u16) -> bool {
        let question = answer.get(HEADER..HEADER + self.question.len());
        u16_at(answer, 0) == Some(id)
            && u16_at(answer, 2).is_some_and(|flags| flags & FLAG_ANSWER != 0)
            && question.is_some_and(|question| question.eq_ignore_ascii_case(self.question))
    }

    /// Puts the client's own id into an answer.
    pub(super) fn own(&self, answer: &mut [u8]) {
        with_id(answer, self.id);
    }

    fn header(&self, flags: u16, answers: u16) -> Vec<u8> {
        let asked = if self.wants_recursion { FLAG_WANTS_RECURSION } else { 0 };
        let mut bytes = header(self.id, FLAG_ANSWER | FLAG_RECURSES | asked | flags, 1, answers);
        bytes.extend(self.question);
        bytes
    }
}

/// Replaces the id of a message.
pub(super) fn with_id(message: &mut [u8], id: u16) {
    if let Some(place) = message.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
}

fn header(id: u16, flags: u16, questions: u16, answers: u16) -> Vec<u8> {
    [id, flags, questions, answers, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect()
}

/// The name that begins there, and where it ends. A question's name is not compressed.
fn name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let begin = at;
    let mut name = String::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return (at - begin <= NAME_BYTES_MAX).then_some((name, at));
        }
        if length > 63 || at - begin > NAME_BYTES_MAX {
            return None;
        }
        let label = bytes.get(at..at + length)?;
        at += length;
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            // What is no letter of a host's name stays apart from those that are.
            name.push(if byte.is_ascii_graphic() && *byte != b'.' {
                byte.to_ascii_lowercase().into()
            } else {
                '\u{fffd}'
            });
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(name: &str, kind: u16) -> Vec<u8> {
        let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1]);
        bytes
    }

    #[test]
    fn an_address_is_answered_and_other_kinds_are_not() {
        let bytes = question("SQS.us-east-1.amazonaws.com", TYPE_A);
        let query = Query::read(&bytes).expect("a question");
        assert_eq!((query.name.as_str(), query.datagram_bytes), ("sqs.us-east-1.amazonaws.com", 512));
        let answer = query.at(Ipv4Addr::LOCALHOST);
        assert_eq!(answer[..12], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[answer.len() - 4..], [127, 0, 0, 1]);
        assert!(query.is_answered_by(&answer, 0x1234));
        assert!(!query.is_answered_by(&answer, 0x1235));
        let bytes = question("sqs.us-east-1.amazonaws.com", 28);
        let answer = Query::read(&bytes).expect("a question").at(Ipv4Addr::LOCALHOST);
        assert_eq!(answer[..8], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 0]);
        assert_eq!(Query::read(&bytes).expect("a question").without(Code::NoSuchName)[3] & 0x0f, 3);
    }

    #[test]
    fn a_client_says_how_much_it_takes() {
        let mut bytes = question("a", TYPE_A);
        bytes[11] = 1;
        bytes.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Query::read(&bytes).expect("a question").datagram_bytes, 1232);
    }

    #[test]
    fn what_is_no_question_is_told_so_or_nothing() {
        let mut answer = question("a", TYPE_A);
        answer[2] |= 0x80;
        assert_eq!(Query::read(&answer), Err(None));
        assert_eq!(Query::read(&[1, 2, 3]), Err(None));
        let mut two = question("a", TYPE_A);
        two[5] = 2;
        assert_eq!(Query::read(&two).expect_err("refused").expect("told")[3] & 0x0f, 1);
        let mut update = question("a", TYPE_A);
        update[2] |= 0x28;
        assert_eq!(Query::read(&update).expect_err("refused").expect("told")[3] & 0x0f, 4);
        let compressed = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
        assert_eq!(Query::read(&compressed).expect_err("refused").expect("told")[3] & 0x0f, 1);
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), asks: bool) {
            let mut bytes = bytes;
            if asks && bytes.len() > 6 {
                bytes[2..6].copy_from_slice(&[1, 0, 0, 1]);
            }
            if let Ok(query) = Query::read(&bytes) {
                prop_assert!(query.is_answered_by(&query.at(Ipv4Addr::LOCALHOST), query.id));
                let _ = query.is_answered_by(&bytes, 0);
            }
        }
    }
}
