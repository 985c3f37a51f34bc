//! One sandbox, seen from the platform: its start, its listeners, its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::net::SocketFlags;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::cgroups::{Group, MemoryPeak};
use super::link::{Ended, Entry, Link};
use super::message::{PACKET_BYTES_MAX, Request, Signal};
use super::network::Outlets;
use super::output_pipe::OutputPipe;
use super::watched::watched;
use super::{Surroundings, packet};
use crate::dns::{self, Zone};
use crate::driver::{BoxFuture, Exit, Sandbox, SandboxSpec, StartError, Wiring};
use crate::runtime_api;
use crate::spec::InsideListeners;

pub(super) async fn start(
    link: Arc<Link>,
    around: Surroundings,
    mut spec: SandboxSpec,
    wiring: Wiring,
) -> Result<Arc<dyn Sandbox>, StartError> {
    spec.egress &= around.way_out.is_some();
    let egress = spec.egress;
    let host = |error: io::Error| StartError::Host(error.to_string());
    let (control, their_control) = packet::pair(SocketFlags::empty()).map_err(host)?;
    rustix::io::ioctl_fionbio(&control, true).map_err(|error| host(error.into()))?;
    let (pipe, their_pipe) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|error| host(error.into()))?;
    let control = watched(control).map_err(host)?;
    let output = OutputPipe::new(pipe, wiring.output).map_err(host)?;

    let Entry { id, slot, ended } = link.enter(output.clone())?;
    let sandbox = Arc::new(NamespaceSandbox {
        control,
        exit: OnceLock::new(),
        group: link.groups.slot(slot),
        memory_peak: OnceLock::new(),
        link: link.clone(),
        id,
        output: output.clone(),
        ended,
        exchange: wiring.exchange.clone(),
        asked_to_end: AtomicBool::new(false),
        cpu_milli: spec.cpu_milli,
        memory_bytes: spec.memory_bytes,
    });
    let request = Request::Start { id, slot, spec: Box::new(spec) };
    if let Err(error) = link.send(&request, &[their_control.as_fd(), their_pipe.as_fd()]).await {
        link.forget(id, Ended::Refused(error.to_string()));
        return Err(host(error));
    }
    drop((their_control, their_pipe));

    let outlets = sandbox.standing().await?;
    link.env.spawn("sandbox output", output.pump());
    let outlets = Outlets::sort(outlets)
        .ok_or_else(|| StartError::Host("the sandbox passed out too few descriptors".into()))?;
    let runtime_api = tokio::net::TcpListener::from_std(outlets.runtime_api.into()).map_err(host)?;
    link.env.spawn("runtime api", runtime_api::serve(link.env.clone(), runtime_api, wiring.exchange));

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
    /// What its first process says: one reader at a time, first until it stands, then when it has ended.
    control: AsyncFd<OwnedFd>,
    exit: OnceLock<Exit>,
    group: Group,
    /// Asked after every invocation, so it stays open.
    memory_peak: OnceLock<Option<MemoryPeak>>,
    output: Arc<OutputPipe>,
    ended: watch::Receiver<Option<Ended>>,
    exchange: Arc<crate::exchange::Exchange>,
    asked_to_end: AtomicBool,
    cpu_milli: u32,
    memory_bytes: u64,
}

impl NamespaceSandbox {
    fn set_frozen(&self, frozen: bool) {
        if let Err(error) = self.link.while_living(self.id, |group| group.set_frozen(frozen)) {
            tracing::warn!(frozen, "a sandbox could not be frozen or thawed: {error}");
        }
    }

    /// Waits until the sandbox has been built, and returns its listeners.
    async fn standing(&self) -> Result<Vec<OwnedFd>, StartError> {
        let mut ended = self.ended.clone();
        let first = async {
            loop {
                let mut guard = self.control.readable().await?;
                if let Ok(received) = guard.try_io(|socket| receive(socket.get_ref())) {
                    return received;
                }
            }
        };
        let first = tokio::select! {
            biased;
            first = first => first,
            ended = ended.wait_for(Option::is_some) => {
                if let Ok(Some(Ended::Refused(why))) = ended.as_deref() {
                    return Err(StartError::Host(why.clone()));
                }
                // Its words may lie there, though nobody was told of them yet.
                receive(self.control.get_ref())
            }
        };
        match first {
            Ok(Some((Signal::Ready, listeners))) => Ok(listeners),
            Ok(Some((Signal::Failed { why, entrypoint: true }, _))) => Err(StartError::Entrypoint(why)),
            Ok(Some((Signal::Failed { why, entrypoint: false }, _))) => Err(StartError::Host(why)),
            Ok(Some((Signal::Exited { .. }, _)) | None) => {
                Err(StartError::Host("the sandbox ended before it stood".into()))
            }
            Err(error) => Err(StartError::Host(error.to_string())),
        }
    }

    /// How its program ended.
    fn exit(&self, out_of_memory: bool) -> Exit {
        *self.exit.get_or_init(|| {
            while let Ok(Some((signal, _))) = receive(self.control.get_ref()) {
                if let Signal::Exited { wait_status } = signal
                    && !out_of_memory
                {
                    return exit(wait_status);
                }
            }
            // It said nothing, so it was killed itself.
            if out_of_memory { Exit::OutOfMemory } else { Exit::Killed }
        })
    }
}

fn receive(control: &OwnedFd) -> io::Result<Option<(Signal, Vec<OwnedFd>)>> {
    packet::receive::<Signal>(control, &mut vec![0; PACKET_BYTES_MAX])
}

fn exit(wait_status: i32) -> Exit {
    let status = ExitStatus::from_raw(wait_status);
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Killed,
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
        self.output.drain();
    }
}

impl Drop for NamespaceSandbox {
    fn drop(&mut self) {
        self.kill();
    }
}
