//! The same requests to the platform and to another server of AWS's APIs, in turns. No goal: the rows inform.
//!
//! What the two do for an answer differs, and the rows say how: the peer runs functions as plain processes of its own user
//! and keeps everything in memory.

use std::path::Path;

use apus_env::Env;

use super::functions::{Functions, Invoker, Kind, MANY, SMALL_MB};
use super::objects::{make_bucket, put_clients};
use super::sends::{Sender, send_request};
use super::subdir;
use crate::client::Api;
use crate::figures::Figures;
use crate::instance::Instance;
use crate::load::{Client, Limit};
use crate::options::Options;
use crate::peer::Peer;
use crate::python::{HANDLER, Python};
use crate::side::Side;
use crate::table::{Goal, Row};

const OBJECT_BYTES: usize = 1 << 10;
/// The platform as it is, without the disk, and the peer.
const DURABLE: usize = 0;
const EPHEMERAL: usize = 1;
const PEER: usize = 2;

pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let Some(program) = &options.ministack else {
        return Ok(vec![Row::skipped(
            "peers",
            "no ministack was named (--ministack, or `cargo xtask bench peers`)",
        )]);
    };
    let peer = match Peer::start(env, program, &subdir(dir, "peer")?).await {
        Ok(peer) => peer,
        Err(problem) => return Ok(vec![Row::skipped("peers", &problem)]),
    };
    let durable = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let ephemeral = Instance::start_ephemeral(env, &options.apus).await?;
    let apis = [durable.api(), ephemeral.api(), peer.api()];
    let python = Python::find(subdir(dir, "python")?)?;
    let hello = Kind::python(&python, HANDLER)?;
    let functions = [Functions::new(env, apis[DURABLE]).await?, Functions::new(env, apis[PEER]).await?];
    for functions in &functions {
        // Both keep what functions log.
        functions.allow("logs:*").await?;
    }

    let [cold, cold_peer] = cold(env, options, &functions, &hello).await?;
    let mut invokers = Vec::new();
    for functions in &functions {
        invokers.push(vec![functions.client("warm", &hello, SMALL_MB).await?]);
    }
    let span = Limit::span(options.slice());
    let warm = in_turns(env, options, span, invokers).await?;
    let mut invokers = Vec::new();
    for functions in &functions {
        let mut many = Vec::new();
        for _ in 0..MANY {
            many.push(functions.client("warm", &hello, SMALL_MB).await?);
        }
        invokers.push(many);
    }
    let many = in_turns(env, options, span, invokers).await?;
    let (mut senders, mut putters) = (Vec::new(), Vec::new());
    for api in apis {
        senders.push(self::senders(api).await?);
        make_bucket(api).await?;
        putters.push(put_clients(api, MANY, OBJECT_BYTES).await?);
    }
    let sends = in_turns(env, options, span, senders).await?;
    let puts = in_turns(env, options, span, putters).await?;
    ephemeral.stop(env).await;
    durable.stop(env).await;

    let isolation = apus_compute::probe().best();
    let runtime = python.runtime();
    let theirs = format!("{}, isolation none", peer.name);
    let kept = format!("{}, in memory", peer.name);
    let invoke = |what: &str, ours: &Figures, figures: &Figures| {
        let what = format!("{what}, {runtime} hello, {SMALL_MB} MB, isolation {isolation}");
        Row::new(what, ours, Goal::None).against(&theirs, figures)
    };
    let call = |what: &str, how: &str, ours: &Figures, figures: &Figures| {
        let what = format!("{what}, {MANY} clients, {how}");
        Row::new(what, ours, Goal::None).against(&kept, figures)
    };
    let (send, put) = ("sends of 256 bytes", "PUT of 1 KiB");
    Ok(vec![
        invoke("cold invoke", &cold, &cold_peer),
        invoke("warm invoke, 1 client", &warm[0].latency, &warm[1].latency),
        invoke(&format!("warm throughput, {MANY} clients"), &many[0].rate, &many[1].rate),
        call(send, "durable", &sends[DURABLE].rate, &sends[PEER].rate),
        call(send, "--ephemeral", &sends[EPHEMERAL].rate, &sends[PEER].rate),
        call(put, "durable", &puts[DURABLE].rate, &puts[PEER].rate),
        call(put, "--ephemeral", &puts[EPHEMERAL].rate, &puts[PEER].rate),
    ])
}

/// First invokes of new functions, one of each side after the other.
async fn cold(
    env: &Env,
    options: &Options,
    sides: &[Functions<'_>; 2],
    hello: &Kind,
) -> Result<[Figures; 2], String> {
    let mut figures = [(); 2].map(|()| Figures::new("ms"));
    // The first round warms the page cache, and starts what a server starts once.
    for round in 0..=options.rounds() {
        for (functions, figures) in sides.iter().zip(&mut figures) {
            let mut invoker: Invoker = functions.client(&format!("cold-{round}"), hello, SMALL_MB).await?;
            let begun = env.monotonic();
            invoker.invoke().await?;
            let took = env.monotonic().saturating_sub(begun);
            if round > 0 {
                figures.push_ms(took);
            }
        }
    }
    Ok(figures)
}

/// Drives the sides one after the other, again and again.
async fn in_turns<C: Client>(
    env: &Env,
    options: &Options,
    limit: Limit,
    sides: Vec<Vec<C>>,
) -> Result<Vec<Side<C>>, String> {
    let mut sides: Vec<Side<C>> = sides.into_iter().map(Side::new).collect();
    for turn in 0..=options.slices() {
        for side in &mut sides {
            side.turn(env, limit, turn == 0).await?;
        }
    }
    Ok(sides)
}

async fn senders(api: &Api) -> Result<Vec<Sender>, String> {
    let request = send_request(api, &api.create_queue("peers").await?)?;
    let connections = api.connections(MANY).await?.into_iter();
    Ok(connections.map(|connection| Sender { connection, request: request.clone(), messages: 1 }).collect())
}
