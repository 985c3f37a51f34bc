//! Sequence tokens: clients still pass them on, and nobody looks at them any more.

/// Digits of a token.
const DIGITS: usize = 56;

/// A token that looks as AWS's do.
pub(crate) fn token(number: u64) -> String {
    format!("{:0DIGITS$}", 49_000_000_000_000_000_000_000_000_000_000_u128 + u128::from(number))
}
