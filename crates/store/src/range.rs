//! A stretch of keys: from a first one, up to but without an end.

use std::ops::Bound;

use bytes::{BufMut, Bytes, BytesMut};

use crate::key::Key;

/// The keys from `start` on (included) up to `end` (excluded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub(crate) start: Bytes,
    /// `None`: up to the last key there is.
    pub(crate) end: Option<Bytes>,
}

/// Which way a range is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first key up.
    #[default]
    Forward,
    /// From the last key down.
    Backward,
}

impl Range {
    /// Every key.
    pub fn all() -> Self {
        Self { start: Bytes::new(), end: None }
    }

    /// Every key that begins with `prefix`, itself included.
    pub fn prefix(prefix: &Key) -> Self {
        Self { start: prefix.as_bytes().clone(), end: after_prefix(prefix.as_ref()) }
    }

    /// The keys from `start` on up to but without `end`; none if `end` is not beyond `start`.
    pub fn between(start: &Key, end: &Key) -> Self {
        Self { start: start.as_bytes().clone(), end: Some(end.as_bytes().clone()) }
    }

    /// The part of this range that begins with `start`.
    #[must_use]
    pub fn from(mut self, start: &Key) -> Self {
        self.start = self.start.max(start.as_bytes().clone());
        self
    }

    /// The part of this range that comes after `key`: what a page token stands for.
    #[must_use]
    pub fn after(mut self, key: &Key) -> Self {
        self.start = self.start.max(successor(key.as_ref()));
        self
    }

    /// The part of this range that comes after every key that begins with `prefix`.
    #[must_use]
    pub fn behind(mut self, prefix: &Key) -> Self {
        match after_prefix(prefix.as_ref()) {
            Some(end) => self.start = self.start.max(end),
            None => self.end = Some(self.start.clone()),
        }
        self
    }

    /// The part of this range that comes before `key`.
    #[must_use]
    pub fn before(mut self, key: &Key) -> Self {
        let end = key.as_bytes().clone();
        self.end = Some(self.end.map_or_else(|| end.clone(), |own| own.min(end.clone())));
        self
    }

    /// Whether `key` lies within.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.start.as_ref() <= key && self.end.as_ref().is_none_or(|end| key < end.as_ref())
    }

    /// Whether no key can lie within.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let end = self.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(self.start.as_ref()), end)
    }
}

/// The first key after `key`.
pub(crate) fn successor(key: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

/// The first key after all that begin with `prefix`, if there is any.
fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_what_begins_with_it_and_nothing_else() {
        for (prefix, inside, outside) in [
            (&b"a"[..], &[&b"a"[..], b"a\0", b"a\xff\xff"][..], &[&b"b"[..], b"A", b""][..]),
            (b"a\xff", &[b"a\xff", b"a\xff\xff"], &[b"b", b"a\xfe"]),
            (b"\xff", &[b"\xff", b"\xff\xff\xff"], &[b"\xfe\xff"]),
            (b"", &[b"", b"\xff"], &[]),
        ] {
            let range = Range::prefix(&Key::from(prefix));
            assert!(inside.iter().all(|key| range.contains(key)), "{range:?}");
            assert!(!outside.iter().any(|key| range.contains(key)), "{range:?}");
        }
    }

    #[test]
    fn parts_never_grow_beyond_the_whole() {
        let whole = Range::between(&"b".into(), &"d".into());
        assert_eq!(whole.clone().from(&"a".into()), whole);
        assert_eq!(whole.clone().before(&"e".into()), whole);
        let after = whole.clone().after(&"b".into());
        assert!(!after.contains(b"b") && after.contains(b"b\0"));
        assert!(whole.clone().before(&"b".into()).is_empty());
        let behind = Range::all().behind(&"b".into());
        assert!(!behind.contains(b"b\xff") && behind.contains(b"c"));
        assert!(Range::all().behind(&(&b"\xff"[..]).into()).is_empty());
    }
}
