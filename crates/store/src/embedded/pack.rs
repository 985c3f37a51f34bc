//! Changes on their way into blocks.
//!
//! Many rows share a block because putting a row into redb's tree costs far more than copying it: a checkpoint of
//! small rows takes a fraction of the processor time, and neighbours share what their keys begin with.

use std::ops::Bound;

use bytes::Bytes;
use redb::ReadableTable;

use super::base::{Rows, failed};
use super::block::{self, BLOCK_BYTES_MAX, Block, Row, Stored};
use super::pieces;
use crate::error::StoreError;
use crate::state::Overlay;

/// Full blocks are made once rows of so many bytes wait for it.
const WAITING_BYTES: usize = 16 * BLOCK_BYTES_MAX;

/// Puts changes into the base: for each block, all that fall into it at once.
pub(super) fn merge(
    blocks: &mut Rows<'_>,
    pieces: &mut Rows<'_>,
    changes: &Overlay,
) -> Result<(), StoreError> {
    let mut changes = changes.iter().peekable();
    while let Some((key, _)) = changes.peek() {
        let Around { block, until } = Around::find(blocks, key)?;
        let (replaced, old) = block.map_or_else(Default::default, |(first, rows)| (Some(first), rows));
        let mut packer = Packer::new(blocks, replaced);
        let mut old = old.into_iter().peekable();
        while let Some((key, value)) = changes.next_if(|(key, _)| until.as_ref().is_none_or(|end| *key < end))
        {
            while let Some(row) = old.next_if(|(other, _)| other < key) {
                packer.push(row)?;
            }
            let before = old.next_if(|(other, _)| other == key).map(|(_, stored)| stored);
            if let Some(stored) = pieces::store(pieces, key, value.as_ref(), before.as_ref())? {
                packer.push((key.clone(), stored))?;
            }
        }
        for row in old {
            packer.push(row)?;
        }
        packer.finish()?;
    }
    Ok(())
}

/// Takes over rows of the format in which each was a value of its own.
pub(super) fn convert(
    blocks: &mut Rows<'_>,
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<(), StoreError> {
    let mut packer = Packer::new(blocks, None);
    for row in rows.range::<&[u8]>(..).map_err(failed)? {
        let (key, value) = row.map_err(failed)?;
        let stored = Stored::read(key.value(), value.value())?;
        packer.push((Bytes::copy_from_slice(key.value()), stored))?;
    }
    packer.finish()
}

/// The block that a key belongs to, and where the next one begins.
struct Around {
    block: Option<(Bytes, Vec<Row>)>,
    until: Option<Bytes>,
}

impl Around {
    fn find(blocks: &Rows<'_>, key: &[u8]) -> Result<Self, StoreError> {
        let block = match blocks.range::<&[u8]>(..=key).map_err(failed)?.next_back() {
            Some(found) => {
                let (first, bytes) = found.map_err(failed)?;
                let rows = Block::new(first.value(), bytes.value()).rows()?;
                Some((Bytes::copy_from_slice(first.value()), rows))
            }
            None => None,
        };
        let after = (Bound::Excluded(block.as_ref().map_or(key, |(first, _)| first)), Bound::Unbounded);
        let until = match blocks.range::<&[u8]>(after).map_err(failed)?.next() {
            Some(found) => Some(Bytes::copy_from_slice(found.map_err(failed)?.0.value())),
            None => None,
        };
        Ok(Self { block, until })
    }
}

/// Makes blocks of rows that come in order.
struct Packer<'t, 'r> {
    blocks: &'r mut Rows<'t>,
    /// The key of the block that these rows take the place of, while it is still there.
    replaced: Option<Bytes>,
    waiting: Vec<Row>,
    /// Bytes that have come since full blocks were made last.
    bytes: usize,
    buffer: Vec<u8>,
}

impl<'t, 'r> Packer<'t, 'r> {
    fn new(blocks: &'r mut Rows<'t>, replaced: Option<Bytes>) -> Self {
        Self { blocks, replaced, waiting: Vec::new(), bytes: 0, buffer: Vec::new() }
    }

    fn push(&mut self, row: Row) -> Result<(), StoreError> {
        self.bytes += block::row_bytes(&row);
        self.waiting.push(row);
        if self.bytes < WAITING_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        loop {
            let (count, _) = block::fit(rest, BLOCK_BYTES_MAX);
            if count == rest.len() {
                self.waiting = rest.to_vec();
                return Ok(());
            }
            self.put(&rest[..count])?;
            rest = &rest[count..];
        }
    }

    /// What does not fit one block is spread evenly over two, so that each has room for what comes between.
    fn finish(mut self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        while !rest.is_empty() {
            let (mut count, _) = block::fit(rest, BLOCK_BYTES_MAX);
            if count < rest.len() {
                let (_, all) = block::fit(rest, usize::MAX);
                count = block::fit(rest, all.div_ceil(2).min(BLOCK_BYTES_MAX)).0;
            }
            self.put(&rest[..count])?;
            rest = &rest[count..];
        }
        match self.replaced.take() {
            Some(first) => self.remove(&first),
            None => Ok(()),
        }
    }

    fn put(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        let Some((first, _)) = rows.first() else { return Ok(()) };
        if let Some(replaced) = self.replaced.take_if(|replaced| *replaced != first) {
            self.remove(&replaced)?;
        }
        self.replaced = None;
        self.buffer.clear();
        block::encode(rows, &mut self.buffer);
        self.blocks.insert(first.as_ref(), self.buffer.as_slice()).map_err(failed)?;
        Ok(())
    }

    fn remove(&mut self, first: &[u8]) -> Result<(), StoreError> {
        self.blocks.remove(first).map_err(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::base::BaseStore;
    use super::*;
    use crate::disk::{Disk, SimDisk};
    use crate::range::{Direction, Range};
    use crate::state::Base;

    type Model = BTreeMap<Bytes, Bytes>;

    /// Few bytes in few places, so that keys are often each other's beginning and often meet again.
    fn key() -> impl Strategy<Value = Bytes> {
        let end = prop::collection::vec(0..5u8, 0..5);
        (0..3usize, end).prop_map(|(long, end)| [&vec![9; long * 300][..], &end].concat().into())
    }

    /// From nothing up to values in pieces; many of about a third of a block.
    fn value() -> impl Strategy<Value = Option<Bytes>> {
        let length = prop_oneof![3 => 0..200usize, 3 => 4_000..6_000usize, 1 => 15_000..140_000usize];
        prop_oneof![
            1 => Just(None),
            3 => (length, any::<u8>()).prop_map(|(length, byte)| Some(vec![byte; length].into())),
        ]
    }

    fn checkpoints() -> impl Strategy<Value = Vec<Vec<(Bytes, Option<Bytes>)>>> {
        prop::collection::vec(prop::collection::vec((key(), value()), 1..60), 1..6)
    }

    fn base() -> Arc<BaseStore> {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::volatile());
        Arc::new(BaseStore::open(&disk, 1 << 20, None).expect("opens"))
    }

    fn within(model: &Model, range: &Range, direction: Direction) -> Vec<(Bytes, Bytes)> {
        let rows = model.iter().filter(|(key, _)| range.contains(key)).map(|(k, v)| (k.clone(), v.clone()));
        match direction {
            Direction::Forward => rows.collect(),
            Direction::Backward => rows.rev().collect(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_base_reads_as_what_was_put_into_it(
            checkpoints in checkpoints(),
            ranges in prop::collection::vec((key(), prop::option::of(key())), 8),
        ) {
            let (base, mut model) = (base(), Model::new());
            for (number, changes) in checkpoints.into_iter().enumerate() {
                let overlay: Overlay = changes.iter().cloned().collect();
                base.apply(&overlay, number as u64).expect("applies");
                for (key, value) in changes {
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
                let view = base.view().expect("reads");
                for (start, end) in &ranges {
                    let range = Range { start: start.clone(), end: end.clone() };
                    for direction in [Direction::Forward, Direction::Backward] {
                        let rows: Result<Vec<_>, _> = view.scan(&range, direction).expect("scans").collect();
                        prop_assert!(rows.expect("reads") == within(&model, &range, direction), "{range:?}");
                    }
                    prop_assert!(view.get(start).expect("reads").as_ref() == model.get(start), "{start:?}");
                    prop_assert_eq!(view.contains(start).expect("reads"), model.contains_key(start));
                }
                prop_assert_eq!(base.check_rows().expect("looks"), []);
            }
        }
    }

    #[test]
    fn rows_that_come_in_order_fill_their_blocks() {
        let base = base();
        let changes = |from: u64| -> Overlay {
            let row =
                |number: u64| (Bytes::copy_from_slice(&number.to_be_bytes()), Some(vec![0; 400].into()));
            (from..from + 4_000).map(row).collect()
        };
        for turn in 0..3 {
            base.apply(&changes(turn * 4_000), turn).expect("applies");
        }
        let count = base.block_count().expect("counts");
        let fewest = 12_000 * 410 / BLOCK_BYTES_MAX as u64;
        assert!((fewest..fewest * 11 / 10).contains(&count), "{count} blocks, {fewest} would do");
    }

    #[test]
    fn rows_by_themselves_are_taken_over() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::volatile());
        let row = |number: u32| (Bytes::copy_from_slice(&number.to_be_bytes()), Some(vec![1; 90].into()));
        let rows: Vec<(Bytes, Option<Bytes>)> = (0..5_000).map(row).collect();
        let base = BaseStore::open(&disk, 1 << 20, None).expect("opens");
        base.put_single_rows(&rows).expect("writes");
        drop(base);
        let base = Arc::new(BaseStore::open(&disk, 1 << 20, None).expect("opens"));
        let view: Arc<dyn Base> = base.view().expect("reads");
        let found: Vec<_> = view.scan(&Range::all(), Direction::Forward).expect("scans").collect();
        let found = found.into_iter().map(|row| row.map(|(key, value)| (key, Some(value))).expect("reads"));
        assert!(found.eq(rows), "other rows came out of the earlier format");
        assert_eq!(base.check_rows().expect("looks"), []);
        assert!(base.block_count().expect("counts") < 100, "a row for each key");
    }
}
