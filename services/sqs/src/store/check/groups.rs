//! The groups of a FIFO queue: each counts its line, and is ready if and only if it may be received from.

use apus_store::StoreError;
use apus_store::fsck::Look;
use apus_time::Timestamp;

use super::super::generation;
use super::super::groups::{DELAYED, GroupRecord, Groups};
use super::super::messages::text;
use super::Queue;

pub(super) async fn check(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let Some(groups) = &queue.messages.groups else { return check_none(look, queue).await };
    let tx = look.tx();
    let mut records = look.records(groups.records.clone());
    while let Some(((group,), record)) = records.next::<(String,)>(look).await? {
        check_group(look, queue, groups, &group, &record).await?;
    }
    let mut rest = groups.line.all();
    while let Some((group,)) = look.next_beginning::<(String,)>(&groups.line, &rest).await? {
        if !groups.records.contains(&tx, (group.as_str(),)).await? {
            look.finding(place(queue, &group), "it has messages in line, and is not there itself");
        }
        rest = rest.behind(&groups.line.key((group.as_str(),)));
    }
    let mut items = look.items(&queue.messages.ready);
    while let Some(item) = items.next().await? {
        let Some((first,)) = look.sound(queue.messages.ready.item::<(u64,)>(&item))? else { continue };
        let group = text(&item.value);
        let record = groups.get(&tx, group).await;
        if look.sound(record)?.is_some_and(|record| record.ready_key() != Some((item.due, first))) {
            look.finding(
                place(queue, group),
                format!("it is ready since {} at {first}, and does not say so", item.due),
            );
        }
    }
    Ok(())
}

fn place(queue: &Queue, group: &str) -> String {
    format!("group {group} of {}", queue.place())
}

async fn check_group(
    look: &mut Look,
    queue: &Queue,
    groups: &Groups,
    group: &str,
    record: &GroupRecord,
) -> Result<(), StoreError> {
    let (tx, messages) = (look.tx(), &queue.messages);
    let (mut in_line, mut in_flight, mut first) = (0, 0, None);
    let mut rows = look.rows(groups.line.range((group,)));
    while let Some((key, value)) = rows.next().await? {
        let Some((_, position)) = look.sound(groups.line.unpack::<(String, u64)>(&key))? else { continue };
        in_line += 1;
        first = first.or(Some((position, value.first() == Some(&DELAYED))));
        let message = messages.find(&tx, position).await;
        match look.sound(message)? {
            Some(None) => look
                .finding(queue.message(position), format!("it is in the line of {group}, and has no body")),
            Some(Some(message)) if message.group.as_deref() != Some(group) => {
                look.finding(
                    queue.message(position),
                    format!("it is in the line of {group}, which is not its group"),
                );
            }
            _ => {}
        }
        let state = messages.delivery(&tx, position).await;
        if let Some(Some(state)) = look.sound(state)?
            && messages.due.contains(&tx, state.visible_at(), (position,)).await?
        {
            in_flight += 1;
        }
    }
    if (record.messages, record.in_flight) != (in_line, in_flight) {
        let GroupRecord { messages, in_flight: flying, .. } = record;
        let detail = format!(
            "it counts {messages} messages, {flying} in flight, and there are {in_line} and {in_flight}"
        );
        look.finding(place(queue, group), detail);
    }
    let may = first.filter(|(_, delayed)| in_flight == 0 && !delayed).map(|(first, _)| first);
    let says = record.ready_key();
    if says.map(|(_, first)| first) != may {
        let detail = format!("it is ready at {:?}, and may be at {may:?}", says.map(|(_, first)| first));
        look.finding(place(queue, group), detail);
    }
    if let Some((since, first)) = says {
        check_ready(look, queue, group, since, first).await?;
    }
    Ok(())
}

async fn check_ready(
    look: &mut Look,
    queue: &Queue,
    group: &str,
    since: Timestamp,
    first: u64,
) -> Result<(), StoreError> {
    let ready = queue.messages.ready.get(&look.tx(), since, (first,)).await?;
    if ready.as_deref() != Some(group.as_bytes()) {
        look.finding(place(queue, group), "it says that it is ready, and is not among the ready ones");
    }
    Ok(())
}

/// A standard queue has no groups.
async fn check_none(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let space = generation(&queue.id, queue.record.number, queue.record.generation);
    for part in ["group", "line"] {
        if look.rows(space.range((part,))).next().await?.is_some() {
            look.finding(queue.place(), format!("it is a standard queue, and has rows under \"{part}\""));
        }
    }
    Ok(())
}
