//! What must hold when nothing is under way: after a recovery, and at the end.
//!
//! Every name holds what the history allows, and from then on exactly that; lists agree with what they list;
//! each queue gives every message that it owes, and no other.

use std::time::Duration;

use apus::sweep::Sweep;
use apus_store::Store;

use crate::history::History;
use crate::load::{self, Client};
use crate::register::Saw;

/// Looks at everything through one instance. One that refuses to answer contradicts nothing.
pub(crate) async fn check(client: &Client) {
    objects(client).await;
    policies(client).await;
    functions(client).await;
    queues(client).await;
    topics(client).await;
}

/// With nothing under way, every blob is somebody's.
pub(crate) async fn blobs(store: &Store, history: &History) {
    let swept = match Sweep::begin(store).await {
        Ok(sweep) => sweep.run().await,
        Err(error) => Err(error),
    };
    match swept {
        Ok(0) => {}
        Ok(left) => history.violation(format!("nobody refers to {left} blobs")),
        Err(error) => history.violation(format!("the blobs cannot be looked at: {error}")),
    }
}

async fn objects(client: &Client) {
    for bucket in load::BUCKETS.into_iter().chain([load::TIDE]) {
        let began = client.history.tick();
        if let Some(found) = load::head_bucket(client, bucket).await {
            client.history.settle(&load::bucket_key(bucket), found, began);
        }
        let names = client.history.keys(&load::object_key(bucket, ""));
        let began = client.history.tick();
        for name in &names {
            let key = name.rsplit(' ').next().unwrap_or_default();
            if let Some(found) = load::get_object(client, bucket, key).await {
                client.history.settle(name, found, began);
            }
        }
        let began = client.history.tick();
        let Some(listed) = load::list_objects(client, bucket).await else { continue };
        for name in &names {
            let saw = listed.get(name).map_or(Saw::Value(None), |size| Saw::Size(*size));
            client.history.saw(name, saw, began);
        }
        for stranger in listed.keys().filter(|listed| !names.contains(listed)) {
            client.history.violation(format!("{stranger} is listed, and was never put"));
        }
    }
}

async fn policies(client: &Client) {
    for name in client.history.keys(load::POLICY_PREFIX) {
        let mut words = name.split(' ').skip(1);
        let (role, policy) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let began = client.history.tick();
        if let Some(found) = load::read_policy(client, role, policy).await {
            client.history.settle(&name, found, began);
        }
    }
    for role in load::all_roles() {
        let began = client.history.tick();
        if let Some(found) = load::read_life(client, role).await {
            client.history.settle(&load::life_key(role), found, began);
        }
    }
}

async fn functions(client: &Client) {
    for function in load::FUNCTIONS {
        let began = client.history.tick();
        if let Some(found) = load::read_function(client, function).await {
            client.history.settle(&load::function_key(function), found, began);
        }
    }
    let began = client.history.tick();
    let Some(listed) = load::list_functions(client).await else { return };
    for function in load::FUNCTIONS {
        let found = listed.get(function).copied();
        client.history.saw(&load::function_key(function), Saw::Value(found), began);
        if found.is_some() {
            let (before, _) = client.history.failures();
            load::wait_until_active(client, function).await;
            load::invoke(client, function).await;
            if let (after, Some(last)) = client.history.failures()
                && after > before
            {
                client.history.violation(format!("{function} is there, and does not run: {last}"));
            }
        }
    }
}

async fn queues(client: &Client) {
    client.env.sleep(Duration::from_secs(load::RETURNS_WITHIN_SECS)).await;
    for (queue, _) in load::QUEUES {
        let began = client.history.tick();
        if let Some(found) = load::find_queue(client, queue).await {
            client.history.settle(&load::queue_key(queue), found, began);
        }
        if let Some(seen) = load::receive_all(client, queue).await {
            client.history.drained(queue, &seen);
        }
    }
    load::after_drain(client).await;
}

async fn topics(client: &Client) {
    for topic in load::TOPICS {
        if load::collect(client, topic).await {
            client.history.settled(topic);
        }
    }
}
