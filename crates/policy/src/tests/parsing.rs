//! Documents: what is read, and each refusal with its place.

use crate::{Kind, Limits, Policy, Version};

fn refused(kind: Kind, text: &str) -> String {
    Policy::parse(text, kind, Limits::NONE).expect_err(text).to_string()
}

#[test]
fn whole_documents() {
    let policy = super::identity(
        r#"{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"One","Effect":"Allow","Action":"s3:Get*",
            "Resource":["arn:aws:s3:::b/${aws:username}/*"],
            "Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":[10,"20"]}}}}"#,
    );
    assert_eq!((policy.version(), policy.id(), policy.statements()), (Version::V2012, Some("x"), 1));
    assert_eq!(policy.sid(0), Some("One"));
    let trust = super::parse(
        r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":["000000000000",
            "arn:aws:iam::000000000000:root","arn:aws:iam::000000000000:role/a/b"],"Federated":"accounts.google.com"},
            "Action":"sts:AssumeRole"}]}"#,
        Kind::Trust,
    );
    assert_eq!(trust.version(), Version::V2008);
    super::resource(
        r#"{"Version":"2008-10-17","Statement":[{"Sid":"a b","Effect":"Deny","NotPrincipal":{"AWS":"*"},
            "NotAction":["*"],"NotResource":"*"}]}"#,
    );
}

#[test]
fn refusals_in_aws_words_with_their_place() {
    let statement = |inside: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{{inside}}}]}}"#);
    let good = r#""Effect":"Allow","Action":"s3:*","Resource":"*""#;
    for (inside, expect) in [
        (r#""Effect":"Allow","Resource":"*""#, "Policy statement must contain actions. (in Statement[0])"),
        (r#""Effect":"Allow","Action":"s3:*""#, "Policy statement must contain resources. (in Statement[0])"),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":[]"#,
            "Policy statement must contain resources. (in Statement[0].Resource)",
        ),
        (r#""Action":"s3:*","Resource":"*""#, "Missing required field Effect (in Statement[0])"),
        (
            r#""Effect":"allow","Action":"s3:*","Resource":"*""#,
            "Invalid effect: allow (in Statement[0].Effect)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"bucket""#,
            "Resource bucket must be in ARN format or \"*\". (in Statement[0].Resource: no resource name)",
        ),
        (
            r#""Effect":"Allow","Action":"GetObject","Resource":"*""#,
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (in Statement[0].Action)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*""#,
            "Policy document should not specify a principal. (in Statement[0].Principal)",
        ),
        (
            r#""Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*""#,
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression \
             [0-9A-Za-z]* (in Statement[0].Sid)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","NotAction":"s3:x","Resource":"*""#,
            "Syntax errors in policy. (in Statement[0].NotAction: a statement has it or its contrary, not both)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Conditions":{}"#,
            "Syntax errors in policy. (in Statement[0].Conditions: no element of a statement)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringIs":{"a":"b"}}"#,
            "Invalid Condition type : StringIs (in Statement[0].Condition.StringIs.a)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a":"b"}}"#,
            "Syntax errors in policy. (in Statement[0].Condition.Bool.a: \"b\": neither true nor false)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a":"true","A":"true"}}"#,
            "Syntax errors in policy. (in Statement[0].Condition.Bool.A: the key is repeated in another case)",
        ),
        (
            r#""Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a":[]}}"#,
            "Syntax errors in policy. (in Statement[0].Condition.Bool.a: a condition needs a value)",
        ),
        (
            r#""Effect":"Allow","Action":["s3:*",1],"Resource":"*""#,
            "Syntax errors in policy. (in Statement[0].Action[1]: not a string)",
        ),
    ] {
        assert_eq!(refused(Kind::Identity, &statement(inside)), expect);
    }
    let twice = format!(r#"{{"Statement":[{{"Sid":"a",{good}}},{{"Sid":"a",{good}}}]}}"#);
    assert_eq!(
        refused(Kind::Identity, &twice),
        "Statement IDs (SID) in a single policy must be unique. (in Statement[1])"
    );
    let repeated = statement(&format!(r#"{good},"Condition":{{}},"Condition":{{}}"#));
    assert!(refused(Kind::Identity, &repeated).contains("member \"Condition\" is repeated"));
}

#[test]
fn refusals_by_kind() {
    let principal = |value: &str| {
        format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":{value},"Action":"sts:AssumeRole"}}]}}"#)
    };
    for value in [
        r#""x""#,
        r#"{"AWS":"arn:aws:iam::000000000000:role/*"}"#,
        r#"{"AWS":"12345"}"#,
        r#"{"AWS":[]}"#,
        "{}",
        r#"{"User":"a"}"#,
        r#"{"Service":"*"}"#,
        r#"{"AWS":"arn:aws:s3:::b"}"#,
        r#"{"*":"*"}"#,
        r#"{"AWS":""}"#,
        r#"{"AWS":"arn:aws:iam::000000000000:group/a"}"#,
    ] {
        assert!(
            refused(Kind::Trust, &principal(value)).starts_with("Invalid principal in policy"),
            "{value}"
        );
    }
    let trust =
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}]}"#;
    assert_eq!(refused(Kind::Trust, trust), "Has prohibited field Resource (in Statement[0].Resource)");
    let bare = r#"{"Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"}]}"#;
    assert_eq!(refused(Kind::Resource, bare), "Missing required field Principal (in Statement[0])");
    let unbound = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*"}]}"#;
    assert_eq!(refused(Kind::Resource, unbound), "Missing required field Resource (in Statement[0])");
    let open = r#"{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"000000000000"},"Action":"sqs:*","Resource":"*"}]}"#;
    assert!(refused(Kind::Resource, open).contains("NotPrincipal is for statements that deny"));
}

#[test]
fn documents_that_are_none() {
    for text in
        ["", "x", "[]", "null", "{}", r#"{"Statement":[]}"#, r#"{"Statement":"x"}"#, r#"{"Statement":[1]}"#]
    {
        assert!(refused(Kind::Identity, text).starts_with("Syntax errors in policy."), "{text}");
    }
    let version = r#"{"Version":"2012-10-18","Statement":[]}"#;
    assert_eq!(
        refused(Kind::Identity, version),
        "The policy must contain a valid version string (in Version)"
    );
}

#[test]
fn sizes() {
    let text = r#"{ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } }"#;
    let blanks = text.bytes().filter(u8::is_ascii_whitespace).count();
    let parse = |bytes, count_blanks| Policy::parse(text, Kind::Identity, Limits { bytes, count_blanks });
    assert!(parse(text.len(), true).is_ok());
    assert!(parse(text.len() - 1, true).is_err());
    assert!(parse(text.len() - blanks, false).is_ok());
    assert!(parse(text.len() - blanks - 1, false).is_err());
}
