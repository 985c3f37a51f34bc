//! The headers that a signature covers: small, sorted, each once, in the form in which they are signed.

use std::fmt;

use crate::split::split;

/// More names than a request has headers are not read.
const NAMES_MAX: usize = 256;
const SEPARATOR: u8 = b';';

/// `host;x-amz-date`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders(String);

impl SignedHeaders {
    /// The names in a list that a client sent, in whatever order and capitals.
    pub(super) fn parse(list: &str) -> Self {
        // Folded, which is done for many bytes at a time, as stopping at the first is not.
        let others = list.bytes().fold(0, |found, b| found | u8::from(b.is_ascii_uppercase() || b <= b' '));
        let mut last = "";
        let mut in_order = || {
            split(list, SEPARATOR).take(NAMES_MAX + 1).enumerate().all(|(at, name)| {
                // An empty name is after none.
                let next = at < NAMES_MAX && last < name;
                last = name;
                next
            })
        };
        // As clients send it, but for a few.
        if others == 0 && in_order() {
            Self(list.to_owned())
        } else {
            Self::of(split(list, SEPARATOR).take(NAMES_MAX))
        }
    }

    /// These names.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        let mut names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
        names.sort_unstable();
        names.dedup();
        Self(names.join(";"))
    }

    /// As a signature names them, with semicolons between.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        split(&self.0, SEPARATOR).filter(|name| !name.is_empty())
    }
}

impl fmt::Display for SignedHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_into_the_one_form() {
        for (list, form) in [
            ("host;x-amz-date", "host;x-amz-date"),
            ("host", "host"),
            ("x-amz-date;host", "host;x-amz-date"),
            (" Host ; X-Amz-Date ", "host;x-amz-date"),
            ("host;host;x-amz-date", "host;x-amz-date"),
            (";;host;", "host"),
            ("", ""),
            (";", ""),
        ] {
            assert_eq!(SignedHeaders::parse(list).as_str(), form, "{list}");
        }
        let many: Vec<String> = (0..2 * NAMES_MAX).map(|number| format!("h{number:04}")).collect();
        assert_eq!(SignedHeaders::parse(&many.join(";")).iter().count(), NAMES_MAX);
    }
}
