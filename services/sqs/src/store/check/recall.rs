//! What a FIFO queue remembers is scheduled to be forgotten.
//!
//! An entry to forget what is forgotten already contradicts nothing: it goes in its time.

use apus_store::StoreError;
use apus_store::fsck::Look;
use apus_time::Timestamp;

use super::super::Recall;
use super::super::recall::{ATTEMPT, DEDUP};
use super::Queue;

pub(super) async fn check(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let recall = Recall::of(&queue.id, &queue.record);
    check_dedups(look, queue, &recall).await?;
    check_attempts(look, queue, &recall).await?;
    check_forget(look, queue, &recall).await
}

async fn check_dedups(look: &mut Look, queue: &Queue, recall: &Recall) -> Result<(), StoreError> {
    let tx = look.tx();
    let mut records = look.records(recall.dedups.clone());
    while let Some(((scope, id), record)) = records.next::<(String, String)>(look).await? {
        let until = Timestamp::from_micros(record.until_micros);
        if !recall.forget.contains(&tx, until, (DEDUP, scope.as_str(), id.as_str())).await? {
            look.finding(queue.place(), format!("it remembers the deduplication id {id} for ever"));
        }
        check_position(look, queue, record.position, &format!("the deduplication id {id}"));
    }
    Ok(())
}

async fn check_attempts(look: &mut Look, queue: &Queue, recall: &Recall) -> Result<(), StoreError> {
    let tx = look.tx();
    let mut records = look.records(recall.attempts.clone());
    while let Some(((id,), record)) = records.next::<(String,)>(look).await? {
        let until = Timestamp::from_micros(record.until_micros);
        if !recall.forget.contains(&tx, until, (ATTEMPT, "", id.as_str())).await? {
            look.finding(queue.place(), format!("it remembers the receive attempt {id} for ever"));
        }
        for (position, _) in record.messages {
            check_position(look, queue, position, &format!("the receive attempt {id}"));
        }
    }
    Ok(())
}

/// What is remembered is of a message that was sent.
fn check_position(look: &mut Look, queue: &Queue, position: u64, what: &str) {
    let next = queue.messages.tail.now.next;
    if position >= next {
        look.finding(queue.message(position), format!("{what} is of it, and the next to be sent is {next}"));
    }
}

async fn check_forget(look: &mut Look, queue: &Queue, recall: &Recall) -> Result<(), StoreError> {
    let tx = look.tx();
    let mut items = look.items(&recall.forget);
    while let Some(item) = items.next().await? {
        let Some((kind, scope, id)) = look.sound(recall.forget.item::<(u64, String, String)>(&item))? else {
            continue;
        };
        let until = if kind == DEDUP {
            let record = recall.dedups.get(&tx, (scope.as_str(), id.as_str())).await;
            look.sound(record)?.flatten().map(|record| record.until_micros)
        } else {
            let record = recall.attempts.get(&tx, (id.as_str(),)).await;
            look.sound(record)?.flatten().map(|record| record.until_micros)
        };
        if until.is_some_and(|until| until < item.due.as_micros()) {
            look.finding(
                queue.place(),
                format!("{id} is to be forgotten at {}, later than it is remembered", item.due),
            );
        }
    }
    Ok(())
}
