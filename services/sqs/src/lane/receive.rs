//! Receiving: hands ready messages to the wishes, in their order. On the way, what is past its retention goes, and
//! what was received too often goes to the dead-letter queue.

use std::collections::VecDeque;

use apus_store::StoreError;

use super::step::Work;
use super::{Received, Wish};
use crate::errors::JobError;
use crate::receipt::Receipt;
use crate::store::{Arrival, Candidate, DeliveryRecord, Inbox, Phase, Recall, queue};

/// The most messages of a queue that are in flight.
pub(crate) const IN_FLIGHT_MAX: u64 = 120_000;
/// The most messages that are looked up at once.
const READY_MAX: usize = 1_000;
/// The most messages that expire or die in one step; the rest waits for the next.
const DROPPED_MAX: usize = 1_000;
/// The most bytes of dead letters in one step.
const DEAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much was dropped on the way.
#[derive(Default)]
struct Dropped {
    messages: usize,
    bytes: usize,
}

impl Dropped {
    fn is_enough(&self) -> bool {
        self.messages >= DROPPED_MAX || self.bytes >= DEAD_BYTES_MAX
    }
}

impl Work<'_> {
    pub(super) async fn receive(
        &mut self,
        wishes: &[Wish],
    ) -> Result<Vec<Result<Vec<Received>, JobError>>, StoreError> {
        let fifo = self.queue.attributes.fifo.is_some();
        let mut wanted: usize = wishes.iter().map(|wish| wish.limit).sum();
        let (mut candidates, mut none_left, mut dropped) = (VecDeque::new(), false, Dropped::default());
        let mut answers = Vec::with_capacity(wishes.len());
        for wish in wishes {
            if let Some(again) = self.receive_again(wish).await? {
                answers.push(Ok(again));
                continue;
            }
            if fifo {
                // What the wish before has left is of a group that it has locked.
                candidates.clear();
            }
            let mut got = Vec::new();
            let mut over_limit = false;
            while got.len() < wish.limit && !none_left && !dropped.is_enough() {
                if self.messages.counts().in_flight >= IN_FLIGHT_MAX {
                    over_limit = true;
                    break;
                }
                if candidates.is_empty() {
                    let limit = if fifo { wish.limit - got.len() } else { wanted.clamp(1, READY_MAX) };
                    candidates = self.messages.receivable(self.tx, limit).await?.into();
                }
                let Some(candidate) = candidates.pop_front() else {
                    none_left = true;
                    break;
                };
                got.extend(self.hand_out(&candidate, wish, &mut dropped).await?);
            }
            wanted -= wish.limit;
            self.remember(wish, &got);
            // FIFO queues and long polls are told nothing of the limit ("quotas related to messages").
            let refused = over_limit && got.is_empty() && !fifo && wish.deadline.is_none();
            answers.push(if refused { Err(JobError::TooManyInFlight) } else { Ok(got) });
        }
        self.unfinished |= dropped.is_enough();
        Ok(answers)
    }

    /// Hands a candidate out, unless its time is over or it was received too often.
    async fn hand_out(
        &mut self,
        candidate: &Candidate,
        wish: &Wish,
        dropped: &mut Dropped,
    ) -> Result<Option<Received>, StoreError> {
        let (tx, now, position) = (self.tx, self.messages.now, candidate.position);
        let attributes = &self.queue.attributes;
        let mut message = self.messages.body(tx, position).await?;
        if message.sent_at() + attributes.retention() <= now {
            self.messages.remove(tx, candidate).await?;
            dropped.messages += 1;
            return Ok(None);
        }
        let before = self.messages.delivery(tx, position).await?;
        if let Some(policy) = &attributes.redrive
            && before.as_ref().is_some_and(|before| before.receives >= policy.max_receive_count)
            && let Some(target) = policy.target()
            // Where there is no such queue any more, the message stays with this one.
            && let Some(record) = queue(tx, &target).await?
        {
            self.messages.remove(tx, candidate).await?;
            dropped.messages += 1;
            dropped.bytes += message.bytes();
            message.dead_letter_source = Some(self.id.arn().to_string());
            Inbox::of(&target, &record).leave(tx, &Arrival { message });
            self.left_for.insert(target);
            return Ok(None);
        }
        let timeout = wish.visibility_timeout.unwrap_or(attributes.visibility_timeout());
        let group = candidate.group.clone();
        let delivery = DeliveryRecord::next(before.as_ref(), group, now, timeout, self.env.random_u64());
        self.messages.deliver(tx, candidate, &delivery).await?;
        let receipt = Receipt { queue: self.queue.number, position, nonce: delivery.nonce };
        Ok(Some(Received { message, delivery, receipt }))
    }

    /// What the same attempt was given before, if all of it is still in flight; it is hidden anew.
    async fn receive_again(&mut self, wish: &Wish) -> Result<Option<Vec<Received>>, StoreError> {
        let Some(attempt) = &wish.attempt else { return Ok(None) };
        let recall = Recall::of(self.id, self.queue);
        let Some(record) = recall.received(self.tx, attempt).await? else { return Ok(None) };
        let mut again = Vec::with_capacity(record.messages.len());
        for (position, nonce) in record.messages {
            let Some(before) = self.messages.delivery(self.tx, position).await? else { return Ok(None) };
            let phase = self.messages.phase(self.tx, position, before.visible_at(), true).await?;
            if before.nonce != nonce || phase != Phase::InFlight {
                return Ok(None);
            }
            again.push((position, before));
        }
        let timeout = wish.visibility_timeout.unwrap_or(self.queue.attributes.visibility_timeout());
        let mut received = Vec::with_capacity(again.len());
        for (position, before) in again {
            let visible_at_micros = (self.messages.now + timeout).as_micros();
            let delivery = DeliveryRecord { visible_at_micros, ..before.clone() };
            self.messages.extend(self.tx, position, &before, &delivery);
            let message = self.messages.body(self.tx, position).await?;
            let receipt = Receipt { queue: self.queue.number, position, nonce: delivery.nonce };
            received.push(Received { message, delivery, receipt });
        }
        Ok(Some(received))
    }

    fn remember(&mut self, wish: &Wish, got: &[Received]) {
        if let Some(attempt) = &wish.attempt
            && !got.is_empty()
        {
            let given = got.iter().map(|one| (one.receipt.position, one.receipt.nonce)).collect();
            let until = Recall::of(self.id, self.queue).remember_received(self.tx, attempt, given);
            self.messages.need_upkeep(self.tx, until);
        }
    }
}
