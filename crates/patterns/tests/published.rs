//! The published rules: examples in the shape of AWS's user guides, with what matches and what does not.
#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` read better without borrows")]

use apus_patterns::{Dialect, Pattern};
use serde_json::{Value, json};

#[track_caller]
fn check(pattern: Value, matching: &[Value], others: &[Value]) {
    check_in(&Dialect::EVENT_BRIDGE, pattern, matching, others);
}

#[track_caller]
fn check_in(dialect: &Dialect, pattern: Value, matching: &[Value], others: &[Value]) {
    let read = Pattern::parse(&pattern.to_string(), dialect).expect("the pattern is read");
    for event in matching {
        assert!(read.matches(event), "{pattern} matches {event}");
    }
    for event in others {
        assert!(!read.matches(event), "{pattern} does not match {event}");
    }
}

/// Of one key.
#[track_caller]
fn check_values(conditions: Value, matching: Value, others: Value) {
    let events = |values: Value| -> Vec<Value> {
        values.as_array().expect("a list").iter().map(|value| json!({"x": value})).collect()
    };
    check(json!({"x": conditions}), &events(matching), &events(others));
}

#[test]
fn exact_values_are_of_one_type() {
    check_values(
        json!(["a"]),
        json!(["a", ["b", "a"]]),
        json!(["A", "ab", "", 1, null, [], ["b"], {"a": "a"}]),
    );
    check_values(json!([""]), json!([""]), json!(["a", null]));
    check_values(json!([300]), json!([300, 300.0, 3.0e2]), json!(["300", 300.1, 301]));
    check_values(json!([true]), json!([true]), json!([false, "true", 1]));
    check_values(json!([null]), json!([null]), json!(["null", "", false, []]));
    check_values(json!(["a", 1, null]), json!(["a", 1, null]), json!(["b", 2, false]));
    // Beyond what is compared as a real number.
    check_values(json!([123_456_789_012_i64]), json!([123_456_789_012_i64]), json!([123_456_789_013_i64]));
}

#[test]
fn texts_begin_and_end() {
    check_values(json!([{"prefix": "us-"}]), json!(["us-east-1", "us-"]), json!(["US-east", "eu", 1, null]));
    check_values(json!([{"suffix": ".png"}]), json!(["a.png", ".png"]), json!(["a.PNG", "png", 1]));
    check_values(
        json!([{"prefix": {"equals-ignore-case": "eventb"}}]),
        json!(["EventBridge", "EVENTB"]),
        json!(["event", "xeventb"]),
    );
    check_values(
        json!([{"suffix": {"equals-ignore-case": "tbridge"}}]),
        json!(["EventBridge", "TBRIDGE"]),
        json!(["bridge", "tbridges"]),
    );
    check_values(json!([{"equals-ignore-case": "Ärger"}]), json!(["äRGER", "ärger"]), json!(["arger", 1]));
}

#[test]
fn anything_but_wants_another_value() {
    check_values(
        json!([{"anything-but": "a"}]),
        json!(["b", "", 1, null, true, ["a", "b"]]),
        json!(["a", ["a"], []]),
    );
    check_values(json!([{"anything-but": ["a", "b"]}]), json!(["c"]), json!(["a", "b", ["a", "b"]]));
    check_values(json!([{"anything-but": 100}]), json!([101, "100"]), json!([100, 100.0]));
    check_values(json!([{"anything-but": [1, 2]}]), json!([3]), json!([1, 2]));
    check_values(json!([{"anything-but": {"prefix": "us-"}}]), json!(["eu"]), json!(["us-east-1"]));
    check_values(
        json!([{"anything-but": {"prefix": ["us-", "eu-"]}}]),
        json!(["ap-"]),
        json!(["us-1", "eu-1"]),
    );
    check_values(json!([{"anything-but": {"suffix": [".png"]}}]), json!(["a.jpg"]), json!(["a.png"]));
    check_values(
        json!([{"anything-but": {"equals-ignore-case": ["a", "B"]}}]),
        json!(["c"]),
        json!(["A", "b"]),
    );
    check_values(
        json!([{"anything-but": {"wildcard": "*/lib/*"}}]),
        json!(["/bin/x"]),
        json!(["/usr/lib/x"]),
    );
    check(json!({"x": [{"anything-but": "a"}]}), &[], &[json!({}), json!({"x": {"y": 1}})]);
}

#[test]
fn numbers_lie_in_ranges() {
    check_values(json!([{"numeric": ["=", 301.8]}]), json!([301.8, 3.018e2]), json!([301.7, "301.8"]));
    check_values(
        json!([{"numeric": [">", 0, "<=", 5]}]),
        json!([0.000_001, 5, 5.0]),
        json!([0, 5.000_001, -1]),
    );
    check_values(json!([{"numeric": ["<", 10]}]), json!([9, -5e9]), json!([10, 11, -5.1e9]));
    check_values(json!([{"numeric": [">=", -1]}]), json!([-1, 5e9]), json!([-1.000_001, 6e9]));
    // So many digits count, and no more.
    check_values(json!([{"numeric": ["=", 1.5]}]), json!([1.500_000_1]), json!([1.500_001]));
    check_in(
        &Dialect::SNS_ATTRIBUTES,
        json!({"x": [{"numeric": ["=", 1.5]}]}),
        &[json!({"x": 1.500_001})],
        &[json!({"x": 1.500_01})],
    );
}

#[test]
fn addresses_lie_in_blocks() {
    let v4 = json!(["10.0.0.0", "10.0.0.255"]);
    check_values(json!([{"cidr": "10.0.0.0/24"}]), v4, json!(["10.0.1.0", "::ffff:10.0.0.1", "10.0.0", 10]));
    check_values(json!([{"cidr": "0.0.0.0/0"}]), json!(["255.255.255.255"]), json!(["::1", ""]));
    check_values(json!([{"cidr": "10.1.2.3/32"}]), json!(["10.1.2.3"]), json!(["10.1.2.4"]));
    let v6 = json!(["2001:db8::1", "2001:0DB8:ffff::"]);
    check_values(json!([{"cidr": "2001:db8::/32"}]), v6, json!(["2001:db9::", "10.0.0.1"]));
    check_values(json!([{"cidr": "::/0"}]), json!(["::1"]), json!(["10.0.0.1"]));
}

#[test]
fn wildcards_stand_for_any_run() {
    check_values(
        json!([{"wildcard": "dir/*.png"}]),
        json!(["dir/.png", "dir/a/b.png"]),
        json!(["dir.png", "dir/a.pn"]),
    );
    check_values(json!([{"wildcard": "*a*a*"}]), json!(["aa", "bacada"]), json!(["a", ""]));
    check_values(json!([{"wildcard": "ab*ba"}]), json!(["abba", "abxba"]), json!(["aba"]));
    check_values(json!([{"wildcard": "1\\*2\\\\*"}]), json!(["1*2\\", "1*2\\x"]), json!(["1x2\\", "1*2"]));
    check_values(json!([{"wildcard": "*"}]), json!(["", "x"]), json!([1, null]));
}

#[test]
fn keys_exist_or_do_not() {
    let (there, gone) = (json!({"d": {"x": [{"exists": true}]}}), json!({"d": {"x": [{"exists": false}]}}));
    let with = [json!({"d": {"x": 1}}), json!({"d": {"x": null}}), json!({"d": {"x": [""]}})];
    // Only leaves exist.
    let without = [
        json!({}),
        json!({"d": 1}),
        json!({"d": {}}),
        json!({"d": {"x": {"y": 1}}}),
        json!({"d": {"x": []}}),
    ];
    check(there, &with, &without);
    check(gone.clone(), &without, &with);
    // Of all elements.
    check(gone, &[json!({"d": [{"y": 1}]})], &[json!({"d": [{"y": 1}, {"x": 1}]})]);
    check(
        json!({"x": [{"exists": false}, "a"]}),
        &[json!({}), json!({"x": "a"})],
        &[json!({"x": "b"}), json!({"x": ["b"]})],
    );
}

#[test]
fn every_key_must_match_and_any_alternative() {
    check(
        json!({"a": ["1"], "b": {"c": ["2"], "d": ["3"]}}),
        &[json!({"a": "1", "b": {"c": "2", "d": "3", "e": 4}, "f": 5})],
        &[json!({"a": "1", "b": {"c": "2"}}), json!({"a": "0", "b": {"c": "2", "d": "3"}}), json!({"b": 1})],
    );
    let or = json!({"a": ["1"], "$or": [{"b": ["2"]}, {"c": ["3"], "d": ["4"]}, {"$or": [{"e": [5]}, {"f": [6]}]}]});
    check(
        or,
        &[
            json!({"a": "1", "b": "2"}),
            json!({"a": "1", "c": "3", "d": "4"}),
            json!({"a": "1", "e": 5}),
            json!({"a": "1", "f": 6}),
        ],
        &[json!({"a": "1"}), json!({"b": "2"}), json!({"a": "1", "c": "3"}), json!({"e": 5, "f": 6})],
    );
    check(
        json!({"d": {"$or": [{"n": [{"numeric": ["<", 1]}]}, {"s": ["x"]}]}, "k": [1]}),
        &[json!({"d": {"n": 0}, "k": 1}), json!({"d": {"s": "x"}, "k": 1})],
        &[json!({"d": {"n": 0}}), json!({"d": {"n": 1, "s": "y"}, "k": 1}), json!({"n": 0, "k": 1})],
    );
}

#[test]
fn fields_below_an_array_are_of_one_element() {
    check(
        json!({"users": {"first": ["Anna"], "last": ["Smith"]}}),
        &[
            json!({"users": [{"first": "Bob"}, {"first": "Anna", "last": "Smith"}]}),
            json!({"users": {"first": "Anna", "last": "Smith"}}),
        ],
        &[json!({"users": [{"first": "Anna", "last": "Jones"}, {"first": "Bob", "last": "Smith"}]})],
    );
    // An alternative is no other question: still the same element.
    check(
        json!({"users": {"first": ["Anna"]}, "$or": [{"users": {"last": ["Smith"]}}, {"z": [1]}]}),
        &[json!({"users": [{"first": "Anna", "last": "Smith"}]})],
        &[json!({"users": [{"first": "Anna"}, {"last": "Smith"}]})],
    );
    check(json!({"a": [1]}), &[json!({"a": [[0], [[1]]]})], &[json!({"a": [[0], [[2]]]})]);
}

#[track_caller]
fn refused(dialect: &Dialect, pattern: &str, expected: &str) {
    let error = Pattern::parse(pattern, dialect).expect_err(pattern);
    assert_eq!(error.to_string(), expected, "{pattern}");
}

#[test]
fn mistakes_are_named() {
    for (pattern, expected) in [
        ("", "failed to parse JSON: EOF while parsing a value at line 1 column 0"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        (r#"{"a": "b"}"#, r#""a" must be an object or an array"#),
        (r#"{"a": []}"#, "Empty arrays are not allowed (at a)"),
        (r#"{"a": {"b": {}}}"#, "Empty objects are not allowed (at a.b)"),
        (r#"{"a": [["b"]]}"#, "Match value must be String, number, true, false, or null (at a)"),
        (r#"{"a": [{}]}"#, "Match expression name not found (at a)"),
        (r#"{"a": [{"like": "b"}]}"#, "Unrecognized match type like (at a)"),
        (r#"{"a": [{"prefix": "b", "suffix": "c"}]}"#, "Only one key allowed in match expression (at a)"),
        (r#"{"a": [{"prefix": 1}]}"#, "prefix match pattern must be a string (at a)"),
        (
            r#"{"a": [{"prefix": {"wildcard": "b"}}]}"#,
            "prefix match pattern must be a string or one equals-ignore-case (at a)",
        ),
        (r#"{"a": [{"exists": "yes"}]}"#, "exists match pattern must be either true or false. (at a)"),
        (r#"{"a": [{"wildcard": "b**"}]}"#, "Consecutive wildcard characters at pos 2 (at a)"),
        (r#"{"a": [{"wildcard": "b\\c"}]}"#, "Invalid escape character at pos 1 (at a)"),
        (r#"{"a": [{"cidr": "10.0.0.0"}]}"#, "Malformed CIDR, one '/' required: 10.0.0.0 (at a)"),
        (
            r#"{"a": [{"cidr": "10.0.0.0/33"}]}"#,
            "Malformed CIDR, mask bits must be at most 32: 10.0.0.0/33 (at a)",
        ),
        (
            r#"{"a": [{"cidr": "10.0.0.0/+8"}]}"#,
            "Malformed CIDR, mask bits must be an integer: 10.0.0.0/+8 (at a)",
        ),
        (r#"{"a": [{"cidr": "x/8"}]}"#, "Malformed CIDR, no address before the '/': x/8 (at a)"),
        (r#"{"a": [{"numeric": 1}]}"#, "Value of numeric must be an array. (at a)"),
        (r#"{"a": [{"numeric": []}]}"#, "Invalid member in numeric match: nothing (at a)"),
        (r#"{"a": [{"numeric": [1]}]}"#, "Invalid member in numeric match: 1 (at a)"),
        (r#"{"a": [{"numeric": ["<>", 1]}]}"#, "Unrecognized numeric range operator: <> (at a)"),
        (r#"{"a": [{"numeric": ["="]}]}"#, "Value of equals must be numeric (at a)"),
        (r#"{"a": [{"numeric": [">", "1"]}]}"#, "Value of > must be numeric (at a)"),
        (r#"{"a": [{"numeric": ["<", 1, ">", 0]}]}"#, "Too many elements in numeric expression (at a)"),
        (r#"{"a": [{"numeric": [">", 1, ">", 2]}]}"#, "Bad numeric range operator: > (at a)"),
        (r#"{"a": [{"numeric": [">", 1, "<", 1]}]}"#, "Bottom must be less than top (at a)"),
        (r#"{"a": [{"numeric": [">", 1, "<", 2, 3]}]}"#, "Too many terms in numeric range expression (at a)"),
        (
            r#"{"a": [{"numeric": ["=", 1e10]}]}"#,
            "Value must be between -5000000000 and 5000000000, inclusive (at a)",
        ),
        (
            r#"{"a": [{"anything-but": null}]}"#,
            "Value of anything-but must be an array or single string/number value. (at a)",
        ),
        (
            r#"{"a": [{"anything-but": [true]}]}"#,
            "Inside anything but list, start|null|boolean is not supported. (at a)",
        ),
        (
            r#"{"a": [{"anything-but": []}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported (at a)",
        ),
        (
            r#"{"a": [{"anything-but": ["b", 1]}]}"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported (at a)",
        ),
        (
            r#"{"a": [{"anything-but": {"numeric": ["=", 1]}}]}"#,
            "Unsupported anything-but pattern: numeric (at a)",
        ),
        (r#"{"a": [{"anything-but": {"prefix": ""}}]}"#, "Null prefix/suffix not allowed (at a)"),
        (r#"{"$or": {"a": [1]}}"#, "It must be an Array followed with $or."),
        (r#"{"$or": [{"a": [1]}]}"#, "There must have at least 2 Objects in $or relationship."),
        (r#"{"$or": [{"a": [1]}, 2]}"#, "Only JSON object is allowed in array of $or relationship."),
        (
            r#"{"a": {"$or": [{"prefix": ["b"]}, {"c": [1]}]}}"#,
            "prefix is a reserved field name which cannot be used inside $or (at a)",
        ),
    ] {
        refused(&Dialect::EVENT_BRIDGE, pattern, expected);
    }
}

#[test]
fn dialects_differ() {
    let nested = r#"{"a": {"b": [1]}}"#;
    assert!(Pattern::parse(nested, &Dialect::SNS_BODY).is_ok());
    refused(
        &Dialect::SNS_ATTRIBUTES,
        nested,
        "Filter policy scope MessageAttributes does not support nested filter policy",
    );
    refused(
        &Dialect::EVENT_SOURCE_MAPPING,
        r#"{"a": [{"wildcard": "*"}]}"#,
        "Unrecognized match type wildcard (at a)",
    );
    refused(
        &Dialect::EVENT_SOURCE_MAPPING,
        r#"{"a": [{"anything-but": {"prefix": "b"}}]}"#,
        "Unsupported anything-but pattern: prefix (at a)",
    );
    refused(
        &Dialect::SNS_ATTRIBUTES,
        r#"{"a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1]}"#,
        "Filter policy can not have more than 5 keys",
    );
    refused(
        &Dialect::SNS_ATTRIBUTES,
        r#"{"a": [{"numeric": [">", 1000000001]}]}"#,
        "Value must be between -1000000000 and 1000000000, inclusive (at a)",
    );
}

#[test]
fn sns_counts_combinations() {
    let list = |count: usize| -> Vec<usize> { (0..count).collect() };
    let fits = json!({"a": list(5), "b": list(5), "c": list(6)}).to_string();
    let over = json!({"a": list(5), "b": list(5), "c": list(7)}).to_string();
    for dialect in [Dialect::SNS_ATTRIBUTES, Dialect::SNS_BODY] {
        assert!(Pattern::parse(&fits, &dialect).is_ok());
        refused(&dialect, &over, "Filter policy is too complex");
    }
    // The user guide's example: (4 values, 3 deep) × (3, 2) × (3, 1) are 216.
    let example = json!({"a": {"b": {"c": list(4)}}, "d": {"e": list(3)}, "f": list(3)}).to_string();
    refused(&Dialect::SNS_BODY, &example, "Filter policy is too complex");
    let smaller = json!({"a": {"b": {"c": list(4)}}, "d": {"e": list(3)}, "f": list(2)}).to_string();
    assert!(Pattern::parse(&smaller, &Dialect::SNS_BODY).is_ok(), "144");
}
