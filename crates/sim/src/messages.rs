//! What the queues owe: every acknowledged message until its deletion is acknowledged, as it was sent, and to
//! one receiver at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::register::Tick;

/// Every message ever sent, by its number.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    by_token: BTreeMap<u64, Message>,
}

#[derive(Debug)]
struct Message {
    queue: String,
    state: State,
    /// The id that SQS gave it, once known.
    id: Option<String>,
    receives: Vec<Receive>,
    /// A deletion was asked for, and whether it happened is not known.
    maybe_deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No answer yet: it may be there.
    Unknown,
    /// Acknowledged.
    There,
    /// Its deletion was acknowledged then, or it was found never to have been.
    GoneSince(Tick),
}

/// A receive, as its receiver knows it: it happened between those moments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Receive {
    pub(crate) began: Tick,
    pub(crate) earliest: Duration,
    pub(crate) latest: Duration,
    pub(crate) visibility: Duration,
}

impl Receive {
    /// Whether one may have happened when the other's time was over.
    fn may_both_be(&self, other: &Self) -> bool {
        other.latest >= self.earliest + self.visibility || self.latest >= other.earliest + other.visibility
    }
}

impl Messages {
    /// A message is being sent.
    pub(crate) fn sending(&mut self, token: u64, queue: &str) {
        let message = Message {
            queue: queue.to_owned(),
            state: State::Unknown,
            id: None,
            receives: Vec::new(),
            maybe_deleted: false,
        };
        self.by_token.insert(token, message);
    }

    /// It was acknowledged.
    pub(crate) fn sent(&mut self, token: u64, id: &str) -> Result<(), String> {
        let Some(message) = self.by_token.get_mut(&token) else { return Ok(()) };
        if message.state == State::Unknown {
            message.state = State::There;
        }
        message.is_called(token, id)
    }

    /// It was refused.
    pub(crate) fn refused(&mut self, token: u64, at: Tick) {
        if let Some(message) = self.by_token.get_mut(&token) {
            message.state = State::GoneSince(at);
        }
    }

    /// It was received.
    pub(crate) fn received(
        &mut self,
        token: u64,
        queue: &str,
        id: &str,
        receive: Receive,
    ) -> Result<(), String> {
        let Some(message) = self.by_token.get_mut(&token) else {
            return Err(format!("{queue}: received {token:x}, which nobody sent"));
        };
        if message.queue != queue {
            return Err(format!("{queue}: received {token:x} of {}", message.queue));
        }
        if let State::GoneSince(since) = message.state
            && since < receive.began
        {
            return Err(format!("{queue}: received {token:x}, which was gone since {since}"));
        }
        if let Some(other) = message.receives.iter().find(|other| !other.may_both_be(&receive)) {
            return Err(format!("{queue}: received {token:x} twice at once: {other:?}, {receive:?}"));
        }
        message.receives.push(receive);
        message.is_called(token, id)
    }

    /// Its deletion is asked for.
    pub(crate) fn deleting(&mut self, token: u64) {
        if let Some(message) = self.by_token.get_mut(&token) {
            message.maybe_deleted = true;
        }
    }

    /// Its deletion was acknowledged, by the handle of its latest receive.
    pub(crate) fn deleted(&mut self, token: u64, at: Tick) {
        if let Some(message) = self.by_token.get_mut(&token) {
            message.state = State::GoneSince(at);
        }
    }

    /// A queue was read to its end while nothing else happened, and that is what it holds.
    pub(crate) fn drained(&mut self, queue: &str, seen: &BTreeSet<u64>, at: Tick) -> Vec<String> {
        let mut violations = Vec::new();
        for (token, message) in self.by_token.iter_mut().filter(|(_, message)| message.queue == queue) {
            let gone = matches!(message.state, State::GoneSince(_));
            if seen.contains(token) && !gone {
                message.state = State::There;
            } else if !gone {
                if message.state == State::There && !message.maybe_deleted {
                    violations.push(format!("{queue}: {token:x} was acknowledged and is not there"));
                }
                message.state = State::GoneSince(at);
            }
            message.maybe_deleted = false;
            if gone {
                message.receives.clear();
            }
        }
        violations
    }

    /// How many messages are still owed for sure.
    pub(crate) fn owed(&self) -> usize {
        self.by_token.values().filter(|message| message.state == State::There).count()
    }
}

impl Message {
    fn is_called(&mut self, token: u64, id: &str) -> Result<(), String> {
        let known = self.id.get_or_insert_with(|| id.to_owned());
        if known == id { Ok(()) } else { Err(format!("{token:x} is called {id}, and was {known}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(began: Tick, earliest: u64, latest: u64) -> Receive {
        let secs = Duration::from_secs;
        Receive { began, earliest: secs(earliest), latest: secs(latest), visibility: secs(5) }
    }

    #[test]
    fn a_message_is_owed_until_its_deletion_and_not_after() {
        let mut messages = Messages::default();
        messages.sending(1, "q");
        messages.sending(2, "q");
        messages.sent(1, "one").expect("a first name");
        assert_eq!(messages.drained("q", &BTreeSet::from([1]), 3).len(), 0, "2 was never acknowledged");
        assert!(messages.received(2, "q", "two", receive(4, 0, 0)).is_err(), "2 never was");
        assert!(messages.received(1, "q", "other", receive(4, 0, 0)).is_err(), "another id");
        assert!(messages.received(1, "p", "one", receive(4, 10, 10)).is_err(), "another queue");
        assert_eq!(messages.drained("q", &BTreeSet::new(), 5).len(), 1, "1 is lost");
    }

    #[test]
    fn two_receivers_have_it_one_after_the_other() {
        let mut messages = Messages::default();
        messages.sending(1, "q");
        messages.received(1, "q", "one", receive(1, 0, 1)).expect("the first");
        assert!(messages.received(1, "q", "one", receive(2, 2, 4)).is_err(), "before it was visible again");
        messages.received(1, "q", "one", receive(3, 4, 6)).expect("it may have been visible");
        messages.deleting(1);
        messages.deleted(1, 9);
        messages.received(1, "q", "one", receive(8, 20, 21)).expect("it began before the deletion ended");
        assert!(messages.received(1, "q", "one", receive(10, 40, 41)).is_err(), "it was deleted");
        assert!(messages.received(7, "q", "seven", receive(10, 0, 1)).is_err(), "nobody sent it");
    }
}
