//! One table per family of operators.

use crate::Context;
use crate::condition::{Condition, Problem};

/// `actual` and `values` are split at blanks; `-` is an absent key.
fn check(operator: &str, values: &str, actual: &str, expect: bool) {
    let values: Vec<String> = values.split(' ').map(str::to_owned).collect();
    let condition = Condition::parse(operator, "aws:Key", values, true)
        .unwrap_or_else(|problem| panic!("{operator}: {problem:?}"));
    let mut context = Context::new().with("aws:username", "ann");
    if actual != "-" {
        actual.split(' ').for_each(|value| context.insert("AWS:key", value));
    }
    assert_eq!(condition.holds(&context), expect, "{condition} on {actual:?}");
}

#[test]
fn strings() {
    for (operator, values, actual, expect) in [
        ("StringEquals", "a b", "b", true),
        ("StringEquals", "a b", "B", false),
        ("StringEquals", "a*", "ab", false),
        ("StringEquals", "a*", "a*", true),
        ("StringEquals", "${aws:username}", "ann", true),
        ("StringEquals", "${aws:missing}", "ann", false),
        ("StringEquals", "a", "-", false),
        ("StringNotEquals", "a b", "b", false),
        ("StringNotEquals", "a b", "c", true),
        ("StringNotEquals", "a", "-", true),
        ("StringNotEquals", "${aws:missing}", "ann", true),
        ("StringEqualsIgnoreCase", "aB", "Ab", true),
        ("StringEqualsIgnoreCase", "${aws:username}X", "ANNx", true),
        ("StringNotEqualsIgnoreCase", "aB", "Ab", false),
        ("StringLike", "a*c?", "abbcd", true),
        ("StringLike", "a${*}", "ab", false),
        ("StringLike", "A*", "ab", false),
        ("StringNotLike", "a*", "ab", false),
        ("StringNotLike", "a*", "b", true),
        ("StringNotLike", "a*", "-", true),
    ] {
        check(operator, values, actual, expect);
    }
}

#[test]
fn numbers_and_dates() {
    for (operator, values, actual, expect) in [
        ("NumericEquals", "10", "10.0", true),
        ("NumericEquals", "0.1", ".10", true),
        ("NumericEquals", "9007199254740993", "9007199254740992", false),
        ("NumericNotEquals", "10", "11", true),
        ("NumericNotEquals", "10", "-", true),
        ("NumericLessThan", "10", "9.999", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThan", "-1", "-2", true),
        ("NumericLessThan", "10", "ten", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "10", "10.1", true),
        ("NumericGreaterThan", "10", "10", false),
        ("NumericGreaterThanEquals", "10", "10", true),
        ("DateEquals", "2025-03-04T00:00:00Z", "2025-03-04", true),
        ("DateEquals", "1741046400", "2025-03-04T01:00:00+01:00", true),
        ("DateNotEquals", "2025-03-04", "2025-03-05", true),
        ("DateLessThan", "2025-03-04T05:06Z", "2025-03-04T05:05:59Z", true),
        ("DateLessThan", "2025-03-04T05:06Z", "2025-03-04T05:06:00Z", false),
        ("DateLessThanEquals", "2025-03-04T05:06Z", "2025-03-04T05:06:00Z", true),
        ("DateGreaterThan", "2025-03-04", "2025-03-04T00:00:00.001Z", true),
        ("DateGreaterThanEquals", "2025-03-04", "2025-03-04", true),
        ("DateGreaterThan", "2025-03-04", "tomorrow", false),
        ("DateGreaterThan", "2025-03-04", "-", false),
    ] {
        check(operator, values, actual, expect);
    }
}

#[test]
fn booleans_bytes_addresses_and_names() {
    let role = "arn:aws:iam::000000000000:role/a";
    for (operator, values, actual, expect) in [
        ("Bool", "true", "True", true),
        ("Bool", "false", "true", false),
        ("Bool", "true", "-", false),
        ("Bool", "true", "yes", false),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", true),
        ("BinaryEquals", "QmluYXJ5", "qmluYXJ5", false),
        ("IpAddress", "203.0.113.0/24", "203.0.113.77", true),
        ("IpAddress", "203.0.113.0/24", "203.0.114.1", false),
        ("IpAddress", "203.0.113.9", "203.0.113.9", true),
        ("IpAddress", "0.0.0.0/0", "8.8.8.8", true),
        ("IpAddress", "0.0.0.0/0", "::1", false),
        ("IpAddress", "2001:db8::/32", "2001:db8:1::1", true),
        ("IpAddress", "2001:db8::/32", "2001:db9::1", false),
        ("IpAddress", "::/0", "2001:db9::1", true),
        ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.1", true),
        ("IpAddress", "203.0.113.77/24", "203.0.113.1", true),
        ("IpAddress", "203.0.113.0/24", "-", false),
        ("NotIpAddress", "203.0.113.0/24 10.0.0.0/8", "10.1.1.1", false),
        ("NotIpAddress", "203.0.113.0/24 10.0.0.0/8", "11.1.1.1", true),
        ("ArnEquals", "arn:aws:iam::*:role/*", role, true),
        ("ArnLike", "arn:aws:iam::000000000000:role/?", role, true),
        ("ArnLike", "arn:aws:iam:*:role/a", role, false),
        ("ArnLike", "*", role, true),
        ("ArnLike", "*", "no-name", false),
        ("ArnNotLike", "arn:aws:iam::*:role/*", role, false),
        ("ArnNotEquals", "arn:aws:iam::*:user/*", role, true),
        ("ArnNotEquals", "arn:aws:iam::*:user/*", "-", true),
        ("Null", "true", "-", true),
        ("Null", "true", "x", false),
        ("Null", "false", "x", true),
        ("Null", "false", "-", false),
    ] {
        check(operator, values, actual, expect);
    }
}

#[test]
fn sets_and_absent_keys() {
    for (operator, values, actual, expect) in [
        ("StringEqualsIfExists", "a", "-", true),
        ("StringEqualsIfExists", "a", "b", false),
        ("BoolIfExists", "true", "-", true),
        ("NotIpAddressIfExists", "10.0.0.0/8", "-", true),
        ("StringEquals", "a", "a b", true),
        ("StringNotEquals", "a", "a b", false),
        ("ForAllValues:StringEquals", "a b", "a b", true),
        ("ForAllValues:StringEquals", "a b", "a c", false),
        ("ForAllValues:StringEquals", "a b", "-", true),
        ("ForAllValues:StringNotEquals", "a b", "c d", true),
        ("ForAllValues:StringNotEquals", "a b", "c a", false),
        ("ForAnyValue:StringEquals", "a b", "c a", true),
        ("ForAnyValue:StringEquals", "a b", "c d", false),
        ("ForAnyValue:StringEquals", "a b", "-", false),
        ("ForAnyValue:StringNotEquals", "a", "a b", true),
        ("ForAnyValue:StringNotEquals", "a", "a", false),
        ("ForAnyValue:StringNotEquals", "a", "-", false),
        ("ForAnyValue:StringLikeIfExists", "a*", "-", true),
        ("ForAnyValue:ArnLike", "arn:aws:s3:::b*", "x arn:aws:s3:::bc", true),
        ("ForAllValues:NumericLessThan", "10", "1 9", true),
        ("ForAllValues:NumericLessThan", "10", "1 10", false),
    ] {
        check(operator, values, actual, expect);
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let parse = |operator: &str, value: &str| Condition::parse(operator, "k", vec![value.to_owned()], true);
    for operator in [
        "StringEqual",
        "stringequals",
        "ForSomeValues:StringEquals",
        "ForAnyValue:",
        "IfExists",
        "NullIfExists",
        "ForAllValues:Null",
        "BoolNotEquals",
        "StringEqualsIfExistsIfExists",
        "",
        "ForAnyValue:ForAnyValue:Bool",
    ] {
        assert_eq!(parse(operator, "true"), Err(Problem::UnknownOperator), "{operator}");
    }
    for (operator, value) in [
        ("NumericEquals", "1e3"),
        ("NumericEquals", ""),
        ("NumericEquals", "."),
        ("NumericEquals", "123456789012345678901"),
        ("DateLessThan", "04.03.2025"),
        ("Bool", "1"),
        ("Null", "maybe"),
        ("BinaryEquals", "%%"),
        ("IpAddress", "10.0.0.0/33"),
        ("IpAddress", "::/129"),
        ("IpAddress", "10.0.0.0/"),
        ("IpAddress", "localhost"),
        ("ArnLike", "role/*"),
        ("StringEquals", "${aws:username"),
    ] {
        assert!(matches!(parse(operator, value), Err(Problem::Value(..))), "{operator} {value}");
    }
}
