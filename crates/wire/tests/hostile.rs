//! Requests that nobody sends by mistake: no reader panics, none answers more than it was given.

mod common;

use apus_schema::{Fields, OperationSchema, Protocol, Schema, ServiceError};
use apus_wire::{Form, MAX_DEPTH, Payload, RequestHead, Route, decode, virtual_host};
use common::{DOCUMENTED, HEADERS, KITCHEN, service};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

const ALL: [Protocol; 6] = [
    Protocol::AwsJson10,
    Protocol::AwsJson11,
    Protocol::Query,
    Protocol::RestJson,
    Protocol::RestXml,
    Protocol::RpcV2Cbor,
];

fn operation(protocol: Protocol, shape: &'static Schema) -> &'static OperationSchema {
    service("hostile", protocol, &[("Do", "POST", "/", shape)]).operations[0]
}

fn read(protocol: Protocol, shape: &'static Schema, body: &[u8]) -> Result<Fields, ServiceError> {
    let operation = operation(protocol, shape);
    let route = Route { service: operation.service, operation, protocol, labels: Vec::new() };
    let head = RequestHead { method: &Method::POST, path: "/", query: None, headers: &HeaderMap::new() };
    decode(&route, &head, Payload::Bytes(body.to_vec().into()))
}

fn refused(protocol: Protocol, shape: &'static Schema, body: &str) {
    let found = read(protocol, shape, body.as_bytes());
    let error = found.expect_err(&format!("{protocol:?} must refuse {}", &body[..body.len().min(80)]));
    assert_eq!(error.name(), "Malformed", "{body:.80}");
    assert!(error.message().len() < 300, "a message must not repeat the request: {}", error.message());
}

#[test]
fn broken_json_is_refused() {
    for body in [
        "{",
        "}",
        "[]",
        "1",
        "nul",
        "\"a\"",
        "{}{}",
        "{} x",
        "{\"string\"}",
        "{\"string\":}",
        "{\"string\":\"a\",}",
        "{,}",
        "{string:1}",
        "{'string':'a'}",
        "{\"string\":\"\n\"}",
        "{\"string\":\"\\x\"}",
        "{\"string\":\"\\ud800\"}",
        "{\"string\":\"\\ud800\\u0041\"}",
        "{\"string\":\"\\udc00\"}",
        "{\"string\":\"\\u12\"}",
        "{\"string\":\"a}",
        "{\"integer\":01}",
        "{\"integer\":+1}",
        "{\"integer\":1.}",
        "{\"integer\":.5}",
        "{\"integer\":1e}",
        "{\"integer\":-}",
        "{\"integer\":1.5}",
        "{\"integer\":2147483648}",
        "{\"integer\":-2147483649}",
        "{\"long\":9223372036854775808}",
        "{\"long\":1e19}",
        "{\"double\":1e999}",
        "{\"double\":NaN}",
        "{\"double\":\"many\"}",
        "{\"integer\":\"1\"}",
        "{\"string\":1}",
        "{\"string\":{}}",
        "{\"string\":[]}",
        "{\"boolean\":\"true\"}",
        "{\"boolean\":1}",
        "{\"blob\":\"a\"}",
        "{\"blob\":\"????\"}",
        "{\"blob\":1}",
        "{\"timestamp\":\"yesterday\"}",
        "{\"timestamp\":true}",
        "{\"strings\":{}}",
        "{\"strings\":[1]}",
        "{\"strings\":[\"a\" \"b\"]}",
        "{\"map\":[]}",
        "{\"nested\":1}",
        "{\"unknown\":}",
        "{\"unknown\":[1,]}",
        "{\"unknown\":nope}",
    ] {
        refused(Protocol::AwsJson10, &KITCHEN, body);
        refused(Protocol::RestJson, &KITCHEN, body);
    }
    assert!(read(Protocol::AwsJson10, &KITCHEN, b"{\"string\":\"\xff\"}").is_err());
    refused(Protocol::AwsJson10, &KITCHEN, &format!("{{\"double\":{}}}", "1".repeat(100_000)));
}

#[test]
fn odd_json_is_read_as_aws_reads_it() {
    let text = r#" {"string":"a","string":"\u00e9\ud83d\ude00\/","unknown":[{"a":[null,true,-1.5e-3]}],"integer":5e0,
        "long":-9223372036854775808,"double":3,"blob":"YQ","boolean":null,"strings":[null,""],"flatMap":{"a":"1","b":"2","a":"3"}} "#;
    let fields = read(Protocol::AwsJson10, &KITCHEN, text.as_bytes()).expect("it is valid");
    let shown = format!("{fields:?}");
    for part in
        ["String(\"é😀/\")", "Integer(5)", "Integer(-9223372036854775808)", "Double(3.0)", "Blob(b\"a\")"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("[Null, String(\"\")]") && !shown.contains("String(\"1\")"), "{shown}");
    for empty in ["", " ", "{}", "null"] {
        assert!(read(Protocol::AwsJson10, &KITCHEN, empty.as_bytes()).expect("it is empty").is_empty());
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |open: &str, close: &str| {
        format!("{}{}", open.repeat(MAX_DEPTH * 1_000), close.repeat(MAX_DEPTH * 1_000))
    };
    for body in [
        format!("{{\"document\":{}}}", deep("[", "]")),
        format!("{{\"document\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000)),
        format!("{{\"unknown\":{}}}", deep("[", "]")),
        "[".repeat(1_000_000),
    ] {
        refused(Protocol::AwsJson10, &DOCUMENTED, &body);
    }
    refused(Protocol::RestXml, &KITCHEN, &deep("<nested>", "</nested>"));
    refused(Protocol::Query, &KITCHEN, &format!("{}text=1", "within.".repeat(10_000)));
    for byte in [0x81, 0x9f, 0xa1, 0xbf, 0xc1] {
        assert!(read(Protocol::RpcV2Cbor, &KITCHEN, &vec![byte; 1_000_000]).is_err());
        let mut unknown = b"\xa1\x61x".to_vec();
        unknown.extend(vec![byte; 1_000_000]);
        assert!(read(Protocol::RpcV2Cbor, &KITCHEN, &unknown).is_err());
    }
}

#[test]
fn memory_is_bounded() {
    // Each of these is a few MiB and would fill hundreds.
    refused(Protocol::AwsJson10, &KITCHEN, &format!("{{\"flat\":[{}{{}}]}}", "{},".repeat(1 << 20)));
    refused(Protocol::AwsJson10, &DOCUMENTED, &format!("{{\"document\":[{}[1]]}}", "[1],".repeat(1 << 20)));
    refused(Protocol::RestXml, &KITCHEN, &format!("<Kitchen>{}</Kitchen>", "<a><b/></a>".repeat(1 << 18)));
    let paths: Vec<_> = (0..10_000).map(|at| format!("{at}{}=1", ".a".repeat(150))).collect();
    refused(Protocol::Query, &KITCHEN, &paths.join("&"));
    refused(Protocol::Query, &KITCHEN, &"a=b&".repeat(1 << 20));
    // An announced length is not believed.
    assert!(
        read(Protocol::RpcV2Cbor, &KITCHEN, b"\xa1\x67strings\x9b\xff\xff\xff\xff\xff\xff\xff\xff").is_err()
    );
    assert!(
        read(Protocol::RpcV2Cbor, &KITCHEN, b"\xa1\x66string\x7b\x7f\xff\xff\xff\xff\xff\xff\xff").is_err()
    );
    assert!(read(Protocol::RpcV2Cbor, &KITCHEN, b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
}

#[test]
fn broken_xml_forms_and_cbor_are_refused() {
    let laughs =
        "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;&b;\">]><Kitchen><string>&c;</string></Kitchen>";
    for body in [
        laughs,
        "<Kitchen>",
        "<Kitchen/><Kitchen/>",
        "{}",
        "<Kitchen><integer>x</integer></Kitchen>",
        "<Kitchen><integer>1.5</integer></Kitchen>",
        "<Kitchen><integer>99999999999</integer></Kitchen>",
        "<Kitchen><boolean>yes</boolean></Kitchen>",
        "<Kitchen><string><b/></string></Kitchen>",
        "<Kitchen><blob>?</blob></Kitchen>",
        "<Kitchen><timestamp>now</timestamp></Kitchen>",
        "<Kitchen><map><entry><key>a</key></entry></map></Kitchen>",
        "<Kitchen><double>inf</double></Kitchen>",
        "<Kitchen><double>0x10</double></Kitchen>",
    ] {
        refused(Protocol::RestXml, &KITCHEN, body);
    }
    for body in [
        "string=%",
        "string=%f",
        "string=%zz",
        "string=%ff",
        "%zz=1",
        "integer=x",
        "integer=1.5",
        "boolean=yes",
        "blob=%3f",
        "timestamp=now",
        "map.entry.1.value.text=a",
        "map.entry.1.key=a",
        "flatMap.1.key=a",
        "double=nan",
    ] {
        refused(Protocol::Query, &KITCHEN, body);
    }
    for body in [
        &b"\xff"[..],
        b"\x01",
        b"\xa1",
        b"\xa1\x01\x01",
        b"\xa0\x00",
        b"\xa1\x66string\x01",
        b"\xa1\x66string\x62\xff\xff",
        b"\xa1\x67integer\x1a\xff\xff\xff\xff",
        b"\xa1\x67integer\xf9\x3e\x00",
        b"\xa1\x64long\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x69timestamp\xc2\x01",
        b"\xa1\x69timestamp\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",
        b"\xa1\x67strings\x9f\x61a",
        b"\xa1\x67strings\xff",
        b"\xbf\x66string",
        b"\xa1\x66double\xf9\x00",
    ] {
        let error = read(Protocol::RpcV2Cbor, &KITCHEN, body).expect_err("it is broken");
        assert_eq!(error.name(), "Malformed");
    }
}

#[test]
fn broken_headers_are_refused() {
    let operation = operation(Protocol::RestJson, &HEADERS);
    let route =
        Route { service: operation.service, operation, protocol: Protocol::RestJson, labels: Vec::new() };
    for (name, value) in [
        ("x-boolean", &b"yes"[..]),
        ("x-integer", b"1.5"),
        ("x-double", b"many"),
        ("x-timestamp", b"now"),
        ("x-strings", b"\"a"),
        ("x-strings", b"\"a\" b"),
        ("x-named", b"1,x"),
        ("x-json", b"???"),
        ("x-json", b"/w=="),
        ("x-string", b"\xff"),
        ("x-meta-a", b"\xff"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(value).expect("a value"));
        let head = RequestHead { method: &Method::POST, path: "/", query: None, headers: &headers };
        assert!(decode(&route, &head, Payload::empty()).is_err(), "{name}: {value:?}");
    }
}

/// Pieces that lead further into a reader than noise does.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\"",
        b"\"string\"",
        b"\"nested\"",
        b"\"map\"",
        b"\"flat\"",
        b"\"double\"",
        b"\\u",
        b"d800",
        b"1",
        b"-",
        b".",
        b"e9",
        b"null",
        b"<Kitchen>",
        b"</Kitchen>",
        b"<nested>",
        b"</nested>",
        b"<flat>",
        b"</flat>",
        b"<map>",
        b"<entry>",
        b"<key>",
        b"&amp;",
        b"&#x",
        b";",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<?",
        b"?>",
        b"=",
        b"&",
        b"%",
        b"41",
        b".member.1",
        b".entry.1.key",
        b"flat.1",
        b"map",
        b"\xa1",
        b"\xbf",
        b"\xff",
        b"\x66string",
        b"\x63map",
        b"\x67strings",
        b"\x9f",
        b"\xf9",
        b"\xfb",
        b"\xc1",
        b"\x7f",
        b"\x5f",
        b" ",
        b"\n",
    ];
    prop_oneof![
        4 => proptest::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_panics(pieces in proptest::collection::vec(piece(), 0..40)) {
        let body = pieces.concat();
        for protocol in ALL {
            for shape in [&KITCHEN, &DOCUMENTED] {
                let _ = read(protocol, shape, &body);
            }
        }
    }

    #[test]
    fn no_head_panics(
        path in "[/a-z%0-9.~+]{0,20}",
        query in "[a-z&=%0-9+.]{0,30}",
        values in proptest::collection::vec(proptest::collection::vec(0x20u8..=0xff, 0..20), 10),
        host in "\\PC{0,12}",
    ) {
        let names = ["x-string", "x-boolean", "x-integer", "x-double", "x-timestamp", "x-strings", "x-named", "x-meta-a", "x-json", "x-strings"];
        let mut headers = HeaderMap::new();
        for (name, value) in names.iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let head = RequestHead { method: &Method::POST, path: &path, query: Some(&query), headers: &headers };
        for protocol in ALL {
            let operation = operation(protocol, &HEADERS);
            let route = Route { service: operation.service, operation, protocol, labels: vec![("Key", path.clone())] };
            let _ = decode(&route, &head, Payload::empty());
        }
        let _ = Form::parse(&query);
        let _ = virtual_host(&host, &["s3.localhost", "localhost", ""]);
    }
}
