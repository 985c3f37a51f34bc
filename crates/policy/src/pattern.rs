//! Text with `*`, `?` and `${variables}`, and whether it matches another text.
//!
//! Matching takes each stretch between stars at the first place where it fits and never goes back further than that,
//! so that no pattern takes more than (pattern × text) steps.

use std::borrow::Cow;

use crate::Context;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// `*`: any characters, or none.
    Any,
    /// `?`: one character.
    One,
    /// `${key, 'default'}`: the value of a fact.
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// What is special in a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Syntax {
    /// `*` and `?`.
    pub(crate) wildcards: bool,
    /// `${…}`: in documents of version 2012-10-17, where AWS allows variables.
    pub(crate) variables: bool,
}

impl Pattern {
    /// Reads a pattern; an error is a variable that does not end, or has no name.
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, &'static str> {
        let mut pattern = Self { pieces: Vec::new() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables && rest.starts_with("${") {
                let end = rest.find('}').ok_or("a policy variable does not end")?;
                pattern.push_variable(&rest[2..end])?;
                rest = &rest[end + 1..];
                continue;
            }
            match first {
                '*' if syntax.wildcards => pattern.push(Piece::Any),
                '?' if syntax.wildcards => pattern.push(Piece::One),
                other => pattern.push_char(other),
            }
            rest = &rest[first.len_utf8()..];
        }
        Ok(pattern)
    }

    /// Whether it matches all of the text. A variable that has no value matches nothing.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        let Some(stretches) = self.resolve(context) else { return false };
        let Some((first, others)) = stretches.split_first() else { return text.is_empty() };
        let Some(begun) = prefix(first, text) else { return false };
        let mut rest = &text[begun..];
        let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
        for stretch in middle {
            let Some(end) = find(stretch, rest) else { return false };
            rest = &rest[end..];
        }
        let Some(at) = tail(rest, last) else { return false };
        prefix(last, &rest[at..]) == Some(rest.len() - at)
    }

    /// Whether it matches in any case: the pattern's text is in small letters already.
    pub(crate) fn matches_folded(&self, text: &str, context: &Context) -> bool {
        let mut folded = self.clone();
        for piece in &mut folded.pieces {
            if let Piece::Variable { key, default } = piece {
                let value = match context.single(key) {
                    Some(value) => value.to_owned(),
                    None if context.get(key).is_empty() => match default {
                        Some(default) => std::mem::take(default),
                        None => return false,
                    },
                    None => return false,
                };
                *piece = Piece::Text(value.to_lowercase());
            }
        }
        folded.matches(&text.to_lowercase(), context)
    }

    /// Splits at the colons of its text, into at most `fields` patterns; the colons of values split nothing.
    pub(crate) fn split_colons(self, fields: usize) -> Vec<Self> {
        let mut split = vec![Self { pieces: Vec::new() }];
        for piece in self.pieces {
            let Piece::Text(text) = piece else {
                if let Some(last) = split.last_mut() {
                    last.pieces.push(piece);
                }
                continue;
            };
            let left = fields.saturating_sub(split.len()) + 1;
            for (at, part) in text.splitn(left, ':').enumerate() {
                if at > 0 {
                    split.push(Self { pieces: Vec::new() });
                }
                if let Some(last) = split.last_mut()
                    && !part.is_empty()
                {
                    last.pieces.push(Piece::Text(part.to_owned()));
                }
            }
        }
        split
    }

    /// Whether it begins with that text, before any wildcard.
    pub(crate) fn begins_with(&self, text: &str) -> bool {
        matches!(self.pieces.first(), Some(Piece::Text(first)) if first.starts_with(text))
    }

    /// Any text.
    pub(crate) fn any() -> Self {
        Self { pieces: vec![Piece::Any] }
    }

    /// Whether it is `*`.
    pub(crate) fn is_any(&self) -> bool {
        self.pieces == [Piece::Any]
    }

    fn push(&mut self, piece: Piece) {
        // A million stars are one.
        if piece != Piece::Any || self.pieces.last() != Some(&Piece::Any) {
            self.pieces.push(piece);
        }
    }

    fn push_char(&mut self, char: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(char);
        } else {
            self.pieces.push(Piece::Text(char.to_string()));
        }
    }

    fn push_variable(&mut self, body: &str) -> Result<(), &'static str> {
        if let "*" | "?" | "$" = body {
            body.chars().for_each(|char| self.push_char(char));
            return Ok(());
        }
        let (key, default) = match body.split_once(',') {
            None => (body.trim(), None),
            Some((key, default)) => {
                let default = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                (key.trim(), Some(default.ok_or("a policy variable's default is not in single quotes")?))
            }
        };
        if key.is_empty() || key.contains(['$', '{', '\'']) {
            return Err("a policy variable has no valid name");
        }
        let (key, default) = (key.to_ascii_lowercase(), default.map(str::to_owned));
        self.pieces.push(Piece::Variable { key, default });
        Ok(())
    }

    /// The stretches between stars, values filled in; nothing if a value is missing.
    fn resolve<'a>(&'a self, context: &'a Context) -> Option<Vec<Vec<Unit<'a>>>> {
        let mut stretches = vec![Vec::new()];
        for piece in &self.pieces {
            let text: &str = match piece {
                Piece::Any => {
                    stretches.push(Vec::new());
                    continue;
                }
                Piece::One => {
                    stretches.last_mut()?.push(Unit::One);
                    continue;
                }
                Piece::Text(text) => text,
                Piece::Variable { key, default } => match context.single(key) {
                    Some(value) => value,
                    None if context.get(key).is_empty() => default.as_deref()?,
                    None => return None,
                },
            };
            let stretch = stretches.last_mut()?;
            match stretch.last_mut() {
                Some(Unit::Text(before)) => before.to_mut().push_str(text),
                _ => stretch.push(Unit::Text(Cow::Borrowed(text))),
            }
        }
        Some(stretches)
    }
}

#[derive(Debug)]
enum Unit<'a> {
    Text(Cow<'a, str>),
    One,
}

/// How much of the text the stretch takes at its start; nothing if it does not fit there.
fn prefix(stretch: &[Unit<'_>], text: &str) -> Option<usize> {
    let mut rest = text;
    for unit in stretch {
        rest = match unit {
            Unit::Text(wanted) => rest.strip_prefix(wanted.as_ref())?,
            Unit::One => {
                let mut chars = rest.chars();
                chars.next()?;
                chars.as_str()
            }
        };
    }
    Some(text.len() - rest.len())
}

/// Where the first place ends at which the stretch fits.
fn find(stretch: &[Unit<'_>], text: &str) -> Option<usize> {
    if let [Unit::Text(wanted)] = stretch {
        return text.find(wanted.as_ref()).map(|at| at + wanted.len());
    }
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.into_iter().find_map(|at| prefix(stretch, &text[at..]).map(|length| at + length))
}

/// Where the text must be entered for the stretch to end with it; nothing if it is too short.
fn tail(text: &str, stretch: &[Unit<'_>]) -> Option<usize> {
    if let [Unit::Text(wanted)] = stretch {
        let at = text.len().checked_sub(wanted.len())?;
        return text.is_char_boundary(at).then_some(at);
    }
    let chars: usize = stretch
        .iter()
        .map(|unit| match unit {
            Unit::Text(text) => text.chars().count(),
            Unit::One => 1,
        })
        .sum();
    match chars {
        0 => Some(text.len()),
        chars => text.char_indices().rev().nth(chars - 1).map(|(at, _)| at),
    }
}
