//! Fields between spaces: `[ip, user, request, status=4*, bytes>1000]`, with `...` for any number of them.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Joined, PatternError};
use super::operand::{Comparison, Condition};

const ANY_NUMBER: &str = "...";

/// What the fields of a message are called, and what they hold.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    before: Vec<Field>,
    /// Those after `...`, if it is there.
    after: Option<Vec<Field>>,
}

#[derive(Clone, Debug, Default)]
struct Field {
    name: Option<String>,
    test: Option<Joined<Condition>>,
}

impl Fields {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        cursor.expect("[")?;
        let mut fields = Self { before: Vec::new(), after: None };
        loop {
            if cursor.take(ANY_NUMBER) {
                if fields.after.is_some() {
                    return Err(PatternError::new("`...` may stand once"));
                }
                fields.after = Some(Vec::new());
            } else {
                let field = Field::parse(cursor)?;
                fields.after.as_mut().unwrap_or(&mut fields.before).push(field);
            }
            if cursor.take("]") {
                return Ok(fields);
            }
            cursor.expect(",")?;
        }
    }

    /// What the fields hold, by their names; nothing if the message is not meant.
    pub(super) fn matches(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let found = split(message);
        let after = self.after.as_deref().unwrap_or_default();
        let wanted = self.before.len() + after.len();
        if found.len() < wanted || (self.after.is_none() && found.len() > wanted) {
            return None;
        }
        let (head, tail) = (&found[..self.before.len()], &found[found.len() - after.len()..]);
        let pairs = self.before.iter().zip(head).chain(after.iter().zip(tail));
        if !pairs.clone().all(|(field, text)| field.holds(text)) {
            return None;
        }
        // Without a name a field goes by its number in the message.
        let place = |at: usize| {
            if at < self.before.len() { at + 1 } else { found.len() - wanted + at + 1 }
        };
        let named = |(at, (field, text)): (usize, (&Field, &&str))| {
            let name = field.name.clone().unwrap_or_else(|| place(at).to_string());
            (format!("${name}"), (*text).to_owned())
        };
        Some(pairs.enumerate().map(named).collect())
    }
}

impl Field {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        cursor.skip_spaces();
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self::default());
        }
        let before = *cursor;
        let name = word(cursor).to_owned();
        cursor.skip_spaces();
        if !name.is_empty() && matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self { name: Some(name), test: None });
        }
        *cursor = before;
        let mut found = None;
        let mut one = |cursor: &mut Cursor<'_>| {
            cursor.skip_spaces();
            let name = word(cursor).to_owned();
            if found.get_or_insert_with(|| name.clone()) != &name {
                return Err(PatternError::new(format!("`{name}` is another field")));
            }
            let comparison = Comparison::parse(cursor).ok_or_else(|| cursor.unexpected("a comparison"))?;
            Condition::parse(comparison, cursor, |next| matches!(next, ',' | ']' | ')' | '&' | '|'))
        };
        let test = Joined::parse(cursor, 0, &mut one)?;
        Ok(Self { name: found.filter(|name| !name.is_empty()), test: Some(test) })
    }

    fn holds(&self, text: &str) -> bool {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        self.test.as_ref().is_none_or(|test| test.holds(&|condition| condition.holds(text, number)))
    }
}

fn word<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    cursor.take_while(|next| next.is_alphanumeric() || matches!(next, '_' | '-'))
}

/// The fields of a message: what stands between spaces; quotation marks and brackets keep spaces together.
fn split(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '"' => Some('"'),
            '[' => Some(']'),
            _ => None,
        };
        let kept = close.and_then(|close| rest[1..].find(close).map(|at| (&rest[1..=at], &rest[at + 2..])));
        let (field, next) = kept.unwrap_or_else(|| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest.split_at(end)
        });
        fields.push(field);
        rest = next.trim_start();
    }
    fields
}
