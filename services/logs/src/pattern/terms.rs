//! Terms: `ERROR timeout`, `"exact words"`, `-without`, `?one ?or ?other`, `%regular expression%`.

use regex::Regex;

use super::cursor::{Cursor, PatternError};
use super::operand::regex;

/// What a message holds, and what it does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    all: Vec<Term>,
    none: Vec<Term>,
    any: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        loop {
            cursor.skip_spaces();
            let list = match cursor.peek() {
                None => return Ok(terms),
                Some('-') => {
                    cursor.take("-");
                    &mut terms.none
                }
                Some('?') => {
                    cursor.take("?");
                    &mut terms.any
                }
                Some(_) => &mut terms.all,
            };
            list.push(match cursor.peek() {
                Some('"') => Term::Text(cursor.quoted('"')?),
                Some('%') => Term::Regex(regex(&cursor.quoted('%')?)?),
                _ => Term::word(cursor)?,
            });
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        // AWS takes no notice of terms with a question mark beside others.
        let any = !self.all.is_empty()
            || !self.none.is_empty()
            || self.any.is_empty()
            || self.any.iter().any(|term| term.is_in(message));
        any && self.all.iter().all(|term| term.is_in(message))
            && !self.none.iter().any(|term| term.is_in(message))
    }
}

impl Term {
    fn word(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let word = cursor.take_while(|next| !next.is_whitespace());
        if word.is_empty() {
            return Err(cursor.unexpected("a term"));
        }
        match word.chars().find(|next| !next.is_alphanumeric() && *next != '_') {
            None => Ok(Self::Text(word.to_owned())),
            Some(other) => Err(PatternError::new(format!(
                "`{other}` in {word}: a term that is not only letters, digits and underscores stands in quotation marks"
            ))),
        }
    }

    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}
