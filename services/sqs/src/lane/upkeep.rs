//! Looking after a queue: what is past its retention goes, what is remembered too long is forgotten, a message move task
//! goes on. Called by the schedule, and only when there is something to do.

use std::time::Duration;

use apus_store::StoreError;
use apus_time::Timestamp;

use super::step::Work;
use crate::queue_id::QueueId;
use crate::store::{Arrival, DeliveryRecord, Inbox, MoveRecord, MoveStatus, Moves, Recall, queue};

/// The most messages that are looked at in one step: their bodies are read.
const EXPIRED_MAX: usize = 100;
/// The most that is forgotten in one step.
const FORGOTTEN_MAX: usize = 1_000;
/// The most messages that a task moves in one step, and in a second if it is told no other rate.
const MOVED_MAX: usize = 100;
/// The most bytes that a task moves in one step.
const MOVED_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Work<'_> {
    pub(super) async fn tend(&mut self) -> Result<(), StoreError> {
        if self.messages.upkeep_at().is_none_or(|at| at > self.messages.now) {
            return Ok(());
        }
        let needs = [
            self.expire().await?,
            self.forget().await?,
            self.go_on_moving().await?,
            (!self.messages.cursors.inbox_is_empty).then_some(self.messages.now),
        ];
        self.messages.plan_upkeep(self.tx, needs.into_iter().flatten().min());
        Ok(())
    }

    /// Deletes what is past its retention; when the next is.
    async fn expire(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let (now, retention) = (self.messages.now, self.queue.attributes.retention());
        let mut next: Option<Timestamp> = None;
        for old in self.messages.oldest(self.tx, EXPIRED_MAX).await? {
            let expires_at = old.message.as_ref().map(|message| message.sent_at() + retention);
            if let Some(expires_at) = expires_at.filter(|at| *at > now) {
                next = Some(next.map_or(expires_at, |next| next.min(expires_at)));
                continue;
            }
            if let Some(sent_at) = old.aged {
                self.messages.forget_aged(self.tx, old.position, sent_at);
            }
            if let Some(message) = old.message {
                let delivery = self.messages.delivery(self.tx, old.position).await?;
                let own = Timestamp::from_micros(message.visible_at_micros);
                let visible_at = delivery.as_ref().map_or(own, DeliveryRecord::visible_at);
                let received = delivery.is_some();
                let phase = self.messages.phase(self.tx, old.position, visible_at, received).await?;
                let group = message.group.as_deref();
                self.messages.take_away(self.tx, old.position, phase, visible_at, group).await?;
            }
            // Behind what went there may be more.
            next = Some(now);
        }
        Ok(next)
    }

    async fn forget(&mut self) -> Result<Option<Timestamp>, StoreError> {
        if self.queue.attributes.fifo.is_none() {
            return Ok(None);
        }
        Recall::of(self.id, self.queue).forget(self.tx, FORGOTTEN_MAX).await
    }

    /// Moves some messages for the task under way; when it goes on.
    async fn go_on_moving(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let moves = Moves::of(self.id, self.queue);
        let Some((number, mut task)) = moves.running(self.tx).await? else { return Ok(None) };
        // The queue may be looked after for another reason meanwhile.
        if task.resumes_at_micros <= self.messages.now.as_micros() {
            let moved_before = task.moved;
            self.move_some(&mut task).await?;
            let moved = task.moved - moved_before;
            let pause = task.per_second_max.map_or(0, |rate| moved * 1_000_000 / u64::from(rate.max(1)));
            task.resumes_at_micros = (self.messages.now + Duration::from_micros(pause)).as_micros();
            moves.put(self.tx, number, &task);
        }
        let resumes_at = Timestamp::from_micros(task.resumes_at_micros);
        Ok((task.status == MoveStatus::Running).then_some(resumes_at))
    }

    async fn move_some(&mut self, task: &mut MoveRecord) -> Result<(), StoreError> {
        let rate = task.per_second_max.map_or(MOVED_MAX, |rate| rate as usize);
        let left = usize::try_from(task.to_move.saturating_sub(task.moved)).unwrap_or(MOVED_MAX);
        let limit = rate.min(MOVED_MAX).min(left);
        let candidates =
            if limit == 0 { Vec::new() } else { self.messages.receivable(self.tx, limit).await? };
        if candidates.is_empty() {
            task.status = MoveStatus::Completed;
            return Ok(());
        }
        let mut bytes = 0;
        for candidate in candidates {
            if bytes >= MOVED_BYTES_MAX {
                break;
            }
            let mut message = self.messages.body(self.tx, candidate.position).await?;
            let destination = task.destination.as_ref().or(message.dead_letter_source.as_ref());
            let destination = destination.and_then(|arn| QueueId::from_arn(arn));
            let record = match &destination {
                Some(destination) => queue(self.tx, destination).await?,
                None => None,
            };
            let (Some(destination), Some(record)) = (destination, record) else {
                task.status = MoveStatus::Failed;
                task.failure = Some(
                    if message.dead_letter_source.is_none() && task.destination.is_none() {
                        "CouldNotDetermineMessageSource"
                    } else {
                        "AWS.SimpleQueueService.NonExistentQueue"
                    }
                    .to_owned(),
                );
                return Ok(());
            };
            self.messages.remove(self.tx, &candidate).await?;
            bytes += message.bytes();
            // A redriven message counts as new ("dead-letter queue redrive").
            message.id = self.env.uuid_v4();
            message.sent_at_micros = self.messages.now.as_micros();
            message.dead_letter_source = None;
            Inbox::of(&destination, &record).leave(self.tx, &Arrival { message });
            self.left_for.insert(destination);
            task.moved += 1;
        }
        Ok(())
    }
}
