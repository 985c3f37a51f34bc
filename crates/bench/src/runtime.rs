//! A runtime in few lines: what answers for the bare relay, and for the native function.

use std::io::{Read, Write};
use std::net::TcpStream;

/// What both answer.
pub(crate) const RESPONSE: &str = r#"{"hello": "swift"}"#;
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A runtime that answers each event, until whoever gives them is gone.
pub(crate) fn serve(address: &str, answer: impl Fn(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut buffer = Vec::new();
    loop {
        stream.write_all(next.as_bytes())?;
        let head = read_answer(&mut stream, &mut buffer)?;
        let id = field(&head, "lambda-runtime-aws-request-id").unwrap_or_default();
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        let response = answer(&buffer[(head.len() + 4).min(buffer.len())..]);
        let length = response.len();
        let mut post = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
        post.extend(response);
        stream.write_all(&post)?;
        read_answer(&mut stream, &mut buffer)?;
    }
}

/// Reads one answer with its body; its head in small letters.
fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<String> {
    let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut part = [0; 4_096];
    buffer.clear();
    let mut wanted = usize::MAX;
    let mut head = String::new();
    while buffer.len() < wanted {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Err(broken("the relay closed the connection"));
        }
        buffer.extend_from_slice(&part[..read]);
        if head.is_empty()
            && let Some(ends) = buffer.windows(4).position(|window| window == b"\r\n\r\n")
        {
            head = String::from_utf8_lossy(&buffer[..ends]).to_ascii_lowercase();
            let length = field(&head, "content-length").map_or(Ok(0), str::parse::<usize>);
            wanted = ends + 4 + length.map_err(|_| broken("no length"))?;
        } else if head.is_empty() && buffer.len() > HEAD_BYTES_MAX {
            return Err(broken("a head that does not end"));
        }
    }
    Ok(head)
}

/// The value of a header in a head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
