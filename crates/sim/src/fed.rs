//! What was sent to queues that mappings hand to a function, and what the function was given.

use std::collections::BTreeMap;

/// Every message that was ever sent to a mapped queue, by its number.
#[derive(Debug, Default)]
pub(crate) struct Fed {
    by_token: BTreeMap<u64, Message>,
    /// The highest number that was handled, of each group that keeps an order.
    last_of: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Message {
    group: Option<String>,
    acknowledged: bool,
    handled: u64,
}

impl Fed {
    /// A message is being sent; those of one group one after another, with rising numbers.
    pub(crate) fn sending(&mut self, token: u64, group: Option<String>) {
        self.by_token.insert(token, Message { group, ..Message::default() });
    }

    /// It was acknowledged.
    pub(crate) fn sent(&mut self, token: u64) {
        if let Some(message) = self.by_token.get_mut(&token) {
            message.acknowledged = true;
        }
    }

    /// The function was given it.
    pub(crate) fn handled(&mut self, token: u64) -> Result<(), String> {
        let Some(message) = self.by_token.get_mut(&token) else {
            return Err(format!("the function was given {token}, which nobody sent"));
        };
        message.handled += 1;
        let Some(group) = message.group.clone().filter(|_| message.handled == 1) else { return Ok(()) };
        let last = self.last_of.entry(group).or_default();
        if *last > token {
            return Err(format!("{token} was overtaken by {last} of its group"));
        }
        *last = token;
        Ok(())
    }

    /// With the queues empty, everything that was acknowledged was handled.
    pub(crate) fn all_handled(&self) -> Result<(), String> {
        let lost = |message: &Message| message.acknowledged && message.handled == 0;
        match self.by_token.iter().find(|(_, message)| lost(message)) {
            Some((token, _)) => Err(format!("{token} was acknowledged, is gone, and was never handled")),
            None => Ok(()),
        }
    }

    /// How many were acknowledged, and how many were handled more than once.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let count = |wanted: fn(&Message) -> bool| {
            self.by_token.values().filter(|message| wanted(message)).count() as u64
        };
        (count(|message| message.acknowledged), count(|message| message.handled > 1))
    }
}
