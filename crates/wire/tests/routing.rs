//! Which operation a request names.

mod common;

use apus_schema::{Protocol, Value};
use apus_wire::{
    BodyMode, ErrorContext, Form, Hint, Payload, RequestHead, Route, RouteError, Router, body_mode, decode,
    encode_error,
};
use common::{KITCHEN, buckets, functions, service};
use http::{HeaderMap, HeaderValue, Method};

fn router() -> Router {
    Router::new(&[
        buckets(),
        functions(),
        service("sqs", Protocol::AwsJson10, &[("SendMessage", "POST", "/", &KITCHEN)]),
        service("iam", Protocol::Query, &[("CreateRole", "POST", "/", &KITCHEN)]),
        service("sts", Protocol::Query, &[("GetCallerIdentity", "POST", "/", &KITCHEN)]),
        service("monitoring", Protocol::RpcV2Cbor, &[("PutMetricData", "POST", "/", &KITCHEN)]),
    ])
}

/// `GET /path?query`, then headers.
fn find(request: &str, headers: &[(&'static str, &str)], hint: Hint<'_>) -> Result<Route, RouteError> {
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let (target, body) = target.split_once(' ').map_or((target, None), |(target, body)| (target, Some(body)));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut map = HeaderMap::new();
    for (name, text) in headers {
        map.insert(*name, HeaderValue::from_str(text).expect("a header"));
    }
    let form = body.map(|body| Form::parse(body).expect("a form"));
    router().find(&RequestHead { method: &method, path, query, headers: &map }, &hint, form.as_ref())
}

fn check(request: &str, headers: &[(&'static str, &str)], expected: &str) {
    let found = find(request, headers, Hint::default());
    let found = found.map(|route| format!("{}:{}", route.service.name, route.operation.name));
    assert_eq!(found.unwrap_or_else(|error| error.to_string()), expected, "{request}");
}

#[test]
fn objects_and_buckets_are_told_apart() {
    let copy = [("x-amz-copy-source", "/a/b")];
    check("GET /", &[], "s3:ListBuckets");
    check("GET /?x-id=ListBuckets", &[], "s3:ListBuckets");
    check("GET /?x-id=ListDirectoryBuckets", &[], "s3:ListDirectoryBuckets");
    check("GET /photos", &[], "s3:ListObjects");
    check("GET /photos/", &[], "s3:ListObjects");
    check("GET /photos?list-type=2&prefix=a", &[], "s3:ListObjectsV2");
    check("GET /photos?list-type=1", &[], "s3:ListObjects");
    check("GET /photos?acl", &[], "s3:GetBucketAcl");
    check("GET /photos?acl=", &[], "s3:GetBucketAcl");
    check("GET /photos/a/b%2Fc", &[], "s3:GetObject");
    check("GET /photos/a?x-id=GetObject", &[], "s3:GetObject");
    check("PUT /photos/a?x-id=PutObject", &[], "s3:PutObject");
    check("PUT /photos/a", &copy, "s3:CopyObject");
    check("PUT /photos/a?uploadId=1&partNumber=2", &[], "s3:UploadPart");
    check("POST /photos/a?uploads", &[], "s3:CreateMultipartUpload");
    check("PUT /photos?lifecycle", &[], "s3:PutBucketLifecycleConfiguration");
    check("PUT /photos", &[], "s3:CreateBucket");
    check("HEAD /photos/a?uploadId=1", &copy, "s3:HeadCopy");
    check("HEAD /photos/a?uploadId=1", &[], "s3:HeadPart");
    check("HEAD /photos/a", &[], "s3:HeadCopy");
    check("DELETE /photos", &[], "UnknownOperation: ");
}

#[test]
fn literal_segments_win_over_labels() {
    check("GET /2015-03-31/functions/", &[], "lambda:ListFunctions");
    check("GET /2015-03-31/functions", &[], "lambda:ListFunctions");
    check("GET /2015-03-31/functions/f", &[], "lambda:GetFunction");
    check("GET /2015-03-31/functions/f/x", &[], "s3:GetObject");
}

#[test]
fn the_signature_and_the_host_narrow_the_services() {
    let of = |hint| find("GET /2015-03-31/functions/f", &[], hint).map(|route| route.service.name);
    assert_eq!(of(Hint { signing_name: Some("s3"), host: None }).ok(), Some("s3"));
    assert_eq!(of(Hint { signing_name: None, host: Some("s3.localhost") }).ok(), Some("s3"));
    assert_eq!(
        of(Hint { signing_name: None, host: Some("lambda.us-east-1.amazonaws.com") }).ok(),
        Some("lambda")
    );
    assert_eq!(of(Hint { signing_name: None, host: Some("localhost") }).ok(), Some("lambda"));
    let unknown = of(Hint { signing_name: Some("ec2"), host: None }).expect_err("there is no ec2");
    assert!(matches!(unknown, RouteError::UnknownService { .. }), "{unknown}");
}

#[test]
fn targets_name_service_and_operation() {
    let target = |target| [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
    check("POST /", &target("sqs.SendMessage"), "sqs:SendMessage");
    check("POST /", &target("sqs.SendMassage"), "UnknownOperation: Unknown operation SendMassage");
    for name in ["", ".", "SendMessage", "SQS.SendMessage", "sqs.x.SendMessage"] {
        let found = find("POST /", &target(name), Hint::default());
        assert!(
            matches!(found, Err(RouteError::UnknownService { protocol: Protocol::AwsJson10, .. })),
            "{name}"
        );
    }
}

#[test]
fn actions_stand_in_the_body_or_the_url() {
    check("POST / Action=CreateRole&Version=2012-11-05", &[], "iam:CreateRole");
    check("GET /?Action=GetCallerIdentity&Version=2012-11-05", &[], "sts:GetCallerIdentity");
    check(
        "POST / Action=Nothing&Version=2012-11-05",
        &[],
        "UnknownOperation: Could not find operation Nothing for version 2012-11-05",
    );
    check("PUT /b/k a=b", &[], "s3:PutObject");
    let nameless = find("POST / a=b", &[], Hint { signing_name: Some("iam"), host: None });
    assert_eq!(
        nameless.expect_err("it names no action").to_string(),
        "UnknownOperation: Could not find operation NO_ACTION_SPECIFIED for version NO_VERSION_SPECIFIED"
    );
}

#[test]
fn cbor_stands_in_the_path() {
    let cbor = [("smithy-protocol", "rpc-v2-cbor")];
    check("POST /service/monitoring/operation/PutMetricData", &cbor, "monitoring:PutMetricData");
    check("POST /prefix/service/monitoring/operation/PutMetricData", &cbor, "monitoring:PutMetricData");
    check("POST /service/monitoring/operation/Nothing", &cbor, "UnknownOperation: Unknown operation Nothing");
    for path in ["/", "/service/", "/service/monitoring", "/service/sqs/operation/SendMessage"] {
        let found = find(&format!("POST {path}"), &cbor, Hint::default());
        assert!(matches!(found, Err(RouteError::UnknownService { .. })), "{path}");
    }
}

#[test]
fn labels_are_decoded_and_keep_their_slashes() {
    for (path, key) in [
        ("/b/k", "k"),
        ("/b/a/b", "a/b"),
        ("/b/a%2Fb%20c+d", "a/b c+d"),
        ("/b/folder/", "folder/"),
        ("/b//a", "/a"),
        ("/b//", "/"),
        ("/b/../c", "../c"),
    ] {
        let route = find(&format!("GET {path}"), &[], Hint::default()).expect("it is an object");
        assert_eq!(route.labels, [("Bucket", "b".to_owned()), ("Key", key.to_owned())], "{path}");
    }
    for path in ["/b/%", "/b/%4", "/b/%zz", "/b/%ff", "/b/k?a=%f"] {
        let error = find(&format!("GET {path}"), &[], Hint { signing_name: Some("s3"), host: None });
        let error = error.expect_err("it cannot be decoded");
        assert_eq!(error.to_error().name(), "InvalidURI", "{path}");
    }
}

#[test]
fn parameters_are_read_and_refused_in_the_services_own_words() {
    let decode = |request: &str| {
        let route = find(request, &[], Hint::default()).expect("it is an object");
        let (_, query) = request.split_once('?').unwrap_or_default();
        let head =
            RequestHead { method: &Method::GET, path: "", query: Some(query), headers: &HeaderMap::new() };
        decode(&route, &head, Payload::empty())
    };
    let fields = decode("GET /b/k?max-keys=5&tag=a&tag=b%26").expect("it is valid");
    assert_eq!(fields.get(2), Some(&Value::Integer(5)));
    assert_eq!(fields.get(3), Some(&Value::List(vec!["a".into(), "b&".into()])));
    assert_eq!(decode("GET /b/k?max-keys=").expect("it is valid").get(2), None);
    let refused = decode("GET /b/k?max-keys=many").expect_err("it is no number");
    assert_eq!(refused.name(), "InvalidArgument");
}

#[test]
fn bodies_flow_where_the_model_says_so() {
    let mode = |request| body_mode(find(request, &[], Hint::default()).expect("it is known").operation);
    assert_eq!(mode("PUT /b/k?uploadId=1"), BodyMode::Streaming);
    assert!(matches!(mode("PUT /b/k"), BodyMode::Buffered { limit } if limit > 0));
}

#[test]
fn an_unknown_operation_is_answered_in_the_protocol_that_was_spoken() {
    let answer = |request, headers: &[(&'static str, &str)], signing_name| {
        let error = find(request, headers, Hint { signing_name: Some(signing_name), host: None });
        let error = error.expect_err("it is unknown");
        let context = ErrorContext { request_id: "id", head: false };
        let answer = encode_error(error.service(), error.protocol(), &error.to_error(), context);
        let body = answer.body.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (answer.status.as_u16(), body.unwrap_or_default())
    };
    let (status, body) = answer("PATCH /b", &[], "s3");
    assert_eq!(status, 405);
    assert!(body.contains("<Code>MethodNotAllowed</Code>"), "{body}");
    let (status, body) = answer("GET /b/c", &[], "lambda");
    assert_eq!((status, body.as_str()), (404, r#"{"message":"Unknown operation GET /b/c"}"#));
    let (status, body) = answer("POST / Action=No&Version=2012-11-05", &[], "iam");
    assert_eq!(status, 400);
    assert!(body.contains("<Code>InvalidAction</Code>"), "{body}");
    let (status, body) = answer("POST /", &[("x-amz-target", "sqs.No")], "sqs");
    assert_eq!(status, 400);
    assert!(body.contains(r#""__type":"com.amazon.coral.service#UnknownOperationException""#), "{body}");
}
