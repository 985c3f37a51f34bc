//! Network namespaces, made before they are needed: each has its loopback up, the sockets that the platform
//! serves bound inside, and the device of the way out. One belongs to one sandbox and is never used again.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use minicbor::{Decode, Encode};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::interface;

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 128;
/// Where resolvers ask.
const DNS_PORT: u16 = 53;

/// What a namespace is furnished with.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct NetworkPlan {
    /// The port of the Runtime API.
    #[n(0)]
    pub runtime_api_port: u16,
    /// The port of the platform's endpoint.
    #[n(1)]
    pub endpoint_port: u16,
    /// The port of the platform's endpoint for those who want TLS.
    #[n(2)]
    pub secure_port: u16,
    /// An address at which the platform is reached inside, as outside; the bits of an IPv4 address.
    #[n(3)]
    pub public_address: Option<u32>,
    /// Whether there is a device of the way out.
    #[n(4)]
    pub way_out: bool,
}

/// A namespace that no process is in yet.
pub(super) struct Network {
    pub(super) namespace: OwnedFd,
    /// What the platform serves; see [`Outlets`].
    outlets: Vec<OwnedFd>,
}

impl Network {
    /// The descriptors for the platform, in the order in which [`Outlets`] takes them.
    pub(super) fn outlets(&self) -> Vec<BorrowedFd<'_>> {
        self.outlets.iter().map(AsFd::as_fd).collect()
    }
}

/// The same descriptors, at the platform.
pub(super) struct Outlets {
    pub(super) runtime_api: OwnedFd,
    pub(super) endpoint: OwnedFd,
    pub(super) secure: OwnedFd,
    pub(super) dns_udp: OwnedFd,
    pub(super) dns_tcp: OwnedFd,
    /// The device of the way out.
    pub(super) way_out: Option<OwnedFd>,
}

impl Outlets {
    /// Sorts what came beside a packet; `None` if something is missing.
    pub(super) fn sort(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        Some(Self {
            runtime_api: descriptors.next()?,
            endpoint: descriptors.next()?,
            secure: descriptors.next()?,
            dns_udp: descriptors.next()?,
            dns_tcp: descriptors.next()?,
            way_out: descriptors.next(),
        })
    }
}

/// Makes namespaces; remembers the one to come back to.
pub(super) struct NetworkMaker {
    home: OwnedFd,
    plan: NetworkPlan,
}

impl NetworkMaker {
    pub(super) fn new(plan: NetworkPlan) -> io::Result<Self> {
        Ok(Self { home: current_namespace()?, plan })
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
        let plan = &self.plan;
        interface::raise_loopback()?;
        if let Some(bits) = plan.public_address {
            interface::add_loopback_address(Ipv4Addr::from_bits(bits))?;
        }
        let (local, any) = (Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED);
        let mut outlets = vec![
            bind(SocketType::STREAM, local, plan.runtime_api_port)?,
            bind(SocketType::STREAM, any, plan.endpoint_port)?,
            bind(SocketType::STREAM, any, plan.secure_port)?,
            bind(SocketType::DGRAM, local, DNS_PORT)?,
            bind(SocketType::STREAM, local, DNS_PORT)?,
        ];
        if plan.way_out {
            outlets.push(interface::make_way_out()?);
        }
        Ok(Network { namespace: current_namespace()?, outlets })
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

/// A socket that does not block, and listens if it is of a kind that does.
fn bind(kind: SocketType, address: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(address, port))?;
    if kind == SocketType::STREAM {
        rustix::net::listen(&socket, BACKLOG)?;
    }
    Ok(socket)
}
