//! Reading a pattern from left to right.

use std::fmt;

/// Parentheses may be nested so deep.
pub(super) const DEPTH_MAX: usize = 32;

/// Why a text is no pattern; for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternError(String);

impl PatternError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid filter pattern: {}", self.0)
    }
}

/// A place in a pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes that text, if it comes next after spaces.
    pub(super) fn take(&mut self, text: &str) -> bool {
        self.skip_spaces();
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes that word in any case, if it comes next and nothing of a word follows it.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let fits = self.rest.get(..word.len()).is_some_and(|own| own.eq_ignore_ascii_case(word))
            && !self.rest[word.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        if fits {
            self.rest = &self.rest[word.len()..];
        }
        fits
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<(), PatternError> {
        if self.take(text) { Ok(()) } else { Err(self.unexpected(&format!("`{text}`"))) }
    }

    /// Takes as long as the characters are such.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|next| !wanted(next)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes a text between two of these; a backslash takes the character after it as it is.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, PatternError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        if characters.next().map(|(_, first)| first) != Some(quote) {
            return Err(self.unexpected("a quotation mark"));
        }
        while let Some((at, next)) = characters.next() {
            if next == quote {
                self.rest = &self.rest[at + next.len_utf8()..];
                return Ok(text);
            }
            match next {
                '\\' if quote != '%' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                other => text.push(other),
            }
        }
        Err(PatternError::new(format!("a closing {quote} is missing")))
    }

    pub(super) fn unexpected(&self, expected: &str) -> PatternError {
        let found = match self.peek() {
            Some(_) => format!("`{}`", self.rest.chars().take(20).collect::<String>()),
            None => "the end".to_owned(),
        };
        PatternError::new(format!("expected {expected}, found {found}"))
    }

    /// Nothing but spaces is left.
    pub(super) fn end(mut self) -> Result<(), PatternError> {
        self.skip_spaces();
        if self.rest.is_empty() { Ok(()) } else { Err(self.unexpected("the end")) }
    }
}

/// Tests that are joined by `&&` and `||`.
#[derive(Clone, Debug)]
pub(super) enum Joined<T> {
    One(T),
    All(Vec<Joined<T>>),
    Any(Vec<Joined<T>>),
}

impl<T> Joined<T> {
    /// Reads tests joined by operators and parentheses; `&&` binds more tightly.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        depth: usize,
        one: &mut dyn FnMut(&mut Cursor<'_>) -> Result<T, PatternError>,
    ) -> Result<Self, PatternError> {
        if depth > DEPTH_MAX {
            return Err(PatternError::new(format!("more than {DEPTH_MAX} parentheses within each other")));
        }
        let mut any = Vec::new();
        loop {
            let mut all = Vec::new();
            loop {
                if cursor.take("(") {
                    all.push(Self::parse(cursor, depth + 1, one)?);
                    cursor.expect(")")?;
                } else {
                    all.push(Self::One(one(cursor)?));
                }
                if !cursor.take("&&") {
                    break;
                }
            }
            any.push(if all.len() == 1 { all.remove(0) } else { Self::All(all) });
            if !cursor.take("||") {
                return Ok(if any.len() == 1 { any.remove(0) } else { Self::Any(any) });
            }
        }
    }

    pub(super) fn holds(&self, one: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Self::One(test) => one(test),
            Self::All(tests) => tests.iter().all(|test| test.holds(one)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(one)),
        }
    }

    pub(super) fn each(&self, see: &mut dyn FnMut(&T)) {
        match self {
            Self::One(test) => see(test),
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.each(see)),
        }
    }
}
