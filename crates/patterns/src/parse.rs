//! From JSON to a pattern, within a dialect's limits.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::address::Block;
use crate::condition::{Condition, Test, fold};
use crate::dialect::Counting;
use crate::number::{Number, NumberRange, Precision};
use crate::pattern::{Node, Pattern, Values};
use crate::wildcard::Wildcard;
use crate::{Dialect, Operator, PatternError};

/// The deepest pattern; JSON itself is read down to 128.
const DEPTH_MAX: usize = 64;
/// The most keys of all alternatives together, so that a small pattern cannot grow large in memory.
const NODES_MAX: usize = 100_000;
const TOO_COMPLEX: &str = "Filter policy is too complex";
const OR: &str = "$or";
const ONLY_ONE_KEY: &str = "Only one key allowed in match expression";

pub(crate) fn pattern(text: &str, dialect: &Dialect) -> Result<Pattern, PatternError> {
    if text.len() > dialect.pattern_bytes_max {
        let reason = format!("Filter policy is larger than {} bytes", dialect.pattern_bytes_max);
        return Err(PatternError::new(reason, &[]));
    }
    let json: Value = serde_json::from_str(text)
        .map_err(|error| PatternError::new(format!("failed to parse JSON: {error}"), &[]))?;
    let Value::Object(root) = json else {
        return Err(PatternError::new("Filter is not an object", &[]));
    };
    let precision = Precision { abs_max: dialect.number_abs_max, digits: dialect.number_digits };
    let mut reader =
        Reader { dialect, precision, absences: Vec::new(), keys: BTreeSet::new(), combinations: 1 };
    let mut alternatives = vec![Node::default()];
    reader.object(&root, &mut Vec::new(), &mut alternatives, false)?;
    Ok(Pattern { alternatives, absences: reader.absences, precision })
}

struct Reader<'a> {
    dialect: &'a Dialect,
    precision: Precision,
    absences: Vec<Vec<String>>,
    /// The paths that have values.
    keys: BTreeSet<String>,
    combinations: u64,
}

impl<'a> Reader<'a> {
    /// Adds what an object says to each of the alternatives.
    fn object(
        &mut self,
        object: &'a Map<String, Value>,
        path: &mut Vec<&'a str>,
        alternatives: &mut Vec<Node>,
        in_or: bool,
    ) -> Result<(), PatternError> {
        if object.is_empty() {
            return Err(PatternError::new("Empty objects are not allowed", path));
        }
        if path.len() >= DEPTH_MAX {
            return Err(PatternError::new(format!("The pattern is deeper than {DEPTH_MAX} keys"), &[]));
        }
        for (key, value) in object {
            if key == OR {
                self.alternatives(value, path, alternatives)?;
                continue;
            }
            if in_or && OPERATOR_NAMES.contains(&key.as_str()) {
                let reason = format!("{key} is a reserved field name which cannot be used inside {OR}");
                return Err(PatternError::new(reason, path));
            }
            path.push(key);
            match value {
                Value::Object(below) if self.dialect.nested => {
                    self.object(below, path, alternatives, in_or)?;
                }
                Value::Object(_) => {
                    let reason =
                        "Filter policy scope MessageAttributes does not support nested filter policy";
                    return Err(PatternError::new(reason, &[]));
                }
                Value::Array(entries) => {
                    let values = Arc::new(self.values(entries, path)?);
                    self.check_limits(alternatives.len())?;
                    for tree in &mut *alternatives {
                        put(tree, path, &values);
                    }
                }
                _ => {
                    return Err(PatternError::new(format!("\"{key}\" must be an object or an array"), &[]));
                }
            }
            path.pop();
        }
        Ok(())
    }

    /// `$or`: each alternative so far, with each of these.
    fn alternatives(
        &mut self,
        value: &'a Value,
        path: &mut Vec<&'a str>,
        alternatives: &mut Vec<Node>,
    ) -> Result<(), PatternError> {
        self.require(Operator::Or, OR, path)?;
        let Value::Array(branches) = value else {
            return Err(PatternError::new(format!("It must be an Array followed with {OR}."), path));
        };
        if branches.len() < 2 {
            let reason = format!("There must have at least 2 Objects in {OR} relationship.");
            return Err(PatternError::new(reason, path));
        }
        let count = alternatives.len().saturating_mul(branches.len());
        if count > self.dialect.alternatives_max {
            return Err(PatternError::new(TOO_COMPLEX, &[]));
        }
        self.check_limits(count)?;
        let before = std::mem::take(alternatives);
        for branch in branches {
            let Value::Object(branch) = branch else {
                let reason = format!("Only JSON object is allowed in array of {OR} relationship.");
                return Err(PatternError::new(reason, path));
            };
            let mut with = before.clone();
            self.object(branch, path, &mut with, true)?;
            alternatives.append(&mut with);
            if alternatives.len() > self.dialect.alternatives_max {
                return Err(PatternError::new(TOO_COMPLEX, &[]));
            }
        }
        Ok(())
    }

    fn values(&mut self, entries: &[Value], path: &[&str]) -> Result<Values, PatternError> {
        if entries.is_empty() {
            return Err(PatternError::new("Empty arrays are not allowed", path));
        }
        let conditions: Vec<Condition> =
            entries.iter().map(|entry| self.condition(entry, path)).collect::<Result<_, _>>()?;
        let absence = conditions.contains(&Condition::Absent).then(|| {
            self.absences.push(path.iter().map(|key| (*key).to_owned()).collect());
            self.absences.len() - 1
        });
        let weight = match self.dialect.counting {
            Counting::Values => entries.len(),
            Counting::ValuesAndDepth => entries.len().saturating_mul(path.len()),
        };
        // A key that stands in several branches of an `$or` is one key; its values are all counted.
        self.keys.insert(path.join("\0"));
        self.combinations = self.combinations.saturating_mul(weight as u64);
        Ok(Values { conditions, absence })
    }

    fn check_limits(&self, alternatives: usize) -> Result<(), PatternError> {
        if alternatives.saturating_mul(self.keys.len()) > NODES_MAX {
            return Err(PatternError::new(TOO_COMPLEX, &[]));
        }
        if let Some(most) = self.dialect.keys_max
            && self.keys.len() > most
        {
            let reason = format!("Filter policy can not have more than {most} keys");
            return Err(PatternError::new(reason, &[]));
        }
        if self.dialect.combinations_max.is_some_and(|most| self.combinations > most) {
            return Err(PatternError::new(TOO_COMPLEX, &[]));
        }
        Ok(())
    }

    fn require(&self, operator: Operator, name: &str, path: &[&str]) -> Result<(), PatternError> {
        if self.dialect.allows(operator) {
            return Ok(());
        }
        Err(PatternError::new(format!("Unrecognized match type {name}"), path))
    }

    fn condition(&self, entry: &Value, path: &[&str]) -> Result<Condition, PatternError> {
        if let Value::Object(expression) = entry {
            return self.expression(expression, path);
        }
        let test = self.exact(entry, path)?;
        let reason = "Match value must be String, number, true, false, or null";
        test.map(Condition::Is).ok_or_else(|| PatternError::new(reason, path))
    }

    /// A plain value; nothing if it is none.
    fn exact(&self, value: &Value, path: &[&str]) -> Result<Option<Test>, PatternError> {
        Ok(match value {
            Value::Null => Some(Test::Null),
            Value::Bool(value) => Some(Test::Boolean(*value)),
            Value::Number(number) => {
                let number = Number::of(number);
                // Long integers, such as account numbers, are compared digit by digit.
                if !matches!(number, Number::Integer(_)) {
                    self.check_range(number, path)?;
                }
                Some(Test::Number(number))
            }
            Value::String(text) => Some(Test::String(text.clone())),
            Value::Array(_) | Value::Object(_) => None,
        })
    }

    fn check_range(&self, number: Number, path: &[&str]) -> Result<(), PatternError> {
        if number.is_within(self.precision) {
            return Ok(());
        }
        let most = self.precision.abs_max;
        Err(PatternError::new(format!("Value must be between -{most} and {most}, inclusive"), path))
    }

    fn expression(&self, expression: &Map<String, Value>, path: &[&str]) -> Result<Condition, PatternError> {
        let error = |reason: &str| PatternError::new(reason, path);
        let mut entries = expression.iter();
        let (name, value) = entries.next().ok_or_else(|| error("Match expression name not found"))?;
        if entries.next().is_some() {
            return Err(error(ONLY_ONE_KEY));
        }
        let test = match name.as_str() {
            "prefix" | "suffix" => self.affix(name, value, path)?,
            "equals-ignore-case" => {
                self.require(Operator::EqualsIgnoreCase, name, path)?;
                Test::IgnoreCase(fold(text(name, value, path)?))
            }
            "wildcard" => {
                self.require(Operator::Wildcard, name, path)?;
                wildcard(text(name, value, path)?, path)?
            }
            "numeric" => {
                self.require(Operator::Numeric, name, path)?;
                self.numeric(value, path)?
            }
            "cidr" => {
                self.require(Operator::Cidr, name, path)?;
                Test::Cidr(Block::parse(text(name, value, path)?).map_err(|reason| error(&reason))?)
            }
            "exists" => {
                self.require(Operator::Exists, name, path)?;
                return match value {
                    Value::Bool(true) => Ok(Condition::Exists),
                    Value::Bool(false) => Ok(Condition::Absent),
                    _ => Err(error("exists match pattern must be either true or false.")),
                };
            }
            "anything-but" => {
                self.require(Operator::AnythingBut, name, path)?;
                return Ok(Condition::IsNot(self.anything_but(value, path)?));
            }
            other => return Err(error(&format!("Unrecognized match type {other}"))),
        };
        Ok(Condition::Is(test))
    }

    /// `prefix` and `suffix`, each of a text or of `{"equals-ignore-case": text}`.
    fn affix(&self, name: &str, value: &Value, path: &[&str]) -> Result<Test, PatternError> {
        let is_prefix = name == "prefix";
        if let Value::Object(inner) = value {
            let plain = inner.len() == 1;
            let Some(inner) = inner.get("equals-ignore-case").filter(|_| plain) else {
                let reason = format!("{name} match pattern must be a string or one equals-ignore-case");
                return Err(PatternError::new(reason, path));
            };
            let operator = if is_prefix { Operator::PrefixIgnoreCase } else { Operator::SuffixIgnoreCase };
            self.require(operator, "equals-ignore-case", path)?;
            let folded = fold(text("equals-ignore-case", inner, path)?);
            let test = if is_prefix { Test::PrefixIgnoreCase } else { Test::SuffixIgnoreCase };
            return Ok(test(folded));
        }
        self.require(if is_prefix { Operator::Prefix } else { Operator::Suffix }, name, path)?;
        let test = if is_prefix { Test::Prefix } else { Test::Suffix };
        Ok(test(text(name, value, path)?.to_owned()))
    }

    fn anything_but(&self, value: &Value, path: &[&str]) -> Result<Vec<Test>, PatternError> {
        let error = |reason: &str| PatternError::new(reason, path);
        match value {
            Value::Object(inner) => self.anything_but_like(inner, path),
            Value::Array(values) => {
                let all = |kind: fn(&Value) -> bool| !values.is_empty() && values.iter().all(kind);
                if values.iter().any(|value| !value.is_string() && !value.is_number()) {
                    return Err(error("Inside anything but list, start|null|boolean is not supported."));
                }
                if !all(Value::is_string) && !all(Value::is_number) {
                    return Err(error(
                        "Inside anything but list, either all values are number or string, mixed type is not supported",
                    ));
                }
                values.iter().filter_map(|value| self.exact(value, path).transpose()).collect()
            }
            Value::String(_) | Value::Number(_) => Ok(self.exact(value, path)?.into_iter().collect()),
            _ => Err(error("Value of anything-but must be an array or single string/number value.")),
        }
    }

    /// `{"anything-but": {"prefix": …}}`, of a text or a list of texts.
    fn anything_but_like(
        &self,
        inner: &Map<String, Value>,
        path: &[&str],
    ) -> Result<Vec<Test>, PatternError> {
        let error = |reason: &str| PatternError::new(reason, path);
        let mut entries = inner.iter();
        let (name, value) = entries.next().ok_or_else(|| error("Anything-But expression name not found"))?;
        if entries.next().is_some() {
            return Err(error(ONLY_ONE_KEY));
        }
        let operator = match name.as_str() {
            "prefix" => Operator::AnythingButPrefix,
            "suffix" => Operator::AnythingButSuffix,
            "equals-ignore-case" => Operator::AnythingButIgnoreCase,
            "wildcard" => Operator::AnythingButWildcard,
            other => return Err(error(&format!("Unsupported anything-but pattern: {other}"))),
        };
        if !self.dialect.allows(operator) {
            return Err(error(&format!("Unsupported anything-but pattern: {name}")));
        }
        let values = match value {
            Value::Array(values) if values.is_empty() => return Err(error("Empty arrays are not allowed")),
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        values
            .iter()
            .map(|value| {
                let text = text(name, value, path)?;
                Ok(match operator {
                    Operator::AnythingButPrefix | Operator::AnythingButSuffix if text.is_empty() => {
                        return Err(error("Null prefix/suffix not allowed"));
                    }
                    Operator::AnythingButPrefix => Test::Prefix(text.to_owned()),
                    Operator::AnythingButSuffix => Test::Suffix(text.to_owned()),
                    Operator::AnythingButIgnoreCase => Test::IgnoreCase(fold(text)),
                    _ => wildcard(text, path)?,
                })
            })
            .collect()
    }

    /// `["=", 3]`, `[">", 0]`, `[">", 0, "<=", 5]`.
    fn numeric(&self, value: &Value, path: &[&str]) -> Result<Test, PatternError> {
        let error = |reason: String| PatternError::new(reason, path);
        let Value::Array(terms) = value else {
            return Err(error("Value of numeric must be an array.".into()));
        };
        let operator = |at: usize| match terms.get(at) {
            Some(Value::String(operator)) => Ok(operator.as_str()),
            other => Err(error(format!("Invalid member in numeric match: {}", shown(other)))),
        };
        let number = |at: usize, name: &str| match terms.get(at) {
            Some(Value::Number(number)) => {
                let number = Number::of(number);
                self.check_range(number, path).map(|()| number)
            }
            _ => Err(error(format!("Value of {name} must be numeric"))),
        };
        let first = operator(0)?;
        let mut range = NumberRange { bottom: None, top: None };
        match first {
            "=" => {
                let value = number(1, "equals")?;
                range = NumberRange { bottom: Some((value, true)), top: Some((value, true)) };
            }
            ">" | ">=" => range.bottom = Some((number(1, first)?, first == ">=")),
            "<" | "<=" => range.top = Some((number(1, first)?, first == "<=")),
            other => return Err(error(format!("Unrecognized numeric range operator: {other}"))),
        }
        if terms.len() == 2 {
            return Ok(Test::Range(range));
        }
        if !first.starts_with('>') {
            return Err(error("Too many elements in numeric expression".into()));
        }
        let second = operator(2)?;
        if !matches!(second, "<" | "<=") {
            return Err(error(format!("Bad numeric range operator: {second}")));
        }
        let top = number(3, second)?;
        if terms.len() > 4 {
            return Err(error("Too many terms in numeric range expression".into()));
        }
        let bottom = range.bottom.map(|(bottom, _)| bottom);
        if bottom.and_then(|bottom| bottom.compare(top, self.precision)) != Some(std::cmp::Ordering::Less) {
            return Err(error("Bottom must be less than top".into()));
        }
        range.top = Some((top, second == "<="));
        Ok(Test::Range(range))
    }
}

/// The names that cannot be fields within `$or`, where an object may be meant as a match expression.
const OPERATOR_NAMES: &[&str] =
    &["prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "exists", "anything-but"];

/// A path that an `$or` names again has the values of its branch: AWS's compiler overrides, too.
fn put(tree: &mut Node, path: &[&str], values: &Arc<Values>) {
    let mut node = tree;
    for key in path {
        node = node.fields.entry((*key).to_owned()).or_default();
    }
    node.values = Some(Arc::clone(values));
}

fn text<'v>(name: &str, value: &'v Value, path: &[&str]) -> Result<&'v str, PatternError> {
    let reason = || PatternError::new(format!("{name} match pattern must be a string"), path);
    value.as_str().ok_or_else(reason)
}

fn wildcard(text: &str, path: &[&str]) -> Result<Test, PatternError> {
    Wildcard::parse(text).map(Test::Wildcard).map_err(|reason| PatternError::new(reason, path))
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
}
