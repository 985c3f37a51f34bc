//! The query protocol: how forms are read, and the names of older models.

mod common;

use apus_schema::{Fields, Kind, Location, Member, Protocol, Schema, ServiceError, Value};
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
    tried(shape, path, query, form).expect("it can be read")
}

fn tried(
    shape: &'static Schema,
    path: &str,
    query: Option<&str>,
    form: &str,
) -> Result<Fields, ServiceError> {
    let operation = service("sqs", Protocol::Query, &[("Do", "POST", "/", shape)]).operations[0];
    let route =
        Route { service: operation.service, operation, protocol: Protocol::Query, labels: Vec::new() };
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("sqs.localhost:4566"));
    let head = RequestHead { method: &Method::POST, path, query, headers: &headers };
    decode(&route, &head, Payload::Bytes(form.to_owned().into()))
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
fn one_part_needs_no_number_where_there_is_no_container() {
    let fields = read(&QUEUE, "/", None, "Attribute.Name=k&Attribute.Value=v&AttributeName=a");
    assert_eq!(named(&fields, &QUEUE, "Attributes"), Some(&Value::Map(vec![("k".into(), "v".into())])));
    assert_eq!(named(&fields, &QUEUE, "AttributeNames"), Some(&strings(&["a"])));
    let numbered = read(&KITCHEN, "/", None, "flat.1.text=x&flat.1.renamed=true");
    assert!(named(&numbered, &KITCHEN, "flat").is_some());
    assert_eq!(read(&KITCHEN, "/", None, "flat.text=x&flat.renamed=true"), numbered);
}

#[test]
fn what_names_a_member_in_another_shape_is_refused() {
    for (shape, form, begins) in [
        // A text has no parts, and a part no others.
        (&KITCHEN, "string.more=x", "Start of list found where not expected: string has no parts."),
        (&KITCHEN, "string=x&string.1=y", "Start of list found where not expected: string has no parts."),
        (&KITCHEN, "integer.1=1", "Start of list found where not expected: integer has no parts."),
        (&KITCHEN, "strings.member.1.x=a", "Start of list found where not expected: strings has no parts."),
        (
            &QUEUE,
            "AttributeName.member.1=a",
            "Start of list found where not expected: AttributeName has no parts.",
        ),
        // A list and a map have parts, with numbers.
        (&KITCHEN, "strings=x", "End of list found where not expected: the parts of strings have numbers."),
        (
            &KITCHEN,
            "strings.member=x",
            "End of list found where not expected: the parts of strings have numbers.",
        ),
        (
            &KITCHEN,
            "strings.x=a",
            "Start of list found where not expected: the parts of strings have numbers, and \"x\" is none.",
        ),
        (&KITCHEN, "strings.1=a&strings.x=b", "Start of list found where not expected: the parts of strings"),
        (
            &KITCHEN,
            "strings.1=a&strings.99999999999=b",
            "Start of list found where not expected: the parts of strings",
        ),
        (
            &KITCHEN,
            "strings.1=a&strings.member.1=b",
            "End of list found where not expected: strings is written in two ways.",
        ),
        (
            &KITCHEN,
            "strings=a&strings.member.1=b",
            "End of list found where not expected: strings is written in two ways.",
        ),
        (&KITCHEN, "strings.0=a", "0 is not a valid index: the parts of strings are counted from 1."),
        (&KITCHEN, "flat.member.1.text=x", "Start of list found where not expected: the parts of flat"),
        (
            &QUEUE,
            "AttributeName=a&AttributeName.2=b",
            "Start of list found where not expected: the parts of AttributeName",
        ),
        (
            &QUEUE,
            "AttributeName.1=a&AttributeNames.2=b",
            "The parameters AttributeNames and AttributeName are the same.",
        ),
        (&QUEUE, "Attribute=x", "An entry of Attribute lacks its Name."),
        (&QUEUE, "Attribute.Name=k", "An entry of Attribute lacks its Value."),
        (
            &QUEUE,
            "Attribute.1.Name=k&Attribute.Value=v",
            "Start of list found where not expected: the parts of Attribute",
        ),
        (
            &QUEUE,
            "Attribute.1.Name=k&Attribute.1.Value.x=v",
            "Start of list found where not expected: Value has no parts.",
        ),
        (&KITCHEN, "map=x", "End of list found where not expected: the parts of map have numbers."),
        (
            &KITCHEN,
            "map.entry.key=k&map.entry.value.text=x",
            "Start of list found where not expected: the parts of map",
        ),
        // A structure has members.
        (&KITCHEN, "nested=x", "Unexpected complex element termination: nested has members."),
        (&KITCHEN, "nested.within=x", "Unexpected complex element termination: within has members."),
    ] {
        let error = tried(shape, "/", None, form).expect_err(form);
        assert!(error.message().starts_with(begins), "{form}: {}", error.message());
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
