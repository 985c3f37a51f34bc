//! What a receipt handle is good for: deleting its message, and changing until when it is invisible.

use std::time::Duration;

use apus_store::StoreError;

use super::step::Work;
use crate::errors::JobError;
use crate::receipt::Receipt;
use crate::store::{DeliveryRecord, Phase};

/// The longest that a message is invisible after one receive, whatever is changed meanwhile.
const INVISIBLE_MAX: Duration = Duration::from_hours(12);

impl Work<'_> {
    /// Deletes messages by the handles of their latest receives. A standard queue lets older handles succeed and deletes
    /// nothing; a FIFO queue refuses them, and those whose timeout is over.
    pub(super) async fn delete(
        &mut self,
        receipts: &[Receipt],
    ) -> Result<Vec<Result<(), JobError>>, StoreError> {
        let fifo = self.queue.attributes.fifo.is_some();
        let mut answers = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            if receipt.queue != self.queue.number {
                answers.push(Err(JobError::ForeignReceipt));
                continue;
            }
            let Some(delivery) = self.messages.delivery(self.tx, receipt.position).await? else {
                answers.push(Ok(()));
                continue;
            };
            let (position, visible_at) = (receipt.position, delivery.visible_at());
            let phase = self.messages.phase(self.tx, position, visible_at, true).await?;
            let is_latest = delivery.nonce == receipt.nonce;
            if fifo && (!is_latest || phase != Phase::InFlight) {
                answers.push(Err(JobError::ReceiptExpired));
                continue;
            }
            if is_latest {
                let group = delivery.group.as_deref();
                self.messages.take_away(self.tx, position, phase, visible_at, group).await?;
            }
            answers.push(Ok(()));
        }
        Ok(answers)
    }

    /// Makes messages in flight invisible for so long from now on.
    pub(super) async fn hide(
        &mut self,
        changes: &[(Receipt, Duration)],
    ) -> Result<Vec<Result<(), JobError>>, StoreError> {
        let mut answers = Vec::with_capacity(changes.len());
        for (receipt, timeout) in changes {
            answers.push(self.hide_one(*receipt, *timeout).await?);
        }
        Ok(answers)
    }

    async fn hide_one(
        &mut self,
        receipt: Receipt,
        timeout: Duration,
    ) -> Result<Result<(), JobError>, StoreError> {
        if receipt.queue != self.queue.number {
            return Ok(Err(JobError::ForeignReceipt));
        }
        let position = receipt.position;
        let Some(before) = self.messages.delivery(self.tx, position).await? else {
            return Ok(Err(JobError::NoSuchMessage));
        };
        let phase = self.messages.phase(self.tx, position, before.visible_at(), true).await?;
        if phase != Phase::InFlight || before.nonce != receipt.nonce {
            return Ok(Err(JobError::NotInFlight));
        }
        let now = self.messages.now;
        let visible_at = now + timeout;
        let received_at = apus_time::Timestamp::from_micros(before.received_at_micros);
        if visible_at > received_at + INVISIBLE_MAX {
            return Ok(Err(JobError::InvisibleTooLong(timeout)));
        }
        let after = DeliveryRecord { visible_at_micros: visible_at.as_micros(), ..before.clone() };
        self.messages.extend(self.tx, position, &before, &after);
        Ok(Ok(()))
    }
}
