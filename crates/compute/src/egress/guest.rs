//! One sandbox on the way out: its device, its stack, its flows. Sorts what comes from inside by [`packet`],
//! asks the rules before anything is connected, and moves bytes between the two ends of each flow.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::socket::tcp::{Socket, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};

use super::device::{HEADER, PIECE_MAX, Tun};
use super::packet::{self, Flow, Packet};
use super::rules::{EgressRules, Host, Verdict};
use super::tcp::{self, Connected, Connection};
use super::udp::{self, Exchange};
use super::{SANDBOX_V4, SANDBOX_V6};

/// Connections of one sandbox at once; further ones are refused.
const CONNECTIONS_MAX: usize = 256;
/// UDP flows of one sandbox at once; the one that was silent longest makes room.
const EXCHANGES_MAX: usize = 256;
/// Packets and answers that one sandbox gets served before it is another's turn.
const TURN_MAX: usize = 64;
/// Times that bytes are moved between the stack and the host before it is another's turn.
const ROUNDS_MAX: usize = 8;

/// What all sandboxes share.
pub(super) struct Surroundings {
    pub(super) events: OwnedFd,
    pub(super) platform_ports: Vec<u16>,
    pub(super) buffer: Vec<u8>,
}

impl Surroundings {
    pub(super) fn new(events: OwnedFd, platform_ports: Vec<u16>) -> Self {
        Self { events, platform_ports, buffer: vec![0; HEADER + PIECE_MAX] }
    }

    fn watch(&self, descriptor: impl AsFd, token: u64, flags: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.events, descriptor, EventData::new_u64(token), flags)?)
    }
}

/// A sandbox.
pub(super) struct Guest {
    id: u32,
    rules: EgressRules,
    tun: Tun,
    interface: Interface,
    sockets: SocketSet<'static>,
    next_flow: u32,
    connections: BTreeMap<u32, (Flow, Connection)>,
    exchanges: BTreeMap<u32, (Flow, Exchange)>,
    by_flow: BTreeMap<(bool, Flow), u32>,
}

/// Whether a sandbox wants its next turn at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Done,
    Unfinished,
    /// Its device is gone.
    Gone,
}

impl Guest {
    /// Takes a sandbox's device. Events of its flows bear `id` in the upper half of their token.
    pub(super) fn new(
        id: u32,
        rules: EgressRules,
        device: OwnedFd,
        around: &Surroundings,
        now: Duration,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&device, true)?;
        around.watch(&device, token(id, 0), EventFlags::IN)?;
        let mut tun = Tun::new(device);
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = now.as_nanos() as u64 ^ u64::from(id);
        let mut interface = Interface::new(config, &mut tun, instant(now));
        interface.set_any_ip(true);
        interface.update_ip_addrs(|addresses| {
            // The stack answers for every address, but only to neighbours: in whose ranges it is somebody.
            let neighbours = [(IpAddr::V4(SANDBOX_V4), 29), (IpAddr::V6(SANDBOX_V6), 64)];
            for (sandbox, prefix) in neighbours {
                let _ = addresses.push(IpCidr::new(beside(sandbox).into(), prefix));
            }
        });
        Ok(Self {
            id,
            rules,
            tun,
            interface,
            sockets: SocketSet::new(Vec::new()),
            next_flow: 1,
            connections: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            by_flow: BTreeMap::new(),
        })
    }

    /// Something happened at a flow's socket outside.
    pub(super) fn note(&mut self, flow: u32, flags: EventFlags, around: &mut Surroundings, now: Duration) {
        let ended = EventFlags::ERR | EventFlags::HUP;
        let readable = flags.intersects(EventFlags::IN | EventFlags::RDHUP | ended);
        let writable = flags.intersects(EventFlags::OUT | ended);
        if let Some((_, connection)) = self.connections.get_mut(&flow) {
            connection.note(readable, writable);
            match connection.connected() {
                Connected::NotYet => {}
                Connected::Yes(opening) => self.answer(flow, opening, now),
                Connected::No(opening) => {
                    self.forget_connection(flow);
                    self.refuse(opening);
                }
            }
        } else if let Some((of, exchange)) = self.exchanges.get_mut(&flow) {
            for _ in 0..TURN_MAX {
                let Some(data) = exchange.receive(&mut around.buffer, now) else { break };
                if let Some(packet) = packet::datagram(*of, data) {
                    self.tun.send(&packet);
                }
            }
        }
    }

    /// Reads what the sandbox sent and moves what can be moved.
    pub(super) fn turn(&mut self, around: &mut Surroundings, now: Duration) -> Turn {
        let mut turn = Turn::Unfinished;
        let mut buffer = std::mem::take(&mut around.buffer);
        for _ in 0..TURN_MAX {
            match self.tun.read(&mut buffer) {
                Ok(Some(packet)) => self.sort(packet, around, now),
                Ok(None) => {
                    turn = Turn::Done;
                    break;
                }
                Err(_) => {
                    turn = Turn::Gone;
                    break;
                }
            }
        }
        around.buffer = buffer;
        for round in 0.. {
            self.poll(now);
            let mut moved = false;
            for (_, connection) in self.connections.values_mut() {
                moved |= connection.pump(&mut self.sockets, now);
            }
            if !moved {
                break;
            }
            if round == ROUNDS_MAX {
                turn = if turn == Turn::Gone { turn } else { Turn::Unfinished };
                break;
            }
        }
        let over = |(flow, (_, connection)): (&u32, &(Flow, Connection))| {
            connection.is_over(&self.sockets).then_some(*flow)
        };
        let over: Vec<u32> = self.connections.iter().filter_map(over).collect();
        for flow in over {
            self.forget_connection(flow);
        }
        turn
    }

    /// How long the stack may sleep unless something happens.
    pub(super) fn rest(&mut self, now: Duration) -> Option<Duration> {
        self.interface
            .poll_delay(instant(now), &self.sockets)
            .map(|delay| Duration::from_micros(delay.total_micros()))
    }

    /// Ends what nobody uses.
    pub(super) fn sweep(&mut self, now: Duration) {
        let silent = |active: Duration, most: Duration| now.saturating_sub(active) > most;
        let mut unconnected = Vec::new();
        for (id, (_, connection)) in &mut self.connections {
            if connection.is_connecting() {
                let waited = silent(connection.active, tcp::CONNECT_MAX);
                unconnected
                    .extend(waited.then(|| connection.give_up()).flatten().map(|opening| (*id, opening)));
            } else if silent(connection.active, tcp::IDLE_MAX) {
                connection.abort(&mut self.sockets);
            }
        }
        for (id, opening) in unconnected {
            self.forget_connection(id);
            self.refuse(opening);
        }
        let forgotten = |(id, (_, exchange)): (&u32, &(Flow, Exchange))| {
            silent(exchange.active, udp::IDLE_MAX).then_some(*id)
        };
        let forgotten: Vec<u32> = self.exchanges.iter().filter_map(forgotten).collect();
        for id in forgotten {
            self.forget_exchange(id);
        }
    }

    /// One packet from inside.
    fn sort(&mut self, bytes: &[u8], around: &Surroundings, now: Duration) {
        match packet::read(bytes) {
            Packet::Opening(flow) if is_sandbox(flow.from) => self.open(flow, bytes, around, now),
            Packet::Segment => self.tun.queue(bytes.to_vec()),
            Packet::Datagram(flow, data) if is_sandbox(flow.from) => {
                self.datagram(flow, data, bytes, around, now);
            }
            _ => {}
        }
    }

    fn open(&mut self, flow: Flow, bytes: &[u8], around: &Surroundings, now: Duration) {
        if let Some(known) = self.by_flow.get(&(true, flow)) {
            let connecting =
                self.connections.get(known).is_some_and(|(_, connection)| connection.is_connecting());
            if !connecting {
                self.tun.queue(bytes.to_vec());
            }
            return;
        }
        if self.connections.len() >= CONNECTIONS_MAX || !self.may(flow.to, around) {
            return self.refuse(bytes.to_vec());
        }
        let id = self.take_id();
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        let begun = Connection::begin(flow.to, bytes.to_vec(), now).and_then(|connection| {
            around.watch(connection.outside(), token(self.id, id), flags).map(|()| connection)
        });
        match begun {
            Ok(connection) => {
                self.connections.insert(id, (flow, connection));
                self.by_flow.insert((true, flow), id);
            }
            Err(_) => self.refuse(bytes.to_vec()),
        }
    }

    fn datagram(&mut self, flow: Flow, data: &[u8], bytes: &[u8], around: &Surroundings, now: Duration) {
        if let Some((_, exchange)) =
            self.by_flow.get(&(false, flow)).and_then(|id| self.exchanges.get_mut(id))
        {
            return exchange.send(data, now);
        }
        if !self.may(flow.to, around) {
            return self.refuse(bytes.to_vec());
        }
        if self.exchanges.len() >= EXCHANGES_MAX
            && let Some(oldest) =
                self.exchanges.iter().min_by_key(|(_, (_, exchange))| exchange.active).map(|(id, _)| *id)
        {
            self.forget_exchange(oldest);
        }
        let id = self.take_id();
        let begun = Exchange::begin(flow.to, now).and_then(|exchange| {
            around.watch(exchange.outside(), token(self.id, id), EventFlags::IN).map(|()| exchange)
        });
        match begun {
            Ok(mut exchange) => {
                exchange.send(data, now);
                self.exchanges.insert(id, (flow, exchange));
                self.by_flow.insert((false, flow), id);
            }
            Err(_) => self.refuse(bytes.to_vec()),
        }
    }

    /// The host has connected: the stack answers the packet that asked for it.
    fn answer(&mut self, id: u32, opening: Vec<u8>, now: Duration) {
        // What waits must not find the end that is made for this packet.
        self.poll(now);
        let Some((flow, connection)) = self.connections.get_mut(&id) else { return };
        let Some(socket) = tcp::listening(flow.to) else { return self.forget_connection(id) };
        let inside = self.sockets.add(socket);
        connection.open(inside);
        self.tun.queue(opening);
        self.poll(now);
        if self.sockets.get::<Socket<'_>>(inside).state() == State::Listen {
            self.forget_connection(id);
        }
    }

    /// The stack answers what nothing of it waits for: with a reset, or that the port is unreachable.
    fn refuse(&mut self, bytes: Vec<u8>) {
        self.tun.queue(bytes);
    }

    fn poll(&mut self, now: Duration) {
        let _ = self.interface.poll(instant(now), &mut self.tun, &mut self.sockets);
    }

    fn may(&self, to: SocketAddr, around: &Surroundings) -> bool {
        let host = Host { is_own_address: is_own_address(to.ip()), platform_ports: &around.platform_ports };
        self.rules.decide(to, host) == Verdict::Open
    }

    fn take_id(&mut self) -> u32 {
        let id = self.next_flow;
        // 0 is the device. Nothing lives as long as it takes to come round.
        self.next_flow = self.next_flow.checked_add(1).unwrap_or(1);
        id
    }

    fn forget_connection(&mut self, id: u32) {
        if let Some((flow, connection)) = self.connections.remove(&id) {
            self.by_flow.remove(&(true, flow));
            if let Some(inside) = connection.inside() {
                self.sockets.remove(inside);
            }
            connection.bury();
        }
    }

    fn forget_exchange(&mut self, id: u32) {
        if let Some((flow, _)) = self.exchanges.remove(&id) {
            self.by_flow.remove(&(false, flow));
        }
    }

    /// Lets go of the device and cuts every flow.
    pub(super) fn end(mut self, around: &Surroundings) {
        let _ = epoll::delete(&around.events, self.tun.descriptor());
        let all: Vec<u32> = self.connections.keys().copied().collect();
        for id in all {
            self.forget_connection(id);
        }
    }
}

/// A token of an event: a sandbox, and a flow of it or, with 0, its device.
fn token(guest: u32, flow: u32) -> u64 {
    u64::from(guest) << 32 | u64::from(flow)
}

/// The address before it.
fn beside(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() - 1).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() - 1).into(),
    }
}

fn is_sandbox(from: SocketAddr) -> bool {
    from.ip() == IpAddr::V4(SANDBOX_V4) || from.ip() == IpAddr::V6(SANDBOX_V6)
}

/// The kernel knows best: what a socket can be bound to is the host's own.
fn is_own_address(address: IpAddr) -> bool {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    match rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None) {
        Ok(socket) => rustix::net::bind(&socket, &SocketAddr::new(address, 0)).is_ok(),
        // What cannot be asked is not let through as a stranger.
        Err(rustix::io::Errno::AFNOSUPPORT) => false,
        Err(_) => true,
    }
}

fn instant(now: Duration) -> Instant {
    Instant::from_micros(now.as_micros() as i64)
}
