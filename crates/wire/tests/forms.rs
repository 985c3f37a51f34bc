//! The query protocol: how forms are read, and the names of older models.

mod common;

use apus_schema::{Fields, Kind, Location, Member, Protocol, Schema, Value};
use apus_wire::{Payload, RequestHead, Route, decode, encode};
use common::{KITCHEN, STRING, service, structure};
use http::{HeaderMap, HeaderValue, Method};

static NAMES: Schema = Schema::new(
    "Names",
    Kind::List { member: &STRING, element: "member", query_element: Some("AttributeName"), flattened: true },
);
static ATTRIBUTES: Schema = Schema::new(
    "Attributes",
    Kind::Map {
        key: &STRING,
        value: &STRING,
        key_element: "key",
        value_element: "value",
        query_elements: Some(("Name", "Value")),
        flattened: true,
    },
);
/// Today's model says `AttributeNames` and `Attributes`; the one that spoke the query protocol said otherwise.
static QUEUE: Schema = structure(
    "Queue",
    &[
        Member::new("QueueUrl", &STRING),
        Member::new("AttributeNames", &NAMES),
        Member { query_name: Some("Attribute"), ..Member::new("Attributes", &ATTRIBUTES) },
        Member {
            location: Location::Body,
            query_name: Some("BodyText"),
            ..Member::new("MessageBody", &STRING)
        },
    ],
);

fn read(shape: &'static Schema, path: &str, query: Option<&str>, form: &str) -> Fields {
    let operation = service("sqs", Protocol::Query, &[("Do", "POST", "/", shape)]).operations[0];
    let route =
        Route { service: operation.service, operation, protocol: Protocol::Query, labels: Vec::new() };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("sqs.localhost:4566"));
    let head = RequestHead { method: &Method::POST, path, query, headers: &headers };
    decode(&route, &head, Payload::Bytes(form.to_owned().into())).expect("it can be read")
}

fn named<'a>(fields: &'a Fields, shape: &Schema, name: &str) -> Option<&'a Value> {
    fields.named(shape, name)
}

fn strings(values: &[&str]) -> Value {
    Value::List(values.iter().map(|&value| value.into()).collect())
}

#[test]
fn lists_keep_the_order_of_their_numbers() {
    let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let mut form: Vec<_> = letters
        .iter()
        .enumerate()
        .map(|(at, letter)| format!("strings.member.{}={letter}", at + 1))
        .collect();
    form.reverse();
    let fields = read(&KITCHEN, "/", None, &form.join("&"));
    assert_eq!(named(&fields, &KITCHEN, "strings"), Some(&strings(&letters)));
}

#[test]
fn what_is_empty_and_what_comes_twice() {
    let fields =
        read(&KITCHEN, "/", None, "strings=&string=&integer=&long=1&long=2&nested.text=x&unknown.y=1\r\n");
    assert_eq!(named(&fields, &KITCHEN, "strings"), Some(&strings(&[])));
    assert_eq!(named(&fields, &KITCHEN, "string"), Some(&"".into()));
    assert_eq!(named(&fields, &KITCHEN, "integer"), None);
    assert_eq!(named(&fields, &KITCHEN, "long"), Some(&Value::Integer(2)));
    let fields = read(&KITCHEN, "/", Some("string=in+url&Action=Do"), "integer=3");
    assert_eq!(named(&fields, &KITCHEN, "string"), Some(&"in url".into()));
    assert_eq!(named(&fields, &KITCHEN, "integer"), Some(&Value::Integer(3)));
}

#[test]
fn lists_are_read_under_old_and_new_names_flat_or_not() {
    for form in ["AttributeName.1=a&AttributeName.2=b", "AttributeNames.1=a&AttributeNames.2=b"] {
        let fields = read(&QUEUE, "/", None, form);
        assert_eq!(named(&fields, &QUEUE, "AttributeNames"), Some(&strings(&["a", "b"])), "{form}");
    }
    for form in ["Attribute.1.Name=k&Attribute.1.Value=v", "Attributes.1.Name=k&Attributes.1.Value=v"] {
        let fields = read(&QUEUE, "/", None, form);
        let expected = Value::Map(vec![("k".into(), "v".into())]);
        assert_eq!(named(&fields, &QUEUE, "Attributes"), Some(&expected), "{form}");
    }
    for form in ["strings.member.1=a", "strings.1=a"] {
        assert_eq!(named(&read(&KITCHEN, "/", None, form), &KITCHEN, "strings"), Some(&strings(&["a"])));
    }
}

#[test]
fn a_queue_may_be_named_by_the_url() {
    let url = |path, form| read(&QUEUE, path, None, form).named(&QUEUE, "QueueUrl").cloned();
    assert_eq!(url("/1234/queue/", "BodyText=x"), Some("http://sqs.localhost:4566/1234/queue".into()));
    assert_eq!(url("/1234/queue", "QueueUrl=other"), Some("other".into()));
    assert_eq!(url("/", "BodyText=x"), None);
}

#[test]
fn answers_have_the_names_of_the_older_model() {
    let operation = service("sqs", Protocol::Query, &[("Do", "POST", "/", &QUEUE)]).operations[0];
    let mut output = Fields::new(&QUEUE);
    output.set(1, strings(&["a", "b"]));
    output.set(2, Value::Map(vec![("k".into(), "v & w".into())]));
    let answer = encode(operation, Protocol::Query, &output, "id").expect("it can be written");
    let body = answer.body.bytes().expect("it does not flow");
    assert_eq!(
        String::from_utf8_lossy(body),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DoResponse xmlns=\"https://example.com/doc/\"><DoResult>\
         <AttributeName>a</AttributeName><AttributeName>b</AttributeName>\
         <Attribute><Name>k</Name><Value>v &amp; w</Value></Attribute></DoResult>\
         <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></DoResponse>"
    );
}
