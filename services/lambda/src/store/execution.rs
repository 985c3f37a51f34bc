//! Executions: what became of each invocation, for people. The newest are kept; older ones go.

use apus_store::{Counter, Direction, Keyspace, StoreError, Table, Tx, record};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use super::SERVICE;

/// One attempt at an invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ExecutionRecord {
    #[n(0)]
    pub(crate) request_id: String,
    #[n(1)]
    pub(crate) account: String,
    #[n(2)]
    pub(crate) region: String,
    #[n(3)]
    pub(crate) function: String,
    /// The qualifier that was asked for.
    #[n(4)]
    pub(crate) qualifier: Option<String>,
    /// The version that ran, or would have.
    #[n(5)]
    pub(crate) version: String,
    /// `sync`, `event` or `service`.
    #[n(6)]
    pub(crate) trigger: String,
    /// The principal that invoked it.
    #[n(7)]
    pub(crate) by: String,
    /// `succeeded`, `failed` (the function), `throttled`, `refused` (it could not run) or `discarded`.
    #[n(8)]
    pub(crate) status: String,
    /// From 1; of an event, each try is one.
    #[n(9)]
    pub(crate) attempt: u32,
    /// How an event ended with this attempt, if it did: the condition of its invocation record.
    #[n(10)]
    pub(crate) ended: Option<String>,
    #[n(11)]
    pub(crate) started_at_micros: i64,
    /// Why an environment was started for it, if one was.
    #[n(12)]
    pub(crate) cold: Option<String>,
    #[n(13)]
    pub(crate) init_micros: Option<u64>,
    #[n(14)]
    pub(crate) duration_micros: Option<u64>,
    #[n(15)]
    pub(crate) billed_ms: Option<u64>,
    #[n(16)]
    pub(crate) memory_max_bytes: Option<u64>,
    #[n(17)]
    pub(crate) memory_mb: u32,
    #[n(18)]
    pub(crate) error_type: Option<String>,
    #[n(19)]
    pub(crate) error_message: Option<String>,
    /// The end of its log.
    #[n(20)]
    pub(crate) log: String,
    #[n(21)]
    pub(crate) event_bytes: u64,
    /// The event, unless it is too large to be kept.
    #[n(22)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) event: Option<Vec<u8>>,
    /// Whom its end could not be told, and why.
    #[n(23)]
    pub(crate) undelivered: Vec<String>,
}

/// Where an execution lies: by the time of its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ExecutionKey {
    #[n(0)]
    pub(crate) started_at_micros: i64,
    #[n(1)]
    pub(crate) request_id: String,
    #[n(2)]
    pub(crate) attempt: u32,
}

impl ExecutionRecord {
    pub(crate) fn key(&self) -> ExecutionKey {
        let Self { started_at_micros, request_id, attempt, .. } = self;
        ExecutionKey {
            started_at_micros: *started_at_micros,
            request_id: request_id.clone(),
            attempt: *attempt,
        }
    }
}

fn space() -> Keyspace {
    Keyspace::new("", "", SERVICE)
}

pub(super) fn executions() -> Table<ExecutionRecord> {
    Table::new(space().sub(("execution",)))
}

pub(super) fn ids() -> Keyspace {
    space().sub(("execution-id",))
}

fn count() -> Counter {
    Counter::new(space().key(("executions",)))
}

/// Keeps an execution.
pub(crate) fn put(tx: &Tx, execution: &ExecutionRecord) {
    let key = execution.key();
    executions().put(tx, (key.started_at_micros, key.request_id.as_str(), key.attempt), execution);
    tx.put(&ids().key((key.request_id.as_str(), key.started_at_micros, key.attempt)), Vec::new());
    count().add(tx, 1);
}

/// Notes that somebody could not be told of the end of an execution, if it is still there.
pub(crate) async fn note_undelivered(tx: &Tx, key: &ExecutionKey, what: String) -> Result<(), StoreError> {
    let place = (key.started_at_micros, key.request_id.as_str(), key.attempt);
    if let Some(mut execution) = executions().get(tx, place).await? {
        execution.undelivered.push(what);
        executions().put(tx, place, &execution);
    }
    Ok(())
}

/// The newest executions before `before`, at most `limit` that `wanted` accepts among at most `looked_at_max`; and
/// from where to go on, if there may be more.
pub(crate) async fn newest(
    tx: &Tx,
    before: Option<&ExecutionKey>,
    limit: usize,
    looked_at_max: usize,
    wanted: impl Fn(&ExecutionRecord) -> bool,
) -> Result<(Vec<ExecutionRecord>, Option<ExecutionKey>), StoreError> {
    let table = executions();
    let mut range = table.range(());
    if let Some(ExecutionKey { started_at_micros, request_id, attempt }) = before {
        range = range.before(&table.space().key((*started_at_micros, request_id.as_str(), *attempt)));
    }
    let rows = tx.range_snapshot(&range, looked_at_max, Direction::Backward).await?;
    let all = rows.len() < looked_at_max;
    let (mut found, mut last) = (Vec::new(), None);
    for (key, bytes) in rows {
        let execution: ExecutionRecord = record::decode(&key, &bytes)?;
        if wanted(&execution) {
            if found.len() == limit {
                return Ok((found, last));
            }
            found.push(execution.clone());
        }
        last = Some(execution.key());
    }
    Ok((found, last.filter(|_| !all)))
}

/// The executions of a request, oldest first, at most `limit`.
pub(crate) async fn of_request(
    tx: &Tx,
    request_id: &str,
    limit: usize,
) -> Result<Vec<ExecutionRecord>, StoreError> {
    let keys = tx.range_snapshot(&ids().range((request_id,)), limit, Direction::Forward).await?;
    let mut found = Vec::new();
    for (key, _) in keys {
        let (request_id, at, attempt) = ids().unpack::<(String, i64, u32)>(&key)?;
        found.extend(executions().get(tx, (at, request_id.as_str(), attempt)).await?);
    }
    Ok(found)
}

/// How many executions are kept.
pub(crate) async fn kept(tx: &Tx) -> Result<u64, StoreError> {
    Ok(u64::try_from(count().get(tx).await?).unwrap_or(0))
}

/// Deletes the oldest executions, at most `limit`: `beyond` of them, and those that began before `since`. How many
/// went. Only one may do this at a time: it does not conflict with those who add.
pub(crate) async fn trim(tx: &Tx, beyond: u64, since: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let rows = tx.range_snapshot(&executions().range(()), limit, Direction::Forward).await?;
    let mut gone: usize = 0;
    for (key, _) in rows {
        let (at, request_id, attempt) = executions().space().unpack::<(i64, String, u32)>(&key)?;
        if gone as u64 >= beyond && at >= since.as_micros() {
            break;
        }
        tx.delete(&key);
        tx.delete(&ids().key((request_id.as_str(), at, attempt)));
        gone += 1;
    }
    if gone > 0 {
        count().add(tx, -(gone as i64));
    }
    Ok(gone)
}
