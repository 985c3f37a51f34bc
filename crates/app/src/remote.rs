//! A running instance, asked over HTTP: signed requests, one connection each.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apus_time::Timestamp;
use apus_wire::sigv4::{Credentials, PayloadHash, RequestParts, Rules, Scope, sign};
use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::cli::Remote;

/// How long an instance may take to answer: a function's longest time, and some to start.
const ANSWER_MAX: Duration = Duration::from_mins(16);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 32 << 20;

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
        let address = self.address()?;
        let request = self.request(address, method, path, query, more, body)?;
        let unreachable = |error: std::io::Error| {
            format!(
                "no instance answers at {}: {error}; start one, or name another with --endpoint-url",
                self.endpoint_url
            )
        };
        let mut stream = TcpStream::connect(address).map_err(unreachable)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(unreachable)?;
        stream.write_all(&request).map_err(unreachable)?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).map_err(unreachable)?;
        parse(&bytes).ok_or_else(|| format!("{} does not speak HTTP as an instance does", self.endpoint_url))
    }

    /// Host and port.
    fn address(&self) -> Result<&str, String> {
        let rest = self.endpoint_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        rest.filter(|rest| rest.contains(':') && !rest.contains('/')).ok_or_else(|| {
            format!("`{}` is no address of an instance; write it as http://127.0.0.1:4566", self.endpoint_url)
        })
    }

    fn request(
        &self,
        address: &str,
        method: &str,
        path: &str,
        query: &str,
        more: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, String> {
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
        let scope = Scope::new(now, self.region.as_str(), "lambda");
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
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// An answer whose end is the end of the connection, or its length.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.insert(name.parse::<HeaderName>().ok()?, value.trim().parse().ok()?);
    }
    let body = &bytes[end + 4..];
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    // What came in pieces, or not whole, is no answer.
    let whole =
        !headers.contains_key("transfer-encoding") && length.is_none_or(|length| length == body.len());
    whole.then(|| Answer { status, headers, body: body.to_vec() })
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
