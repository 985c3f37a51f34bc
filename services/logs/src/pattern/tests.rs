//! The published rules of AWS's page "Filter pattern syntax", and what holds of any pattern.

use proptest::prelude::*;

use super::Pattern;

#[track_caller]
fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    for message in yes {
        assert!(parsed.matches(message), "{pattern} should match {message}");
        assert!(parsed.extract(message).is_some(), "{pattern} should tell of {message}");
    }
    for message in no {
        assert!(!parsed.matches(message), "{pattern} should not match {message}");
        assert!(parsed.extract(message).is_none(), "{pattern} should not tell of {message}");
    }
}

#[test]
fn terms() {
    check("", &["", "anything"], &[]);
    check("ERROR", &["[ERROR] A fatal exception", "Exiting with ERRORCODE: -1"], &["error", "WARN"]);
    check("ERROR Exception", &["[ERROR] Caught IllegalArgumentException"], &["[ERROR] fine", "Exception"]);
    check("\"INTERNAL SERVER ERROR\"", &["[500] INTERNAL SERVER ERROR"], &["ERROR SERVER INTERNAL"]);
    check("ERROR -Exiting", &["[ERROR] x"], &["Exiting with ERRORCODE: -1", "fine"]);
    check("?ERROR ?WARN", &["[ERROR] x", "[WARN] y"], &["[INFO] z"]);
    check("?ERROR ?WARN INFO", &["INFO"], &["ERROR"]);
    check("-\"not me\" -DEBUG", &["me", ""], &["it is not me", "DEBUG"]);
    check("\"\\\"quoted\\\"\"", &["say \"quoted\""], &["say quoted"]);
    check("%AUTHORIZED%", &["UNAUTHORIZED", "AUTHORIZED"], &["authorized"]);
    check("%^[A-Z]+ 4[0-9][0-9]$%", &["GET 404"], &["GET 500", "a GET 404"]);
}

#[test]
fn json() {
    let event = r#"{"eventType":"UpdateTrail","sourceIPAddress":"111.111.111.111","arrayKey":["value","another"],
        "objectList":[{"name":"a","id":1},{"name":"b","id":2}],"SomeObject":null,"ThisFlag":true,"code":404,
        "user.name":"ann","ratio":1e-3}"#;
    let meant = [
        "{ $.eventType = \"UpdateTrail\" }",
        "{ $.eventType = UpdateTrail }",
        "{ $.eventType = \"Update*\" }",
        "{ $.eventType = %Trail$% }",
        "{ $.eventType != \"Other\" }",
        "{ $.sourceIPAddress != 123.123.* }",
        "{ $.sourceIPAddress = 111.111.* }",
        "{ $.arrayKey[0] = \"value\" }",
        "{ $.arrayKey[*] = \"another\" }",
        "{ $.objectList[1].id = 2 }",
        "{ $.SomeObject IS NULL }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.ThisFlag IS TRUE }",
        "{ $.code = 404 }",
        "{ $.code = 404.0 }",
        "{ $.code = 4* }",
        "{ $.code > 403 && $.code <= 404 }",
        "{ $.ratio < 0.01 }",
        "{ $['user.name'] = \"ann\" }",
        "{ ($.code = 1 || $.code = 404) && $.ThisFlag IS TRUE }",
        "{ $.code = 404 || $.code = 1 && $.code = 2 }",
        "{$.code=404}",
    ];
    let not = [
        "{ $.eventType = \"Trail\" }",
        "{ $.eventType = %^Trail% }",
        "{ $.arrayKey[2] = \"value\" }",
        "{ $.arrayKey = \"value\" }",
        "{ $.objectList[1].id > 2 }",
        "{ $.SomeOtherObject IS NULL }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.ThisFlag IS FALSE }",
        "{ $.missing != \"x\" }",
        "{ $.eventType > 1 }",
        "{ ($.code = 404 || $.code = 1) && $.code = 2 }",
    ];
    for pattern in meant {
        check(pattern, &[event], &["not json", "{", "\"eventType\""]);
    }
    for pattern in not {
        check(pattern, &[], &[event]);
    }
    let told =
        Pattern::parse("{ $.code = 404 && $.arrayKey[0] = \"value\" }").expect("a pattern").extract(event);
    let told: Vec<_> = told.into_iter().flatten().collect();
    assert_eq!(told, [("$.arrayKey[0]".into(), "value".into()), ("$.code".into(), "404".into())]);
}

#[test]
fn fields_between_spaces() {
    let line = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;
    check("[ip, server, username, timestamp, request, status_code, bytes > 1000]", &[line], &["a b"]);
    check("[ip, server, username, timestamp, request, status_code = 4*, bytes > 1000]", &[line], &[]);
    check(
        "[ip, server, username, timestamp, request =*.html*, status_code = 4*, bytes > 1000]",
        &[line],
        &[],
    );
    check("[..., status_code=404, bytes]", &[line], &["200 1"]);
    check("[ip, ..., bytes<2000]", &[line], &["x"]);
    check("[...]", &[line, ""], &[]);
    check("[w1=ERROR, w2]", &["ERROR x", "[ERROR] x"], &["ERROR", "ERROR x y", "WARN x"]);
    check("[w1!=ERROR && w1!=WARN, w2]", &["INFO x"], &["ERROR x", "WARN x"]);
    check("[w1=%ERR.*% || w1=\"WARN\", w2]", &["ERRONEOUS x", "WARN x"], &["INFO x"]);
    let told = Pattern::parse("[ip, , ..., bytes]").expect("a pattern").extract(line);
    let told: Vec<_> = told.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(told, ["$2=Prod", "$bytes=1534", "$ip=127.0.0.1"]);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in [
        "{ $.a }",
        "{ a = 1 }",
        "{ $.a = }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ $.a > \"x\" }",
        "{ $.a IS x }",
        "{ $.a NOT x }",
        "{ $. = 1 }",
        "{ $ = 1 }",
        "{ ($.a = 1 }",
        "{ $.a[x] = 1 }",
        "[a, b",
        "[a=1 && b=1]",
        "[..., a, ...]",
        "\"open",
        "%open",
        "%a!b%",
        "%(a)%",
        "%[%",
        "%a{999}{999}%",
        "a.b",
        "- x",
    ] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
    let deep = format!("{{ {}$.a = 1{} }}", "(".repeat(500), ")".repeat(500));
    assert!(Pattern::parse(&deep).is_err());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_never_breaks(
        pattern in r#"[{}\[\]().$=!<>|&*%?"'\\,a-cé0-9 -]{0,60}"#,
        message in r#"[{}\[\]"a-cé0-9 :,]{0,60}"#,
    ) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            prop_assert_eq!(pattern.matches(&message), pattern.extract(&message).is_some());
        }
    }

    #[test]
    fn all_terms_are_needed_and_none_of_those_without(
        words in prop::collection::vec(("[a-d]{1,2}", 0..2_u8), 1..5),
        message in "[a-d ]{0,12}",
    ) {
        let terms: Vec<_> =
            words.iter().map(|(word, kind)| format!("{}{word}", if *kind == 0 { "" } else { "-" })).collect();
        let pattern = Pattern::parse(&terms.join(" ")).expect("terms");
        let expected = words.iter().all(|(word, kind)| message.contains(word.as_str()) == (*kind == 0));
        prop_assert_eq!(pattern.matches(&message), expected);
    }

    #[test]
    fn wildcards_match_as_a_regular_expression_does(glob in "[ab*]{1,6}", text in "[ab]{0,8}") {
        let pattern = Pattern::parse(&format!("{{ $.x = \"{glob}\" }}")).expect("a pattern");
        let regex = regex::Regex::new(&format!("^{}$", glob.replace('*', ".*"))).expect("an expression");
        prop_assert_eq!(pattern.matches(&format!("{{\"x\":\"{text}\"}}")), regex.is_match(&text));
    }

    #[test]
    fn numbers_compare_as_numbers(a in -1_000_i32..1_000, b in -1_000_i32..1_000) {
        for (sign, expected) in [("=", a == b), ("!=", a != b), ("<", a < b), (">=", a >= b)] {
            let json = Pattern::parse(&format!("{{ $.x {sign} {b} }}")).expect("a pattern");
            prop_assert_eq!(json.matches(&format!("{{\"x\":{a}}}")), expected);
            let fields = Pattern::parse(&format!("[x{sign}{b}]")).expect("a pattern");
            prop_assert_eq!(fields.matches(&a.to_string()), expected);
        }
    }
}
