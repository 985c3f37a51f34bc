//! Errors, byte for byte, as each family of services answers them.

mod common;

use apus_schema::{Common, Protocol, ServiceError, Value};
use apus_wire::{ErrorContext, Response, encode_error, not_supported};
use common::{BROKEN, KITCHEN, service};

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

fn answer(name: &'static str, protocol: Protocol, error: &ServiceError, head: bool) -> Response {
    let service = service(name, protocol, &[]);
    encode_error(Some(service), protocol, error, ErrorContext { request_id: "abc", head })
}

fn check(name: &'static str, protocol: Protocol, error: &ServiceError, status: u16, body: &str) -> Response {
    let answer = answer(name, protocol, error, false);
    let found = answer.body.bytes().expect("an error does not flow");
    assert_eq!(String::from_utf8_lossy(found), body);
    assert_eq!(answer.status.as_u16(), status);
    answer
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.get(name)?.to_str().ok()
}

#[test]
fn a_modelled_error_in_every_protocol() {
    let error = ServiceError::modelled(&BROKEN, "it <broke>").with("part", Value::Integer(7));
    let json = check(
        "sqs",
        Protocol::AwsJson10,
        &error,
        409,
        r#"{"__type":"com.amazonaws.sqs#ThingBroken","Message":"it <broke>","part":7}"#,
    );
    assert_eq!(header(&json, "x-amzn-query-error"), Some("Old.ThingBroken;Sender"));
    assert_eq!(header(&json, "content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(header(&json, "x-amzn-requestid"), Some("abc"));

    let lambda = check(
        "lambda",
        Protocol::RestJson,
        &error,
        409,
        r#"{"Type":"User","Message":"it <broke>","part":7}"#,
    );
    assert_eq!(header(&lambda, "x-amzn-errortype"), Some("ThingBroken"));
    assert_eq!(header(&lambda, "x-amzn-query-error"), None);

    let query = format!(
        "{XML}<ErrorResponse xmlns=\"https://example.com/doc/\"><Error><Type>Sender</Type><Code>Old.ThingBroken</Code>\
         <Message>it &lt;broke&gt;</Message><part>7</part></Error><RequestId>abc</RequestId></ErrorResponse>"
    );
    check("iam", Protocol::Query, &error, 400, &query);

    let error = error.with_element("Key", "a/b");
    let s3 = format!(
        "{XML}<Error><Code>Old.ThingBroken</Code><Message>it &lt;broke&gt;</Message><part>7</part><Key>a/b</Key>\
         <RequestId>abc</RequestId><HostId>YXB1cy9hYmM=</HostId></Error>"
    );
    let s3 = check("s3", Protocol::RestXml, &error, 409, &s3);
    assert_eq!(header(&s3, "x-amz-request-id"), Some("abc"));
    assert_eq!(header(&s3, "x-amz-id-2"), Some("YXB1cy9hYmM="));
}

#[test]
fn shared_errors_have_the_words_of_their_family() {
    use Common::{
        AccessDenied, ExpiredSessionToken, Malformed, SignatureMismatch, UnknownAccessKey, Validation,
    };
    use Protocol::{AwsJson10, AwsJson11, Query, RestJson, RestXml};
    #[rustfmt::skip]
    let table = [
        ("kms", AwsJson11, UnknownAccessKey, 400, "UnrecognizedClientException"),
        ("lambda", RestJson, UnknownAccessKey, 403, "UnrecognizedClientException"),
        ("iam", Query, UnknownAccessKey, 403, "InvalidClientTokenId"),
        ("s3", RestXml, UnknownAccessKey, 403, "InvalidAccessKeyId"),
        ("kms", AwsJson11, SignatureMismatch, 400, "InvalidSignatureException"),
        ("lambda", RestJson, SignatureMismatch, 403, "InvalidSignatureException"),
        ("iam", Query, SignatureMismatch, 403, "SignatureDoesNotMatch"),
        ("s3", RestXml, SignatureMismatch, 403, "SignatureDoesNotMatch"),
        ("iam", Query, ExpiredSessionToken, 403, "ExpiredToken"),
        ("s3", RestXml, ExpiredSessionToken, 400, "ExpiredToken"),
        ("kms", AwsJson11, AccessDenied, 400, "AccessDeniedException"),
        ("lambda", RestJson, AccessDenied, 403, "AccessDeniedException"),
        ("iam", Query, Validation, 400, "ValidationError"),
        ("sqs", Query, Validation, 400, "InvalidParameterValue"),
        ("sqs", AwsJson10, Malformed, 400, "SerializationException"),
        ("s3", RestXml, Malformed, 400, "MalformedXML"),
        ("cloudfront", RestXml, AccessDenied, 403, "AccessDenied"),
    ];
    for (name, protocol, common, status, code) in table {
        let answer = answer(name, protocol, &ServiceError::common(common, ""), false);
        let body = String::from_utf8_lossy(answer.body.bytes().expect("an error does not flow")).into_owned();
        let named = header(&answer, "x-amzn-errortype") == Some(code) || body.contains(code);
        assert!(named, "{name} {common:?}: {body}");
        assert_eq!(answer.status.as_u16(), status, "{name} {common:?}");
        assert!(!body.contains(r#"message":"""#) && !body.contains("<Message></Message>"), "{body}");
    }
}

#[test]
fn a_query_compatible_service_sends_the_old_code_of_shared_errors_too() {
    let error = ServiceError::common(Common::UnknownAccessKey, "");
    let answer = check(
        "sqs",
        Protocol::AwsJson10,
        &error,
        403,
        r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token included in the request is invalid."}"#,
    );
    assert_eq!(header(&answer, "x-amzn-query-error"), Some("InvalidClientTokenId;Sender"));
}

#[test]
fn what_is_not_supported_is_named() {
    let service = service("sqs", Protocol::AwsJson10, &[("AddPermission", "POST", "/", &KITCHEN)]);
    let error = not_supported(service.operations[0]);
    check(
        "sqs",
        Protocol::AwsJson10,
        &error,
        501,
        r#"{"__type":"com.amazon.coral.service#NotImplementedException","message":"Apus does not support sqs:AddPermission yet"}"#,
    );
    let xml = format!(
        "{XML}<ErrorResponse xmlns=\"https://example.com/doc/\"><Error><Type>Sender</Type><Code>NotImplemented</Code>\
         <Message>Apus does not support sqs:AddPermission yet</Message></Error><RequestId>abc</RequestId></ErrorResponse>"
    );
    check("iam", Protocol::Query, &error, 501, &xml);
}

#[test]
fn the_cause_of_an_internal_error_stays_inside() {
    let error = ServiceError::internal("the disk is on fire");
    for protocol in
        [Protocol::AwsJson11, Protocol::Query, Protocol::RestJson, Protocol::RestXml, Protocol::RpcV2Cbor]
    {
        let answer = answer("s3", protocol, &error, false);
        let body = String::from_utf8_lossy(answer.body.bytes().expect("an error does not flow")).into_owned();
        assert!(!body.contains("fire") && body.contains("internal error"), "{body}");
        assert_eq!(answer.status.as_u16(), 500);
    }
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let error = ServiceError::modelled(&BROKEN, "broken");
    let answer = answer("s3", Protocol::RestXml, &error, true);
    assert!(answer.body.bytes().is_some_and(bytes::Bytes::is_empty));
    assert_eq!(answer.status.as_u16(), 409);
    assert_eq!(header(&answer, "x-amz-request-id"), Some("abc"));
}
