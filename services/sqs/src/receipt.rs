//! A receipt handle: which message, and which receive of it. Opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Which receive of which message a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receipt {
    /// The queue's own number: a handle of a deleted queue of the same name is refused.
    pub(crate) queue: u64,
    /// The message's place in the queue.
    pub(crate) position: u64,
    /// Random, new with each receive.
    pub(crate) nonce: u64,
}

impl Receipt {
    const VERSION: u8 = 1;
    const LENGTH: usize = 25;

    pub(crate) fn to_handle(self) -> String {
        let mut bytes = Vec::with_capacity(Self::LENGTH);
        bytes.push(Self::VERSION);
        for part in [self.queue, self.position, self.nonce] {
            bytes.extend_from_slice(&part.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a handle stands for; nothing if it is none.
    pub(crate) fn from_handle(handle: &str) -> Option<Self> {
        let bytes: [u8; Self::LENGTH] = URL_SAFE_NO_PAD.decode(handle).ok()?.try_into().ok()?;
        let part = |at: usize| bytes[at..at + 8].try_into().map(u64::from_be_bytes).ok();
        (bytes[0] == Self::VERSION).then_some(())?;
        Some(Self { queue: part(1)?, position: part(9)?, nonce: part(17)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_handle_leads_back(queue: u64, position: u64, nonce: u64) {
            let receipt = Receipt { queue, position, nonce };
            prop_assert_eq!(Receipt::from_handle(&receipt.to_handle()), Some(receipt));
        }

        #[test]
        fn no_text_breaks_it(text: String) {
            let _ = Receipt::from_handle(&text);
        }
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        for text in ["", "x", "AQEB", &"A".repeat(34), &"A".repeat(35)] {
            assert_eq!(Receipt::from_handle(text), None, "{text}");
        }
    }
}
