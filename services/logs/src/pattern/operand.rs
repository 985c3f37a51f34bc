//! What a value is compared with: a text with wildcards, a number, or a regular expression.

use regex::{Regex, RegexBuilder};

use super::cursor::{Cursor, PatternError};

/// What a compiled expression may take, in bytes.
const REGEX_BYTES_MAX: usize = 256 * 1024;
/// Besides letters and digits.
const REGEX_CHARACTERS: &str = ":_#=@/;,-^$?[]{}|\\*+. ";

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        let signs = [
            ("!=", Self::NotEqual),
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("=", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
        ];
        signs.into_iter().find(|(sign, _)| cursor.take(sign)).map(|(_, comparison)| comparison)
    }
}

/// A comparison with a value.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    comparison: Comparison,
    operand: Operand,
}

#[derive(Clone, Debug)]
enum Operand {
    Text { glob: Glob, number: Option<f64> },
    Regex(Regex),
}

impl Condition {
    /// Reads a value of a comparison that was read; `ends` tells what ends a word without quotation marks.
    pub(super) fn parse(
        comparison: Comparison,
        cursor: &mut Cursor<'_>,
        ends: impl Fn(char) -> bool,
    ) -> Result<Self, PatternError> {
        cursor.skip_spaces();
        let operand = match cursor.peek() {
            Some('"') => Operand::Text { glob: Glob::new(&cursor.quoted('"')?), number: None },
            Some('%') => Operand::Regex(regex(&cursor.quoted('%')?)?),
            _ => {
                let word = cursor.take_while(|next| !ends(next) && !next.is_whitespace());
                if word.is_empty() {
                    return Err(cursor.unexpected("a value"));
                }
                Operand::Text {
                    glob: Glob::new(word),
                    number: word.parse().ok().filter(|n: &f64| n.is_finite()),
                }
            }
        };
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordered && !matches!(operand, Operand::Text { number: Some(_), .. }) {
            return Err(PatternError::new("only numbers are less or greater"));
        }
        Ok(Self { comparison, operand })
    }

    /// Whether a value, as text and as the number that it is, if it is one, meets the condition.
    pub(super) fn holds(&self, text: &str, number: Option<f64>) -> bool {
        let equal = match (&self.operand, number) {
            (Operand::Text { number: Some(own), .. }, Some(number)) => return self.compare(number, *own),
            (Operand::Text { glob, .. }, _) => glob.matches(text),
            (Operand::Regex(regex), _) => regex.is_match(text),
        };
        match self.comparison {
            Comparison::Equal => equal,
            Comparison::NotEqual => !equal,
            _ => false,
        }
    }

    fn compare(&self, number: f64, own: f64) -> bool {
        match self.comparison {
            // Numbers that are written differently are the same number.
            Comparison::Equal => number.total_cmp(&own).is_eq(),
            Comparison::NotEqual => number.total_cmp(&own).is_ne(),
            Comparison::Less => number < own,
            Comparison::LessOrEqual => number <= own,
            Comparison::Greater => number > own,
            Comparison::GreaterOrEqual => number >= own,
        }
    }
}

/// Reads a regular expression of AWS's subset.
pub(super) fn regex(text: &str) -> Result<Regex, PatternError> {
    if let Some(other) =
        text.chars().find(|next| !next.is_ascii_alphanumeric() && !REGEX_CHARACTERS.contains(*next))
    {
        return Err(PatternError::new(format!("`{other}` is not supported in a regular expression")));
    }
    RegexBuilder::new(text)
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|_| PatternError::new(format!("%{text}% is no regular expression, or too large a one")))
}

/// A text in which `*` stands for any characters.
#[derive(Clone, Debug)]
pub(super) struct Glob(Vec<String>);

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        Self(text.split('*').map(str::to_owned).collect())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last.as_str())
    }
}
