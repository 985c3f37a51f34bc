//! Interfaces of a network namespace, by the kernel's oldest calls: loopback, the device of the way out, their
//! addresses and routes. All of it concerns the namespace that the calling process is in.
#![allow(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::egress::{MTU, SANDBOX_V4, SANDBOX_V6};

/// Where devices of the way out come from.
pub(crate) const TUN_NODE: &str = "/dev/net/tun";
/// What the way out is called inside.
const WAY_OUT: &str = "eth0";
const LOOPBACK: &str = "lo";
/// A second name of the loopback, under which it has one more address.
const LOOPBACK_ALIAS: &str = "lo:1";
/// The kernel may be handed segments without checksums and larger than a packet, and hands over such.
const OFFLOADS: u32 = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;

/// Raises the loopback.
pub(super) fn raise_loopback() -> io::Result<()> {
    raise(&control(AddressFamily::INET)?, LOOPBACK)
}

/// Gives the loopback one more address.
pub(super) fn add_loopback_address(address: Ipv4Addr) -> io::Result<()> {
    let control = control(AddressFamily::INET)?;
    set_address(&control, LOOPBACK_ALIAS, libc::SIOCSIFADDR, address)?;
    set_address(&control, LOOPBACK_ALIAS, libc::SIOCSIFNETMASK, Ipv4Addr::BROADCAST)
}

/// Makes the device of the way out, with addresses and without routes: until [`open_way_out`] nothing is
/// reached over it.
///
/// It ends with its namespace rather than with its descriptor: closing that one would otherwise wait tens of
/// milliseconds for the kernel to take the device down, and hold up all who make such devices.
pub(super) fn make_way_out() -> io::Result<OwnedFd> {
    let device =
        rustix::fs::open(TUN_NODE, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
    let mut request = request(WAY_OUT);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
    call(&device, libc::TUNSETIFF, &raw const request)?;
    // SAFETY: both calls take their argument as a number.
    let set = unsafe {
        libc::ioctl(device.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(OFFLOADS)) == 0
            && libc::ioctl(device.as_raw_fd(), libc::TUNSETPERSIST, 1 as libc::c_ulong) == 0
    };
    if !set {
        return Err(io::Error::last_os_error());
    }
    let control = control(AddressFamily::INET)?;
    request.ifr_ifru.ifru_mtu = libc::c_int::from(MTU);
    call(&control, libc::SIOCSIFMTU, &raw const request)?;
    set_address(&control, WAY_OUT, libc::SIOCSIFADDR, SANDBOX_V4)?;
    raise(&control, WAY_OUT)?;
    // A kernel without IPv6 has a way out without it.
    let _ = add_v6_address();
    Ok(device)
}

/// Routes everything that is not inside over the way out.
pub(super) fn open_way_out() -> io::Result<()> {
    // SAFETY: a `rtentry` of zeros is valid.
    let mut route: libc::rtentry = unsafe { std::mem::zeroed() };
    let any = socket_address(Ipv4Addr::UNSPECIFIED);
    (route.rt_dst, route.rt_genmask) = (any, any);
    route.rt_flags = libc::RTF_UP;
    let mut name = request(WAY_OUT).ifr_name;
    route.rt_dev = name.as_mut_ptr();
    call(&control(AddressFamily::INET)?, libc::SIOCADDRT, &raw const route)?;
    let _ = add_v6_route();
    Ok(())
}

/// `struct in6_rtmsg`, whose members the bindings do not show.
#[repr(C)]
struct Route6 {
    to: [u8; 16],
    from: [u8; 16],
    gateway: [u8; 16],
    kind: u32,
    to_bits: u16,
    from_bits: u16,
    metric: u32,
    info: libc::c_ulong,
    flags: u32,
    interface: libc::c_int,
}

fn add_v6_address() -> io::Result<()> {
    let control = control(AddressFamily::INET6)?;
    let request = libc::in6_ifreq {
        ifr6_addr: libc::in6_addr { s6_addr: SANDBOX_V6.octets() },
        ifr6_prefixlen: 128,
        ifr6_ifindex: index(&control)?,
    };
    call(&control, libc::SIOCSIFADDR, &raw const request)
}

fn add_v6_route() -> io::Result<()> {
    let control = control(AddressFamily::INET6)?;
    let everywhere = Ipv6Addr::UNSPECIFIED.octets();
    let route = Route6 {
        to: everywhere,
        from: everywhere,
        gateway: everywhere,
        kind: 0,
        to_bits: 0,
        from_bits: 0,
        metric: 1,
        info: 0,
        flags: u32::from(libc::RTF_UP),
        interface: index(&control)?,
    };
    call(&control, libc::SIOCADDRT, &raw const route)
}

fn index(control: &OwnedFd) -> io::Result<libc::c_int> {
    let mut request = request(WAY_OUT);
    call(control, libc::SIOCGIFINDEX, &raw mut request)?;
    // SAFETY: the call has just stored a number there.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}

fn raise(control: &OwnedFd, name: &str) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    call(control, libc::SIOCSIFFLAGS, &raw const request)
}

fn set_address(control: &OwnedFd, name: &str, which: libc::c_ulong, address: Ipv4Addr) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_addr = socket_address(address);
    call(control, which, &raw const request)
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut data = [0; 14];
    for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
        *to = from as libc::c_char;
    }
    libc::sockaddr { sa_family: libc::AF_INET as libc::sa_family_t, sa_data: data }
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: an `ifreq` of zeros is a valid value: a name of no length and no argument.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero: the name is terminated.
    for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    request
}

fn control(family: AddressFamily) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

fn call<T>(descriptor: &OwnedFd, which: libc::c_ulong, argument: *const T) -> io::Result<()> {
    // SAFETY: each caller gives the structure that its call takes, which lives until the call returns; the
    // kernel keeps none of them.
    let result = unsafe { libc::ioctl(descriptor.as_raw_fd(), which as _, argument) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
