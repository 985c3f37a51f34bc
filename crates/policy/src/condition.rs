//! One line of a `Condition`: an operator, a key, and the values that it is compared with.

use std::fmt;

use crate::Context;
use crate::operator::{self, Operand, Test};

/// One test; all of a statement's must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    /// As written, `ForAnyValue:StringLikeIfExists`.
    pub(crate) operator: String,
    /// As written.
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
    test: Test,
    negated: bool,
    each: Each,
    if_exists: bool,
    operands: Vec<Operand>,
}

/// How a key with many values is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Each {
    /// Plainly: any value may pass; for the contrary, none may match.
    Plain,
    /// `ForAllValues:`.
    All,
    /// `ForAnyValue:`.
    Any,
}

/// What is wrong with a condition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    UnknownOperator,
    Value(String, &'static str),
}

impl Condition {
    /// Reads a condition; `variables` as the document's version allows them.
    pub(crate) fn parse(
        written: &str,
        key: &str,
        values: Vec<String>,
        variables: bool,
    ) -> Result<Self, Problem> {
        let (each, name) = match written.split_once(':') {
            None => (Each::Plain, written),
            Some(("ForAllValues", name)) => (Each::All, name),
            Some(("ForAnyValue", name)) => (Each::Any, name),
            Some(_) => return Err(Problem::UnknownOperator),
        };
        let (if_exists, name) = match name.strip_suffix("IfExists") {
            Some(name) => (true, name),
            None => (false, name),
        };
        let (test, negated) = operator::find(name).ok_or(Problem::UnknownOperator)?;
        if test == Test::Null && (if_exists || each != Each::Plain) {
            return Err(Problem::UnknownOperator);
        }
        let mut operands = Vec::with_capacity(values.len());
        for value in &values {
            let operand = Operand::parse(test, value, variables)
                .map_err(|problem| Problem::Value(value.clone(), problem))?;
            operands.push(operand);
        }
        let (operator, key) = (written.to_owned(), key.to_owned());
        Ok(Self { operator, key, values, test, negated, each, if_exists, operands })
    }

    /// Whether it holds for a request.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let actual = context.get(&self.key);
        if self.test == Test::Null {
            return self.operands.contains(&Operand::Bool(actual.is_empty()));
        }
        if actual.is_empty() {
            // A key that is absent differs from everything, and all of its values pass anything.
            return self.if_exists
                || match self.each {
                    Each::Plain => self.negated,
                    Each::All => true,
                    Each::Any => false,
                };
        }
        let matches =
            |value: &String| self.operands.iter().any(|operand| operand.accepts(self.test, value, context));
        match self.each {
            Each::Plain => actual.iter().any(matches) != self.negated,
            Each::All => actual.iter().all(|value| matches(value) != self.negated),
            Each::Any => actual.iter().any(|value| matches(value) != self.negated),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.operator, self.key, self.values)
    }
}
