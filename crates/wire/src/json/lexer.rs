//! The tokens of JSON (RFC 8259): strict, and without memory of its own but for strings with escapes.

use std::borrow::Cow;

use super::plain::plain;
use crate::budget::{MAX_NUMBER_CHARS, Read, Unreadable, unreadable};

/// What a value begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Read<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => unreadable(format!("The body is not valid UTF-8 at byte {}.", error.valid_up_to())),
        }
    }

    /// Nothing but white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// What the next value begins with; nothing is consumed.
    pub(super) fn peek(&mut self) -> Read<Token> {
        self.space();
        Ok(match self.byte() {
            Some(b'{') => Token::Object,
            Some(b'[') => Token::Array,
            Some(b'"') => Token::String,
            Some(b'-' | b'0'..=b'9') => Token::Number,
            Some(b't') => Token::True,
            Some(b'f') => Token::False,
            Some(b'n') => Token::Null,
            _ => return Err(self.unexpected()),
        })
    }

    /// Consumes that punctuation if it is next.
    pub(super) fn take(&mut self, expected: u8) -> bool {
        self.space();
        let found = self.byte() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// Consumes that punctuation.
    pub(super) fn expect(&mut self, expected: u8) -> Read<()> {
        if self.take(expected) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Consumes `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &str) -> Read<()> {
        self.space();
        if !self.text[self.at..].starts_with(word) {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(())
    }

    /// Consumes a number and gives its text.
    pub(super) fn number(&mut self) -> Read<&'a str> {
        self.space();
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.unexpected()),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let number = &self.text[start..self.at];
        if number.len() > MAX_NUMBER_CHARS {
            return unreadable(format!("A number is longer than {MAX_NUMBER_CHARS} characters."));
        }
        Ok(number)
    }

    /// Consumes a string and gives its text, borrowed where it has no escapes.
    pub(super) fn string(&mut self) -> Read<Cow<'a, str>> {
        self.expect(b'"')?;
        let start = self.at;
        let mut owned = String::new();
        let mut copied = start;
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.byte() {
                None | Some(0..0x20) => return Err(self.unexpected()),
                Some(b'"') => {
                    let tail = &self.text[copied..self.at];
                    self.at += 1;
                    if copied == start {
                        return Ok(Cow::Borrowed(tail));
                    }
                    owned.push_str(tail);
                    return Ok(Cow::Owned(owned));
                }
                Some(_backslash) => {
                    owned.push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    owned.push(self.escape()?);
                    copied = self.at;
                }
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let escaped = match self.byte() {
            Some(quoted @ (b'"' | b'\\' | b'/')) => quoted as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode(&mut self) -> Read<char> {
        let high = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            if !self.text[self.at..].starts_with("\\u") {
                return unreadable("A string holds half of a surrogate pair.");
            }
            self.at += 2;
            let low = self.hex4()?;
            if !(0xdc00..0xe000).contains(&low) {
                return unreadable("A string holds half of a surrogate pair.");
            }
            0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| Unreadable("A string holds half of a surrogate pair.".into()))
    }

    fn hex4(&mut self) -> Read<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) else {
            return Err(self.unexpected());
        };
        let digit = |digit: u8| (digit as char).to_digit(16).unwrap_or(0);
        let code = digits.iter().fold(0, |code, &next| code << 4 | digit(next));
        self.at += 4;
        Ok(code)
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected()) } else { Ok(()) }
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn unexpected(&self) -> Unreadable {
        Unreadable(match self.text[self.at..].chars().next() {
            Some(found) => format!("Unexpected character {found:?} at byte {} of the JSON body.", self.at),
            None => "Unexpected end of the JSON body.".into(),
        })
    }
}
