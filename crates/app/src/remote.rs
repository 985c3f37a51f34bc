//! A running instance, asked over HTTP: signed requests, one connection each.

mod chunked;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apus_time::Timestamp;
use apus_wire::sigv4::{Credentials, PayloadHash, RequestParts, Rules, Scope, sign};
use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cli::Remote;
pub(crate) use chunked::Chunked;

/// How long an instance may take to answer: a function's longest time, and some to start.
const ANSWER_MAX: Duration = Duration::from_mins(16);
/// How long a stream may say nothing: live tails tell how they are each second.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

/// What is encoded in a URL: all but what a signature leaves alone.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A part of a path or of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// What the names of CloudWatch Logs' operations follow.
const LOGS_TARGET: &str = "Logs_20140328";

/// A request to a service.
#[derive(Clone, Copy)]
struct Asked<'a> {
    /// As signatures name it.
    service: &'a str,
    method: &'a str,
    path: &'a str,
    query: &'a str,
    more: &'a [(&'static str, &'a str)],
    body: &'a [u8],
}

impl<'a> Asked<'a> {
    fn json(service: &'a str, more: &'a [(&'static str, &'a str)], body: &'a [u8]) -> Self {
        Self { service, method: "POST", path: "/", query: "", more, body }
    }
}

fn json_headers(target: &str) -> [(&'static str, &str); 2] {
    [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)]
}

/// What an instance answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The name of the error that the instance answered with, for protocols that tell it in the body.
    pub(crate) fn error_name(&self) -> Option<String> {
        let body = serde_json::from_slice::<serde_json::Value>(&self.body).ok()?;
        let name = body.get("__type")?.as_str()?;
        Some(name.rsplit('#').next().unwrap_or(name).to_owned())
    }

    /// The body as JSON, or what the instance said was wrong.
    pub(crate) fn json(&self) -> Result<serde_json::Value, String> {
        let body = serde_json::from_slice::<serde_json::Value>(&self.body);
        if self.status >= 300 {
            let text = body.ok().and_then(|body| {
                let message = body.get("message").or_else(|| body.get("Message"))?;
                message.as_str().map(str::to_owned)
            });
            return Err(text.unwrap_or_else(|| format!("the instance answered with status {}", self.status)));
        }
        body.map_err(|error| format!("the instance answered no JSON: {error}"))
    }
}

impl Remote {
    /// Asks the instance, as a client of Lambda.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        query: &str,
        more: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        self.whole(&Asked { service: "lambda", method, path, query, more, body })
    }

    /// Calls an operation of CloudWatch Logs.
    pub(crate) fn logs(&self, operation: &str, input: &serde_json::Value) -> Result<Answer, String> {
        let (target, body) = (format!("{LOGS_TARGET}.{operation}"), input.to_string());
        self.whole(&Asked::json("logs", &json_headers(&target), body.as_bytes()))
    }

    /// Calls an operation of CloudWatch Logs whose answer is a stream, or else a whole one.
    pub(crate) fn logs_stream(
        &self,
        operation: &str,
        input: &serde_json::Value,
    ) -> Result<Result<Chunked<BufReader<TcpStream>>, Answer>, String> {
        let (target, body) = (format!("{LOGS_TARGET}.{operation}"), input.to_string());
        let stream = self.open(&Asked::json("logs", &json_headers(&target), body.as_bytes()), SILENCE_MAX)?;
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let limit = HEAD_BYTES_MAX - head.len() as u64;
            let read = stream.by_ref().take(limit).read_until(b'\n', &mut head);
            if read.map_err(|error| self.unreachable(&error))? == 0 {
                return Err(self.no_http());
            }
        }
        let (status, headers) = parse_head(&head[..head.len() - 4]).ok_or_else(|| self.no_http())?;
        if headers.contains_key("transfer-encoding") && status < 300 {
            return Ok(Ok(Chunked::new(stream)));
        }
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut head).map_err(|error| self.unreachable(&error))?;
        parse(&head).map(Err).ok_or_else(|| self.no_http())
    }

    fn whole(&self, asked: &Asked<'_>) -> Result<Answer, String> {
        let stream = self.open(asked, ANSWER_MAX)?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).map_err(|error| self.unreachable(&error))?;
        parse(&bytes).ok_or_else(|| self.no_http())
    }

    /// A connection on which the request was sent.
    fn open(&self, asked: &Asked<'_>, silence_max: Duration) -> Result<TcpStream, String> {
        let address = self.address()?;
        let request = self.request(address, asked)?;
        let open = || {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(silence_max))?;
            stream.write_all(&request)?;
            Ok(stream)
        };
        open().map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &std::io::Error) -> String {
        format!(
            "no instance answers at {}: {error}; start one with `apus start`, or name another with --endpoint-url",
            self.endpoint_url
        )
    }

    fn no_http(&self) -> String {
        format!("{} does not speak HTTP as an instance does", self.endpoint_url)
    }

    /// Host and port.
    fn address(&self) -> Result<&str, String> {
        let rest = self.endpoint_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        rest.filter(|rest| rest.contains(':') && !rest.contains('/')).ok_or_else(|| {
            format!("`{}` is no address of an instance; write it as http://127.0.0.1:4566", self.endpoint_url)
        })
    }

    fn request(&self, address: &str, asked: &Asked<'_>) -> Result<Vec<u8>, String> {
        let Asked { service, method, path, query, more, body } = *asked;
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` cannot be sent"))?;
            headers.insert(name, value);
            Ok::<_, String>(())
        };
        add(HOST, address)?;
        for (name, value) in more {
            add(HeaderName::from_static(name), value)?;
        }
        let none = HeaderMap::new();
        let parts = RequestParts { method, path, query, headers: &none };
        let credentials = Credentials {
            access_key: &self.access_key_id,
            secret: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
        };
        let now = now();
        let scope = Scope::new(now, self.region.as_str(), service);
        let hash = PayloadHash::of(body);
        sign(&parts, &mut headers, &credentials, &scope, &hash, Rules::COMMON, now)
            .ok_or("the credentials hold characters that cannot be sent")?;
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request =
            format!("{method} {target} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len())
                .into_bytes();
        for (name, value) in &headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                request.extend_from_slice(part);
            }
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        Ok(request)
    }
}

/// The time of this host: a command has no other, and the signature needs one.
#[expect(clippy::disallowed_methods, reason = "a command that asks an instance runs outside of any platform")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// An answer whose end is the end of the connection, or its length.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (status, headers) = parse_head(&bytes[..end])?;
    let body = &bytes[end + 4..];
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // What came in pieces, or not whole, is no answer.
    let whole =
        !headers.contains_key("transfer-encoding") && length.is_none_or(|length| length == body.len());
    whole.then(|| Answer { status, headers, body: body.to_vec() })
}

fn parse_head(head: &[u8]) -> Option<(u16, HeaderMap)> {
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.parse::<HeaderName>().ok()?, value.trim().parse().ok()?);
    }
    Some((status, headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let answer = parse(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-A: b\r\n\r\n{}").expect("whole");
        assert_eq!(
            (answer.status, answer.header("x-a"), answer.body.as_slice()),
            (200, Some("b"), &b"{}"[..])
        );
        for bytes in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"SSH-2.0\r\n\r\n",
        ] {
            assert!(parse(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn errors_are_what_the_instance_said() {
        let answer = |status, body: &str| Answer { status, headers: HeaderMap::new(), body: body.into() };
        assert_eq!(answer(404, r#"{"message":"none"}"#).json(), Err("none".into()));
        assert_eq!(answer(403, r#"{"Message":"no"}"#).json(), Err("no".into()));
        assert_eq!(answer(500, "?").json(), Err("the instance answered with status 500".into()));
        assert_eq!(answer(200, "7").json(), Ok(7.into()));
    }
}
