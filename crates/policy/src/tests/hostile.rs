//! Input made to hurt: it is refused, or costs no more than its size.

use crate::pattern::{Pattern, Syntax};
use crate::{Context, Kind, Limits, MAX_DOCUMENT_BYTES, Policy};

const WILD: Syntax = Syntax { wildcards: true, variables: true };

#[test]
fn a_megabyte_of_stars() {
    let stars = "*".repeat(1 << 20);
    let text = "a".repeat(1 << 20);
    let pattern = Pattern::parse(&stars, WILD).expect("a pattern");
    assert!(pattern.is_any() && pattern.matches(&text, &Context::new()));
    let stars_and_letters = "*a".repeat(1 << 19) + "b";
    let pattern = Pattern::parse(&stars_and_letters, WILD).expect("a pattern");
    assert!(!pattern.matches(&text, &Context::new()));
    // As long as a policy and a key can be: a backtracking matcher would not return.
    let questions = Pattern::parse(&format!("{}b", "*?a".repeat(2000)), WILD).expect("a pattern");
    assert!(!questions.matches(&"a".repeat(8000), &Context::new()));
}

#[test]
fn deep_and_long_documents() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(100_000) + "1" + &close.repeat(100_000);
        assert!(Policy::parse(&deep, Kind::Identity, Limits::NONE).is_err());
    }
    let long = format!("{{\"Statement\":{}[]}}", " ".repeat(MAX_DOCUMENT_BYTES));
    let blanks_do_not_count = Limits { bytes: 6144, count_blanks: false };
    assert!(Policy::parse(&long, Kind::Identity, blanks_do_not_count).is_err());
    let statement = r#"{"Effect":"Deny","Action":"*","Resource":"*"},"#.repeat(2000);
    let many = format!("{{\"Statement\":[{}]}}", statement.trim_end_matches(','));
    assert!(Policy::parse(&many, Kind::Identity, Limits::NONE).is_err());
    let name = "N".repeat(100_000);
    let error =
        Policy::parse(&format!("{{\"{name}\":1}}"), Kind::Identity, Limits::NONE).expect_err("a name");
    assert!(error.to_string().len() < 300, "an error does not repeat a hostile name");
}
