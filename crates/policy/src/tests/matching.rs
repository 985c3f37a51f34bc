//! Wildcards, variables and resource names.

use proptest::prelude::*;

use crate::Context;
use crate::arn::ArnPattern;
use crate::pattern::{Pattern, Syntax};

const ALL: Syntax = Syntax { wildcards: true, variables: true };

/// Matching by its definition: exponential, and right.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((char, rest)) => text.first() == Some(char) && naive(rest, &text[1..]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn wildcards_as_defined(pattern in "[aäb*?]{0,8}", text in "[aäb]{0,9}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = naive(&chars(&pattern), &chars(&text));
        let compiled = Pattern::parse(&pattern, ALL).expect("no variables");
        prop_assert_eq!(compiled.matches(&text, &Context::new()), expected);
    }

    #[test]
    fn values_are_never_patterns(value in "[a*?:$]{0,5}", text in "[a*?:$x]{0,6}") {
        let compiled = Pattern::parse("${k}*", ALL).expect("a variable");
        let context = Context::new().with("K", value.clone());
        prop_assert_eq!(compiled.matches(&text, &context), text.starts_with(&value));
    }
}

#[test]
fn variables() {
    let context = Context::new()
        .with("aws:username", "Ann")
        .with("aws:PrincipalTag/team", "blue")
        .with("many", "a")
        .with("many", "b");
    let check = |pattern: &str, text: &str, expect: bool| {
        let compiled = Pattern::parse(pattern, ALL).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(compiled.matches(text, &context), expect, "{pattern} on {text}");
    };
    check("home/${aws:username}/*", "home/Ann/x", true);
    check("home/${AWS:UserName}/*", "home/Ann/x", true);
    check("home/${aws:username}/*", "home/ann/x", false);
    check("${aws:PrincipalTag/team, 'none'}", "blue", true);
    check("${aws:PrincipalTag/area, 'none'}", "none", true);
    check("${aws:PrincipalTag/area, ''}x", "x", true);
    check("${aws:PrincipalTag/area}", "", false);
    check("*${missing}*", "anything", false);
    check("${many}", "a", false);
    check("${many, 'a'}", "a", false);
    check("a${*}b", "a*b", true);
    check("a${*}b", "axb", false);
    check("${?}${$}", "?$", true);
    for broken in ["${", "${aws:username", "${}", "${a, b}", "${a, 'b}", "${${a}}"] {
        assert!(Pattern::parse(broken, ALL).is_err(), "{broken}");
    }
    let old = Pattern::parse("${aws:username}", Syntax { wildcards: true, variables: false }).expect("text");
    assert!(old.matches("${aws:username}", &context) && !old.matches("Ann", &context));
}

#[test]
fn resource_names_match_field_by_field() {
    let context = Context::new().with("evil", "a:b:c").with("account", "000000000000");
    let check = |pattern: &str, name: &str, expect: bool| {
        let compiled = ArnPattern::parse(pattern, ALL).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(compiled.matches(name, &context), expect, "{pattern} on {name}");
    };
    let queue = "arn:aws:sqs:us-east-1:000000000000:jobs";
    check("*", queue, true);
    check("*", "*", true);
    check("arn:aws:sqs:us-east-1:000000000000:jobs", queue, true);
    check("arn:aws:sqs:*:*:jobs", queue, true);
    check("arn:aws:sqs:us-east-?:*:j*", queue, true);
    check("arn:aws:sqs:*:${account}:*", queue, true);
    check("arn:aws:sqs:us-east-1:000000000000:Jobs", queue, false);
    // Missing fields are any.
    check("arn:aws:sqs", queue, true);
    check("arn:aws:sqs:eu-west-1", queue, false);
    check("arn:*", queue, true);
    check("arn:aws:s*", queue, true);
    // A wildcard stays in its field.
    check("arn:aws:sqs:*:jobs", queue, false);
    check("arn:aws:*:jobs", queue, false);
    check("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:c/d", true);
    check("arn:aws:s3:::b", "arn:aws:s3:::b/a", false);
    check("arn:aws:lambda:*:*:function:f*", "arn:aws:lambda:us-east-1:000000000000:function:f:1", true);
    // A value's colons make no fields.
    check("arn:aws:sqs:${evil}", "arn:aws:sqs:a:b:c", false);
    check("arn:aws:s3:::${evil}", "arn:aws:s3:::a:b:c", true);
    check("arn:aws:sqs:*:*:*", "*", false);
    check("arn:aws:sqs:*:*:*", "arn:aws:sqs", false);
    for broken in ["", "sqs", "aws:sqs:x", "?rn:aws", "**x"] {
        assert!(ArnPattern::parse(broken, ALL).is_err(), "{broken}");
    }
}
