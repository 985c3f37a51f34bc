//! `apus start`: opens the state, wires the platform, listens, and stops cleanly when told to.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use apus::wiring::{self, Foundation, Instance};
use apus_env::Env;
use apus_gateway::{Gateway, Listener};
use apus_service_iam::Mode;
use apus_store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::Start;

/// Runs until SIGTERM, SIGINT or a failure.
pub(crate) fn run(options: Start) -> Result<ExitCode, String> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(LevelFilter::from_level(options.log))
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("could not start the runtime: {error}"))?;
    runtime.block_on(serve(options))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(options: Start) -> Result<(), String> {
    let mut told = Told::new()?;
    let env = Env::real();
    // Bound first: a port that is taken is said before anything else is done.
    let socket = bind(options.bind, options.port).await?;
    let address = socket.local_addr().map_err(|error| error.to_string())?;
    let base_url = format!("http://{}", shown(address));
    let (store, place) = open(&env, &options)?;
    let foundation = Foundation { env: env.clone(), store: store.clone(), iam: Mode::Enforce };
    let Instance { platform, development, .. } = wiring::start(foundation).await.map_err(|error| error.to_string())?;

    let gateway = Arc::new(Gateway::new(platform.clone()));
    let listener = Listener { credentials: Arc::new(development), base_url: base_url.clone(), secure: false };
    let (stop, stopping) = watch::channel(false);
    let serving = env.spawn("listener", gateway.serve(socket, Arc::new(listener), stopping));
    println!("apus is ready at {base_url} ({place})");

    told.to_stop().await;
    info!("stopping");
    stop.send_replace(true);
    let _ended = serving.join().await;
    platform.stop();
    Ok(())
}

async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((address, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {port} of {address} is taken by another program; stop it, or choose another port with --port"
        ),
        std::io::ErrorKind::PermissionDenied => {
            format!("port {port} needs more rights; choose one above 1023 with --port")
        }
        _ => format!("could not listen on {address}:{port}: {error}"),
    })
}

/// The address that clients are told: a wildcard is reached at loopback.
fn shown(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        _ => address,
    }
}

/// The store, and the words for where it is.
fn open(env: &Env, options: &Start) -> Result<(Store, String), String> {
    if options.ephemeral {
        return Ok((Store::memory(env), "state in memory only: nothing survives this process".into()));
    }
    Err("not yet".into())
}

/// The signals that mean stop.
struct Told {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Told {
    fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("could not listen for signals: {error}"));
        Ok(Self { term: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn to_stop(&mut self) {
        tokio::select! {
            biased;
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
