//! Taking in what other lanes have left for this queue.

use apus_store::StoreError;

use super::step::Work;
use crate::store::Inbox;

/// The most messages that are taken in by one step.
const TAKEN_MAX: usize = 100;
/// Once so many bytes are taken in, the rest waits for the next step.
const TAKEN_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Work<'_> {
    pub(super) async fn take_in(&mut self) -> Result<(), StoreError> {
        let inbox = Inbox::of(self.id, self.queue);
        let arrivals = inbox.peek(self.tx, self.messages.cursors.inbox_from, TAKEN_MAX).await?;
        let mut is_empty = arrivals.len() < TAKEN_MAX;
        let mut bytes = 0;
        for (at, arrival) in arrivals {
            if bytes >= TAKEN_BYTES_MAX {
                is_empty = false;
                break;
            }
            let mut message = arrival.message;
            bytes += message.bytes();
            message.visible_at_micros = self.messages.now.as_micros();
            if self.queue.attributes.fifo.is_some() {
                // Only a standard queue counts a dead letter's age from its first sending ("dead-letter queues and
                // message retention").
                message.sent_at_micros = self.messages.now.as_micros();
            }
            self.messages.put_aged(self.tx, message).await?;
            inbox.remove(self.tx, at);
            self.messages.cursors.inbox_from = at + 1;
        }
        self.messages.cursors.inbox_is_empty = is_empty;
        if !is_empty {
            self.unfinished = true;
            // Whether somebody waits or not: the rest is taken in at once.
            self.messages.need_upkeep(self.tx, self.messages.now);
        }
        Ok(())
    }
}
