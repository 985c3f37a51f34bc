//! The base as it was at one moment.

use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use redb::{AccessGuard, ReadOnlyTable};

use super::base::{BaseStore, failed};
use super::block::{Block, Place, Stored};
use super::pieces;
use crate::error::StoreError;
use crate::range::{Direction, Range};
use crate::state::{Base, Row};

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;
type Guard<'a> = AccessGuard<'a, &'static [u8]>;

pub(super) struct View {
    pub(super) blocks: Table,
    pub(super) pieces: Table,
    /// Held as long as it is read.
    pub(super) _store: Arc<BaseStore>,
}

impl View {
    /// The block that a key belongs to.
    fn block(&self, key: &[u8]) -> Result<Option<(Guard<'_>, Guard<'_>)>, StoreError> {
        self.blocks.range::<&[u8]>(..=key).map_err(failed)?.next_back().transpose().map_err(failed)
    }

    pub(super) fn stored(&self, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        let Some((first, bytes)) = self.block(key)? else { return Ok(None) };
        let found = Block::new(first.value(), bytes.value()).get(key)?;
        found.map(|found| Stored::read(key, found)).transpose()
    }
}

impl Base for View {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.stored(key)?.map(|stored| pieces::load(&self.pieces, key, stored)).transpose()
    }

    fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        let Some((first, bytes)) = self.block(key)? else { return Ok(false) };
        Ok(Block::new(first.value(), bytes.value()).get(key)?.is_some())
    }

    fn scan<'a>(
        &'a self,
        range: &Range,
        direction: Direction,
    ) -> Result<Box<dyn Iterator<Item = Result<Row, StoreError>> + 'a>, StoreError> {
        let (_, end) = range.bounds();
        // A range begins within the block of its first key.
        let block = self.block(&range.start)?;
        let start = Bound::Included(block.as_ref().map_or(range.start.as_ref(), |(first, _)| first.value()));
        let blocks = self.blocks.range::<&[u8]>((start, end)).map_err(failed)?;
        Ok(Box::new(Scan { pieces: &self.pieces, blocks, range: range.clone(), direction, open: None }))
    }
}

/// The rows of a range, block by block.
struct Scan<'a> {
    pieces: &'a Table,
    blocks: redb::Range<'a, &'static [u8], &'static [u8]>,
    range: Range,
    direction: Direction,
    open: Option<Open<'a>>,
}

/// A block that is being read.
struct Open<'a> {
    first: Guard<'a>,
    bytes: Guard<'a>,
    /// The rows that are left.
    places: std::vec::IntoIter<Place>,
}

impl<'a> Open<'a> {
    /// Opens a block for its rows in a range.
    fn new(first: Guard<'a>, bytes: Guard<'a>, range: &Range) -> Result<Self, StoreError> {
        let block = Block::new(first.value(), bytes.value());
        let mut places = block.places()?;
        let place_of = |key: &[u8]| {
            let (mut low, mut high) = (0, places.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                match block.compare(places[middle], key)? {
                    Ordering::Less => low = middle + 1,
                    _ => high = middle,
                }
            }
            Ok::<_, StoreError>(low)
        };
        let begin = place_of(&range.start)?;
        let end = range.end.as_ref().map_or(Ok(places.len()), |end| place_of(end))?;
        places.truncate(end);
        places.drain(..begin.min(end));
        Ok(Self { first, bytes, places: places.into_iter() })
    }

    fn next(&mut self, pieces: &Table, direction: Direction) -> Option<Result<Row, StoreError>> {
        let place = match direction {
            Direction::Forward => self.places.next(),
            Direction::Backward => self.places.next_back(),
        }?;
        let block = Block::new(self.first.value(), self.bytes.value());
        let row = || {
            let key = block.key(place)?;
            let value = pieces::load(pieces, &key, Stored::read(&key, block.value(place))?)?;
            Ok((key, value))
        };
        Some(row())
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.open.as_mut().and_then(|open| open.next(self.pieces, self.direction)) {
                return Some(row);
            }
            let block = match self.direction {
                Direction::Forward => self.blocks.next(),
                Direction::Backward => self.blocks.next_back(),
            }?;
            match block.map_err(failed).and_then(|(first, bytes)| Open::new(first, bytes, &self.range)) {
                Ok(open) => self.open = Some(open),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
