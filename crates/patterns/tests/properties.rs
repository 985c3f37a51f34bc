//! Properties against slow and plain models, and input that means harm.

use apus_patterns::{Dialect, Pattern};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The textbook's table.
fn wildcard_model(pattern: &[char], text: &[char]) -> bool {
    let mut row: Vec<bool> = vec![true];
    row.resize(text.len() + 1, false);
    for &p in pattern {
        let mut next = vec![p == '*' && row[0]];
        for (at, &t) in text.iter().enumerate() {
            next.push(if p == '*' { next[at] || row[at + 1] } else { row[at] && p == t });
        }
        row = next;
    }
    row[text.len()]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_i32..3).prop_map(|n| json!(n)),
        "[ab]{0,2}".prop_map(|s| json!(s)),
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let below = leaf().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map("[a-c]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    proptest::collection::btree_map("[a-c]", below, 0..4).prop_map(|map| json!(map))
}

/// Two fields below `a`, and the alternatives that the model expands by hand.
fn element_model(value: &Value, b: &Value, c: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| element_model(element, b, c)),
        Value::Object(fields) => {
            fields.get("b").is_some_and(|own| holds(own, b))
                && fields.get("c").is_some_and(|own| holds(own, c))
        }
        _ => false,
    }
}

fn holds(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| holds(element, wanted)),
        other => other == wanted,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn wildcards_are_as_in_the_textbook(pattern in "\\*?([ab]{1,2}\\*){0,4}[ab]{0,2}", text in "[ab]{0,12}") {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        let read = Pattern::parse(&json!({"x": [{"wildcard": pattern}]}).to_string(), &Dialect::EVENT_BRIDGE).unwrap();
        prop_assert_eq!(read.matches(&json!({"x": text})), wildcard_model(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn fields_are_found_in_one_element(event in event(), b in leaf(), c in leaf()) {
        let read = Pattern::parse(&json!({"a": {"b": [b], "c": [c]}}).to_string(), &Dialect::EVENT_BRIDGE).unwrap();
        let expected = event.get("a").is_some_and(|value| element_model(value, &b, &c));
        prop_assert_eq!(read.matches(&event), expected);
    }

    #[test]
    fn a_key_exists_or_it_does_not(event in event(), path in proptest::collection::vec("[a-c]", 1..4)) {
        let read = |exists: bool| {
            let pattern = path.iter().rev().fold(json!([{"exists": exists}]), |below, key| json!({key.as_str(): below}));
            Pattern::parse(&pattern.to_string(), &Dialect::EVENT_BRIDGE).unwrap()
        };
        prop_assert_ne!(read(true).matches(&event), read(false).matches(&event));
    }

    #[test]
    fn a_number_is_in_a_range_or_on_one_side(n in -100_000_i64..100_000, low in -1_000_i64..1_000, width in 1_i64..1_000) {
        let (n, low, high) = (n as f64 / 100.0, low as f64, (low + width) as f64);
        let in_range = |terms: Value| {
            Pattern::parse(&json!({"x": [{"numeric": terms}]}).to_string(), &Dialect::SNS_BODY).unwrap().matches(&json!({"x": n}))
        };
        let sides = [in_range(json!(["<", low])), in_range(json!([">=", low, "<", high])), in_range(json!([">=", high]))];
        prop_assert_eq!(sides.iter().filter(|side| **side).count(), 1);
        prop_assert_eq!(sides[1], low <= n && n < high);
    }

    #[test]
    fn alternatives_are_the_same_as_patterns_of_their_own(event in event(), a in leaf(), b in leaf(), c in leaf()) {
        let read = |pattern: Value| Pattern::parse(&pattern.to_string(), &Dialect::EVENT_BRIDGE).unwrap().matches(&event);
        let either = read(json!({"a": [a], "$or": [{"b": [b]}, {"c": [c]}]}));
        prop_assert_eq!(either, read(json!({"a": [a], "b": [b]})) || read(json!({"a": [a], "c": [c]})));
    }

    #[test]
    fn no_text_is_more_than_refused(text in "\\PC{0,60}|[{}\\[\\]\":,$a-z0-9]{0,60}") {
        let _refused_or_not = Pattern::parse(&text, &Dialect::SNS_BODY);
    }
}

#[test]
fn what_grows_without_bound_is_refused() {
    let refused = |pattern: &str, dialect: &Dialect| {
        Pattern::parse(pattern, dialect).expect_err("too much").to_string()
    };
    // 3^10 alternatives in half a kilobyte.
    let or = r#""$or": [{"a": [1]}, {"b": [1]}, {"c": [1]}]"#;
    let deep = (0..10).fold("\"x\": [1]".to_owned(), |below, at| format!("\"k{at}\": {{{or}, {below}}}"));
    assert_eq!(refused(&format!("{{{deep}}}"), &Dialect::EVENT_BRIDGE), "Filter policy is too complex");
    let nested = |depth: usize| format!("{}[1]{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(Pattern::parse(&nested(60), &Dialect::EVENT_BRIDGE).is_ok());
    assert_eq!(refused(&nested(70), &Dialect::EVENT_BRIDGE), "The pattern is deeper than 64 keys");
    assert!(
        refused(&nested(500), &Dialect::EVENT_BRIDGE).starts_with("failed to parse JSON: recursion limit")
    );
    let large = format!(r#"{{"a": ["{}"]}}"#, "x".repeat(5_000));
    assert_eq!(refused(&large, &Dialect::EVENT_BRIDGE), "Filter policy is larger than 4096 bytes");
    let many: Vec<String> = (0..20_000).map(|at| format!("\"k{at}\": [1]")).collect();
    let many = format!(r#"{{"$or": [{{"a": [1]}}, {{"b": [1]}}], {}}}"#, many.join(","));
    assert_eq!(refused(&many, &Dialect::SNS_BODY), "Filter policy is larger than 262144 bytes");
    assert_eq!(
        refused(&many.replace("[1]", "[]"), &Dialect::SNS_BODY),
        "Empty arrays are not allowed (at a)"
    );
}

#[test]
fn a_wildcard_never_goes_back() {
    // A backtracking matcher would not come back from this.
    let stars = "a*".repeat(200);
    let pattern = Pattern::parse(
        &json!({"x": [{"wildcard": format!("{stars}b")}]}).to_string(),
        &Dialect::EVENT_BRIDGE,
    );
    assert!(!pattern.unwrap().matches(&json!({"x": "a".repeat(200_000)})));
}
