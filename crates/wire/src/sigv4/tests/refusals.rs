//! Each way to be refused, its fact and its words.

use std::time::Duration;

use super::super::{
    AuthError, Claim, Credentials, Dialect, ExpiresProblem, PayloadHash, Rules, Scope, presign, sign,
};
use super::{Request, at};

const NOW: &str = "20250304T050607Z";
const SECRET: &str = "secret";

fn bare() -> Request {
    Request::new("GET", "/key").with("host", "s3.localhost")
}

/// A good request, signed in its headers.
fn signed(rules: Rules) -> Request {
    let mut request = bare();
    let payload = PayloadHash::of(b"");
    request = request.with("x-amz-content-sha256", &payload.to_string());
    let mut headers = request.headers.clone();
    let credentials = Credentials { access_key: "AKID", secret: SECRET, session_token: None };
    let scope = Scope::new(at(NOW), "us-east-1", "s3");
    sign(&request.parts(), &mut headers, &credentials, &scope, &payload, rules, at(NOW)).expect("signed");
    Request { headers, ..request }
}

/// A good request, signed in its query.
fn presigned() -> Request {
    let mut request = bare();
    let credentials = Credentials { access_key: "AKID", secret: SECRET, session_token: None };
    let scope = Scope::new(at(NOW), "us-east-1", "s3");
    let hour = Duration::from_hours(1);
    let unsigned = PayloadHash::Unsigned;
    request.query = presign(&request.parts(), &credentials, &scope, &unsigned, Rules::S3, at(NOW), hour);
    request
}

fn refused(request: &Request, rules: Rules, now: &str) -> AuthError {
    request.verify(SECRET, rules, at(now)).expect_err("a refusal")
}

fn with_authorization(value: &str) -> AuthError {
    let request = bare().with("x-amz-date", NOW).with("authorization", value);
    refused(&request, Rules::S3, NOW)
}

#[test]
fn anonymous_is_no_error() {
    assert_eq!(Claim::parse(&bare().parts()), Ok(None));
    let words = AuthError::Missing.refusal(Dialect::Json);
    assert_eq!((words.code, words.status), ("MissingAuthenticationTokenException", 403));
}

#[test]
fn every_spelling_of_the_header_is_read() {
    let signature = "0".repeat(64);
    for text in [
        format!(
            "AWS4-HMAC-SHA256 Credential=A/20250304/r/s/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}"
        ),
        format!(
            "AWS4-HMAC-SHA256 Credential=A/20250304/r/s/aws4_request,SignedHeaders=host;x-amz-date,Signature={signature}"
        ),
        format!(
            "AWS4-HMAC-SHA256   Signature={signature} ,\tSignedHeaders = x-amz-date;HOST,  Credential=A/20250304/r/s/aws4_request ,"
        ),
    ] {
        let request = bare().with("x-amz-date", NOW).with("authorization", &text);
        let claim = Claim::parse(&request.parts()).expect(&text).expect(&text);
        assert_eq!(claim.access_key, "A");
        assert_eq!(claim.scope, Scope::of("20250304", "r", "s"));
        assert_eq!(claim.signed_headers.as_str(), "host;x-amz-date");
        assert_eq!(claim.signature, signature);
        assert!(!claim.is_presigned());
    }
}

#[test]
fn malformed_headers() {
    let say = |error: AuthError, dialect| {
        let words = error.refusal(dialect);
        format!("{} {} {}", words.status, words.code, words.message)
    };
    let error = with_authorization("AWS4-HMAC-SHA256 SignedHeaders=host");
    assert_eq!(
        say(error.clone(), Dialect::Query),
        "400 IncompleteSignature Authorization header requires 'Credential' parameter. Authorization header requires \
         'Signature' parameter. (Hashed with SHA-256 and encoded with Base64) \
         Authorization=T6TlTF0tP7OEirEb+CC+gAdhBAW19reUS2EXKW3XV6M="
    );
    assert_eq!(
        say(error, Dialect::S3),
        "400 AuthorizationHeaderMalformed The authorization header is malformed; the authorization header requires \
         three components: Credential, SignedHeaders, and Signature."
    );
    let error = with_authorization("AWS4-HMAC-SHA256 Credential");
    assert_eq!(error, AuthError::MalformedPart { part: "Credential".into() });
    let error = with_authorization("AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature=x");
    assert_eq!(
        say(error, Dialect::Json),
        "400 IncompleteSignatureException Credential must have exactly 5 slash-delimited elements, e.g. \
         keyid/date/region/service/term, got 'A/b'"
    );
    for credential in ["/20250304/r/s/aws4_request", "A/20250304/r/s/aws4_request/x", "", "a/b/c/d"] {
        let text = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=x");
        assert!(matches!(with_authorization(&text), AuthError::MalformedCredential { .. }), "{credential}");
    }
    let error =
        with_authorization("AWS4-HMAC-SHA256 Credential=A/d/r/s/aws5, SignedHeaders=host, Signature=x");
    assert_eq!(error, AuthError::WrongTerminator { got: "aws5".into(), presigned: false });
    let error = with_authorization("AWS4-HMAC-SHA256 Credential=A, Credential=B");
    assert_eq!(error, AuthError::Repeated { name: "Credential" });
    let error = with_authorization("AWS4-ECDSA-P256-SHA256 Credential=A");
    assert!(matches!(error, AuthError::UnsupportedAlgorithm { .. }));
    assert_eq!(
        say(with_authorization("AWS A:b"), Dialect::S3),
        "400 InvalidRequest The authorization mechanism you have provided is not supported. Please use \
         AWS4-HMAC-SHA256."
    );
    assert_eq!(
        say(with_authorization("Basic YTpi"), Dialect::S3),
        "400 InvalidArgument Unsupported Authorization Type"
    );
    let twice = signed(Rules::S3).with("authorization", "AWS4-HMAC-SHA256 Credential=A");
    assert_eq!(refused(&twice, Rules::S3, NOW), AuthError::Repeated { name: "authorization" });
    let twice = signed(Rules::S3).with("x-amz-date", NOW);
    assert_eq!(refused(&twice, Rules::S3, NOW), AuthError::Repeated { name: "x-amz-date" });
}

#[test]
fn the_time_of_a_header_signature() {
    let request = signed(Rules::S3);
    for now in ["20250304T045107Z", "20250304T052107Z"] {
        request.verify(SECRET, Rules::S3, at(now)).expect(now);
    }
    for now in ["20250304T045106Z", "20250304T052108Z"] {
        let words = refused(&request, Rules::S3, now).refusal(Dialect::S3);
        assert_eq!((words.code, words.status), ("RequestTimeTooSkewed", 403));
        assert_eq!(words.details[2], ("MaxAllowedSkewMilliseconds", "900000".into()));
    }
    let late = refused(&request, Rules::S3, "20250304T052108Z").refusal(Dialect::Query);
    assert_eq!(late.code, "SignatureDoesNotMatch");
    assert_eq!(
        late.message,
        "Signature expired: 20250304T050607Z is now earlier than 20250304T050608Z (20250304T052108Z - 15 min.)"
    );
    let early = refused(&request, Rules::S3, "20250304T045106Z").refusal(Dialect::Json);
    assert_eq!(
        early.message,
        "Signature not yet current: 20250304T050607Z is still later than 20250304T050606Z (20250304T045106Z + 15 min.)"
    );
    let mut other_day = signed(Rules::S3);
    other_day.headers.insert("x-amz-date", "20250305T050607Z".parse().expect("a value"));
    assert_eq!(
        refused(&other_day, Rules::S3, "20250305T050607Z").refusal(Dialect::Query).message,
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20250304' != \
         '20250305', from '20250305T050607Z'."
    );
}

#[test]
fn the_time_of_a_presigned_request() {
    let request = presigned();
    request.verify(SECRET, Rules::S3, at("20250304T060607Z")).expect("its last second");
    let words = refused(&request, Rules::S3, "20250304T060608Z").refusal(Dialect::S3);
    assert_eq!((words.code, words.status, &*words.message), ("AccessDenied", 403, "Request has expired"));
    assert_eq!(words.details[0], ("X-Amz-Expires", "3600".into()));
    let words = refused(&request, Rules::S3, "20250304T040607Z").refusal(Dialect::S3);
    assert_eq!(words.message, "Request is not yet valid");
    for (expires, problem) in [
        ("604801", ExpiresProblem::TooLong),
        ("0", ExpiresProblem::Zero),
        ("-1", ExpiresProblem::Negative),
        ("1e3", ExpiresProblem::NotANumber),
        ("", ExpiresProblem::NotANumber),
        ("99999999999999999999", ExpiresProblem::NotANumber),
    ] {
        let query = request.query.replace("Expires=3600", &format!("Expires={expires}"));
        let error = refused(&Request { query, ..request.clone() }, Rules::S3, NOW);
        assert_eq!(error, AuthError::MalformedExpires(problem), "{expires}");
    }
    let longer = request.query.replace("Expires=3600", "Expires=604800");
    let error = refused(&Request { query: longer, ..request.clone() }, Rules::S3, NOW);
    assert!(matches!(error, AuthError::Mismatch(_)), "a longer time was not signed");
}

#[test]
fn incomplete_queries() {
    let request = presigned();
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
        let kept: Vec<&str> =
            request.query.split('&').filter(|pair| !pair.starts_with(&format!("X-Amz-{name}="))).collect();
        let error = refused(&Request { query: kept.join("&"), ..request.clone() }, Rules::S3, NOW);
        let AuthError::IncompleteQuery { missing } = error else { panic!("{name}: {error:?}") };
        assert_eq!(missing, [format!("X-Amz-{name}")]);
    }
    let query = format!("{}&X-Amz-Expires=1", request.query);
    let error = refused(&Request { query, ..request.clone() }, Rules::S3, NOW);
    assert_eq!(error, AuthError::Repeated { name: "X-Amz-Expires" });
    let both = presigned().with("authorization", "AWS4-HMAC-SHA256 x");
    assert_eq!(refused(&both, Rules::S3, NOW), AuthError::TwoMechanisms);
}

#[test]
fn what_must_be_signed() {
    let added = signed(Rules::S3).with("x-amz-acl", "public-read");
    let words = refused(&added, Rules::S3, NOW).refusal(Dialect::S3);
    assert_eq!(words.message, "There were headers present in the request which were not signed");
    assert_eq!(words.details, [("HeadersNotSigned", "x-amz-acl".into())]);
    let mut hostless = signed(Rules::S3);
    let authorization = hostless.headers["authorization"].to_str().expect("text").replace("host;", "");
    hostless.headers.insert("authorization", authorization.parse().expect("a value"));
    assert_eq!(refused(&hostless, Rules::S3, NOW), AuthError::HostNotSigned);
}

#[test]
fn a_mismatch_shows_what_should_have_been_signed() {
    let error = signed(Rules::S3).verify("other", Rules::S3, at(NOW)).expect_err("a refusal");
    let AuthError::Mismatch(facts) = &error else { panic!("{error:?}") };
    let empty = PayloadHash::of(b"");
    assert_eq!(
        facts.canonical_request,
        format!(
            "GET\n/key\n\nhost:s3.localhost\nx-amz-content-sha256:{empty}\nx-amz-date:{NOW}\n\n\
             host;x-amz-content-sha256;x-amz-date\n{empty}"
        )
    );
    let words = error.refusal(Dialect::S3);
    assert_eq!((words.code, words.status), ("SignatureDoesNotMatch", 403));
    assert_eq!(words.details[0], ("AWSAccessKeyId", "AKID".into()));
    assert!(words.details[3].1.starts_with("41 57 53 34 2d"));
    let words = error.refusal(Dialect::Query);
    assert!(
        words.message.contains("\n\nThe Canonical String for this request should have been\n'GET\n/key\n")
    );
    assert!(!words.message.contains("other") && !format!("{error:?}").contains("other"), "no secret leaks");
}

#[test]
fn another_place() {
    let scope = Scope::new(at(NOW), "eu-west-1", "sqs");
    assert_eq!(scope.check("eu-west-1", &["sqs", "queue"]), Ok(()));
    let words = scope.check("us-east-1", &["sqs"]).expect_err("a region").refusal(Dialect::S3);
    assert_eq!(
        words.message,
        "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'"
    );
    assert_eq!(words.details, [("Region", "us-east-1".into())]);
    let words = scope.check("eu-west-1", &["sns"]).expect_err("a service").refusal(Dialect::Query);
    assert_eq!(words.message, "Credential should be scoped to correct service: 'sns'. ");
}

#[test]
fn bodies() {
    let altered = signed(Rules::S3).body(b"x");
    let words = refused(&altered, Rules::S3, NOW).refusal(Dialect::S3);
    assert_eq!((words.code, words.status), ("XAmzContentSHA256Mismatch", 400));
    assert!(matches!(refused(&altered, Rules::COMMON, NOW), AuthError::Mismatch(_)));
    let mut request = signed(Rules::S3);
    request.headers.remove("x-amz-content-sha256");
    assert_eq!(refused(&request, Rules::S3, NOW), AuthError::PayloadHashMissing);
    let request = request.with("x-amz-content-sha256", "STREAMING-NONSENSE");
    assert!(matches!(refused(&request, Rules::S3, NOW), AuthError::PayloadHashMalformed { .. }));
}
