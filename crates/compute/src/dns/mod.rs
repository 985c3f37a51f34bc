//! The resolver inside a sandbox: the platform's names lead to the platform, all others to the host's resolvers if
//! the sandbox has a way out, and nowhere if it has none. Served by the platform on sockets that are inside.

mod message;
mod upstream;

use std::net::Ipv4Addr;
use std::sync::Arc;

use apus_env::Env;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tracing::debug;

use self::message::{Code, Query};

/// Questions of one sandbox that are asked elsewhere at once; clients repeat those that are dropped.
const FORWARDED_MAX: usize = 64;
/// TCP connections of one sandbox at once.
const CONNECTIONS_MAX: usize = 16;
/// The largest datagram that is read.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// What a sandbox's resolver knows.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// Names that, with all beneath them, are the platform; in lower case.
    pub(crate) platform: Arc<[String]>,
    /// Whether other names are asked of the host's resolvers.
    pub(crate) forwards: bool,
}

impl Zone {
    fn is_platform(&self, name: &str) -> bool {
        self.platform.iter().any(|known| {
            name.strip_suffix(known.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// Serves one sandbox until `ended` turns true or nobody can turn it any more.
pub(crate) async fn serve(
    env: Env,
    zone: Zone,
    udp: UdpSocket,
    tcp: TcpListener,
    ended: watch::Receiver<bool>,
) {
    let mut end = ended.clone();
    let stub = Arc::new(Stub { env: env.clone(), zone, forwarded: Arc::new(Semaphore::new(FORWARDED_MAX)) });
    tokio::select! {
        biased;
        _ = end.wait_for(|ended| *ended) => {}
        () = serve_datagrams(&stub, Arc::new(udp)) => {}
        () = serve_connections(&stub, tcp, &ended) => {}
    }
}

struct Stub {
    env: Env,
    zone: Zone,
    forwarded: Arc<Semaphore>,
}

/// What is to be answered.
enum Reply {
    Now(Vec<u8>),
    Ask,
}

impl Stub {
    fn reply(&self, query: &Query<'_>) -> Reply {
        if self.zone.is_platform(&query.name) {
            Reply::Now(query.at(Ipv4Addr::LOCALHOST))
        } else if self.zone.forwards {
            Reply::Ask
        } else {
            // Refused would make clients try again, and say that the failure is temporary.
            Reply::Now(query.without(Code::NoSuchName))
        }
    }
}

async fn serve_datagrams(stub: &Arc<Stub>, socket: Arc<UdpSocket>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => return debug!(%error, "a sandbox's resolver ends"),
        };
        let query = match Query::read(&buffer[..length]) {
            Ok(query) => query,
            Err(told) => {
                if let Some(told) = told {
                    let _ = socket.try_send_to(&told, from);
                }
                continue;
            }
        };
        match stub.reply(&query) {
            Reply::Now(answer) => drop(socket.try_send_to(&answer, from)),
            Reply::Ask => {
                let Ok(place) = Arc::clone(&stub.forwarded).try_acquire_owned() else { continue };
                let (stub, socket, bytes) =
                    (Arc::clone(stub), Arc::clone(&socket), buffer[..length].to_vec());
                stub.env.clone().spawn("sandbox dns", async move {
                    let _place = place;
                    let Ok(query) = Query::read(&bytes) else { return };
                    let answer = match upstream::ask_by_datagram(&stub.env, &query, &bytes).await {
                        Some(answer) if answer.len() <= usize::from(query.datagram_bytes) => answer,
                        Some(_) => query.truncated(),
                        None => query.without(Code::Failed),
                    };
                    let _ = socket.try_send_to(&answer, from);
                });
            }
        }
    }
}

async fn serve_connections(stub: &Arc<Stub>, listener: TcpListener, ended: &watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return debug!(%error, "a sandbox's resolver ends"),
        };
        let (stub, mut ended) = (Arc::clone(stub), ended.clone());
        stub.env.clone().spawn("sandbox dns", async move {
            let _place = place;
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| *ended) => {}
                _ = serve_connection(&stub, stream) => {}
            }
        });
    }
}

async fn serve_connection(stub: &Stub, mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut bytes).await?;
        let answer = match Query::read(&bytes) {
            Err(None) => return Ok(()),
            Err(Some(told)) => told,
            Ok(query) => match stub.reply(&query) {
                Reply::Now(answer) => answer,
                Reply::Ask => upstream::ask_by_stream(&stub.env, &query, &bytes)
                    .await
                    .unwrap_or_else(|| query.without(Code::Failed)),
            },
        };
        let mut framed = (answer.len() as u16).to_be_bytes().to_vec();
        framed.extend(answer);
        stream.write_all(&framed).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_platforms_with_all_beneath_them_and_nothing_beside() {
        let zone =
            Zone { platform: ["localhost".to_owned(), "amazonaws.com".to_owned()].into(), forwards: true };
        for (name, expected) in [
            ("localhost", true),
            ("s3.localhost", true),
            ("a.b.s3.us-east-1.amazonaws.com", true),
            ("amazonaws.com", true),
            ("notamazonaws.com", false),
            ("amazonaws.com.evil.example", false),
            ("amazonaws", false),
            ("", false),
        ] {
            assert_eq!(zone.is_platform(name), expected, "{name}");
        }
    }
}
