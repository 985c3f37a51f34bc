//! A queue that will need to be looked after is, in time.

use apus_store::StoreError;
use apus_store::fsck::Look;
use apus_time::Timestamp;

use super::super::moves::TASKS_MAX;
use super::super::{MoveStatus, Moves, Recall, Schedule, Task};
use super::Queue;

pub(super) async fn check(look: &mut Look, queue: &Queue) -> Result<(), StoreError> {
    let (tx, messages) = (look.tx(), &queue.messages);
    let planned = messages.upkeep_at();
    if let Some(at) = planned
        && !Schedule::new().has(&tx, at, &Task::Tend(queue.id.clone())).await?
    {
        look.finding(
            queue.place(),
            format!("it is to be looked after at {at}, and the schedule does not know"),
        );
    }
    let is_late = |at: Timestamp| planned.is_none_or(|planned| planned > at);
    let mut bodies = look.rows(messages.bodies.range(()));
    let has_messages = bodies.next().await?.is_some() || look.items(&messages.aged).next().await?.is_some();
    if has_messages && planned.is_none() {
        look.finding(queue.place(), "it has messages, and nobody will look when they expire");
    }
    if let Some(first) = look.items(&Recall::of(&queue.id, &queue.record).forget).next().await?
        && is_late(first.due)
    {
        let at = first.due;
        look.finding(
            queue.place(),
            format!("what it remembers is to be forgotten at {at}, and nobody will look then"),
        );
    }
    let tasks = Moves::of(&queue.id, &queue.record).list(&tx).await;
    let Some(tasks) = look.sound(tasks)? else { return Ok(()) };
    if tasks.len() > TASKS_MAX {
        look.finding(queue.place(), format!("it keeps more than {TASKS_MAX} message move tasks"));
    }
    for (at, (number, task)) in tasks.iter().enumerate() {
        if task.status != MoveStatus::Running {
            continue;
        }
        if at > 0 {
            look.finding(queue.place(), format!("message move task {number} is under way, and not the last"));
        }
        let resumes_at = Timestamp::from_micros(task.resumes_at_micros);
        if is_late(resumes_at) {
            let detail =
                format!("message move task {number} goes on at {resumes_at}, and nobody will look then");
            look.finding(queue.place(), detail);
        }
    }
    Ok(())
}
