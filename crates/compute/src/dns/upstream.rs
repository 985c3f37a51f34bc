//! The host's resolvers, which `/etc/resolv.conf` names, asked in their order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use apus_env::Env;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{Query, with_id};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// As the C library, which asks no more than these.
const RESOLVERS_MAX: usize = 3;
/// How long one resolver may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The largest answer in a datagram.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Asks by datagrams; `None` if nobody answers.
pub(super) async fn ask_by_datagram(env: &Env, query: &Query<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
    for resolver in resolvers() {
        if let Ok(Ok(mut answer)) = env.timeout(PATIENCE, datagram(env, resolver, query, bytes)).await {
            query.own(&mut answer);
            return Some(answer);
        }
    }
    None
}

/// Asks by a connection; `None` if nobody answers.
pub(super) async fn ask_by_stream(env: &Env, query: &Query<'_>, bytes: &[u8]) -> Option<Vec<u8>> {
    for resolver in resolvers() {
        if let Ok(Ok(mut answer)) = env.timeout(PATIENCE, stream(env, resolver, query, bytes)).await {
            query.own(&mut answer);
            return Some(answer);
        }
    }
    None
}

async fn datagram(
    env: &Env,
    resolver: SocketAddr,
    query: &Query<'_>,
    bytes: &[u8],
) -> std::io::Result<Vec<u8>> {
    let any: IpAddr =
        if resolver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(resolver).await?;
    let (id, asked) = renamed(env, bytes);
    socket.send(&asked).await?;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // Anything else may be somebody else's guess.
        if query.is_answered_by(&buffer[..length], id) {
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn stream(
    env: &Env,
    resolver: SocketAddr,
    query: &Query<'_>,
    bytes: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let (id, asked) = renamed(env, bytes);
    let mut framed = (asked.len() as u16).to_be_bytes().to_vec();
    framed.extend(asked);
    stream.write_all(&framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    if query.is_answered_by(&answer, id) { Ok(answer) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// The question under an id that the sandbox does not choose.
fn renamed(env: &Env, bytes: &[u8]) -> (u16, Vec<u8>) {
    let mut random = [0; 2];
    env.random_bytes(&mut random);
    let id = u16::from_be_bytes(random);
    let mut bytes = bytes.to_vec();
    with_id(&mut bytes, id);
    (id, bytes)
}

/// Read each time: networks come and go.
fn resolvers() -> Vec<SocketAddr> {
    named(&std::fs::read_to_string(RESOLV_CONF).unwrap_or_default())
}

fn named(text: &str) -> Vec<SocketAddr> {
    let name = |line: &str| line.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok();
    text.lines().filter_map(name).take(RESOLVERS_MAX).map(|address| SocketAddr::new(address, PORT)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_read_in_their_order() {
        let text =
            "# comment\nsearch a b\nnameserver 127.0.0.53\n nameserver\tfd00::1 \nnameserver fe80::1%eth0\n";
        let shown: Vec<String> = named(text).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.53:53", "[fd00::1]:53"]);
        assert_eq!(named(""), []);
    }

    /// `a`, for its address, under that id.
    fn question(id: u16) -> Vec<u8> {
        let mut bytes = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 0, 0, 1, 0, 1];
        with_id(&mut bytes, id);
        bytes
    }

    #[test]
    fn a_guess_is_not_the_answer_and_the_client_gets_its_own_id_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let env = Env::real();
            let server = UdpSocket::bind("127.0.0.1:0").await.expect("there is a loopback");
            let resolver = server.local_addr().expect("it is bound");
            let bytes = question(7);
            let query = Query::read(&bytes).expect("a question");
            let answering = async {
                let mut buffer = [0; 512];
                let (length, from) = server.recv_from(&mut buffer).await.expect("it is asked");
                let mut asked = buffer[..length].to_vec();
                asked[2] |= 0x80;
                let id = u16::from_be_bytes([asked[0], asked[1]]);
                // Another id, then another question, then the answer.
                let (mut guess, mut other) = (asked.clone(), asked.clone());
                with_id(&mut guess, id.wrapping_add(1));
                other[13] = b'b';
                for said in [guess, other, asked] {
                    server.send_to(&said, from).await.expect("it listens");
                }
            };
            let (answer, ()) = tokio::join!(datagram(&env, resolver, &query, &bytes), answering);
            let mut answer = answer.expect("an answer");
            query.own(&mut answer);
            assert_eq!((&answer[..2], answer[13]), (&[0, 7][..], b'a'));
        });
    }
}
