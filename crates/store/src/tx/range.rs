//! Reading a range: the version's rows with the transaction's own changes laid over them.

use bytes::Bytes;

use super::{Open, Tracking, Write, apply};
use crate::error::StoreError;
use crate::key::Key;
use crate::range::{Direction, Range, successor};
use crate::state::Row;

impl Open {
    /// The first `limit` rows in `direction`.
    pub(super) fn range(
        &mut self,
        range: &Range,
        limit: usize,
        direction: Direction,
        tracking: Tracking,
    ) -> Result<Vec<(Key, Bytes)>, StoreError> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let rows = self.merged(range, limit, direction)?;
        if tracking == Tracking::Serializable {
            self.reads.range(part_read(range, limit, direction, &rows))?;
        }
        Ok(rows.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
    }

    fn merged(&self, range: &Range, limit: usize, direction: Direction) -> Result<Vec<Row>, StoreError> {
        let mut own = self.writes.by_key.range::<[u8], _>(range.bounds());
        let mut next_own = || match direction {
            Direction::Forward => own.next(),
            Direction::Backward => own.next_back(),
        };
        let comes_first = |a: &[u8], b: &[u8]| match direction {
            Direction::Forward => a <= b,
            Direction::Backward => a >= b,
        };
        let mut below = self.state.scan(range, direction)?.filter(|row| match row {
            Ok((key, _)) => !self.writes.is_cleared(key),
            Err(_) => true,
        });
        let (mut own_row, mut below_row) = (next_own(), below.next().transpose()?);
        let mut rows = Vec::new();
        while rows.len() < limit {
            let own_comes = match (own_row, &below_row) {
                (None, None) => break,
                (Some((own, _)), Some((below, _))) => comes_first(own, below),
                (own, _) => own.is_some(),
            };
            if !own_comes {
                rows.extend(below_row.take());
                below_row = below.next().transpose()?;
                continue;
            }
            let Some((key, write)) = own_row else { break };
            let hidden = match &below_row {
                Some((below_key, _)) if below_key == key => {
                    let value = below_row.take().map(|(_, value)| value);
                    below_row = below.next().transpose()?;
                    value
                }
                _ => None,
            };
            match write {
                Write::Put(value) => rows.push((key.clone(), value.clone())),
                Write::Delete => {}
                Write::Atomic(changes) => rows.push((key.clone(), apply(key, hidden.as_ref(), changes)?)),
            }
            own_row = next_own();
        }
        Ok(rows)
    }
}

/// The part of a range whose content the rows tell: all of it, or up to the last row if the limit cut it.
fn part_read(range: &Range, limit: usize, direction: Direction, rows: &[Row]) -> Range {
    let mut part = range.clone();
    if rows.len() == limit
        && let Some((last, _)) = rows.last()
    {
        match direction {
            Direction::Forward => part.end = Some(successor(last)),
            Direction::Backward => part.start = last.clone(),
        }
    }
    part
}
