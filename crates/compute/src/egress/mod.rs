//! The way out of sandboxes: each has a TUN device as its default route, whose descriptor a process of its own
//! holds, without privileges, which ends connections in user space and makes them anew from the host.
//!
//! [`rules`] decide where to, [`process`] is that process, [`link`] is the platform's side of it. Knows neither
//! functions nor how sandboxes are made.

#[cfg(target_os = "linux")]
mod confine;
#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod guest;
#[cfg(target_os = "linux")]
pub(crate) mod link;
#[cfg(target_os = "linux")]
mod message;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
pub(crate) mod process;
pub(crate) mod rules;
#[cfg(target_os = "linux")]
mod tcp;
#[cfg(target_os = "linux")]
mod udp;

use std::net::{Ipv4Addr, Ipv6Addr};

/// The name under which the platform's program starts this process: its first argument.
pub(crate) const EGRESS_ARGUMENT: &str = "__egress";

/// What a sandbox calls itself: from a range that the internet does not route (RFC 7335).
pub(crate) const SANDBOX_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
/// As IPv4: of a range of our own among the unique local ones.
pub(crate) const SANDBOX_V6: Ipv6Addr = Ipv6Addr::new(0xfd61, 0x7075, 0x7300, 0, 0, 0, 0, 2);
/// The 64 bits in front of it.
pub(crate) const SANDBOX_V6_RANGE: Ipv6Addr = Ipv6Addr::new(0xfd61, 0x7075, 0x7300, 0, 0, 0, 0, 0);
/// The largest packet on that device, but for what the kernel hands over in one piece to be cut.
pub(crate) const MTU: u16 = 9000;
