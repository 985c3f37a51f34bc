//! Who is at the other end of a connection within this host: the kernel tells which user opened it. Where functions
//! share the host's network, this is how they are told from people.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;

/// The state of a connection that both ends hold, in the kernel's tables.
const ESTABLISHED: &str = "01";

/// The state of a socket that connections are accepted from.
const LISTENING: &str = "0A";

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Somebody elsewhere.
    Elsewhere,
    /// A process of that user on this host.
    User(u32),
    /// A process on this host that has gone, or hides.
    Unknown,
}

/// How connections of functions are told from those of others, on listeners of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guests {
    /// Functions have networks of their own, and do not reach the host's listeners.
    Apart,
    /// They are these users.
    Users(Range<u32>),
    /// They share the platform's user with others: nobody can tell.
    Indistinct,
}

impl Guests {
    /// Whether a connection to `own` from `from` may be a function's. A process of this host that hides who it is
    /// counts as one.
    pub fn is_guest(&self, own: SocketAddr, from: SocketAddr) -> bool {
        match self {
            Self::Apart => false,
            Self::Indistinct => true,
            Self::Users(users) => match peer(own, from) {
                Peer::Elsewhere => false,
                Peer::User(user) => users.contains(&user),
                Peer::Unknown => true,
            },
        }
    }
}

/// Who is at `peer`, connected to `own` of this process.
pub(crate) fn peer(own: SocketAddr, peer: SocketAddr) -> Peer {
    if !is_here(peer.ip()) {
        return Peer::Elsewhere;
    }
    let table = if peer.is_ipv4() { "/proc/self/net/tcp" } else { "/proc/self/net/tcp6" };
    let rows = fs::read_to_string(table).unwrap_or_default();
    find(&rows, &shown(peer), &shown(own)).map_or(Peer::Unknown, Peer::User)
}

/// The user who listens at a port of the loopback of this host, if it is one only.
pub(crate) fn listener(port: u16) -> Option<u32> {
    let mut owners = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let rows = fs::read_to_string(table).unwrap_or_default();
        owners.extend(listeners(&rows, port));
    }
    owners.dedup();
    match owners[..] {
        [owner] => Some(owner),
        _ => None,
    }
}

/// The users who listen at a port, at whatever address.
fn listeners(rows: &str, port: u16) -> impl Iterator<Item = u32> {
    let end = format!(":{port:04X}");
    rows.lines().skip(1).filter_map(move |row| {
        let mut columns = row.split_whitespace().skip(1);
        let is_it = columns.next()?.ends_with(&end);
        let is_listening = columns.nth(1)? == LISTENING;
        (is_it && is_listening).then(|| columns.nth(3)?.parse().ok()).flatten()
    })
}

/// Only an address of this host can be bound to.
fn is_here(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

/// The user who holds the connection from one address to the other.
fn find(rows: &str, from: &str, to: &str) -> Option<u32> {
    rows.lines().skip(1).find_map(|row| {
        let mut columns = row.split_whitespace().skip(1);
        let is_it = columns.next()? == from && columns.next()? == to && columns.next()? == ESTABLISHED;
        let user = columns.nth(3)?.parse().ok()?;
        // Of a socket that nobody holds any more the kernel does not tell the user.
        let is_held = columns.nth(1)? != "0";
        (is_it && is_held).then_some(user)
    })
}

/// An address as the kernel shows it: words of the host's byte order, in capitals.
fn shown(address: SocketAddr) -> String {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(ip) => format!("{:08X}:{port:04X}", u32::from_ne_bytes(ip.octets())),
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let (words, _) = octets.as_chunks::<4>();
            let [a, b, c, d] = std::array::from_fn(|at| u32::from_ne_bytes(words[at]));
            format!("{a:08X}{b:08X}{c:08X}{d:08X}:{port:04X}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_user_of_a_connection_is_found_while_it_is_held() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let stream = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it connects");
            let (accepted, from) = listener.accept().expect("it is accepted");
            let own = accepted.local_addr().expect("it has one");
            assert_eq!(peer(own, from), Peer::User(rustix::process::geteuid().as_raw()), "{address}");
            let port = listener.local_addr().expect("it has one").port();
            assert_eq!(super::listener(port), Some(rustix::process::geteuid().as_raw()), "{address}");
            drop(stream);
            assert_eq!(peer(own, from), Peer::Unknown, "{address}");
        }
        let elsewhere: SocketAddr = "192.0.2.1:80".parse().expect("it is one");
        assert_eq!(peer("127.0.0.1:1".parse().expect("it is one"), elsewhere), Peer::Elsewhere);
    }
}
