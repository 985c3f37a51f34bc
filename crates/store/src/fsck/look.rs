//! What a check sees: one version of a store, in pages, whatever its size; and what it has to say of it.

use std::collections::VecDeque;

use apus_time::Timestamp;
use bytes::Bytes;

use super::{Examined, Finding};
use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::key::Key;
use crate::keyspace::Keyspace;
use crate::layers::due::{DueIndex, DueItem};
use crate::layers::table::Table;
use crate::range::{Direction, Range};
use crate::record::{Record, decode};
use crate::store::Store;
use crate::tuple::{FromTuple, TupleReader};
use crate::tx::Tx;

/// The most findings, and the most remarks, of one check that are told one by one. The rest is counted.
pub const FINDINGS_MAX: usize = 1_000;
/// Rows that are in memory at once, for each range that is read.
const PAGE_ROWS: usize = 32;

/// One version of a store for one check.
#[derive(Debug)]
pub struct Look {
    store: Store,
    tx: Tx,
    findings: Told,
    remarks: Told,
}

/// What was told, up to a bound.
#[derive(Debug, Default)]
struct Told {
    one_by_one: Vec<Finding>,
    more: u64,
}

/// The keys of a service in one account and region; `""` is of no account, or of no region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The keys.
    pub keys: Keyspace,
}

impl Look {
    pub(super) fn new(store: &Store, tx: Tx) -> Self {
        Self { store: store.clone(), tx, findings: Told::default(), remarks: Told::default() }
    }

    /// The version that is looked at.
    pub fn tx(&self) -> Tx {
        self.tx.clone()
    }

    /// The blobs beside it.
    pub fn blobs(&self) -> Blobs {
        self.store.blobs().clone()
    }

    /// The store itself, for what has no version: what is read of it is newer, if others write meanwhile.
    pub fn store(&self) -> Store {
        self.store.clone()
    }

    /// Something is wrong: where, and what contradicts what.
    pub fn finding(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        self.findings.tell(place.into(), detail.into());
    }

    /// Something is not as it should be, and mends itself.
    pub fn remark(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        self.remarks.tell(place.into(), detail.into());
    }

    /// What was read; damage becomes a finding, and the check goes on without it.
    pub fn sound<T>(&mut self, read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(StoreError::Corrupt { place, detail }) => {
                self.finding(place, detail);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// The rows of a range in their order, a page at a time.
    pub fn rows(&self, range: Range) -> Rows {
        Rows { tx: self.tx.clone(), rest: Some(range), page: VecDeque::new() }
    }

    /// The records of a part in their order, a page at a time.
    pub fn records<R: Record>(&self, table: Table<R>) -> Records<R> {
        Records { rows: self.rows(table.range(())), table }
    }

    /// The items of an index in their order, a page at a time.
    pub fn items<'a>(&self, index: &'a DueIndex) -> Items<'a> {
        Items { tx: self.tx.clone(), index, after: None, page: VecDeque::new(), at_end: false }
    }

    /// Where the service has keys: one step for each account and region, whatever they hold.
    pub async fn spaces(&self, service: &str) -> Result<Vec<Space>, StoreError> {
        let mut found = Vec::new();
        let mut rest = Range::all();
        while let Some((key, _)) = first(&self.tx, &rest).await? {
            let (account, region, own): (String, String, String) = beginning(key.as_ref())?;
            let keys = Keyspace::new(&account, &region, &own);
            rest = rest.behind(keys.prefix());
            if own == service {
                found.push(Space { account, region, keys });
            }
        }
        Ok(found)
    }

    /// What the keys of a part go on with, each once and in order: one step for each, whatever lies beneath it.
    pub async fn next_beginning<T: FromTuple>(
        &self,
        space: &Keyspace,
        rest: &Range,
    ) -> Result<Option<T>, StoreError> {
        let Some((key, _)) = first(&self.tx, rest).await? else { return Ok(None) };
        beginning(&key.as_ref()[space.prefix().as_ref().len()..]).map(Some)
    }

    pub(super) fn end(self, check: &str) -> Examined {
        Examined { findings: self.findings.end(check), remarks: self.remarks.end(check) }
    }
}

impl Told {
    fn tell(&mut self, place: String, detail: String) {
        if self.one_by_one.len() < FINDINGS_MAX {
            self.one_by_one.push(Finding { place, detail });
        } else {
            self.more += 1;
        }
    }

    fn end(mut self, check: &str) -> Vec<Finding> {
        if self.more > 0 {
            let detail = format!("there are {} more like these", self.more);
            self.one_by_one.push(Finding { place: check.to_owned(), detail });
        }
        self.one_by_one
    }
}

/// Rows of a [`Look`], in order.
#[derive(Debug)]
pub struct Rows {
    tx: Tx,
    /// What was not read yet; nothing once it was read to the end.
    rest: Option<Range>,
    page: VecDeque<(Key, Bytes)>,
}

impl Rows {
    /// The next row, if there is one.
    pub async fn next(&mut self) -> Result<Option<(Key, Bytes)>, StoreError> {
        if self.page.is_empty()
            && let Some(rest) = self.rest.take()
        {
            self.page = self.tx.range(&rest, PAGE_ROWS, Direction::Forward).await?.into();
            if self.page.len() == PAGE_ROWS {
                self.rest = self.page.back().map(|(last, _)| rest.after(last));
            }
        }
        Ok(self.page.pop_front())
    }
}

/// Records of a [`Look`], in order.
#[derive(Debug)]
pub struct Records<R> {
    rows: Rows,
    table: Table<R>,
}

impl<R: Record> Records<R> {
    /// The next record and its key, if there is one. One that cannot be read is a finding, and left out.
    pub async fn next<K: FromTuple>(&mut self, look: &mut Look) -> Result<Option<(K, R)>, StoreError> {
        while let Some((key, value)) = self.rows.next().await? {
            let name = look.sound(self.table.space().unpack::<K>(&key))?;
            let record = look.sound(decode::<R>(&key, &value))?;
            if let (Some(name), Some(record)) = (name, record) {
                return Ok(Some((name, record)));
            }
        }
        Ok(None)
    }
}

/// Items of an index of a [`Look`], in order.
#[derive(Debug)]
pub struct Items<'a> {
    tx: Tx,
    index: &'a DueIndex,
    /// The last that was read.
    after: Option<Key>,
    page: VecDeque<DueItem>,
    at_end: bool,
}

impl Items<'_> {
    /// The next item, if there is one.
    pub async fn next(&mut self) -> Result<Option<DueItem>, StoreError> {
        if self.page.is_empty() && !self.at_end {
            let after = self.after.take();
            let page = self.index.due_after(&self.tx, Timestamp::MAX, PAGE_ROWS, after.as_ref()).await?;
            self.at_end = page.len() < PAGE_ROWS;
            self.after = page.last().map(|last| last.key.clone());
            self.page = page.into();
        }
        Ok(self.page.pop_front())
    }
}

async fn first(tx: &Tx, range: &Range) -> Result<Option<(Key, Bytes)>, StoreError> {
    Ok(tx.range(range, 1, Direction::Forward).await?.pop())
}

fn beginning<T: FromTuple>(key: &[u8]) -> Result<T, StoreError> {
    Ok(T::decode(&mut TupleReader::new(key))?)
}
