//! `apus start`: opens the state, wires the platform, listens, and stops cleanly when told to.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use apus::sweep::Sweep;
use apus::wiring::{self, Foundation, InsideTls};
use apus_authority::Authority;
use apus_compute::{
    Compute, ComputeConfig, EGRESS_RULES_MAX, ENDPOINT_NAMES, EgressRules, Guests, Level, SdkConfig,
};
use apus_env::Env;
use apus_gateway::Listener;
use apus_service_lambda::LambdaConfig;
use apus_service_sts::DEVELOPMENT_SECRET;
use apus_store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Egress, Sdk, Start};
use crate::maintenance;
use crate::public_url::PublicUrl;
use crate::ready::Ready;

/// How long open requests have to finish after SIGTERM: a long poll's twenty seconds are cut.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Runs until SIGTERM, SIGINT or a failure.
pub(crate) fn run(options: Start) -> Result<ExitCode, String> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(LevelFilter::from_level(options.log))
        .init();
    // The allocator asks for large pages, of which an idle platform would hold a score and use little: twice its memory. A
    // kernel that does not know of it gives none.
    let _unknown = rustix::thread::disable_transparent_huge_pages(true);
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
    let public_url = options.public_url.clone().unwrap_or_else(|| PublicUrl::of(address));
    let base_url = public_url.to_string();
    let place = Place::of(&options)?;
    let foundation = foundation(&env, &options, &place, &public_url, address.port())?;
    let sweep = Sweep::begin(&foundation.store).await.map_err(|error| error.to_string())?;
    let (level, guests) = (foundation.compute.level(), foundation.compute.guests());
    let secret = shown_secret(&options, &foundation.root_secret);
    let instance = wiring::start(foundation).await.map_err(|error| error.to_string())?;

    let listener = Listener {
        credentials: instance.development.clone(),
        base_url: base_url.as_str().into(),
        tls: None,
        guests: guest_rule(guests, &instance, &base_url),
    };
    let (stop, stopping) = watch::channel(false);
    let serving =
        env.spawn("listener", Arc::clone(&instance.gateway).serve(socket, Arc::new(listener), stopping));
    env.spawn("sweep", async move {
        match sweep.run().await {
            Ok(0) => {}
            Ok(blobs) => info!(blobs, "removed what an earlier run left behind"),
            Err(error) => warn!(%error, "what an earlier run left behind stays for now"),
        }
    });
    let ready = Ready { url: &base_url, listening: PublicUrl::of(address), place: &place, level, secret };
    println!("{}", if options.json { ready.described(&options).to_string() } else { ready.line(&options) });

    told.stop().await;
    info!("stopping");
    stop.send_replace(true);
    if env.timeout(DRAIN_MAX, serving.join()).await.is_err() {
        warn!("some requests were still open when their time to finish was over");
    }
    instance.stop().await;
    place.clean_up();
    Ok(())
}

/// What the instance stands on, by the options.
fn foundation(
    env: &Env,
    options: &Start,
    place: &Place,
    public_url: &PublicUrl,
    port: u16,
) -> Result<Foundation, String> {
    let accepted = options.accept_isolation.map_or(Level::Rootless, Level::from);
    let store = match place {
        Place::Directory(dir) => {
            Store::open_dir(env, dir.join(maintenance::STORE)).map_err(|error| error.to_string())?
        }
        Place::Memory(_) => Store::memory(env),
    };
    let run_dir = place.dir().join("run");
    apus_compute::sweep(&run_dir).map_err(|error| error.to_string())?;
    let authority =
        Authority::load_or_create(&place.dir().join("authority")).map_err(|error| error.to_string())?;
    let inside = public_url.inside(port);
    let mut names: Vec<String> = ENDPOINT_NAMES.map(str::to_owned).into();
    names.extend(inside.name);
    let config = ComputeConfig {
        accept_isolation: accepted,
        hard_cpu_limits: options.hard_cpu_limits,
        platform_ports: vec![port],
        endpoint_names: names.clone(),
        endpoint_address: inside.address,
        trusted_certificates: Some(authority.certificate_pem().to_owned()),
        egress: egress(options, accepted)?,
        sdk: (options.sdk == Sdk::Bundled)
            .then(|| SdkConfig { directory: sdk_directory(place), progress: say }),
        ..ComputeConfig::new(run_dir, inside.port)
    };
    let tls = Arc::new(authority).server(names).map_err(|error| error.to_string())?;
    let compute = Compute::new(env.clone(), config).map_err(|error| error.to_string())?;
    let guests = compute.guests();
    Ok(Foundation {
        env: env.clone(),
        store,
        compute,
        lambda: LambdaConfig {
            concurrency_max: options.concurrency_limit,
            ..LambdaConfig::new(place.dir().join("code"), inside.url)
        },
        iam: options.iam.into(),
        root_secret: root_secret(env, options, &guests),
        base_url: public_url.to_string(),
        letter_dir: place.dir().join("outgoing"),
        inside_tls: Some(InsideTls { config: tls, at_endpoint: inside.secure }),
    })
}

/// The secret of the root keys: the well-known one only where neither functions nor others can use it.
fn root_secret(env: &Env, options: &Start, guests: &Guests) -> String {
    match &options.root_secret {
        Some(chosen) => chosen.clone(),
        None if options.bind.is_loopback() && *guests != Guests::Indistinct => DEVELOPMENT_SECRET.into(),
        None => env.uuid_v4(),
    }
}

/// Tells people a secret that they did not choose and cannot know.
fn shown_secret(options: &Start, secret: &str) -> Option<String> {
    let is_known = options.root_secret.is_some() || secret == DEVELOPMENT_SECRET;
    (!is_known).then(|| secret.to_owned())
}

/// Functions that share the host's network are believed as much as inside a sandbox: sessions of roles.
fn guest_rule(guests: Guests, instance: &wiring::Instance, base_url: &str) -> Option<apus_gateway::Guests> {
    if guests == Guests::Apart {
        return None;
    }
    let listener = Listener {
        credentials: Arc::new(instance.sessions.clone()),
        base_url: base_url.into(),
        tls: None,
        guests: None,
    };
    // Where nobody can tell, the secret is what they do not know.
    (guests != Guests::Indistinct).then(|| apus_gateway::Guests {
        includes: Box::new(move |own, peer| guests.is_guest(own, peer)),
        listener: Arc::new(listener),
    })
}

/// Where SDKs are kept: for all of this user's instances, if this user has a place for such things.
fn sdk_directory(place: &Place) -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    cache.map_or_else(|| place.dir().join("sdk"), |cache| cache.join("apus/sdk"))
}

/// Tells people what takes long, whatever the log's level.
fn say(what: &str) {
    eprintln!("{what}");
}

/// Where functions may connect to.
fn egress(options: &Start, accepted: Level) -> Result<Option<EgressRules>, String> {
    let rules = EgressRules { allow: options.egress_allow.clone(), deny: options.egress_deny.clone() };
    if rules.allow.len().max(rules.deny.len()) > EGRESS_RULES_MAX {
        return Err(format!("there are more than {EGRESS_RULES_MAX} rules for egress; write wider ranges"));
    }
    let host = apus_compute::probe();
    if let Ok(level @ (Level::Container | Level::None)) = host.accept(accepted) {
        // The host's network is theirs, whatever rules say.
        return match options.egress {
            Some(Egress::Off) if host.can_refuse_egress(level) => Ok(None),
            Some(Egress::Off) => Err(format!(
                "--egress off cannot be kept at isolation level `{level}` here: it needs landlock of version 4"
            )),
            _ if !rules.deny.is_empty() => Err(format!(
                "--egress-deny cannot be kept at isolation level `{level}`: functions share the host's network"
            )),
            _ => Ok(Some(rules)),
        };
    }
    match (options.egress, apus_compute::can_leave()) {
        (Some(Egress::Off), _) => Ok(None),
        (_, Ok(_)) => Ok(Some(rules)),
        (Some(Egress::On), Err(lack)) => {
            Err(format!("functions cannot have egress: {}; {}", lack.reason, lack.remedy))
        }
        (None, Err(lack)) => {
            warn!(reason = lack.reason, remedy = lack.remedy, "functions have no egress");
            Ok(None)
        }
    }
}

/// Where an instance keeps its files.
pub(crate) enum Place {
    /// For good.
    Directory(PathBuf),
    /// For as long as the process lives: unpacked code and sandboxes' sockets. The state is in memory.
    Memory(PathBuf),
}

impl Place {
    pub(crate) fn of(options: &Start) -> Result<Self, String> {
        let (dir, place): (PathBuf, fn(PathBuf) -> Self) = if options.ephemeral {
            let above = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
            (above.join(format!("apus-{}", std::process::id())), Self::Memory)
        } else {
            (options.data_dir.clone(), Self::Directory)
        };
        let unusable = |error: std::io::Error| {
            format!("{} cannot be used: {error}; choose another directory with --data-dir", dir.display())
        };
        std::fs::create_dir_all(&dir).map_err(unusable)?;
        let dir = dir.canonicalize().map_err(unusable)?;
        Ok(place(dir))
    }

    fn dir(&self) -> &Path {
        match self {
            Self::Directory(dir) | Self::Memory(dir) => dir,
        }
    }

    fn clean_up(&self) {
        if let Self::Memory(dir) = self
            && let Err(error) = std::fs::remove_dir_all(dir)
        {
            warn!(dir = %dir.display(), %error, "files of this run are left");
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "state in {}", dir.display()),
            Self::Memory(_) => f.write_str("state in memory only: nothing survives this process"),
        }
    }
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

    async fn stop(&mut self) {
        tokio::select! {
            biased;
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
