//! Each message has one body and one place, and the tail counts what there is.

use apus_store::StoreError;
use apus_store::fsck::Look;
use apus_time::Timestamp;

use super::super::Inbox;
use super::super::groups::{DELAYED, Groups};
use super::super::messages::{Phase, read_wait};
use super::super::tail::Counts;
use super::Queue;

pub(super) async fn check(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let mut counts = Counts::default();
    let bodies = check_bodies(look, queue).await?;
    check_due(look, queue, &mut counts).await?;
    counts.ready = match &queue.messages.groups {
        None => check_ready(look, queue).await?,
        Some(_) => bodies.saturating_sub(counts.in_flight + counts.delayed),
    };
    let kept = queue.messages.counts();
    if kept != counts {
        look.finding(queue.place(), format!("its tail counts {kept:?}, and there are {counts:?}"));
    }
    check_states(look, queue).await?;
    check_aged(look, queue).await?;
    check_inbox(look, queue).await
}

/// Every body: where its message is. How many there are.
async fn check_bodies(look: &mut Look, queue: &Queue) -> Result<u64, StoreError> {
    let (tx, messages) = (look.tx(), &queue.messages);
    let mut bodies = 0;
    let mut records = look.records(messages.bodies.clone());
    while let Some(((position,), message)) = records.next::<(u64,)>(look).await? {
        bodies += 1;
        let next = messages.tail.now.next;
        if position >= next {
            look.finding(
                queue.message(position),
                format!("the next to be sent is {next}, and would be put over it"),
            );
        }
        let state = messages.delivery(&tx, position).await;
        let Some(state) = look.sound(state)? else { continue };
        let visible_at = state.as_ref().map_or(message.visible_at_micros, |state| state.visible_at_micros);
        let visible_at = Timestamp::from_micros(visible_at);
        let wait = messages.due.get(&tx, visible_at, (position,)).await?;
        let wait = wait.as_deref().map(read_wait);
        let waits_as = if state.is_some() { Phase::InFlight } else { Phase::Delayed };
        if let Some((phase, _)) = wait.filter(|(phase, _)| *phase != waits_as) {
            look.finding(
                queue.message(position),
                format!("it is due as {phase:?}, and its state says {waits_as:?}"),
            );
        }
        let group = message.group.as_deref().filter(|_| messages.groups.is_some());
        if wait.is_some_and(|(_, waiting)| waiting != group) {
            look.finding(queue.message(position), "it is due for another group than its own");
        }
        if state.is_some_and(|state| state.group.as_deref() != group) {
            look.finding(queue.message(position), "it was received of another group than its own");
        }
        let waits_as = wait.map(|(phase, _)| phase);
        match (&messages.groups, group) {
            (None, _) => check_one_place(look, queue, position, waits_as.is_some(), visible_at).await?,
            (Some(groups), Some(group)) => check_line(look, queue, groups, group, position, waits_as).await?,
            (Some(_), None) => {
                look.finding(queue.message(position), "it has no group, and the queue is a FIFO queue");
            }
        }
    }
    Ok(bodies)
}

/// A message of a standard queue is due or ready.
async fn check_one_place(
    look: &mut Look,
    queue: &Queue,
    position: u64,
    due: bool,
    visible_at: Timestamp,
) -> Result<(), StoreError> {
    if queue.messages.ready.contains(&look.tx(), visible_at, (position,)).await? == due {
        let what = if due { "both due and ready" } else { "neither due nor ready" };
        look.finding(queue.message(position), format!("it is {what}, from {visible_at} on"));
    }
    Ok(())
}

/// A message of a FIFO queue is in the line of its group, which says whether it is delayed.
async fn check_line(
    look: &mut Look,
    queue: &Queue,
    groups: &Groups,
    group: &str,
    position: u64,
    waits_as: Option<Phase>,
) -> Result<(), StoreError> {
    let place = look.tx().get(&groups.line.key((group, position))).await?;
    match place.map(|place| place.first() == Some(&DELAYED)) {
        None => look.finding(queue.message(position), format!("it is not in the line of its group {group}")),
        Some(delayed) if delayed != (waits_as == Some(Phase::Delayed)) => {
            let says = if delayed { "delayed" } else { "not delayed" };
            look.finding(queue.message(position), format!("in the line of its group {group} it is {says}"));
        }
        Some(_) => {}
    }
    Ok(())
}

/// Everything that waits: that it has a body, and waits for the right time.
async fn check_due(look: &mut Look, queue: &Queue, counts: &mut Counts) -> Result<(), StoreError> {
    let messages = &queue.messages;
    let mut items = look.items(&messages.due);
    while let Some(item) = items.next().await? {
        match read_wait(&item.value).0 {
            Phase::Delayed => counts.delayed += 1,
            Phase::Ready | Phase::InFlight => counts.in_flight += 1,
        }
        if let Some((position,)) = look.sound(messages.due.item::<(u64,)>(&item))? {
            check_time(look, queue, position, item.due, "due").await?;
        }
    }
    Ok(())
}

/// As [`check_due`], of what is ready on a standard queue. How many there are.
async fn check_ready(look: &mut Look, queue: &Queue) -> Result<u64, StoreError> {
    let messages = &queue.messages;
    let mut ready = 0;
    let mut items = look.items(&messages.ready);
    while let Some(item) = items.next().await? {
        ready += 1;
        if let Some((position,)) = look.sound(messages.ready.item::<(u64,)>(&item))? {
            check_time(look, queue, position, item.due, "ready").await?;
        }
    }
    Ok(ready)
}

async fn check_time(
    look: &mut Look,
    queue: &Queue,
    position: u64,
    at: Timestamp,
    what: &str,
) -> Result<(), StoreError> {
    let tx = look.tx();
    let message = queue.messages.find(&tx, position).await;
    let state = queue.messages.delivery(&tx, position).await;
    let (Some(message), Some(state)) = (look.sound(message)?, look.sound(state)?) else { return Ok(()) };
    let Some(message) = message else {
        look.finding(queue.message(position), format!("it is {what}, and has no body"));
        return Ok(());
    };
    let own = state.map_or(message.visible_at_micros, |state| state.visible_at_micros);
    if own != at.as_micros() {
        let own = Timestamp::from_micros(own);
        look.finding(
            queue.message(position),
            format!("it is {what} from {at} on, and visible from {own} on"),
        );
    }
    Ok(())
}

async fn check_states(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let (tx, messages) = (look.tx(), &queue.messages);
    let mut rows = look.rows(messages.deliveries.range(()));
    while let Some((key, _)) = rows.next().await? {
        let Some((position,)) = look.sound(messages.deliveries.space().unpack::<(u64,)>(&key))? else {
            continue;
        };
        if !messages.bodies.contains(&tx, (position,)).await? {
            look.finding(queue.message(position), "it was received, and has no body");
        }
    }
    Ok(())
}

/// What came from another queue. An entry outlives its message until the queue is looked after.
async fn check_aged(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let (tx, messages) = (look.tx(), &queue.messages);
    let next = messages.tail.now.next;
    let mut items = look.items(&messages.aged);
    while let Some(item) = items.next().await? {
        let Some((position,)) = look.sound(messages.aged.item::<(u64,)>(&item))? else { continue };
        if position >= next {
            look.finding(queue.message(position), format!("it is aged, and the next to be sent is {next}"));
        }
        let message = messages.find(&tx, position).await;
        if let Some(Some(message)) = look.sound(message)?
            && message.sent_at() != item.due
        {
            let (sent_at, aged) = (message.sent_at(), item.due);
            look.finding(
                queue.message(position),
                format!("it is aged as sent at {aged}, and was sent at {sent_at}"),
            );
        }
    }
    Ok(())
}

async fn check_inbox(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    /// Messages in memory at once.
    const PAGE: usize = 32;
    let tx = look.tx();
    let inbox = Inbox::of(&queue.id, &queue.record);
    let tail = inbox.tail(&tx).await?;
    let mut from = 0;
    loop {
        let page = inbox.peek(&tx, from, PAGE).await;
        let Some(page) = look.sound(page)? else { return Ok(()) };
        for (at, _) in &page {
            if *at >= tail {
                let detail = format!(
                    "what arrived at {at} is behind the end of its inbox, {tail}, and would be put over"
                );
                look.finding(queue.place(), detail);
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = last + 1,
            _ => return Ok(()),
        }
    }
}
