//! Queries under way and their results, which live in memory: a restart forgets them, and the events are still there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_kernel::{AccountId, Region};
use apus_model_logs::QueryStatus;
use apus_time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::{Regex, RegexBuilder};

use super::row::Row;
use super::value::Value;
use super::{Query, Run};
use crate::Logs;
use crate::batch::EVENT_OVERHEAD_BYTES;
use crate::errors::Refusal;
use crate::names::GroupId;
use crate::position::Position;
use crate::retention;
use crate::store::{self, Bounds, Group, StoredEvent, Streams};

/// Queries that run at once, as AWS's quota.
const RUNNING_MAX: usize = 30;
/// Queries that are remembered; the oldest goes first.
const KEPT_MAX: usize = 200;
/// How long a query may take.
const TIME_MAX: Duration = Duration::from_mins(15);
/// The most bytes of messages that one query looks at.
const BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Events between two looks at the clock.
const CLOCK_EVERY: u64 = 1_000;
/// What a compiled expression may take, in bytes.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// What is to be searched.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) groups: Vec<GroupId>,
    pub(crate) text: String,
    pub(crate) query: Query,
    /// In milliseconds, both within.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) limit: usize,
}

/// A query, as it is told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) groups: Vec<String>,
    pub(crate) status: QueryStatus,
    pub(crate) created_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) rows: Arc<Vec<Vec<(String, String)>>>,
    pub(crate) scanned: u64,
    pub(crate) matched: u64,
    pub(crate) bytes: u64,
}

struct Kept {
    account: AccountId,
    region: Region,
    order: u64,
    told: Told,
    cancelled: Arc<AtomicBool>,
}

/// All queries, by their ids.
#[derive(Default)]
pub(crate) struct Queries(Mutex<(u64, BTreeMap<String, Kept>)>);

impl Queries {
    /// Queries of an account in a region, the newest first.
    pub(crate) fn list(&self, account: AccountId, region: &Region) -> Vec<Told> {
        let queries = self.lock();
        let own = queries.1.values().filter(|kept| kept.account == account && kept.region == *region);
        let mut found: Vec<_> = own.map(|kept| (kept.order, kept.told.clone())).collect();
        found.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
        found.into_iter().map(|(_, told)| told).collect()
    }

    /// The query, if it is the account's.
    pub(crate) fn find(&self, account: AccountId, region: &Region, id: &str) -> Result<Told, Refusal> {
        let found = self.list(account, region).into_iter().find(|told| told.id == id);
        found.ok_or(Refusal::NoQuery)
    }

    /// Ends a query that runs; whether it ran.
    pub(crate) fn stop(&self, id: &str) -> bool {
        let mut queries = self.lock();
        let Some(kept) = queries.1.get_mut(id).filter(|kept| kept.told.ended_at.is_none()) else {
            return false;
        };
        kept.cancelled.store(true, Ordering::Relaxed);
        kept.told.status = QueryStatus::Cancelled;
        true
    }

    fn begin(&self, search: &Search, id: String, now: Timestamp) -> Result<Arc<AtomicBool>, Refusal> {
        let mut queries = self.lock();
        let (next, kept) = &mut *queries;
        if kept.values().filter(|kept| kept.told.ended_at.is_none()).count() >= RUNNING_MAX {
            return Err(Refusal::Limit(format!("No more than {RUNNING_MAX} queries may run at once.")));
        }
        if kept.len() >= KEPT_MAX {
            let ended = kept.iter().filter(|(_, kept)| kept.told.ended_at.is_some());
            let oldest = ended.min_by_key(|(_, kept)| kept.order).map(|(id, _)| id.clone());
            oldest.map(|id| kept.remove(&id));
        }
        *next += 1;
        let cancelled = Arc::<AtomicBool>::default();
        let first = &search.groups[0];
        let told = Told {
            id: id.clone(),
            text: search.text.clone(),
            groups: search.groups.iter().map(|group| group.name.clone()).collect(),
            status: QueryStatus::Running,
            created_at: now,
            ended_at: None,
            rows: Arc::default(),
            scanned: 0,
            matched: 0,
            bytes: 0,
        };
        let (account, region, order) = (first.account, first.region.clone(), *next);
        kept.insert(id, Kept { account, region, order, told, cancelled: Arc::clone(&cancelled) });
        Ok(cancelled)
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Told)) {
        if let Some(kept) = self.lock().1.get_mut(id) {
            change(&mut kept.told);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<String, Kept>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a query: its id.
pub(crate) fn start(logs: &Arc<Logs>, search: Search) -> Result<String, Refusal> {
    let id = logs.env.uuid_v4();
    let cancelled = logs.queries.begin(&search, id.clone(), logs.env.now())?;
    let (own, name) = (Arc::clone(logs), id.clone());
    // It ends by itself, and tells how in the table of queries.
    let _detached = logs.env.spawn("query", async move {
        let ended = own.search(&search, &name, &cancelled).await;
        let now = own.env.now();
        own.queries.change(&name, |told| {
            told.ended_at = Some(now);
            match ended {
                Ok((status, rows)) => {
                    if told.status == QueryStatus::Running {
                        told.status = status;
                    }
                    told.rows = Arc::new(rows);
                }
                Err(error) => {
                    tracing::warn!(?error, query = name, "a query failed");
                    told.status = QueryStatus::Failed;
                }
            }
        });
    });
    Ok(id)
}

type Rows = Vec<Vec<(String, String)>>;

impl Logs {
    async fn search(
        &self,
        search: &Search,
        id: &str,
        cancelled: &AtomicBool,
    ) -> Result<(QueryStatus, Rows), Refusal> {
        let ends_at = self.env.monotonic() + TIME_MAX;
        let mut run = Run::new(&search.query, search.limit);
        let mut end = QueryStatus::Complete;
        let (mut scanned, mut bytes) = (0, 0);
        for id in &search.groups {
            let run = &mut run;
            let (ending, scanned, bytes) = (&mut end, &mut scanned, &mut bytes);
            let read = self.store.read(|tx| async move {
                let Some(record) = store::group(&tx, id).await? else { return Ok(()) };
                let group = Group::of(id, &record);
                let mut names = BTreeMap::new();
                for (name, stream) in group.streams_by_name(&tx, "", None, false, super::ROWS_MAX).await? {
                    names.insert(stream.number, name);
                }
                let from_ms = search.from_ms.max(retention::kept_from_ms(&record, tx.now()));
                let log = format!("{}:{}", id.account, id.name);
                let mut wanted = run.wanted();
                let mut visit = |event: StoredEvent| {
                    *scanned += 1;
                    *bytes += (event.message.len() + EVENT_OVERHEAD_BYTES) as u64;
                    let late = *scanned % CLOCK_EVERY == 0 && self.env.monotonic() > ends_at;
                    if cancelled.load(Ordering::Relaxed) || late || *bytes > BYTES_MAX {
                        *ending = QueryStatus::Timeout;
                        return ControlFlow::Break(());
                    }
                    // A stream that is gone takes its events with it.
                    let Some(stream) = names.get(&event.stream) else { return ControlFlow::Continue(()) };
                    match run.take(row(id, &log, stream, event)) {
                        Err(super::TooMuch) => {
                            *ending = QueryStatus::Failed;
                            ControlFlow::Break(())
                        }
                        Ok(true) => match &mut wanted {
                            Some(0 | 1) => ControlFlow::Break(()),
                            Some(left) => {
                                *left -= 1;
                                ControlFlow::Continue(())
                            }
                            None => ControlFlow::Continue(()),
                        },
                        Ok(false) => ControlFlow::Continue(()),
                    }
                };
                let bounds =
                    Bounds { after: Position::before(from_ms), before: Position::after(search.to_ms) };
                store::backward(&tx, &group, &Streams::All, bounds, &mut visit).await?;
                Ok::<_, Refusal>(())
            });
            read.await?;
            if end != QueryStatus::Complete {
                break;
            }
        }
        let matched = run.matched;
        self.queries.change(id, |told| (told.scanned, told.matched, told.bytes) = (scanned, matched, bytes));
        Ok((end, run.finish()))
    }
}

/// An event as a row.
pub(crate) fn row(id: &GroupId, log: &str, stream: &str, event: StoredEvent) -> Row {
    let StoredEvent { position, ingested_at_ms, message, .. } = event;
    let mut row = Row::event(position.time_ms, ingested_at_ms, message, stream, log);
    row.set("@ptr", Value::Text(pointer(id, position)));
    row
}

/// What finds an event again.
pub(crate) fn pointer(id: &GroupId, position: Position) -> String {
    STANDARD.encode(format!("{}\n{}", id.name, position.id()))
}

/// Reads a pointer: a group's name and a place in it.
pub(crate) fn read_pointer(text: &str) -> Option<(String, Position)> {
    let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (name, position) = text.split_once('\n')?;
    Some((name.to_owned(), Position::parse(position)?))
}

/// Compiles an expression of a query.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|_| format!("/{text}/ is no regular expression, or too large a one"))
}
