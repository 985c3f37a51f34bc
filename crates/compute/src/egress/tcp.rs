//! One TCP connection of a sandbox: its end inside, in the stack, and its end outside, a socket of the host.
//!
//! The sandbox's SYN is kept until the host has connected, so that a refusal outside is a refusal inside.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::wire::IpListenEndpoint;

/// What is held of a connection in either direction; less, and large packets starve it.
const BUFFER_BYTES: usize = 256 * 1024;
/// A connection on which nothing moves for that long is ended: what NAT gateways on AWS give.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(350);
/// How long the host tries to connect.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(30);

/// A connection.
pub(super) struct Connection {
    outside: OwnedFd,
    stage: Stage,
    /// Since the last event, as far as known.
    readable: bool,
    writable: bool,
    pub(super) active: Duration,
}

enum Stage {
    /// The host connects; the packet that asked for it is kept.
    Connecting(Vec<u8>),
    Open(Open),
}

struct Open {
    inside: SocketHandle,
    /// No more comes from outside.
    outside_ended: bool,
    /// Outside was told that no more comes.
    inside_ended: bool,
}

/// How a connection outside came out.
pub(super) enum Connected {
    NotYet,
    /// With the packet to be answered.
    Yes(Vec<u8>),
    No(Vec<u8>),
}

impl Connection {
    /// Begins to connect.
    pub(super) fn begin(to: SocketAddr, opening: Vec<u8>, now: Duration) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let outside = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        // Small writes of the sandbox's have waited enough.
        rustix::net::sockopt::set_tcp_nodelay(&outside, true)?;
        match rustix::net::connect(&outside, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { outside, stage: Stage::Connecting(opening), readable: false, writable: false, active: now })
    }

    pub(super) fn outside(&self) -> &OwnedFd {
        &self.outside
    }

    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.stage, Stage::Connecting(_))
    }

    pub(super) fn inside(&self) -> Option<SocketHandle> {
        match &self.stage {
            Stage::Open(open) => Some(open.inside),
            Stage::Connecting(_) => None,
        }
    }

    /// Something happened outside.
    pub(super) fn note(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// Asks the host how connecting came out.
    pub(super) fn connected(&mut self) -> Connected {
        let Stage::Connecting(opening) = &mut self.stage else { return Connected::NotYet };
        if !self.writable {
            return Connected::NotYet;
        }
        match rustix::net::sockopt::socket_error(&self.outside) {
            Ok(Ok(())) if rustix::net::getpeername(&self.outside).is_ok_and(|peer| peer.is_some()) => {
                Connected::Yes(std::mem::take(opening))
            }
            _ => Connected::No(std::mem::take(opening)),
        }
    }

    /// The packet that asked for a connection that the host did not get.
    pub(super) fn give_up(&mut self) -> Option<Vec<u8>> {
        match &mut self.stage {
            Stage::Connecting(opening) => Some(std::mem::take(opening)),
            Stage::Open(_) => None,
        }
    }

    /// The end inside exists.
    pub(super) fn open(&mut self, inside: SocketHandle) {
        self.stage = Stage::Open(Open { inside, outside_ended: false, inside_ended: false });
    }

    /// Moves what can be moved. Whether anything was.
    pub(super) fn pump(&mut self, sockets: &mut SocketSet<'_>, now: Duration) -> bool {
        let Stage::Open(open) = &mut self.stage else { return false };
        let socket = sockets.get_mut::<Socket<'_>>(open.inside);
        let mut moved = false;
        while self.writable && socket.can_recv() {
            let wrote = socket.recv(|data| match rustix::io::write(&self.outside, data) {
                Ok(length) => (length, Ok(length)),
                Err(error) => (0, Err(error)),
            });
            match wrote {
                Ok(Ok(length)) => moved |= length > 0,
                Ok(Err(Errno::AGAIN)) => self.writable = false,
                Ok(Err(Errno::INTR)) => {}
                Ok(Err(_)) | Err(_) => {
                    socket.abort();
                    return true;
                }
            }
        }
        let no_more =
            matches!(socket.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        if no_more && socket.recv_queue() == 0 && !open.inside_ended {
            open.inside_ended = true;
            let _ = rustix::net::shutdown(&self.outside, Shutdown::Write);
            moved = true;
        }
        while self.readable && !open.outside_ended && socket.can_send() {
            let read = socket.send(|space| match rustix::io::read(&self.outside, space) {
                Ok(length) => (length, Ok(length)),
                Err(error) => (0, Err(error)),
            });
            match read {
                Ok(Ok(0)) => {
                    open.outside_ended = true;
                    socket.close();
                    moved = true;
                }
                Ok(Ok(_)) => moved = true,
                Ok(Err(Errno::AGAIN)) => self.readable = false,
                Ok(Err(Errno::INTR)) => {}
                Ok(Err(_)) | Err(_) => {
                    socket.abort();
                    return true;
                }
            }
        }
        if moved {
            self.active = now;
        }
        moved
    }

    /// Whether both sides are done with it. Called after the stack has sent what it had to.
    pub(super) fn is_over(&self, sockets: &SocketSet<'_>) -> bool {
        let Stage::Open(open) = &self.stage else { return false };
        match sockets.get::<Socket<'_>>(open.inside).state() {
            State::Closed => true,
            State::TimeWait => open.inside_ended,
            _ => false,
        }
    }

    /// Ends it at once, both ways.
    pub(super) fn abort(&mut self, sockets: &mut SocketSet<'_>) {
        if let Stage::Open(open) = &self.stage {
            sockets.get_mut::<Socket<'_>>(open.inside).abort();
        }
    }

    /// Lets the socket outside go; whoever is there learns if it was cut.
    pub(super) fn bury(self) {
        let whole = matches!(&self.stage, Stage::Open(open) if open.inside_ended && open.outside_ended);
        if !whole {
            let _ = rustix::net::sockopt::set_socket_linger(&self.outside, Some(Duration::ZERO));
        }
    }
}

/// The end inside, waiting for exactly one packet.
pub(super) fn listening(at: SocketAddr) -> Option<Socket<'static>> {
    let buffer = || SocketBuffer::new(vec![0; BUFFER_BYTES]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket.listen(IpListenEndpoint { addr: Some(at.ip().into()), port: at.port() }).ok()?;
    Some(socket)
}
