//! One sandbox, seen from the platform: its start, its listeners, its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::net::SocketFlags;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::cgroups::{Group, MemoryPeak};
use super::control::{self, Control};
use super::link::{Ended, Entry, Link};
use super::message::{Command, Request};
use super::network::Outlets;
use super::output_pipe::OutputPipe;
use super::watched::watched;
use super::{Surroundings, packet};
use crate::dns::{self, Zone};
use crate::driver::{BoxFuture, Ends, Exit, ProgramEnd, Sandbox, SandboxSpec, StartError, Wiring};
use crate::inside;

use crate::spec::InsideListeners;

pub(super) async fn start(
    link: Arc<Link>,
    around: Surroundings,
    mut spec: SandboxSpec,
    wiring: Wiring,
) -> Result<Arc<dyn Sandbox>, StartError> {
    spec.egress &= match &around.shared {
        Some(host) => host.egress,
        None => around.way_out.is_some(),
    };
    let egress = spec.egress;
    let host = |error: io::Error| StartError::Host(error.to_string());
    let (control, their_control) = packet::pair(SocketFlags::empty()).map_err(host)?;
    rustix::io::ioctl_fionbio(&control, true).map_err(|error| host(error.into()))?;
    let (pipe, their_pipe) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| host(error.into()))?;
    let control = watched(control).map_err(host)?;
    let mut outputs = vec![OutputPipe::new(pipe, wiring.output).map_err(host)?];
    let mut theirs = vec![their_control, their_pipe];
    if !spec.companions.is_empty() {
        let (pipe, their_pipe) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| host(error.into()))?;
        outputs.push(OutputPipe::new(pipe, wiring.companion_output).map_err(host)?);
        theirs.push(their_pipe);
    }
    let outputs: Arc<[Arc<OutputPipe>]> = outputs.into();

    let Entry { id, slot, ended } = link.enter(outputs.clone())?;
    let lodging = match around.shared.as_ref().map(|shared| shared.lodge(&mut spec, id, slot)).transpose() {
        Ok(lodging) => lodging,
        Err(error) => {
            link.forget(id, Ended::Refused(error.to_string()));
            return Err(host(error));
        }
    };
    let sandbox = Arc::new(NamespaceSandbox {
        control: Control::new(control, spec.companions.len()),
        port_owner: lodging.as_ref().and_then(|lodging| lodging.user),
        closed_ports: around.shared.as_ref().map(|_| spec.host_ports.clone()),
        group: link.groups.slot(slot),
        memory_peak: OnceLock::new(),
        link: link.clone(),
        id,
        outputs: outputs.clone(),
        ended,
        exchange: wiring.exchange.clone(),
        asked_to_end: AtomicBool::new(false),
        cpu_milli: spec.cpu_milli,
        memory_bytes: spec.memory_bytes,
    });
    let request = Request::Start { id, slot, spec: Box::new(spec) };
    if let Err(error) = link.send(&request, &theirs.iter().map(AsFd::as_fd).collect::<Vec<_>>()).await {
        link.forget(id, Ended::Refused(error.to_string()));
        return Err(host(error));
    }
    drop(theirs);

    let outlets = sandbox.control.standing(sandbox.ended.clone()).await?;
    for output in &*outputs {
        link.env.spawn("sandbox output", output.pump());
    }
    link.env.spawn("sandbox signals", control::hear(sandbox.control.clone(), sandbox.ended.clone()));
    if let Some(lodging) = lodging {
        let runtime_api = lodging.runtime_api.try_clone().and_then(tokio::net::TcpListener::from_std);
        let serving =
            inside::serve(link.env.clone(), runtime_api.map_err(host)?, wiring.inside, lodging.user);
        link.env.spawn("runtime api", serving);
        let mut ended = sandbox.ended.clone();
        link.env.spawn("sandbox lodging", async move {
            let _ = ended.wait_for(Option::is_some).await;
            drop(lodging);
        });
        return Ok(sandbox);
    }
    let outlets = Outlets::sort(outlets)
        .ok_or_else(|| StartError::Host("the sandbox passed out too few descriptors".into()))?;
    let runtime_api = tokio::net::TcpListener::from_std(outlets.runtime_api.into()).map_err(host)?;
    link.env.spawn("runtime api", inside::serve(link.env.clone(), runtime_api, wiring.inside, None));

    let (flag, has_ended) = watch::channel(false);
    let dns_udp = tokio::net::UdpSocket::from_std(outlets.dns_udp.into()).map_err(host)?;
    let dns_tcp = tokio::net::TcpListener::from_std(outlets.dns_tcp.into()).map_err(host)?;
    let zone = Zone { platform: around.names, forwards: egress };
    let resolver = dns::serve(link.env.clone(), zone, dns_udp, dns_tcp, has_ended.clone());
    link.env.spawn("sandbox resolver", resolver);
    let way_out = match (around.way_out, outlets.way_out) {
        (Some((process, rules)), Some(device)) if egress => Some(process.attach(rules, device)),
        _ => None,
    };
    // The sockets are what keeps its network.
    let mut ended = sandbox.ended.clone();
    link.env.spawn("sandbox network", async move {
        let _ = ended.wait_for(Option::is_some).await;
        drop((flag, way_out));
    });
    (wiring.serve_endpoint)(InsideListeners {
        endpoint: outlets.endpoint.into(),
        secure: outlets.secure.into(),
        ended: has_ended,
    });
    Ok(sandbox)
}

struct NamespaceSandbox {
    link: Arc<Link>,
    id: u64,
    /// The connection to its first process.
    control: Arc<Control>,
    /// Whose ports may be connected to, if it shares the host's network and has a user of its own.
    port_owner: Option<u32>,
    /// The ports that may not, if it shares the host's network.
    closed_ports: Option<Vec<u16>>,
    group: Group,
    /// Asked after every invocation, so it stays open.
    memory_peak: OnceLock<Option<MemoryPeak>>,
    outputs: Arc<[Arc<OutputPipe>]>,
    ended: watch::Receiver<Option<Ended>>,
    exchange: Arc<crate::exchange::Exchange>,
    asked_to_end: AtomicBool,
    cpu_milli: u32,
    memory_bytes: u64,
}

impl NamespaceSandbox {
    async fn connect_to(&self, port: u16) -> io::Result<TcpStream> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let Some(closed) = &self.closed_ports else {
            let socket =
                TcpSocket::from_std_stream(self.control.new_socket(self.ended.clone()).await?.into());
            return socket.connect(address).await;
        };
        let is_open = !closed.contains(&port)
            && self.port_owner.is_none_or(|owner| crate::peers::listener(port) == Some(owner));
        if !is_open {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        TcpStream::connect(address).await
    }

    fn set_frozen(&self, frozen: bool) {
        if let Err(error) = self.link.while_living(self.id, |group| group.set_frozen(frozen)) {
            tracing::warn!(frozen, "a sandbox could not be frozen or thawed: {error}");
        }
    }

    /// How its program ended.
    fn exit(&self, out_of_memory: bool) -> Exit {
        while let Ok(true) = self.control.hear_one() {}
        match self.control.ends.borrow().program {
            _ if out_of_memory => Exit::OutOfMemory,
            Some(exit) => exit,
            // It said nothing, so it was killed itself.
            None => Exit::Killed,
        }
    }
}

impl Sandbox for NamespaceSandbox {
    fn kill(&self) {
        self.exchange.close();
        if self.ended.borrow().is_some() || self.asked_to_end.swap(true, Ordering::Relaxed) {
            return;
        }
        let request = Request::Kill { id: self.id };
        if self.link.try_send(&request).is_err() {
            let link = self.link.clone();
            self.link.env.spawn("sandbox kill", async move {
                // If the spawner is gone, so are its sandboxes.
                let _ = link.send(&request, &[]).await;
            });
        }
    }

    fn initialised(&self) {
        if self.ended.borrow().is_none()
            && let Err(error) = self.group.weigh(self.cpu_milli)
        {
            tracing::warn!("a sandbox keeps the processor weight of its start: {error}");
        }
    }

    fn freeze(&self) {
        self.set_frozen(true);
    }

    fn thaw(&self) {
        self.set_frozen(false);
    }

    fn begin(&self) -> BoxFuture<'_, Result<(), StartError>> {
        Box::pin(self.control.begin(self.ended.clone()))
    }

    fn ends(&self) -> watch::Receiver<Ends> {
        self.control.ends.subscribe()
    }

    fn end_program(&self, how: ProgramEnd) {
        let command = match how {
            ProgramEnd::Asked => Command::Terminate,
            ProgramEnd::Killed => Command::Kill,
        };
        // What cannot hear it any more has ended.
        let _gone = self.control.command(command);
    }

    fn connect(&self, port: u16) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(self.connect_to(port))
    }

    fn ended(&self) -> BoxFuture<'_, Exit> {
        let mut ended = self.ended.clone();
        Box::pin(async move {
            match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
                Ok(Some(Ended::Reaped { out_of_memory, .. })) => self.exit(out_of_memory),
                _ => Exit::Killed,
            }
        })
    }

    fn memory_peak_bytes(&self) -> Option<u64> {
        let peak = match &*self.ended.borrow() {
            // Its group's name may be another's by now.
            Some(Ended::Reaped { memory_peak_bytes, .. }) => *memory_peak_bytes,
            Some(Ended::Refused(_)) => None,
            None => self.memory_peak.get_or_init(|| self.group.memory_peak()).as_ref()?.bytes(),
        };
        // The kernel's figure has what lies in scratch space too, which may be besides the limit.
        peak.map(|peak| peak.min(self.memory_bytes))
    }

    fn drain_output(&self) {
        self.outputs.iter().for_each(|output| output.drain());
    }
}

impl Drop for NamespaceSandbox {
    fn drop(&mut self) {
        self.kill();
    }
}
