//! The operators of conditions: the table of their names, and how each compares.

use crate::Context;
use crate::arn::ArnPattern;
use crate::pattern::{Pattern, Syntax};
use crate::value::{self, Network};

/// What a condition does with one value of the request and one of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Equals,
    EqualsIgnoreCase,
    Like,
    NumericEquals,
    NumericLess,
    NumericLessEquals,
    NumericGreater,
    NumericGreaterEquals,
    DateEquals,
    DateLess,
    DateLessEquals,
    DateGreater,
    DateGreaterEquals,
    Bool,
    BinaryEquals,
    Ip,
    Arn,
    Null,
}

/// Every operator: its name, its test, and whether it asks for the contrary.
const OPERATORS: [(&str, Test, bool); 28] = [
    ("StringEquals", Test::Equals, false),
    ("StringNotEquals", Test::Equals, true),
    ("StringEqualsIgnoreCase", Test::EqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Test::EqualsIgnoreCase, true),
    ("StringLike", Test::Like, false),
    ("StringNotLike", Test::Like, true),
    ("NumericEquals", Test::NumericEquals, false),
    ("NumericNotEquals", Test::NumericEquals, true),
    ("NumericLessThan", Test::NumericLess, false),
    ("NumericLessThanEquals", Test::NumericLessEquals, false),
    ("NumericGreaterThan", Test::NumericGreater, false),
    ("NumericGreaterThanEquals", Test::NumericGreaterEquals, false),
    ("DateEquals", Test::DateEquals, false),
    ("DateNotEquals", Test::DateEquals, true),
    ("DateLessThan", Test::DateLess, false),
    ("DateLessThanEquals", Test::DateLessEquals, false),
    ("DateGreaterThan", Test::DateGreater, false),
    ("DateGreaterThanEquals", Test::DateGreaterEquals, false),
    ("Bool", Test::Bool, false),
    ("BinaryEquals", Test::BinaryEquals, false),
    ("IpAddress", Test::Ip, false),
    ("NotIpAddress", Test::Ip, true),
    ("ArnEquals", Test::Arn, false),
    ("ArnNotEquals", Test::Arn, true),
    ("ArnLike", Test::Arn, false),
    ("ArnNotLike", Test::Arn, true),
    ("Null", Test::Null, false),
    // AWS reads the older name as this.
    ("StringNotEqualIgnoreCase", Test::EqualsIgnoreCase, true),
];

/// The test of an operator's bare name, and whether it asks for the contrary.
pub(crate) fn find(name: &str) -> Option<(Test, bool)> {
    OPERATORS.iter().find(|(known, ..)| *known == name).map(|(_, test, negated)| (*test, *negated))
}

/// A policy's value, read once for its test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Text(Pattern),
    FoldedText(Pattern),
    Number(i128),
    Date(apus_time::Timestamp),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(Network),
    Arn(ArnPattern),
}

impl Operand {
    /// Reads a policy's value; the error says what it should have been.
    pub(crate) fn parse(test: Test, text: &str, variables: bool) -> Result<Self, &'static str> {
        let wild = Syntax { wildcards: true, variables };
        let plain = Syntax { wildcards: false, variables };
        match test {
            Test::Equals => Pattern::parse(text, plain).map(Self::Text),
            // Only what is literal may be folded: the names of variables fold anyway, their values when compared.
            Test::EqualsIgnoreCase => Pattern::parse(&text.to_lowercase(), plain).map(Self::FoldedText),
            Test::Like => Pattern::parse(text, wild).map(Self::Text),
            Test::NumericEquals
            | Test::NumericLess
            | Test::NumericLessEquals
            | Test::NumericGreater
            | Test::NumericGreaterEquals => value::number(text).map(Self::Number).ok_or("not a number"),
            Test::DateEquals
            | Test::DateLess
            | Test::DateLessEquals
            | Test::DateGreater
            | Test::DateGreaterEquals => value::date(text).map(Self::Date).ok_or("not a date"),
            Test::Bool | Test::Null => value::boolean(text).map(Self::Bool).ok_or("neither true nor false"),
            Test::BinaryEquals => value::bytes(text).map(Self::Bytes).ok_or("not base64"),
            Test::Ip => {
                Network::parse(text).map(Self::Network).ok_or("neither an IP address nor a range of them")
            }
            Test::Arn => ArnPattern::parse(text, wild).map(Self::Arn),
        }
    }

    /// Whether the request's value passes. A value that cannot be read passes no test.
    pub(crate) fn accepts(&self, test: Test, actual: &str, context: &Context) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(actual, context),
            Self::FoldedText(pattern) => pattern.matches_folded(actual, context),
            Self::Number(wanted) => {
                value::number(actual).is_some_and(|actual| compare(test, &actual, wanted))
            }
            Self::Date(wanted) => value::date(actual).is_some_and(|actual| compare(test, &actual, wanted)),
            Self::Bool(wanted) => value::boolean(actual) == Some(*wanted),
            Self::Bytes(wanted) => value::bytes(actual).is_some_and(|actual| actual == *wanted),
            Self::Network(network) => value::address(actual).is_some_and(|actual| network.contains(actual)),
            Self::Arn(pattern) => actual.starts_with("arn:") && pattern.matches(actual, context),
        }
    }
}

fn compare<T: Ord>(test: Test, actual: &T, wanted: &T) -> bool {
    match test {
        Test::NumericEquals | Test::DateEquals => actual == wanted,
        Test::NumericLess | Test::DateLess => actual < wanted,
        Test::NumericLessEquals | Test::DateLessEquals => actual <= wanted,
        Test::NumericGreater | Test::DateGreater => actual > wanted,
        Test::NumericGreaterEquals | Test::DateGreaterEquals => actual >= wanted,
        _ => false,
    }
}
