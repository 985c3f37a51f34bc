//! Every entry of the schedule has something to do, and nothing that it must not.

use apus_store::StoreError;
use apus_store::fsck::Look;
use apus_time::Timestamp;

use super::super::schedule::read;
use super::super::tail::Tail;
use super::super::{Schedule, Task, deleted_at, own, queue};
use super::left_behind::Emptying;
use super::place;
use crate::queue::NAME_RESTS;
use crate::queue_id::QueueId;

/// Looks through the schedule; what it will empty.
pub(super) async fn check(look: &mut Look) -> Result<Emptying, StoreError> {
    let (schedule, mut emptying) = (Schedule::new(), Emptying::default());
    let mut items = look.items(&schedule.entries);
    while let Some(item) = items.next().await? {
        let Some(task) = look.sound(read(&item))? else { continue };
        if look.sound(schedule.is_in_place(&item, &task))? == Some(false) {
            look.finding(format!("{:?}", item.key), format!("its key and its content differ: {task:?}"));
        }
        match task {
            Task::Tend(id) => check_tend(look, &id, item.due).await?,
            Task::ForgetDeleted(id) => {
                let at = deleted_at(&look.tx(), &id).await;
                if look.sound(at)?.is_some_and(|at| at.is_none_or(|at| at + NAME_RESTS < item.due)) {
                    look.finding(
                        place(&id),
                        format!("the schedule has its name rest until {}, and it does not", item.due),
                    );
                }
            }
            Task::Empty { id, number, generation, whole } => {
                let record = queue(&look.tx(), &id).await;
                if let Some(Some(record)) = look.sound(record)?
                    && record.number == number
                    && (whole || record.generation <= generation)
                {
                    look.finding(
                        place(&id),
                        format!("generation {generation} is to be emptied, and it is in use"),
                    );
                }
                emptying.add(&id, number, generation, whole);
            }
        }
    }
    Ok(emptying)
}

async fn check_tend(look: &mut Look, id: &QueueId, at: Timestamp) -> Result<(), StoreError> {
    let record = queue(&look.tx(), id).await;
    let Some(record) = look.sound(record)? else { return Ok(()) };
    let Some(record) = record else {
        look.finding(place(id), format!("it is to be looked after at {at}, and is not there"));
        return Ok(());
    };
    let tail = Tail::load(&look.tx(), &own(id, record.number)).await;
    let Some(tail) = look.sound(tail)? else { return Ok(()) };
    if tail.upkeep_at() != Some(at) {
        let planned = tail.upkeep_at().map_or_else(|| "never".to_owned(), |at| at.to_string());
        look.finding(
            place(id),
            format!("the schedule has it looked after at {at}, and its tail says {planned}"),
        );
    }
    Ok(())
}
