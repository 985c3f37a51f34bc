//! Answers, byte for byte, where one service's wire differs from its protocol.

mod common;

use apus_schema::{Body, Fields, Kind, Location, Member, Protocol, Schema, Value};
use apus_time::Timestamp;
use apus_wire::{Payload, Response, encode};
use common::{STRING, service};

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const AT: Timestamp = Timestamp::from_micros(1_440_938_160_123_456);

static TIMESTAMP: Schema = Schema::new("Timestamp", Kind::Timestamp(None));
static BLOB: Schema = Schema::new("Blob", Kind::Blob);
static STREAM: Schema = Schema::new("Stream", Kind::Stream);
static INTEGER: Schema = Schema::new("Integer", Kind::Integer);
static LISTING: Schema = Schema::structure(
    "ListObjectsV2Output",
    &[Member::new("Name", &STRING), Member::new("LastModified", &TIMESTAMP)],
);
static LOCATION: Schema =
    Schema::structure("GetBucketLocationOutput", &[Member::new("LocationConstraint", &STRING)]);
static OBJECT: Schema = Schema::structure(
    "GetObjectOutput",
    &[
        Member::new("Body", &STREAM),
        Member::new("LastModified", &TIMESTAMP).at(Location::Header, "Last-Modified"),
        Member::new("ContentType", &STRING).at(Location::Header, "Content-Type"),
    ],
)
.with_payload(0);
static INVOCATION: Schema = Schema::structure(
    "InvocationResponse",
    &[
        Member::new("StatusCode", &INTEGER).at(Location::StatusCode, "StatusCode"),
        Member::new("FunctionError", &STRING).at(Location::Header, "X-Amz-Function-Error"),
        Member::new("Payload", &BLOB),
    ],
)
.with_payload(2);

fn answer(
    name: &'static str,
    protocol: Protocol,
    operation: &'static str,
    shape: &'static Schema,
    values: &[(usize, Value)],
) -> Response {
    let service = service(name, protocol, &[(operation, "GET", "/", shape)]);
    let mut output = Fields::new(shape);
    for (at, value) in values {
        output.set(*at, value.clone());
    }
    encode(service.operations[0], protocol, &output, "id").expect("it can be written")
}

fn body(response: &Response) -> String {
    String::from_utf8_lossy(response.body.bytes().expect("it does not flow")).into_owned()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.get(name)?.to_str().ok()
}

#[test]
fn buckets_are_listed_under_their_own_root_with_milliseconds() {
    let values = [(0, "a & b".into()), (1, Value::Timestamp(AT))];
    let found = answer("s3", Protocol::RestXml, "ListObjectsV2", &LISTING, &values);
    let expected = format!(
        "{XML}<ListBucketResult xmlns=\"https://example.com/doc/\"><Name>a &amp; b</Name>\
         <LastModified>2015-08-30T12:36:00.123Z</LastModified></ListBucketResult>"
    );
    assert_eq!(body(&found), expected);
    assert_eq!(header(&found, "x-amz-request-id"), Some("id"));
    let other = answer("cloudfront", Protocol::RestXml, "ListObjectsV2", &LISTING, &values[..1]);
    assert!(body(&other).contains("<ListObjectsV2Output xmlns="), "{}", body(&other));
    assert_eq!(header(&other, "x-amzn-requestid"), Some("id"));
}

#[test]
fn a_buckets_location_is_the_roots_own_text() {
    for (values, text) in [(&[(0, "eu-west-1".into())][..], "eu-west-1"), (&[], "")] {
        let found = answer("s3", Protocol::RestXml, "GetBucketLocation", &LOCATION, values);
        let root =
            format!("<LocationConstraint xmlns=\"https://example.com/doc/\">{text}</LocationConstraint>");
        assert_eq!(body(&found), format!("{XML}{root}"));
    }
}

#[test]
fn objects_flow_and_their_dates_have_no_fractions() {
    let stream = Body::full("bytes");
    let values = [(0, Value::Stream(stream.clone())), (1, Value::Timestamp(AT)), (2, "text/css".into())];
    let found = answer("s3", Protocol::RestXml, "GetObject", &OBJECT, &values);
    assert!(matches!(&found.body, Payload::Stream(body) if *body == stream));
    assert_eq!(header(&found, "last-modified"), Some("Sun, 30 Aug 2015 12:36:00 GMT"));
    assert_eq!(header(&found, "content-type"), Some("text/css"));
    let found = answer("s3", Protocol::RestXml, "GetObject", &OBJECT, &values[..1]);
    assert_eq!(header(&found, "content-type"), Some("application/octet-stream"));
}

#[test]
fn an_invocation_answers_json_with_its_own_status() {
    let values = [(0, Value::Integer(202)), (1, "Unhandled".into()), (2, Value::Blob("{}".into()))];
    let found = answer("lambda", Protocol::RestJson, "Invoke", &INVOCATION, &values);
    assert_eq!((found.status.as_u16(), body(&found).as_str()), (202, "{}"));
    assert_eq!(header(&found, "content-type"), Some("application/json"));
    assert_eq!(header(&found, "x-amz-function-error"), Some("Unhandled"));
    let nothing = answer("lambda", Protocol::RestJson, "Invoke", &INVOCATION, &[(0, Value::Integer(204))]);
    assert_eq!((body(&nothing).as_str(), header(&nothing, "content-type")), ("", None));
}

#[test]
fn what_cannot_be_a_status_or_a_header_is_left_out() {
    let values = [(0, Value::Integer(99_999)), (1, "two\nlines".into())];
    let found = answer("lambda", Protocol::RestJson, "Invoke", &INVOCATION, &values);
    assert_eq!(found.status.as_u16(), 200);
    assert_eq!(header(&found, "x-amz-function-error"), None);
}

#[test]
fn a_stream_needs_a_protocol_that_flows() {
    let service = service("sqs", Protocol::AwsJson10, &[("Do", "POST", "/", &OBJECT)]);
    let mut output = Fields::new(&OBJECT);
    output.set(0, Value::Stream(Body::empty()));
    assert!(encode(service.operations[0], Protocol::AwsJson10, &output, "id").is_err());
}
