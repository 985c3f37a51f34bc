//! One version of everything: immutable, shared by all who read at that version.
//!
//! Changes lie in overlays, the newest above; beneath them may be a base that a checkpoint has filled.
//! A missing value in an overlay hides what is below it.

use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;

use crate::error::StoreError;
use crate::range::{Direction, Range};

/// Changes above the base: a value, or `None` for a deleted key.
pub(crate) type Overlay = OrdMap<Bytes, Option<Bytes>>;

pub(crate) type Row = (Bytes, Bytes);

/// A change to one key.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Bytes,
    /// `None`: the key is deleted.
    pub(crate) value: Option<Bytes>,
    /// For a deletion: there is something below the top that it must hide.
    pub(crate) hides: bool,
}

/// What lies beneath the overlays, at one moment.
pub(crate) trait Base: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;
    fn contains(&self, key: &[u8]) -> Result<bool, StoreError>;
    fn scan<'a>(
        &'a self,
        range: &Range,
        direction: Direction,
    ) -> Result<Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a>, StoreError>;
}

/// One version of the store.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) version: u64,
    pub(crate) active: Overlay,
    /// About what `active` takes in memory.
    pub(crate) active_bytes: u64,
    /// The overlay that a checkpoint is moving into the base.
    pub(crate) frozen: Option<Overlay>,
    /// `None`: there is nothing below the overlays.
    pub(crate) base: Option<Arc<dyn Base>>,
}

impl State {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if let Some(value) = self.active.get(key) {
            return Ok(value.clone());
        }
        if let Some(value) = self.frozen.as_ref().and_then(|frozen| frozen.get(key)) {
            return Ok(value.clone());
        }
        self.base.as_ref().map_or(Ok(None), |base| base.get(key))
    }

    /// Makes the next version.
    pub(crate) fn apply(&mut self, changes: Vec<Change>) {
        self.version += 1;
        for Change { key, value, hides } in changes {
            self.set(key, value, hides);
        }
    }

    /// Sets a key on top. `hides` is what [`Self::is_below`] said: what never went below the top leaves no trace
    /// when it is deleted, so that a queue's messages come and go in memory.
    pub(crate) fn set(&mut self, key: Bytes, value: Option<Bytes>, hides: bool) {
        let key_length = key.len();
        let old = if value.is_some() || hides {
            self.active_bytes += cost(key_length, value.as_ref());
            self.active.insert(key, value)
        } else {
            self.active.remove(&key)
        };
        if let Some(old) = old {
            self.active_bytes -= cost(key_length, old.as_ref());
        }
    }

    /// Leaves an empty overlay on top, and gives the one that was there: it lies beneath now.
    pub(crate) fn freeze(&mut self) -> Overlay {
        assert!(self.frozen.is_none(), "one checkpoint at a time");
        let frozen = std::mem::take(&mut self.active);
        self.active_bytes = 0;
        self.frozen = Some(frozen.clone());
        frozen
    }

    /// Whether there is a value at `key` below the top.
    pub(crate) fn is_below(&self, key: &[u8]) -> Result<bool, StoreError> {
        match self.frozen.as_ref().and_then(|frozen| frozen.get(key)) {
            // A deletion that is still on its way into the base hides it as well as ours would.
            Some(value) => Ok(value.is_some()),
            None => self.base.as_ref().map_or(Ok(false), |base| base.contains(key)),
        }
    }

    /// The rows of a range at this version, in order.
    pub(crate) fn scan<'a>(&'a self, range: &'a Range, direction: Direction) -> Result<Scan<'a>, StoreError> {
        let mut layers = Vec::with_capacity(3);
        if range.is_empty() {
            return Ok(Scan { layers, direction });
        }
        layers.push(overlay_layer(&self.active, range, direction));
        if let Some(frozen) = &self.frozen {
            layers.push(overlay_layer(frozen, range, direction));
        }
        if let Some(base) = &self.base {
            let rows = base.scan(range, direction)?;
            let layer: Layer<'a> = Box::new(rows.map(|row| row.map(|(key, value)| (key, Some(value)))));
            layers.push(layer.peekable());
        }
        Ok(Scan { layers, direction })
    }
}

/// What an entry takes in memory beside its bytes: handles, allocations, its share of the tree.
const ENTRY_BYTES: u64 = 160;

fn cost(key_length: usize, value: Option<&Bytes>) -> u64 {
    ENTRY_BYTES + key_length as u64 + value.map_or(0, |value| value.len() as u64)
}

type Layered = Result<(Bytes, Option<Bytes>), StoreError>;
type Layer<'a> = Box<dyn Iterator<Item = Layered> + 'a>;

fn overlay_layer<'a>(overlay: &'a Overlay, range: &'a Range, direction: Direction) -> Peekable<Layer<'a>> {
    let changes = overlay.range::<_, [u8]>(range.bounds());
    let layer: Layer<'a> = match direction {
        Direction::Forward => Box::new(changes.map(|(key, value)| Ok((key.clone(), value.clone())))),
        Direction::Backward => Box::new(changes.rev().map(|(key, value)| Ok((key.clone(), value.clone())))),
    };
    layer.peekable()
}

/// The layers of a state, merged: of equal keys the topmost counts.
pub(crate) struct Scan<'a> {
    layers: Vec<Peekable<Layer<'a>>>,
    direction: Direction,
}

impl Scan<'_> {
    /// The next key in order, with the change that the topmost layer has for it.
    fn next_change(&mut self) -> Option<Layered> {
        let mut nearest: Option<(usize, Bytes)> = None;
        for index in 0..self.layers.len() {
            let key = match self.layers[index].peek() {
                None => continue,
                Some(Err(_)) => return self.layers[index].next(),
                Some(Ok((key, _))) => key,
            };
            let nearer = nearest.as_ref().is_none_or(|(_, nearest)| match self.direction {
                Direction::Forward => key < nearest,
                Direction::Backward => key > nearest,
            });
            if nearer {
                nearest = Some((index, key.clone()));
            }
        }
        let (top, key) = nearest?;
        for layer in &mut self.layers[top + 1..] {
            layer.next_if(|change| change.as_ref().is_ok_and(|(hidden, _)| *hidden == key));
        }
        self.layers[top].next()
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_change()? {
                Ok((key, Some(value))) => return Some(Ok((key, value))),
                Ok((_, None)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
