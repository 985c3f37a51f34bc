//! What is written reads back as what it was: an answer's body and headers, sent as a request.

mod common;

use apus_schema::{Fields, Kind, Protocol, Schema, Value};
use apus_time::Timestamp;
use apus_wire::{Payload, RequestHead, Route, decode, encode};
use common::{DOCUMENTED, HEADERS, KITCHEN, service};
use http::Method;
use proptest::prelude::*;

fn back(protocol: Protocol, shape: &'static Schema, fields: &Fields) -> Fields {
    let operation = service("kitchen", protocol, &[("Do", "POST", "/", shape)]).operations[0];
    let answer = encode(operation, protocol, fields, "id").expect("it can be written");
    let route = Route { service: operation.service, operation, protocol, labels: Vec::new() };
    let head = RequestHead { method: &Method::POST, path: "/", query: None, headers: &answer.headers };
    let body = answer.body.bytes().expect("it does not flow").clone();
    decode(&route, &head, Payload::Bytes(body)).expect("it can be read")
}

/// Texts that a protocol may stumble over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        "\\PC{0,8}",
        proptest::collection::vec(
            proptest::sample::select(vec![
                "\"", "\\", "\n", "\r", "\t", "<", ">", "&", "]]>", ",", " ", "é", "😀", "\u{1}", "\u{85}",
                "\u{2028}"
            ]),
            0..6
        )
        .prop_map(|parts| parts.concat()),
    ]
}

/// Every member of a shape, set or not.
fn fields(schema: &'static Schema, depth: usize) -> BoxedStrategy<Fields> {
    let members: Vec<_> =
        schema.members().iter().map(|member| proptest::option::of(value(member.shape, depth))).collect();
    members
        .prop_map(|values| {
            let mut fields = Fields::new(schema);
            for (at, value) in values.into_iter().enumerate() {
                if let Some(value) = value {
                    fields.set(at, value);
                }
            }
            fields
        })
        .boxed()
}

fn value(schema: &'static Schema, depth: usize) -> BoxedStrategy<Value> {
    let doubles =
        prop_oneof![Just(0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY), -1e300..1e300f64, -1.0..1.0f64];
    match schema.kind {
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Integer => any::<i32>().prop_map(|number| Value::Integer(number.into())).boxed(),
        Kind::Long => any::<i64>().prop_map(Value::Integer).boxed(),
        Kind::Float => any::<i16>().prop_map(|number| Value::Double(f64::from(number) / 8.0)).boxed(),
        Kind::Double => doubles.prop_map(Value::Double).boxed(),
        Kind::String => text().prop_map(Value::String).boxed(),
        Kind::Blob => {
            proptest::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Blob(bytes.into())).boxed()
        }
        // Milliseconds, which every format holds, of the years that doubles hold them for.
        Kind::Timestamp(_) => (-1_000_000_000_000i64..4_000_000_000_000)
            .prop_map(|millis| Value::Timestamp(Timestamp::from_millis(millis)))
            .boxed(),
        Kind::Document => document(),
        Kind::List { member, .. } => {
            // A flattened list without elements is none.
            let least = usize::from(schema.name == "Flat");
            proptest::collection::vec(value(member, depth), least..4).prop_map(Value::List).boxed()
        }
        Kind::Map { value: shape, .. } => {
            let least = usize::from(schema.name == "FlatMap");
            proptest::collection::btree_map(text(), value(shape, depth), least..4)
                .prop_map(|entries| Value::Map(entries.into_iter().collect()))
                .boxed()
        }
        Kind::Structure { .. } if depth == 0 => Just(Value::structure(schema)).boxed(),
        Kind::Structure { .. } => fields(schema, depth - 1).prop_map(Value::Structure).boxed(),
        Kind::Stream => unreachable!("no shape here flows"),
    }
}

fn document() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        (-1e9..1e9f64).prop_map(Value::Double),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::btree_map(text(), inner, 0..4)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
    .boxed()
}

/// A structure of headers: texts without what no header can hold.
fn headers() -> impl Strategy<Value = Fields> {
    let visible = "[!-~]([ -~]{0,8}[!-~])?";
    let meta = proptest::collection::btree_map("[a-z0-9-]{1,5}", visible, 1..4);
    let strings = proptest::collection::vec("[ -~]{1,6}", 1..4);
    (
        (proptest::option::of(visible), any::<bool>(), any::<i32>(), -1e9..1e9f64, 0..4_000_000_000i64),
        (strings, proptest::collection::vec(any::<i32>(), 1..4), meta, "[a-z{}\":]{1,9}", text()),
    )
        .prop_map(|((string, boolean, integer, double, at), (strings, named, meta, json, body))| {
            let mut fields = Fields::new(&HEADERS);
            if let Some(string) = string {
                fields.set(0, string.into());
            }
            fields.set(1, Value::Boolean(boolean));
            fields.set(2, Value::Integer(integer.into()));
            fields.set(3, Value::Double(double));
            fields.set(4, Value::Timestamp(Timestamp::from_secs(at)));
            fields.set(5, Value::List(strings.into_iter().map(Value::String).collect()));
            fields
                .set(6, Value::List(named.into_iter().map(|number| Value::Integer(number.into())).collect()));
            fields.set(7, Value::Map(meta.into_iter().map(|(key, value)| (key, value.into())).collect()));
            fields.set(8, json.into());
            fields.set(9, body.into());
            fields
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bodies_read_back(fields in fields(&KITCHEN, 3)) {
        for protocol in [Protocol::AwsJson10, Protocol::RestJson, Protocol::RestXml, Protocol::RpcV2Cbor] {
            prop_assert_eq!(&back(protocol, &KITCHEN, &fields), &fields, "{:?}", protocol);
        }
    }

    #[test]
    fn documents_read_back(fields in fields(&DOCUMENTED, 1)) {
        for protocol in [Protocol::AwsJson11, Protocol::RestJson] {
            prop_assert_eq!(&back(protocol, &DOCUMENTED, &fields), &fields, "{:?}", protocol);
        }
    }

    #[test]
    fn headers_read_back(fields in headers()) {
        for protocol in [Protocol::RestJson, Protocol::RestXml] {
            prop_assert_eq!(&back(protocol, &HEADERS, &fields), &fields, "{:?}", protocol);
        }
    }
}

#[test]
fn a_double_that_is_no_number_stays_none() {
    let mut fields = Fields::new(&KITCHEN);
    fields.set(5, Value::Double(f64::NAN));
    for protocol in [Protocol::AwsJson10, Protocol::RestJson, Protocol::RestXml, Protocol::RpcV2Cbor] {
        let found = back(protocol, &KITCHEN, &fields);
        assert!(matches!(found.get(5), Some(Value::Double(number)) if number.is_nan()), "{protocol:?}");
    }
}
