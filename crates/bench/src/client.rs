//! Requests to the platform: signed bytes, and a kept connection that carries them.
//!
//! A request that does not change is signed once and sent many times, so that the client costs little beside the
//! platform. Knows as much HTTP as the platform's answers need.

use apus_env::Env;
use apus_wire::sigv4::{Credentials, PayloadHash, RequestParts, Rules, Scope, sign};
use http::header::{HOST, HeaderName};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::runtime::field;

const REGION: &str = "us-east-1";
/// The root of a development instance.
const CREDENTIALS: Credentials<'static> =
    Credentials { access_key: "test", secret: "test", session_token: None };
const HEAD_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 64 * 1024;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Head and body, as they came.
    pub(crate) bytes: usize,
}

impl Answer {
    /// The body, if the status says that all went well.
    pub(crate) fn ok(self) -> Result<Vec<u8>, String> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        let text = String::from_utf8_lossy(&self.body);
        Err(format!("status {}: {}", self.status, text.chars().take(300).collect::<String>()))
    }

    /// The body as JSON.
    pub(crate) fn json(self) -> Result<Value, String> {
        serde_json::from_slice(&self.ok()?).map_err(|error| format!("the answer is no JSON: {error}"))
    }
}

/// Where the platform is; makes requests to it.
#[derive(Clone)]
pub(crate) struct Api {
    env: Env,
    address: String,
    renews: bool,
}

impl Api {
    pub(crate) fn new(env: &Env, address: impl Into<String>) -> Self {
        Self { env: env.clone(), address: address.into(), renews: false }
    }

    /// Of a server that closes kept connections now and then: they are opened again, as clients do.
    pub(crate) fn renewing(self) -> Self {
        Self { renews: true, ..self }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Connection, String> {
        let renewed_at = self.renews.then(|| self.address.clone());
        Ok(Connection { renewed_at, ..Connection::open(&self.address).await? })
    }

    /// Connections that each carry their own request again and again.
    pub(crate) async fn connections(&self, count: usize) -> Result<Vec<Connection>, String> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(self.connect().await?);
        }
        Ok(connections)
    }

    /// A signed request, as it goes over the wire. The signature is good for fifteen minutes.
    pub(crate) fn request(
        &self,
        service: &str,
        method: &str,
        path: &str,
        more: &[(&'static str, &str)],
        body: &[u8],
    ) -> Result<Vec<u8>, String> {
        let hash = hex(&Sha256::digest(body));
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, value: &str| {
            let value =
                HeaderValue::from_str(value).map_err(|_| format!("{value:?} is no header's value"))?;
            headers.insert(name, value);
            Ok::<_, String>(())
        };
        add(HOST, &self.address)?;
        add(HeaderName::from_static("x-amz-content-sha256"), &hash)?;
        for (name, value) in more {
            add(HeaderName::from_static(name), value)?;
        }
        let parts = RequestParts { method, path, query: "", headers: &HeaderMap::new() };
        let rules = if service == "s3" { Rules::S3 } else { Rules::COMMON };
        let now = self.env.now();
        let scope = Scope::new(now, REGION, service);
        sign(&parts, &mut headers, &CREDENTIALS, &scope, &PayloadHash::Sha256(hash), rules, now)
            .ok_or("the request could not be signed")?;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\ncontent-length: {}\r\n", body.len()).into_bytes();
        for (name, value) in &headers {
            request.extend_from_slice(name.as_str().as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        Ok(request)
    }

    /// A call of an SQS operation.
    pub(crate) fn sqs(&self, operation: &str, input: &Value) -> Result<Vec<u8>, String> {
        let target = format!("AmazonSQS.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target.as_str())];
        self.request("sqs", "POST", "/", &headers, input.to_string().as_bytes())
    }

    /// Makes a queue; its URL.
    pub(crate) async fn create_queue(&self, name: &str) -> Result<String, String> {
        self.create_queue_with(name, &serde_json::json!({})).await
    }

    /// Creates a queue with these attributes and returns its URL.
    pub(crate) async fn create_queue_with(
        &self,
        name: &str,
        attributes: &serde_json::Value,
    ) -> Result<String, String> {
        let request =
            self.sqs("CreateQueue", &serde_json::json!({ "QueueName": name, "Attributes": attributes }))?;
        let answer = self.connect().await?.exchange(&request).await?.json()?;
        answer["QueueUrl"].as_str().map(str::to_owned).ok_or_else(|| format!("no queue's URL in {answer}"))
    }
}

/// A connection that is kept, for one request at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where it is opened again once the other side has closed it, if it may be.
    renewed_at: Option<String>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Result<Self, String> {
        let open = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        };
        let stream = open.await.map_err(|error| format!("could not connect to {address}: {error}"))?;
        Ok(Self { stream, buffer: Vec::new(), renewed_at: None })
    }

    /// Sends a request and reads the answer to it.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer, String> {
        match (self.once(request).await, &self.renewed_at) {
            // Nothing of an answer came.
            (Err(_), Some(address)) if self.buffer.is_empty() => {
                self.stream = Self::open(address).await?.stream;
                self.once(request).await
            }
            (answer, _) => answer,
        }
    }

    async fn once(&mut self, request: &[u8]) -> Result<Answer, String> {
        self.buffer.clear();
        self.stream.write_all(request).await.map_err(|error| format!("sending a request: {error}"))?;
        let head_ends = loop {
            if let Some(found) = find(&self.buffer, b"\r\n\r\n") {
                break found + 4;
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err("the head of an answer does not end".into());
            }
            self.more().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..head_ends]).map_err(|_| "a head that is no text")?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("no status in {head:?}"))?;
        let in_chunks = || field(head, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        let body = match (status, field(head, "content-length")) {
            (_, None) if in_chunks() => self.chunks(head_ends).await?,
            (204 | 304, _) | (_, None) => Vec::new(),
            (_, Some(text)) => {
                let length = text.parse::<usize>().map_err(|_| format!("no length: {text:?}"))?;
                self.upto(head_ends + length).await?;
                self.buffer[head_ends..head_ends + length].to_vec()
            }
        };
        Ok(Answer { status, body, bytes: self.buffer.len() })
    }

    /// The body that comes in chunks from `at` on.
    async fn chunks(&mut self, mut at: usize) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let line_ends = loop {
                match find(&self.buffer[at..], b"\r\n") {
                    Some(found) => break at + found,
                    None => self.more().await?,
                }
            };
            let line = String::from_utf8_lossy(&self.buffer[at..line_ends]).into_owned();
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
                .map_err(|_| format!("no size of a chunk: {line:?}"))?;
            let chunk = line_ends + 2;
            self.upto(chunk + size + 2).await?;
            body.extend_from_slice(&self.buffer[chunk..chunk + size]);
            at = chunk + size + 2;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn upto(&mut self, bytes: usize) -> Result<(), String> {
        while self.buffer.len() < bytes {
            self.more().await?;
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<(), String> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the other side closed the connection".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("reading an answer: {error}")),
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == wanted[0])?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
