//! What a subscriber asks for: the bodies of the Telemetry API and of the Logs API before it, read and bounded.

use std::time::Duration;

use serde_json::{Map, Value};

use super::buffer::Buffering;
use crate::platform_event::Schema;

/// The names by which a subscriber is known inside.
const HOSTS: [&str; 2] = ["sandbox.localdomain", "sandbox"];
/// The longest path of a destination.
const PATH_BYTES_MAX: usize = 1024;

const ITEMS: (u64, u64, u64) = (1_000, 10_000, 10_000);
const BYTES: (u64, u64, u64) = (262_144, 1_048_576, 262_144);
const TIMEOUT_MS: (u64, u64, u64) = (25, 30_000, 1_000);

/// Which of the two APIs was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Telemetry,
    Logs,
}

/// The streams that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Platform,
    Function,
    Extension,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }
}

/// Where batches go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Http { port: u16, host: String, path: String, put: bool },
    Tcp { port: u16 },
}

impl Destination {
    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) schema: Schema,
    pub(crate) streams: Vec<Stream>,
    pub(super) buffering: Buffering,
    pub(crate) destination: Destination,
}

/// Reads a body, or says what is wrong with it.
pub(crate) fn read(api: Api, body: &[u8]) -> Result<Request, String> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let body = value.as_object().ok_or("the body is no object")?;
    known_only(body, "", &["schemaVersion", "types", "buffering", "destination"])?;
    Ok(Request {
        schema: schema(api, body)?,
        streams: streams(body)?,
        buffering: buffering(body)?,
        destination: destination(body)?,
    })
}

fn schema(api: Api, body: &Map<String, Value>) -> Result<Schema, String> {
    let known = match api {
        Api::Telemetry => "2022-07-01, 2022-12-13 or 2025-01-29",
        Api::Logs => "2020-08-15 or 2021-03-18",
    };
    let found = match (api, body.get("schemaVersion")) {
        (Api::Telemetry, None) => return Err(format!("schemaVersion is missing; it is {known}")),
        (Api::Logs, None) => Some(Schema::Logs20200815),
        (Api::Telemetry, Some(version)) => version.as_str().and_then(Schema::of_telemetry),
        (Api::Logs, Some(version)) => version.as_str().and_then(Schema::of_logs),
    };
    found.ok_or_else(|| format!("schemaVersion is not {known}"))
}

fn streams(body: &Map<String, Value>) -> Result<Vec<Stream>, String> {
    let types = body.get("types").and_then(Value::as_array).ok_or("types is missing, or no list")?;
    let mut streams = Vec::new();
    for name in types {
        let all = [Stream::Platform, Stream::Function, Stream::Extension];
        let found = all.into_iter().find(|stream| name == stream.name());
        let stream = found.ok_or("types has others than platform, function and extension")?;
        if !streams.contains(&stream) {
            streams.push(stream);
        }
    }
    if streams.is_empty() { Err("types is empty".into()) } else { Ok(streams) }
}

fn buffering(body: &Map<String, Value>) -> Result<Buffering, String> {
    let empty = Map::new();
    let given = match body.get("buffering") {
        None | Some(Value::Null) => &empty,
        Some(given) => given.as_object().ok_or("buffering is no object")?,
    };
    known_only(given, "buffering.", &["maxItems", "maxBytes", "timeoutMs"])?;
    let number = |name: &str, (least, most, usual): (u64, u64, u64)| match given.get(name) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => value
            .as_u64()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("buffering.{name} is no number from {least} to {most}")),
    };
    Ok(Buffering {
        items_max: number("maxItems", ITEMS)? as usize,
        bytes_max: number("maxBytes", BYTES)? as usize,
        timeout: Duration::from_millis(number("timeoutMs", TIMEOUT_MS)?),
    })
}

fn destination(body: &Map<String, Value>) -> Result<Destination, String> {
    let given =
        body.get("destination").and_then(Value::as_object).ok_or("destination is missing, or no object")?;
    match given.get("protocol").and_then(Value::as_str) {
        Some("HTTP") => http(given),
        Some("TCP") => {
            known_only(given, "destination.", &["protocol", "port"])?;
            let port = given.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
            let port = port.filter(|port| *port > 0).ok_or("destination.port is no number of a port")?;
            Ok(Destination::Tcp { port })
        }
        _ => Err("destination.protocol is not HTTP or TCP".into()),
    }
}

fn http(given: &Map<String, Value>) -> Result<Destination, String> {
    known_only(given, "destination.", &["protocol", "URI", "method", "encoding"])?;
    let put = match given.get("method").map(Value::as_str) {
        None | Some(Some("POST")) => false,
        Some(Some("PUT")) => true,
        _ => return Err("destination.method is not POST or PUT".into()),
    };
    if given.get("encoding").is_some_and(|encoding| encoding != "JSON") {
        return Err("destination.encoding is not JSON".into());
    }
    let uri = given.get("URI").and_then(Value::as_str).ok_or("destination.URI is missing")?;
    let uri: http::Uri = uri.parse().map_err(|error| format!("destination.URI is none: {error}"))?;
    let host = uri.host().unwrap_or_default();
    if uri.scheme_str() != Some("http") || !HOSTS.contains(&host) {
        return Err(format!("destination.URI does not begin with http://{}:PORT", HOSTS[0]));
    }
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if path.len() > PATH_BYTES_MAX {
        return Err(format!("the path of destination.URI exceeds {PATH_BYTES_MAX} bytes"));
    }
    let port = uri.port_u16().unwrap_or(80);
    if port == 0 {
        return Err("destination.URI has no number of a port".into());
    }
    Ok(Destination::Http { port, host: format!("{host}:{port}"), path: path.to_owned(), put })
}

/// What nobody reads is refused by name.
fn known_only(given: &Map<String, Value>, of: &str, known: &[&str]) -> Result<(), String> {
    match given.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{of}{} is not known", name.chars().take(64).collect::<String>())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usual() -> Value {
        json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function", "platform"],
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/x?y=z" },
        })
    }

    fn ask(api: Api, body: &Value) -> Result<Request, String> {
        read(api, body.to_string().as_bytes())
    }

    #[test]
    fn what_is_left_out_is_aws_s_usual() {
        let expected = Request {
            schema: Schema::Telemetry20221213,
            streams: vec![Stream::Platform, Stream::Function],
            buffering: Buffering { items_max: 10_000, bytes_max: 262_144, timeout: Duration::from_secs(1) },
            destination: Destination::Http {
                port: 4243,
                host: "sandbox.localdomain:4243".into(),
                path: "/x?y=z".into(),
                put: false,
            },
        };
        assert_eq!(ask(Api::Telemetry, &usual()), Ok(expected.clone()));
        let body = json!({
            "types": ["extension"],
            "buffering": { "maxItems": 1000, "maxBytes": 1_048_576, "timeoutMs": 25 },
            "destination": { "protocol": "TCP", "port": 9999 },
        });
        let expected = Request {
            schema: Schema::Logs20200815,
            streams: vec![Stream::Extension],
            buffering: Buffering {
                items_max: 1_000,
                bytes_max: 1_048_576,
                timeout: Duration::from_millis(25),
            },
            destination: Destination::Tcp { port: 9999 },
        };
        assert_eq!(ask(Api::Logs, &body), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("/schemaVersion", json!("2020-08-15"), "schemaVersion is not"),
            ("/schemaVersion", json!(7), "schemaVersion is not"),
            ("/types", json!([]), "types is empty"),
            ("/types", json!(["logs"]), "types has others"),
            ("/types", json!("platform"), "types is missing"),
            ("/buffering", json!({ "maxItems": 999 }), "buffering.maxItems is no number from 1000 to 10000"),
            ("/buffering", json!({ "maxBytes": 1_048_577 }), "buffering.maxBytes"),
            ("/buffering", json!({ "timeoutMs": 24.5 }), "buffering.timeoutMs"),
            ("/buffering", json!({ "timeoutMs": -1 }), "buffering.timeoutMs"),
            ("/buffering", json!({ "maxitems": 1000 }), "buffering.maxitems is not known"),
            ("/more", json!(1), "more is not known"),
            ("/destination", json!({ "protocol": "HTTP" }), "destination.URI is missing"),
            ("/destination", json!({ "protocol": "UDP", "port": 1 }), "destination.protocol"),
            ("/destination", json!({ "protocol": "TCP", "port": 0 }), "destination.port"),
            ("/destination", json!({ "protocol": "TCP", "port": 65_536 }), "destination.port"),
            (
                "/destination",
                json!({ "protocol": "HTTP", "URI": "http://127.0.0.1:80" }),
                "destination.URI does not begin",
            ),
            (
                "/destination",
                json!({ "protocol": "HTTP", "URI": "https://sandbox:80" }),
                "destination.URI does not begin",
            ),
            (
                "/destination",
                json!({ "protocol": "HTTP", "URI": "http://sandbox:80", "method": "GET" }),
                "destination.method",
            ),
        ];
        for (at, value, expected) in cases {
            let mut body = usual();
            body[&at[1..]] = value;
            let error = ask(Api::Telemetry, &body).expect_err(at);
            assert!(error.starts_with(expected), "{at}: {error}");
        }
        assert!(read(Api::Logs, b"[").expect_err("no JSON").starts_with("the body is no JSON"));
        assert!(read(Api::Logs, b"[]").expect_err("no object").starts_with("the body is no object"));
        let mut body = usual();
        body.as_object_mut().expect("an object").remove("schemaVersion");
        assert!(ask(Api::Telemetry, &body).expect_err("missing").starts_with("schemaVersion is missing"));
    }
}
