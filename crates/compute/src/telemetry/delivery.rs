//! Delivers what waits for one subscriber, batch by batch, over connections within the environment.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Request, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::subscription::Destination;
use super::{Sent, Telemetry};
use crate::driver::Sandbox;

/// How long a subscriber may take to read a batch, while the environment runs.
const DELIVERY_LIMIT: Duration = Duration::from_secs(10);
/// The rest after a batch that nobody took; it doubles with each that follows.
const REST_FIRST: Duration = Duration::from_millis(50);
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(2);

/// Serves a subscriber until it is gone.
pub(super) async fn deliver(telemetry: Arc<Telemetry>, id: u64) {
    let (mut rest, mut kept) = (REST_FIRST, None);
    while let Some((destination, batch)) = telemetry.next_batch(id).await {
        let sandbox = telemetry.sandbox.get().and_then(Weak::upgrade);
        let Some(sandbox) = sandbox else { return };
        let sent = tokio::select! {
            biased;
            // Who subscribes anew leaves nothing behind that still holds memory.
            () = telemetry.gone(id) => return,
            sent = send(&telemetry, &*sandbox, &destination, &mut kept, batch) => sent,
        };
        let went_well = matches!(sent, Sent::Delivered);
        telemetry.sent(id, sent);
        if went_well {
            rest = REST_FIRST;
        } else {
            kept = None;
            drop(sandbox);
            telemetry.env.sleep(rest).await;
            rest = (rest * 2).min(REST_MAX);
        }
    }
}

async fn send(
    telemetry: &Telemetry,
    sandbox: &dyn Sandbox,
    destination: &Destination,
    kept: &mut Option<TcpStream>,
    batch: Vec<Bytes>,
) -> Sent {
    let connection = match kept.take() {
        Some(connection) => Some(Ok(connection)),
        None => while_awake(telemetry, sandbox.connect(destination.port())).await,
    };
    let Some(Ok(connection)) = connection else { return Sent::Unsent(batch) };
    let sending = async {
        match destination {
            Destination::Http { host, path, put, .. } => {
                post(telemetry, connection, host, path, *put, &batch).await.map(|()| None)
            }
            Destination::Tcp { .. } => write(connection, &batch).await.map(Some),
        }
    };
    match while_awake(telemetry, sending).await {
        Some(Ok(connection)) => {
            *kept = connection;
            Sent::Delivered
        }
        Some(Err(error)) => {
            tracing::debug!("a subscriber to telemetry lost records: {error}");
            Sent::Lost(batch)
        }
        None => Sent::Lost(batch),
    }
}

/// Waits for a future while the environment has been awake for so long; nothing, if that was too long.
async fn while_awake<T>(telemetry: &Telemetry, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    loop {
        let awake = telemetry.awake_since();
        match telemetry.env.timeout(DELIVERY_LIMIT, future.as_mut()).await {
            Ok(value) => return Some(value),
            Err(_elapsed) if awake.is_some() && awake == telemetry.awake_since() => return None,
            Err(_elapsed) => {}
        }
    }
}

/// One array in one request, which the subscriber takes or not.
async fn post(
    telemetry: &Telemetry,
    connection: TcpStream,
    host: &str,
    path: &str,
    put: bool,
    batch: &[Bytes],
) -> io::Result<()> {
    let body = joined(batch, b'[', b',', b']');
    let request = Request::builder()
        .method(if put { Method::PUT } else { Method::POST })
        .uri(path)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(io::Error::other)?;
    let connection = telemetry.env.spawn("telemetry connection", async {
        // Its end is the request's, which is told there.
        let _end = connection.await;
    });
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    drop((sender, connection));
    if !response.status().is_success() {
        return Err(io::Error::other(format!("it answered {}", response.status())));
    }
    Ok(())
}

/// One line for each record.
async fn write(mut connection: TcpStream, batch: &[Bytes]) -> io::Result<TcpStream> {
    connection.write_all(&joined(batch, b'\n', b'\n', b'\n')[1..]).await?;
    Ok(connection)
}

fn joined(batch: &[Bytes], first: u8, between: u8, last: u8) -> Bytes {
    let mut body = BytesMut::with_capacity(batch.iter().map(|record| record.len() + 1).sum::<usize>() + 2);
    for (at, record) in batch.iter().enumerate() {
        body.put_u8(if at == 0 { first } else { between });
        body.extend_from_slice(record);
    }
    body.put_u8(last);
    body.freeze()
}
