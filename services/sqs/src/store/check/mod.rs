//! Contradictions between the rows of SQS: what no crash may leave behind. A file for each idea.
//!
//! Everything is walked in its order, a page at a time, so what is in memory does not grow with messages: it is the
//! number and generation of each queue of one account and region, and what is being emptied. Nothing here depends on what
//! time it is: what is due and was not done yet contradicts nothing.

mod groups;
mod left_behind;
mod messages;
mod names;
mod recall;
mod schedule;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::BTreeMap;

use apus_store::fsck::{Check, Checked, Look, Space};
use apus_store::{StoreError, Table};

use self::left_behind::Emptying;
use super::{Cursors, Messages, QueueRecord, SERVICE};
use crate::queue_id::{QueueId, QueueName};

/// The check of SQS.
pub(crate) struct Contradictions;

impl Check for Contradictions {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(check(look))
    }
}

/// A queue that is looked at.
struct Queue {
    id: QueueId,
    record: QueueRecord,
    messages: Messages,
}

impl Queue {
    /// Where a finding about the queue as a whole is.
    fn place(&self) -> String {
        place(&self.id)
    }

    /// Where a finding about one of its messages is.
    fn message(&self, position: u64) -> String {
        format!("message {position} of {}", self.place())
    }
}

fn place(id: &QueueId) -> String {
    format!("queue {}", id.arn())
}

async fn check(look: &mut Look) -> Result<(), StoreError> {
    let emptying = schedule::check(look).await?;
    for space in look.spaces(SERVICE).await? {
        // The schedule's, which belongs to no account.
        if let (Ok(account), Ok(region)) = (space.account.parse(), space.region.parse()) {
            let any = |name: QueueName| QueueId { account, region: Clone::clone(&region), name };
            check_space(look, &space, &any, &emptying).await?;
        }
    }
    Ok(())
}

async fn check_space(
    look: &mut Look,
    space: &Space,
    named: &(impl Fn(QueueName) -> QueueId + Sync),
    emptying: &Emptying,
) -> Result<(), StoreError> {
    let mut live = BTreeMap::new();
    let tx = look.tx();
    let mut records = look.records(Table::<QueueRecord>::new(space.keys.sub(("queue",))));
    while let Some(((name,), record)) = records.next::<(String,)>(look).await? {
        let Ok(name) = name.parse::<QueueName>() else {
            look.finding(format!("queue {name}"), "its name is none");
            continue;
        };
        let id = named(name);
        if live.insert(record.number, record.generation).is_some() {
            look.finding(place(&id), format!("its number {} is another queue's too", record.number));
        }
        let messages = Messages::load(&tx, &id, &record, Cursors::default()).await;
        let Some(messages) = look.sound(messages)? else { continue };
        let queue = Queue { id, record, messages };
        names::check_queue(look, &queue).await?;
        messages::check(look, &queue).await?;
        groups::check(look, &queue).await?;
        recall::check(look, &queue).await?;
        upkeep::check(look, &queue).await?;
    }
    names::check_sources(look, space, named).await?;
    names::check_deleted(look, space, named).await?;
    left_behind::check(look, space, &live, emptying).await
}
