//! Whole services as their models describe them: each operation with every member set, sent as a client
//! sends it, is found among all the others and reads back as what it was.

use std::fmt::Write;

use apus_schema::{Body, Fields, Kind, Location, OperationSchema, Protocol, Schema, ServiceSchema, Value};
use apus_time::Timestamp;
use apus_wire::{BodyMode, Form, Hint, Payload, RequestHead, Router, body_mode, decode, encode};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value as Json;

use crate::{botocore, model};

/// How deep values are made.
const MAX_DEPTH: usize = 5;

/// Operations that no request tells from another one of the model, and that one.
const TWINS: [(&str, &str); 5] = [
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("ListDirectoryBuckets", "ListBuckets"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
];

pub(crate) fn check() {
    let data = botocore().join("botocore/data");
    if !data.is_dir() {
        say!("SKIPPED: no service models; set APUS_BOTOCORE to an unpacked botocore source distribution");
        return;
    }
    let load = |name, version, protocol| {
        let path = data.join(name).join(version).join("service-2.json");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let model: Json = serde_json::from_str(&text).expect("a model is JSON");
        model::whole_service(name, &model, protocol)
    };
    let services = [
        load("iam", "2010-05-08", Protocol::Query),
        load("lambda", "2015-03-31", Protocol::RestJson),
        load("s3", "2006-03-01", Protocol::RestXml),
        load("sqs", "2012-11-05", Protocol::AwsJson10),
        load("sts", "2011-06-15", Protocol::Query),
    ];
    let router = Router::new(&services);
    let (mut found, mut failures) = (0, Vec::new());
    for service in services {
        for operation in service.operations {
            match check_one(&router, service, operation) {
                Ok(()) => found += 1,
                Err(error) => failures.push(format!("{}:{}: {error}", service.name, operation.name)),
            }
        }
    }
    say!("services: {found} operations found and read, {} failed", failures.len());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(found > 300, "the models are not all there");
}

fn check_one(
    router: &Router,
    service: &ServiceSchema,
    operation: &'static OperationSchema,
) -> Result<(), String> {
    let protocol = service.protocols[0];
    let input = full(operation.input, 0);
    let request = write(operation, protocol, &input);
    let (path, query) = request
        .target
        .split_once('?')
        .map_or((request.target.as_str(), None), |(path, query)| (path, Some(query)));
    let method = Method::from_bytes(operation.method.as_bytes()).expect("a method");
    let head = RequestHead { method: &method, path, query, headers: &request.headers };
    let form = request.form.as_deref().map(|form| Form::parse(form).expect("a form"));
    let hint = Hint { signing_name: Some(service.signing_name), host: None };
    let route = router.find(&head, &hint, form.as_ref()).map_err(|error| format!("{path}: {error}"))?;
    let twin = TWINS.iter().find(|(old, _)| *old == operation.name).map(|(_, new)| *new);
    if route.operation.name == twin.unwrap_or_default() {
        return Ok(());
    }
    if route.operation.name != operation.name {
        return Err(format!("{} is found for {}", route.operation.name, request.target));
    }
    // An answer of every member can be written, whatever its shape.
    encode(operation, protocol, &full(operation.output, 0), "id").map_err(|error| error.to_string())?;
    if matches!(request.body, Payload::Stream(_)) != (body_mode(operation) == BodyMode::Streaming) {
        return Err("the body's mode is wrong".into());
    }
    let read = decode(&route, &head, request.body).map_err(|error| error.to_string())?;
    if read == input { Ok(()) } else { Err(format!("\n{read:?}\nexpected\n{input:?}")) }
}

/// Every member set.
fn full(schema: &'static Schema, depth: usize) -> Fields {
    let mut fields = Fields::new(schema);
    for (at, member) in schema.members().iter().enumerate() {
        if let Some(value) = full_value(member.shape, depth, member.location == Location::HeaderPrefix) {
            fields.set(at, value);
        }
    }
    fields
}

fn full_value(schema: &'static Schema, depth: usize, in_headers: bool) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match schema.kind {
        Kind::Boolean => Value::Boolean(true),
        Kind::Integer | Kind::Long => Value::Integer(7),
        Kind::Float | Kind::Double => Value::Double(1.5),
        Kind::String | Kind::Document => Value::from("a b/c"),
        Kind::Blob => Value::Blob("bytes".into()),
        Kind::Stream => Value::Stream(Body::full("bytes")),
        Kind::Timestamp(_) => Value::Timestamp(Timestamp::from_secs(1_440_938_160)),
        Kind::List { member, .. } => {
            let item = full_value(member, depth + 1, false)?;
            Value::List(vec![item.clone(), item])
        }
        Kind::Map { value, .. } => {
            let key = if in_headers { "key" } else { "a key" };
            Value::Map(vec![(key.into(), full_value(value, depth + 1, false)?)])
        }
        Kind::Structure { eventstream: true, .. } => Value::Stream(Body::full("events")),
        Kind::Structure { .. } => Value::Structure(full(schema, depth + 1)),
    })
}

struct Request {
    target: String,
    headers: HeaderMap,
    body: Payload,
    form: Option<String>,
}

/// A client: the body and the headers as an answer has them, labels and query string by hand.
fn write(operation: &'static OperationSchema, protocol: Protocol, input: &Fields) -> Request {
    if protocol == Protocol::Query {
        let mut form = format!("Action={}&Version={}", operation.name, operation.service.api_version);
        write_form(&mut form, "", operation.input, input);
        let body = Payload::Bytes(form.clone().into());
        return Request { target: "/".into(), headers: HeaderMap::new(), body, form: Some(form) };
    }
    let turned = OperationSchema { output: operation.input, method: "POST", status: 200, ..*operation };
    let answer = encode(&turned, protocol, input, "id").expect("it can be written");
    let (mut headers, mut target) = (answer.headers, operation.uri.to_owned());
    let mut separator = if target.contains('?') { '&' } else { '?' };
    for (at, value) in input.iter() {
        let member = &operation.input.members()[at];
        match member.location {
            Location::Uri => {
                let (plain, greedy) =
                    (format!("{{{}}}", member.wire_name), format!("{{{}+}}", member.wire_name));
                let text = scalar(value);
                target = target
                    .replace(&plain, &escape(&text))
                    .replace(&greedy, &escape(&text).replace("%2F", "/"));
            }
            Location::Query => {
                let values = if let Value::List(items) = value {
                    items.iter().map(scalar).collect()
                } else {
                    vec![scalar(value)]
                };
                for text in values {
                    let _ = write!(target, "{separator}{}={}", member.wire_name, escape(&text));
                    separator = '&';
                }
            }
            _ => {}
        }
    }
    if let Some(prefix) = operation.service.target_prefix {
        let target = format!("{prefix}.{}", operation.name);
        headers.insert("x-amz-target", HeaderValue::from_str(&target).expect("a target"));
        return Request { target: "/".into(), headers, body: answer.body, form: None };
    }
    Request { target, headers, body: answer.body, form: None }
}

fn write_form(form: &mut String, prefix: &str, schema: &Schema, fields: &Fields) {
    for (at, value) in fields.iter() {
        let member = &schema.members()[at];
        let flattened = member.flattened;
        write_form_value(form, &format!("{prefix}{}", member.wire_name), member.shape, flattened, value);
    }
}

fn write_form_value(form: &mut String, name: &str, schema: &Schema, flattened: bool, value: &Value) {
    match (schema.kind, value) {
        (Kind::Structure { .. }, Value::Structure(fields)) => {
            write_form(form, &format!("{name}."), schema, fields);
        }
        (Kind::List { member, element, flattened: own, .. }, Value::List(items)) => {
            for (at, item) in items.iter().enumerate() {
                let part = if flattened || own { String::new() } else { format!(".{element}") };
                write_form_value(form, &format!("{name}{part}.{}", at + 1), member, false, item);
            }
        }
        (Kind::Map { value: shape, key_element, value_element, flattened: own, .. }, Value::Map(entries)) => {
            for (at, (key, item)) in entries.iter().enumerate() {
                let part = if flattened || own { "" } else { ".entry" };
                let entry = format!("{name}{part}.{}", at + 1);
                let _ = write!(form, "&{entry}.{key_element}={}", escape(key));
                write_form_value(form, &format!("{entry}.{value_element}"), shape, false, item);
            }
        }
        _ => {
            let _ = write!(form, "&{name}={}", escape(&scalar(value)));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Blob(_) => "Ynl0ZXM=".into(),
        Value::Timestamp(at) => at.to_iso8601(),
        other => panic!("{} is no scalar", other.kind_name()),
    }
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
