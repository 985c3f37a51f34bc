//! One UDP flow of a sandbox: a socket of the host, connected to where the datagrams go, so that only answers come.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

/// A flow on which nothing moves for that long is forgotten.
pub(super) const IDLE_MAX: Duration = Duration::from_mins(2);

/// A flow.
pub(super) struct Exchange {
    outside: OwnedFd,
    pub(super) active: Duration,
}

impl Exchange {
    pub(super) fn begin(to: SocketAddr, now: Duration) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let outside = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
        rustix::net::connect(&outside, &to)?;
        Ok(Self { outside, active: now })
    }

    pub(super) fn outside(&self) -> &OwnedFd {
        &self.outside
    }

    /// Sends one datagram; a network may lose it.
    pub(super) fn send(&mut self, data: &[u8], now: Duration) {
        let _ = rustix::net::send(&self.outside, data, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        self.active = now;
    }

    /// The next answer, if one waits.
    pub(super) fn receive<'b>(&mut self, buffer: &'b mut [u8], now: Duration) -> Option<&'b [u8]> {
        let length = rustix::io::read(&self.outside, &mut *buffer).ok()?;
        self.active = now;
        Some(&buffer[..length])
    }
}
