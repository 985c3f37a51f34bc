//! JSON: `{ $.level = "error" && ($.code > 399 || $.user NOT EXISTS) }`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cursor::{Cursor, Joined, PatternError};
use super::operand::{Comparison, Condition};

/// A test of a message that is JSON.
#[derive(Clone, Debug)]
pub(crate) struct JsonTest(Joined<Test>);

#[derive(Clone, Debug)]
struct Test {
    selector: Selector,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Meets(Condition),
    Is(Value),
    Exists,
    NotExists,
}

/// `$.users[0].name`, as it was written and as steps.
#[derive(Clone, Debug)]
struct Selector {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(String),
    Element(usize),
    Any,
}

impl JsonTest {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        cursor.expect("{")?;
        let test = Joined::parse(cursor, 0, &mut Test::parse)?;
        cursor.expect("}")?;
        Ok(Self(test))
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        read(message).is_some_and(|value| self.0.holds(&|test| test.holds(&value)))
    }

    pub(super) fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let value = read(message).filter(|value| self.0.holds(&|test| test.holds(value)))?;
        let mut values = BTreeMap::new();
        self.0.each(&mut |test| {
            if let Some(found) = test.selector.select(&value).first() {
                values.insert(test.selector.text.clone(), shown(found));
            }
        });
        Some(values)
    }
}

fn read(message: &str) -> Option<Value> {
    // What is not an object has no member to look at.
    let message = message.trim_start();
    if message.starts_with(['{', '[']) { serde_json::from_str(message).ok() } else { None }
}

/// A value as text: a string without its quotation marks.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Test {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let selector = Selector::parse(cursor)?;
        let kind = if let Some(comparison) = Comparison::parse(cursor) {
            Kind::Meets(Condition::parse(comparison, cursor, |next| matches!(next, '}' | ')' | '&' | '|'))?)
        } else if cursor.take_word("IS") {
            let known = [("TRUE", Value::Bool(true)), ("FALSE", Value::Bool(false)), ("NULL", Value::Null)];
            let found = known.into_iter().find(|(word, _)| cursor.take_word(word));
            Kind::Is(found.map(|(_, value)| value).ok_or_else(|| cursor.unexpected("TRUE, FALSE or NULL"))?)
        } else if cursor.take_word("NOT") {
            if !cursor.take_word("EXISTS") {
                return Err(cursor.unexpected("EXISTS"));
            }
            Kind::NotExists
        } else if cursor.take_word("EXISTS") {
            Kind::Exists
        } else {
            return Err(cursor.unexpected("a comparison"));
        };
        Ok(Self { selector, kind })
    }

    fn holds(&self, value: &Value) -> bool {
        let found = self.selector.select(value);
        match &self.kind {
            Kind::NotExists => found.is_empty(),
            Kind::Exists => !found.is_empty(),
            Kind::Is(wanted) => found.contains(&wanted),
            Kind::Meets(condition) => found.into_iter().any(|value| match value {
                Value::String(text) => condition.holds(text, None),
                Value::Number(number) => condition.holds(&number.to_string(), number.as_f64()),
                Value::Bool(flag) => condition.holds(if *flag { "true" } else { "false" }, None),
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            }),
        }
    }
}

impl Selector {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        cursor.expect("$")?;
        let (mut text, mut steps) = ("$".to_owned(), Vec::new());
        loop {
            match cursor.peek() {
                Some('.') => {
                    cursor.expect(".")?;
                    let name = cursor.take_while(|next| {
                        next.is_alphanumeric() || matches!(next, '_' | '-' | '@' | ':' | '/')
                    });
                    if name.is_empty() {
                        return Err(cursor.unexpected("the name of a member"));
                    }
                    text = text + "." + name;
                    steps.push(Step::Member(name.to_owned()));
                }
                Some('[') => {
                    cursor.expect("[")?;
                    let (step, shown) = element(cursor)?;
                    cursor.expect("]")?;
                    text = text + "[" + &shown + "]";
                    steps.push(step);
                }
                _ if steps.is_empty() => return Err(cursor.unexpected("`.` or `[`")),
                _ => return Ok(Self { text, steps }),
            }
        }
    }

    /// All values that are meant: more than one only where `[*]` stands for every element.
    fn select<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for step in &self.steps {
            found = found
                .into_iter()
                .flat_map(|value| match (step, value) {
                    (Step::Member(name), Value::Object(members)) => {
                        members.get(name).into_iter().collect::<Vec<_>>()
                    }
                    (Step::Element(at), Value::Array(items)) => items.get(*at).into_iter().collect(),
                    (Step::Any, Value::Array(items)) => items.iter().collect(),
                    _ => Vec::new(),
                })
                .collect();
        }
        found
    }
}

fn element(cursor: &mut Cursor<'_>) -> Result<(Step, String), PatternError> {
    match cursor.peek() {
        Some(quote @ ('"' | '\'')) => {
            let name = cursor.quoted(quote)?;
            let shown = format!("{quote}{name}{quote}");
            Ok((Step::Member(name), shown))
        }
        Some('*') => {
            cursor.expect("*")?;
            Ok((Step::Any, "*".to_owned()))
        }
        _ => {
            let digits = cursor.take_while(|next| next.is_ascii_digit());
            let at = digits.parse().map_err(|_| cursor.unexpected("the number of an element"))?;
            Ok((Step::Element(at), digits.to_owned()))
        }
    }
}
