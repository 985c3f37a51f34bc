//! From one accepted message to a delivery for each subscription that wants it: a walk with a cursor, a page in each
//! transaction, so that a topic may have any number of subscribers.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Attempt, Outbox, StepDelivery, StepEnd};
use apus_model_sns::SERVICE;
use apus_store::Tx;
use apus_store::record::encode;
use apus_time::Timestamp;
use tracing::warn;

use crate::Sns;
use crate::errors::Failure;
use crate::store::{FanRecord, Place, StepPayload};
use crate::subscription::Facts;
use crate::topic::TopicId;

/// The names of the steps, which stay in stores.
pub(crate) const FAN_OUT: &str = "fan-out";
pub(crate) const DELIVER: &str = "deliver";
pub(crate) const CONFIRM: &str = "confirm";

/// The most subscriptions of one page.
const PAGE_MAX: usize = 100;
/// In how many lanes a standard topic's messages go side by side, and those of a subscription.
const LANES: u8 = 8;
/// Deliveries to one subscription that wait for their end; what is more goes to its dead letters.
const BACKLOG_MAX: i64 = 100_000;
/// The most lanes that a subscription's failed deliveries wait in: one for each number of failures up to this.
const RETRY_LANES_MAX: u32 = 101;
/// After the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Leaves the fan-out of a message, in the transaction that accepts it.
pub(crate) fn leave(
    outbox: &Outbox,
    tx: &Tx,
    topic: &TopicId,
    number: u64,
    message: &str,
    group: Option<&str>,
) {
    let lane = format!("sns topic {number} {}", lane_of(topic, message, group));
    put(outbox, tx, lane, FAN_OUT, &payload(topic, number, message, None), tx.now());
}

/// Leaves the delivery of a message to a subscription.
fn leave_delivery(sns: &Sns, tx: &Tx, topic: &TopicId, payload: &StepPayload, group: Option<&str>) {
    let id = payload.subscription.as_deref().unwrap_or_default();
    let lane = if payload.gives_up { "overflow".to_owned() } else { lane_of(topic, &payload.message, group) };
    put(&sns.outbox, tx, format!("sns subscription {id} {lane}"), DELIVER, payload, tx.now());
}

/// Leaves another attempt at a delivery that has failed, out of the way of what has not. All of a lane have failed
/// as often, so that they come due in their order.
pub(crate) fn leave_retry(sns: &Sns, tx: &Tx, payload: &StepPayload, due: Timestamp) {
    let id = payload.subscription.as_deref().unwrap_or_default();
    let lane = format!("sns subscription {id} retry {}", payload.failures.min(RETRY_LANES_MAX));
    put(&sns.outbox, tx, lane, DELIVER, payload, due);
}

/// Leaves the question whether a subscriber wants to be one.
pub(crate) fn leave_confirmation(sns: &Sns, tx: &Tx, topic: &TopicId, number: u64, message: &str, id: &str) {
    let payload = payload(topic, number, message, Some(id));
    put(&sns.outbox, tx, format!("sns subscription {id} confirmation"), CONFIRM, &payload, tx.now());
}

fn payload(topic: &TopicId, number: u64, message: &str, subscription: Option<&str>) -> StepPayload {
    StepPayload {
        topic: topic.to_string(),
        number,
        message: message.to_owned(),
        subscription: subscription.map(str::to_owned),
        failures: 0,
        gives_up: false,
    }
}

/// A FIFO topic keeps the order of each group; a standard one keeps none.
fn lane_of(topic: &TopicId, message: &str, group: Option<&str>) -> String {
    match group.filter(|_| topic.name.is_fifo()) {
        Some(group) => format!("group {group}"),
        None => (message.bytes().fold(0_u8, u8::wrapping_add) % LANES).to_string(),
    }
}

fn put(outbox: &Outbox, tx: &Tx, lane: String, step: &'static str, payload: &StepPayload, due: Timestamp) {
    let payload = encode(payload).to_vec();
    outbox.put_step(tx, StepDelivery { lane, service: SERVICE.name, step, payload, due });
}

/// The step.
pub(crate) async fn fan_out(sns: Arc<Sns>, attempt: Attempt) -> StepEnd {
    let (payload, topic) = match StepPayload::read(&attempt.payload) {
        Ok(read) => read,
        Err(reason) => return StepEnd::Dead { reason },
    };
    loop {
        match page(&sns, &payload, &topic).await {
            Ok(true) => return StepEnd::Done,
            Ok(false) => {}
            Err(failure) => {
                warn!(topic = payload.topic, %failure, "a message waits to be fanned out");
                return StepEnd::Again { after: PAUSE, reason: failure.to_string() };
            }
        }
    }
}

/// Leaves the deliveries of one page; whether it was the last.
async fn page(sns: &Sns, payload: &StepPayload, topic: &TopicId) -> Result<bool, Failure> {
    let place = Place::of(topic);
    let (place, name) = (&place, topic.name.as_str());
    let StepPayload { number, message: id, .. } = payload;
    let read = sns.store.read(|tx| async move {
        let Some(record) = place.message(&tx, *number, id).await? else { return Ok(None) };
        // A topic that was made anew under the name has subscriptions of its own.
        let lives = place.topic(&tx, name).await?.is_some_and(|topic| topic.number == *number);
        let Some(fan) = place.fan(&tx, *number, id).await?.filter(|_| lives) else {
            return Ok(Some((record, Vec::new())));
        };
        let after = fan.after.as_deref().map(|after| (name, after));
        let page = place.list_subscriptions(&tx, Some(name), after, PAGE_MAX).await?;
        let mut backlogs = Vec::with_capacity(page.len());
        for (_, subscription, _) in &page {
            let backlog = place.backlog(&tx, *number, subscription).await?;
            backlogs.push((subscription.clone(), backlog));
        }
        Ok::<_, Failure>(Some((record, backlogs)))
    });
    let Some((record, backlogs)) = read.await? else { return Ok(true) };
    let (facts, group) = (Facts::of(&record.message), record.message.group.as_deref());
    let (facts, backlogs) = (&facts, &backlogs);
    sns.store
        .transact(|tx| async move {
            sns.lease.fence(&tx).await?;
            let Some(fan) = place.fan(&tx, *number, id).await? else { return Ok(true) };
            let lives = place.topic(&tx, name).await?.is_some_and(|topic| topic.number == *number);
            let page = if lives {
                let after = fan.after.as_deref().map(|after| (name, after));
                place.list_subscriptions(&tx, Some(name), after, PAGE_MAX).await?
            } else {
                Vec::new()
            };
            for (_, subscription, record) in &page {
                if record.token.is_none() && record.attributes.wants(facts) {
                    // Counted a moment ago: to count within the transaction would have deliveries hold it up.
                    let before = backlogs.iter().find(|(known, _)| known == subscription);
                    let gives_up = before.is_some_and(|(_, backlog)| *backlog >= BACKLOG_MAX);
                    let subscription = Some(subscription.clone());
                    let payload = StepPayload { subscription, gives_up, ..payload.clone() };
                    place.begin(&tx, *number, id, payload.subscription.as_deref().unwrap_or_default());
                    leave_delivery(sns, &tx, topic, &payload, group);
                }
            }
            let next = page.last().filter(|_| page.len() == PAGE_MAX);
            let fan = next.map(|(_, last, _)| FanRecord { after: Some(last.clone()) });
            place.put_fan(&tx, *number, id, fan.as_ref()).await?;
            Ok::<_, Failure>(fan.is_none())
        })
        .await
}
