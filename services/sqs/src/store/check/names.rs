//! What goes by names: who sends its dead where, and which names rest.

use apus_store::fsck::{Look, Space};
use apus_store::{StoreError, Table};
use apus_time::Timestamp;

use super::super::{DeletedRecord, Schedule, Task, queue, sources};
use super::{Queue, place};
use crate::queue::NAME_RESTS;
use crate::queue_id::{QueueId, QueueName};

pub(super) async fn check_queue(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let attributes = &queue.record.attributes;
    if attributes.fifo.is_some() != queue.id.name.is_fifo() {
        look.finding(queue.place(), "its name and its record differ in whether it is a FIFO queue");
    }
    let Some(policy) = &attributes.redrive else { return Ok(()) };
    let Some(target) = policy.target() else {
        look.finding(
            queue.place(),
            format!("it sends its dead to {}, which names no queue", policy.target_arn),
        );
        return Ok(());
    };
    if look.tx().get(&sources(&target).key((queue.id.name.as_str(),))).await?.is_none() {
        let target = target.arn();
        look.finding(
            queue.place(),
            format!("it sends its dead to {target}, and is not among the sources of that"),
        );
    }
    Ok(())
}

/// Every source sends its dead to the queue that has it so.
pub(super) async fn check_sources(
    look: &mut Look,
    space: &Space,
    named: impl Fn(QueueName) -> QueueId,
) -> Result<(), StoreError> {
    let (tx, sources) = (look.tx(), space.keys.sub(("source",)));
    let mut rows = look.rows(sources.all());
    while let Some((key, _)) = rows.next().await? {
        let Some((dead, source)) = look.sound(sources.unpack::<(String, String)>(&key))? else { continue };
        let (Ok(dead), Ok(source)) = (dead.parse(), source.parse()) else {
            look.finding(format!("{key:?}"), "it names no queues");
            continue;
        };
        let (dead, source) = (named(dead), named(source));
        let record = queue(&tx, &source).await;
        let Some(record) = look.sound(record)? else { continue };
        if record.and_then(|record| record.attributes.redrive?.target()).as_ref() != Some(&dead) {
            let source = source.arn();
            look.finding(
                place(&dead),
                format!("{source} is among its sources, and does not send its dead to it"),
            );
        }
    }
    Ok(())
}

/// Every name that rests is scheduled to be free again.
pub(super) async fn check_deleted(
    look: &mut Look,
    space: &Space,
    named: impl Fn(QueueName) -> QueueId,
) -> Result<(), StoreError> {
    let (tx, table) = (look.tx(), Table::<DeletedRecord>::new(space.keys.sub(("deleted",))));
    let mut records = look.records(table);
    while let Some(((name,), record)) = records.next::<(String,)>(look).await? {
        let Ok(name) = name.parse() else {
            look.finding(format!("queue {name}"), "it was deleted, and has a name that is none");
            continue;
        };
        let id = named(name);
        let free_at = Timestamp::from_micros(record.at_micros) + NAME_RESTS;
        if !Schedule::new().has(&tx, free_at, &Task::ForgetDeleted(id.clone())).await? {
            look.finding(
                place(&id),
                format!("its name rests until {free_at}, and the schedule does not know"),
            );
        }
    }
    Ok(())
}
