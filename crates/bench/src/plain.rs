//! A runtime that is started plainly, without a sandbox, and given one event.

use std::process::{Child, Command};
use std::time::Duration;

use apus_env::Env;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::relay::EVENT;

const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// How long a plain start took.
pub(crate) struct PlainStart {
    pub(crate) first_request: Duration,
    pub(crate) response: Duration,
}

/// Starts what the command makes of the address of the Runtime API, gives it one event and ends it.
pub(crate) async fn start(env: &Env, command: impl Fn(&str) -> Command) -> Result<PlainStart, String> {
    let failed = |error: std::io::Error| format!("the plain runtime: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?.to_string();
    let mut command = command(&address);
    let begun = env.monotonic();
    let _child = Ending(command.spawn().map_err(failed)?);
    let (mut stream, _) = listener.accept().await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    read_head(&mut stream).await?;
    let first_request = env.monotonic().saturating_sub(begun);
    let length = EVENT.len();
    let next = format!(
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 1\r\ncontent-length: {length}\r\n\r\n{EVENT}"
    );
    stream.write_all(next.as_bytes()).await.map_err(failed)?;
    let head = read_head(&mut stream).await?;
    let response = env.monotonic().saturating_sub(begun);
    if !head.contains("/response") {
        return Err(format!("the plain runtime did not answer: {head}"));
    }
    Ok(PlainStart { first_request, response })
}

/// A process that ends with its handle.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

async fn read_head(stream: &mut TcpStream) -> Result<String, String> {
    let mut text = Vec::new();
    while !text.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read_buf(&mut text).await.map_err(|error| error.to_string())?;
        if read == 0 || text.len() > REQUEST_BYTES_MAX {
            return Err("the plain runtime hung up; its complaint stands above".into());
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
