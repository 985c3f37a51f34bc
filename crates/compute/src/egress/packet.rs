//! What a packet from a sandbox is, as far as the way out cares: which flow it belongs to, whether it opens one,
//! and the datagram in it. Writes datagrams back. Trusts no length that it reads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Lifetime of packets that are made here; they travel no further than the sandbox.
const HOPS: u8 = 64;
const TCP_SYN: u8 = 0x02;
const TCP_RST: u8 = 0x04;
const TCP_ACK: u8 = 0x10;

/// Two ends, as seen from the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// A packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// A TCP segment that opens a connection.
    Opening(Flow),
    /// Another TCP segment.
    Segment,
    /// A datagram.
    Datagram(Flow, &'a [u8]),
    /// Nothing that is let out: other protocols, fragments, nonsense.
    Other,
}

/// Reads a packet.
pub(super) fn read(packet: &[u8]) -> Packet<'_> {
    split(packet)
        .and_then(|(protocol, from, to, payload)| transport(protocol, from, to, payload))
        .unwrap_or(Packet::Other)
}

fn split(packet: &[u8]) -> Option<(u8, IpAddr, IpAddr, &[u8])> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 0x0f) * 4;
            let total = usize::from(u16_at(packet, 2)?);
            let fragment = u16_at(packet, 6)? & 0x3fff;
            if header < V4_HEADER || fragment != 0 {
                return None;
            }
            let address =
                |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
            Some((*packet.get(9)?, address(12)?.into(), address(16)?.into(), packet.get(header..total)?))
        }
        6 => {
            let length = usize::from(u16_at(packet, 4)?);
            let address =
                |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
            let payload = packet.get(V6_HEADER..V6_HEADER + length)?;
            // Extension headers are not followed: what hides behind one is not let out.
            Some((*packet.get(6)?, address(8)?.into(), address(24)?.into(), payload))
        }
        _ => None,
    }
}

fn transport(protocol: u8, from: IpAddr, to: IpAddr, payload: &[u8]) -> Option<Packet<'_>> {
    let flow = || {
        let (from_port, to_port) = (u16_at(payload, 0)?, u16_at(payload, 2)?);
        Some(Flow { from: SocketAddr::new(from, from_port), to: SocketAddr::new(to, to_port) })
    };
    match protocol {
        TCP => {
            let flags = payload.get(13)? & (TCP_SYN | TCP_RST | TCP_ACK);
            Some(if flags == TCP_SYN { Packet::Opening(flow()?) } else { Packet::Segment })
        }
        UDP => {
            let length = usize::from(u16_at(payload, 4)?);
            Some(Packet::Datagram(flow()?, payload.get(UDP_HEADER..length)?))
        }
        _ => None,
    }
}

/// Writes a datagram that comes back: from where `flow` leads to where it began. `None` if it fits no packet.
pub(super) fn datagram(flow: Flow, data: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UDP_HEADER + data.len()).ok()?;
    let mut packet;
    let mut sum = Sum::default();
    match (flow.to.ip(), flow.from.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = u16::try_from(V4_HEADER + usize::from(length)).ok()?;
            packet = vec![0x45, 0];
            packet.extend(total.to_be_bytes());
            packet.extend([0, 0, 0x40, 0, HOPS, UDP, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let mut header = Sum::default();
            header.add(&packet);
            packet[10..12].copy_from_slice(&header.finish().to_be_bytes());
            sum.add(&from.octets());
            sum.add(&to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet = vec![0x60, 0, 0, 0];
            packet.extend(length.to_be_bytes());
            packet.extend([UDP, HOPS]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            sum.add(&from.octets());
            sum.add(&to.octets());
        }
        _ => return None,
    }
    sum.add(&[0, UDP]);
    sum.add(&length.to_be_bytes());
    let at = packet.len();
    packet.extend(flow.to.port().to_be_bytes());
    packet.extend(flow.from.port().to_be_bytes());
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(data);
    sum.add(&packet[at..]);
    // Zero would mean that there is no sum.
    let sum = match sum.finish() {
        0 => u16::MAX,
        sum => sum,
    };
    packet[at + 6..at + 8].copy_from_slice(&sum.to_be_bytes());
    Some(packet)
}

/// What the kernel is to finish in a TCP packet whose checksum was left to it: where the segment begins, with
/// the sum of the pseudo header put in its place.
pub(super) fn leave_checksum(packet: &mut [u8]) -> Option<usize> {
    let (at, is_v4) = match packet.first()? >> 4 {
        4 if *packet.get(9)? == TCP => (usize::from(packet[0] & 0x0f) * 4, true),
        6 if *packet.get(6)? == TCP => (V6_HEADER, false),
        _ => return None,
    };
    let length = packet.len().checked_sub(at)?;
    let mut sum = Sum::default();
    sum.add(if is_v4 { packet.get(12..20)? } else { packet.get(8..40)? });
    sum.add(&[0, TCP]);
    sum.add(&u32::try_from(length).ok()?.to_be_bytes());
    packet.get_mut(at + 16..at + 18)?.copy_from_slice(&(!sum.finish()).to_be_bytes());
    Some(at)
}

/// The internet's checksum.
#[derive(Default)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks::<2>();
        self.0 += pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum::<u64>();
        if let [last] = rest {
            self.0 += u64::from(*last) << 8;
        }
    }

    fn finish(&self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_flow() -> impl Strategy<Value = Flow> {
        let v4 = any::<(u32, u16, u32, u16)>().prop_map(|(a, b, c, d)| Flow {
            from: SocketAddr::new(Ipv4Addr::from_bits(a).into(), b),
            to: SocketAddr::new(Ipv4Addr::from_bits(c).into(), d),
        });
        let v6 = any::<(u128, u16, u128, u16)>().prop_map(|(a, b, c, d)| Flow {
            from: SocketAddr::new(Ipv6Addr::from_bits(a).into(), b),
            to: SocketAddr::new(Ipv6Addr::from_bits(c).into(), d),
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), version in 4_u8..7) {
            let mut bytes = bytes;
            let _ = read(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = version << 4 | *first & 0x0f;
            }
            let _ = read(&bytes);
            let _ = leave_checksum(&mut bytes);
        }

        #[test]
        fn a_datagram_that_comes_back_is_the_flow_turned_round(
            flow in any_flow(), data in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let written = datagram(flow, &data).expect("it fits");
            let back = Flow { from: flow.to, to: flow.from };
            prop_assert_eq!(read(&written), Packet::Datagram(back, &data));
            // The other implementation finds its checksums right.
            let caps = smoltcp::phy::ChecksumCapabilities::default();
            let (from, to, at): (smoltcp::wire::IpAddress, smoltcp::wire::IpAddress, usize) = if flow.to.is_ipv4() {
                let header = smoltcp::wire::Ipv4Packet::new_checked(&written[..]).expect("a packet");
                prop_assert!(header.verify_checksum());
                (header.src_addr().into(), header.dst_addr().into(), V4_HEADER)
            } else {
                let header = smoltcp::wire::Ipv6Packet::new_checked(&written[..]).expect("a packet");
                (header.src_addr().into(), header.dst_addr().into(), V6_HEADER)
            };
            let udp = smoltcp::wire::UdpPacket::new_checked(&written[at..]).expect("a datagram");
            prop_assert!(flow.to.port() == 0 || flow.from.port() == 0
                || smoltcp::wire::UdpRepr::parse(&udp, &from, &to, &caps).is_ok());
        }
    }

    #[test]
    fn only_a_lone_syn_opens() {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, TCP, 0, 0, 192, 0, 0, 2, 1, 1, 1, 1];
        packet.extend([0x12, 0x34, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0]);
        for (flags, opens) in
            [(0x02, true), (0xc2, true), (0x12, false), (0x10, false), (0x06, false), (0x04, false)]
        {
            packet[33] = flags;
            let flow = Flow {
                from: "192.0.0.2:4660".parse().expect("an address"),
                to: "1.1.1.1:80".parse().expect("an address"),
            };
            let expected = if opens { Packet::Opening(flow) } else { Packet::Segment };
            assert_eq!(read(&packet), expected, "{flags:x}");
        }
        // The second piece of a packet has no ports.
        packet[7] = 1;
        assert_eq!(read(&packet), Packet::Other);
    }
}
