//! Who takes part in the comparison of durable sends, and their turns.

use std::path::Path;

use apus_env::Env;
use apus_store::Store;

use super::denominators::{Appender, Writer};
use super::{BATCH, BODY_BYTES, Sender, batch_request, send_request, subdir};
use crate::bare::Bare;
use crate::client::{Api, Connection};
use crate::in_process::{DirectSender, InProcess};
use crate::instance::Instance;
use crate::load::{Limit, drive};
use crate::options::Options;
use crate::side::Side;

/// Sends that show how many bytes one writes.
const CALIBRATING_SENDS: u64 = 1_000;

pub(super) struct Sides {
    /// What a send writes into the store.
    pub(super) bytes: usize,
    /// Over HTTP.
    pub(super) sends: Side<Sender>,
    /// Over HTTP, many messages a request.
    pub(super) batches: Side<Sender>,
    /// Through the door in this process.
    pub(super) calls: Side<DirectSender>,
    pub(super) commits: Side<Writer>,
    pub(super) appends: Side<Appender>,
    /// The requests of `sends` to a bare server that commits as much as a send does.
    pub(super) kept_answers: Side<Sender>,
    /// The same to one that stores nothing.
    pub(super) answers: Side<Sender>,
    instance: Instance,
    here: InProcess,
    /// That of `commits`.
    store: Store,
    /// Their processes end with them.
    _bare: [Bare; 2],
}

impl Sides {
    pub(super) async fn start(env: &Env, options: &Options, dir: &Path) -> Result<Self, String> {
        let bytes = bytes_per_send(env, options, &subdir(dir, "calibration")?).await?;
        let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
        let here = InProcess::start(env, &subdir(dir, "here")?).await?;
        let store = Store::open_dir(env, subdir(dir, "store")?).map_err(|error| error.to_string())?;
        let bare = Bare::start(env).await?;
        let keeping = Bare::start_committing(env, &subdir(dir, "bare")?, bytes).await?;
        let mut senders = senders(instance.api(), options, 1).await?;
        let batchers = self::senders(instance.api(), options, BATCH).await?;
        let mut askers = askers(&bare, &senders).await?;
        let mut kept_askers = self::askers(&keeping, &senders).await?;
        answers_alike([&mut senders, &mut askers, &mut kept_askers]).await?;
        Ok(Self {
            bytes,
            sends: Side::of(instance.id(), senders),
            batches: Side::of(instance.id(), batchers),
            calls: Side::new(direct_senders(&here, options).await?),
            commits: Side::new(Writer::many(options.clients, &store, bytes)),
            appends: Side::new(vec![Appender::new(&dir.join("append"), bytes)?]),
            kept_answers: Side::of(keeping.id(), kept_askers),
            answers: Side::of(bare.id(), askers),
            instance,
            here,
            store,
            _bare: [bare, keeping],
        })
    }

    /// One turn of each. A store may tidy up while the next has its turn, so the one that nothing shall disturb, as it is
    /// what all others are held against, does not come behind those that write most.
    pub(super) async fn turn(&mut self, env: &Env, limit: Limit, warms_up: bool) -> Result<(), String> {
        self.sends.turn(env, limit, warms_up).await?;
        self.batches.turn(env, limit, warms_up).await?;
        self.calls.turn(env, limit, warms_up).await?;
        self.commits.turn(env, limit, warms_up).await?;
        self.appends.turn(env, limit, warms_up).await?;
        self.kept_answers.turn(env, limit, warms_up).await?;
        self.answers.turn(env, limit, warms_up).await
    }

    /// Commits of the store in this process that one sync made durable.
    pub(super) fn commits_per_sync(&self) -> f64 {
        let metrics = self.store.metrics();
        metrics.commits as f64 / metrics.batches.max(1) as f64
    }

    pub(super) async fn stop(self, env: &Env) {
        drop((self.calls, self.commits));
        self.store.close().await;
        self.here.stop().await;
        self.instance.stop(env).await;
    }
}

/// What a send writes into the store, in bytes, at the concurrency that is measured.
async fn bytes_per_send(env: &Env, options: &Options, dir: &Path) -> Result<usize, String> {
    let here = InProcess::start(env, dir).await?;
    let caller = here.caller();
    let queue_url = caller.create_queue("calibration").await?;
    let body = "x".repeat(BODY_BYTES);
    let one = || DirectSender { caller: caller.clone(), queue_url: queue_url.clone(), body: body.clone() };
    let before = here.store.metrics();
    drive(env, (0..options.clients).map(|_| one()).collect(), Limit::steps(CALIBRATING_SENDS)).await?;
    let written = here.store.metrics().bytes_written - before.bytes_written;
    here.stop().await;
    Ok((written / CALIBRATING_SENDS) as usize)
}

/// Clients of the queues, spread evenly; each request sends so many messages.
async fn senders(api: &Api, options: &Options, messages: usize) -> Result<Vec<Sender>, String> {
    let mut requests = Vec::new();
    for number in 0..options.queues.max(1) {
        let queue_url = api.create_queue(&format!("sends-{number}")).await?;
        requests.push(if messages == 1 {
            send_request(api, &queue_url)?
        } else {
            batch_request(api, &queue_url, messages)?
        });
    }
    let connections = api.connections(options.clients).await?;
    let requests = requests.into_iter().cycle();
    Ok(connections
        .into_iter()
        .zip(requests)
        .map(|(connection, request)| Sender { connection, request, messages: messages as u64 })
        .collect())
}

/// Clients that send a bare server the very requests of others.
async fn askers(bare: &Bare, others: &[Sender]) -> Result<Vec<Sender>, String> {
    let mut askers = Vec::with_capacity(others.len());
    for Sender { request, messages, .. } in others {
        let connection = Connection::open(bare.address()).await?;
        askers.push(Sender { connection, request: request.clone(), messages: *messages });
    }
    Ok(askers)
}

/// Sees to it that the servers of all sides answer in as many bytes.
async fn answers_alike(sides: [&mut Vec<Sender>; 3]) -> Result<(), String> {
    let mut lengths = Vec::new();
    for sender in sides.into_iter().filter_map(|senders| senders.first_mut()) {
        let answer = sender.connection.exchange(&sender.request).await?;
        lengths.push(answer.bytes);
        answer.ok()?;
    }
    if lengths.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(format!(
            "the bare servers do not answer as the platform does: {lengths:?} bytes, the platform's first"
        ));
    }
    Ok(())
}

/// Callers of the queues' operations in this process, spread as the clients are.
async fn direct_senders(here: &InProcess, options: &Options) -> Result<Vec<DirectSender>, String> {
    let caller = here.caller();
    let mut queues = Vec::new();
    for number in 0..options.queues.max(1) {
        queues.push(caller.create_queue(&format!("sends-{number}")).await?);
    }
    let one = |queue_url| DirectSender { caller: caller.clone(), queue_url, body: "x".repeat(BODY_BYTES) };
    Ok(queues.into_iter().cycle().take(options.clients).map(one).collect())
}
