//! Network namespaces, made before they are needed: each has its loopback up and the two listeners that
//! the platform serves bound inside. One belongs to one sandbox and is never used again.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 128;

/// A namespace that no process is in yet.
pub(super) struct Network {
    pub(super) namespace: OwnedFd,
    pub(super) runtime_api: OwnedFd,
    pub(super) endpoint: OwnedFd,
}

/// Makes namespaces; remembers the one to come back to.
pub(super) struct NetworkMaker {
    home: OwnedFd,
    ports: [u16; 2],
}

impl NetworkMaker {
    pub(super) fn new(runtime_api_port: u16, endpoint_port: u16) -> io::Result<Self> {
        Ok(Self { home: current_namespace()?, ports: [runtime_api_port, endpoint_port] })
    }

    /// Makes one. On failure to come back, the caller is lost in a foreign namespace and must end.
    pub(super) fn make(&self) -> io::Result<Network> {
        // SAFETY: nothing but the network namespace changes, and this process has one thread only.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)? };
        let made = self.furnish();
        join(&self.home).expect("a process may always return to the namespace that it came from");
        made
    }

    fn furnish(&self) -> io::Result<Network> {
        raise_loopback()?;
        Ok(Network {
            namespace: current_namespace()?,
            runtime_api: listen(self.ports[0])?,
            endpoint: listen(self.ports[1])?,
        })
    }
}

/// Moves this process into a network namespace.
pub(super) fn join(namespace: &OwnedFd) -> io::Result<()> {
    rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

fn current_namespace() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn listen(port: u16) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn raise_loopback() -> io::Result<()> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: an `ifreq` of zeros is a valid value: a name of no length and no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is an `ifreq` with a terminated name, which this call reads and does not keep.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
