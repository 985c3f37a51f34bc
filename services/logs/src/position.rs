//! Where an event stands among those of its group, and what is made of that: tokens and event ids.
//!
//! Events are ordered by their time, those of one millisecond in the order in which they came.

use crate::errors::{Refusal, invalid_token};

/// Digits of an event's id, and of the number in a token.
const DIGITS: usize = 56;
const TIME_DIGITS: usize = 16;
const BLOCK_DIGITS: usize = 20;

/// An event's place in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// The event's time, in milliseconds since the epoch.
    pub(crate) time_ms: i64,
    /// The block that holds it: blocks are numbered from 1 in the order of commits.
    pub(crate) block: u64,
    /// Its place in the block.
    pub(crate) index: u32,
}

impl Position {
    /// Before every event of that time or later: no block has the number 0.
    pub(crate) fn before(time_ms: i64) -> Self {
        Self { time_ms: time_ms.max(0), block: 0, index: 0 }
    }

    /// After every event of that time.
    pub(crate) fn after(time_ms: i64) -> Self {
        Self { time_ms: time_ms.max(0), block: u64::MAX, index: u32::MAX }
    }

    /// The place right before this one.
    pub(crate) fn previous(self) -> Self {
        match self {
            Self { index: 1.., .. } => Self { index: self.index - 1, ..self },
            Self { block: 1.., .. } => Self { block: self.block - 1, index: u32::MAX, ..self },
            Self { time_ms, .. } => Self::after(time_ms - 1).min(self),
        }
    }

    /// The place right after this one.
    pub(crate) fn next(self) -> Self {
        match self.index.checked_add(1) {
            Some(index) => Self { index, ..self },
            None => Self { block: self.block.saturating_add(1), index: 0, ..self },
        }
    }

    /// An event's id: 56 digits that order as the events do.
    pub(crate) fn id(&self) -> String {
        let index = DIGITS - TIME_DIGITS - BLOCK_DIGITS;
        format!("{:0TIME_DIGITS$}{:0BLOCK_DIGITS$}{:0index$}", self.time_ms.max(0), self.block, self.index)
    }

    /// Reads an id back.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        if id.len() != DIGITS || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (time, rest) = id.split_at(TIME_DIGITS);
        let (block, index) = rest.split_at(BLOCK_DIGITS);
        Some(Self { time_ms: time.parse().ok()?, block: block.parse().ok()?, index: index.parse().ok()? })
    }
}

/// Which way a reader goes on from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Forward,
    Backward,
}

/// A token of `GetLogEvents`: `f/…/s` for what comes after a position, `b/…/s` for what came before it.
pub(crate) fn token(way: Way, position: Position) -> String {
    let letter = if way == Way::Forward { 'f' } else { 'b' };
    format!("{letter}/{}/s", position.id())
}

/// Reads a token back.
pub(crate) fn read_token(text: &str) -> Result<(Way, Position), Refusal> {
    let read = || {
        let (letter, rest) = text.split_once('/')?;
        let way = match letter {
            "f" => Way::Forward,
            "b" => Way::Backward,
            _ => return None,
        };
        Some((way, Position::parse(rest.strip_suffix("/s")?)?))
    };
    read().ok_or_else(invalid_token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_order_as_positions_and_are_read_back(
            a in (0..1_i64 << 50, any::<u64>(), any::<u32>()),
            b in (0..1_i64 << 50, any::<u64>(), any::<u32>()),
        ) {
            let position = |(time_ms, block, index)| Position { time_ms, block, index };
            let (a, b) = (position(a), position(b));
            prop_assert_eq!(a.cmp(&b), a.id().cmp(&b.id()));
            for way in [Way::Forward, Way::Backward] {
                prop_assert_eq!(read_token(&token(way, a)).ok(), Some((way, a)));
            }
        }

        #[test]
        fn what_is_no_token_is_refused(text in "[fb]/[0-9]{50,57}/s|.{0,70}") {
            if let Ok((way, position)) = read_token(&text) {
                prop_assert_eq!(token(way, position), text);
            }
        }
    }
}
