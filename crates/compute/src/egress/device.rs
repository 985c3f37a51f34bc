//! A sandbox's TUN device as the stack sees it: packets that were read are queued for it, what it sends is
//! written at once. Segments larger than a packet are left to the kernel to cut, and their checksums too.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use smoltcp::phy::{
    Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, PacketMeta, RxToken, TxToken,
};
use smoltcp::time::Instant;

use super::{MTU, packet};

/// The header that the kernel puts before each packet, `struct virtio_net_hdr`.
pub(super) const HEADER: usize = 10;
/// The largest piece that the kernel hands over or takes.
pub(super) const PIECE_MAX: usize = 65_535;
const NEEDS_CHECKSUM: u8 = 1;
const CUT_TCP_V4: u8 = 1;
/// Where the checksum is in a TCP header.
const TCP_CHECKSUM: u16 = 16;

/// The device.
pub(super) struct Tun {
    descriptor: OwnedFd,
    queue: VecDeque<Vec<u8>>,
    /// Kept for the next packet that is sent.
    scratch: Vec<u8>,
}

impl Tun {
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self { descriptor, queue: VecDeque::new(), scratch: Vec::new() }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Reads one packet into the buffer; nothing if none waits.
    pub(super) fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        match rustix::io::read(&self.descriptor, &mut *buffer) {
            Ok(length) if length < HEADER => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => Ok(Some(&buffer[HEADER..length])),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a packet to the stack.
    pub(super) fn queue(&mut self, packet: Vec<u8>) {
        self.queue.push_back(packet);
    }

    /// Sends a packet that is complete.
    pub(super) fn send(&self, packet: &[u8]) {
        let _ =
            rustix::io::writev(&self.descriptor, &[io::IoSlice::new(&[0; HEADER]), io::IoSlice::new(packet)]);
    }
}

impl Device for Tun {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sending<'_>)> {
        let packet = self.queue.pop_front()?;
        Some((Received(packet), Sending::new(&self.descriptor, &mut self.scratch)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending::new(&self.descriptor, &mut self.scratch))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = usize::from(MTU);
        // The way in is the kernel's memory, and it has not always put its sums in; the way out is for the
        // kernel to finish, which it need not for its own receiver.
        let mut sums = ChecksumCapabilities::default();
        sums.ipv4 = Checksum::Tx;
        sums.udp = Checksum::Tx;
        sums.tcp = Checksum::None;
        sums.icmpv4 = Checksum::Tx;
        sums.icmpv6 = Checksum::Tx;
        capabilities.checksum = sums;
        capabilities.segmentation.tcpv4 = NonZeroUsize::new(PIECE_MAX);
        // Not for IPv6: this version of the stack drops such pieces instead of handing them over.
        capabilities
    }
}

/// A packet for the stack.
pub(super) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// The place for a packet of the stack.
pub(super) struct Sending<'a> {
    descriptor: &'a OwnedFd,
    scratch: &'a mut Vec<u8>,
    cut: Option<u16>,
}

impl<'a> Sending<'a> {
    fn new(descriptor: &'a OwnedFd, scratch: &'a mut Vec<u8>) -> Self {
        Self { descriptor, scratch, cut: None }
    }
}

impl TxToken for Sending<'_> {
    fn set_meta(&mut self, meta: PacketMeta) {
        self.cut = meta.segmentation_offload_size.map(std::num::NonZeroU16::get);
    }

    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        if self.scratch.len() < HEADER + length {
            self.scratch.resize(HEADER + length, 0);
        }
        let whole = &mut self.scratch[..HEADER + length];
        let (header, packet) = whole.split_at_mut(HEADER);
        header.fill(0);
        let result = f(packet);
        if let Some(at) = packet::leave_checksum(packet) {
            header[0] = NEEDS_CHECKSUM;
            if let Some(size) = self.cut {
                let data = usize::from(packet.get(at + 12).copied().unwrap_or_default() >> 4) * 4;
                header[1] = CUT_TCP_V4;
                header[2..4].copy_from_slice(&((at + data) as u16).to_ne_bytes());
                header[4..6].copy_from_slice(&size.to_ne_bytes());
            }
            header[6..8].copy_from_slice(&(at as u16).to_ne_bytes());
            header[8..10].copy_from_slice(&TCP_CHECKSUM.to_ne_bytes());
        }
        // A packet that the sandbox does not take is sent again by the stack, as on any network.
        let _ = rustix::io::write(self.descriptor, whole);
        result
    }
}
