//! What topics owe: every acknowledged message reaches the queue that is subscribed, at least once, and of a FIFO
//! topic in the order of its group.

use std::collections::BTreeMap;

/// Every message ever published, by its number.
#[derive(Debug, Default)]
pub(crate) struct Published {
    by_token: BTreeMap<u64, Message>,
    /// What came first of each group, in its order.
    arrivals: BTreeMap<String, Vec<u64>>,
}

#[derive(Debug)]
struct Message {
    topic: String,
    group: Option<String>,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No answer yet: it may come.
    Unknown,
    /// Acknowledged, of a FIFO topic under this number.
    Owed(Option<String>),
    /// It was refused: it may not come.
    Refused,
    /// It came, and its number if that is known.
    Came(Option<String>),
}

impl Published {
    /// A message is being published.
    pub(crate) fn publishing(&mut self, token: u64, topic: &str, group: Option<&str>) {
        let (topic, group) = (topic.to_owned(), group.map(str::to_owned));
        self.by_token.insert(token, Message { topic, group, state: State::Unknown });
    }

    /// It was acknowledged.
    pub(crate) fn acknowledged(&mut self, token: u64, number: Option<String>) {
        let Some(message) = self.by_token.get_mut(&token) else { return };
        message.state = match &message.state {
            State::Came(_) => State::Came(number),
            _ => State::Owed(number),
        };
    }

    /// It was refused.
    pub(crate) fn refused(&mut self, token: u64) {
        if let Some(message) = self.by_token.get_mut(&token) {
            message.state = State::Refused;
        }
    }

    /// It was received from the queue of that topic.
    pub(crate) fn arrived(&mut self, token: u64, topic: &str) -> Result<(), String> {
        let Some(message) = self.by_token.get_mut(&token).filter(|message| message.topic == topic) else {
            return Err(format!("{topic}: {token:x} came, which nobody published there"));
        };
        let number = match &message.state {
            State::Refused => return Err(format!("{topic}: {token:x} came, and was refused")),
            State::Came(_) => return Ok(()),
            State::Owed(number) => number.clone(),
            State::Unknown => None,
        };
        message.state = State::Came(number);
        if let Some(group) = &message.group {
            self.arrivals.entry(format!("{topic} {group}")).or_default().push(token);
        }
        Ok(())
    }

    /// How many of a topic's messages have yet to come.
    pub(crate) fn owed(&self, topic: &str) -> usize {
        let own = self.by_token.values().filter(|message| message.topic == topic);
        own.filter(|message| matches!(message.state, State::Owed(_))).count()
    }

    /// A topic's queue was read to its end while nothing else happened, and long enough.
    pub(crate) fn settled(&mut self, topic: &str) -> Vec<String> {
        let mut violations = Vec::new();
        for (token, message) in self.by_token.iter_mut().filter(|(_, message)| message.topic == topic) {
            match &message.state {
                State::Owed(_) => {
                    violations.push(format!("{topic}: {token:x} was acknowledged and never came"));
                }
                // Nothing will bring it any more.
                State::Unknown => message.state = State::Refused,
                State::Refused | State::Came(_) => {}
            }
        }
        for (group, arrivals) in self.arrivals.iter().filter(|(name, _)| name.starts_with(topic)) {
            let numbers = arrivals.iter().filter_map(|token| match &self.by_token.get(token)?.state {
                State::Came(Some(number)) => Some(number),
                _ => None,
            });
            if !numbers.is_sorted() {
                violations.push(format!("{group}: the order is not kept: {arrivals:x?}"));
            }
        }
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_foreign_or_out_of_order_is_seen() {
        let mut published = Published::default();
        for token in 1..=4 {
            published.publishing(token, "t.fifo", Some("g"));
        }
        published.acknowledged(1, Some("01".into()));
        published.refused(4);
        assert_eq!(published.owed("t.fifo"), 1);
        assert_eq!(published.settled("t.fifo").len(), 1, "1 is lost, and nobody knows of 2 and 3");
        assert!(published.arrived(2, "t.fifo").is_err(), "it did not come while it could");
        for (token, topic) in [(4, "t.fifo"), (1, "other"), (9, "t.fifo")] {
            assert!(published.arrived(token, topic).is_err(), "{token} {topic}");
        }
        assert_eq!(published.arrived(1, "t.fifo"), Ok(()));
        assert_eq!(published.arrived(1, "t.fifo"), Ok(()), "twice is allowed");
        assert_eq!(published.settled("t.fifo").len(), 0);
        for token in [5, 6] {
            published.publishing(token, "t.fifo", Some("g"));
        }
        assert_eq!(published.arrived(6, "t.fifo"), Ok(()));
        assert_eq!(published.arrived(5, "t.fifo"), Ok(()));
        published.acknowledged(5, Some("02".into()));
        published.acknowledged(6, Some("03".into()));
        assert_eq!(published.settled("t.fifo").len(), 1, "6 came before 5");
    }
}
