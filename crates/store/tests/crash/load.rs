//! The load: clients whose data after their nth transaction is known, so that any state can be judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use apus_env::Env;
use apus_store::{BlobId, Direction, Key, Log, Range, Store, StoreError, Tx};
use bytes::Bytes;

const CLIENTS: u64 = 4;
const LOG_KEPT: u64 = 5;

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// The last transaction that was acknowledged, or whose outcome was seen after a crash.
    sure: u64,
    /// The last one that was begun.
    tried: u64,
}

/// What the clients know, across all boots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients {
    progress: Arc<Mutex<BTreeMap<u64, Progress>>>,
}

impl Clients {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Progress>> {
        self.progress.lock().expect("not poisoned")
    }

    /// Runs all clients until the store takes nothing more.
    pub(crate) async fn run(&self, store: &Store, env: &Env) {
        let tasks: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (clients, store, clock) = (self.clone(), store.clone(), env.clone());
                env.spawn("client", async move { clients.run_one(client, &store, &clock).await })
            })
            .collect();
        for task in tasks {
            let _ = task.join().await;
        }
    }

    async fn run_one(&self, client: u64, store: &Store, env: &Env) {
        loop {
            if env.random_below(8) == 0 {
                // Long enough for an idle checkpoint now and then.
                env.sleep(Duration::from_millis(env.random_below(40))).await;
            }
            let number = self.lock().get(&client).copied().unwrap_or_default().sure + 1;
            let Ok(blob) = blob(client, number, store).await else { return };
            self.lock().entry(client).or_default().tried = number;
            let done: Result<(), StoreError> =
                store.transact(|tx| async move { transaction(&tx, client, number, blob).await }).await;
            if done.is_err() {
                return;
            }
            self.lock().entry(client).or_default().sure = number;
            env.trace(format!("client {client} did {number}"));
        }
    }

    /// Every client's data is that of one of its transactions, none before the last sure one. What is seen is sure.
    pub(crate) async fn check(&self, store: &Store) -> Result<(), String> {
        let mut total = 0;
        for client in 0..CLIENTS {
            let known = self.lock().get(&client).copied().unwrap_or_default();
            let number = self
                .check_one(client, known, store)
                .await
                .map_err(|loss| format!("client {client}: {loss}"))?;
            total += number;
            self.lock().insert(client, Progress { sure: number, tried: number });
        }
        let counted: Result<i64, StoreError> =
            store.read(|tx| async move { tx.counter(&total_key()).await }).await;
        let counted = counted.map_err(|error| error.to_string())?;
        if counted != total as i64 {
            return Err(format!("the counter has {counted} of {total}"));
        }
        Ok(())
    }

    async fn check_one(&self, client: u64, known: Progress, store: &Store) -> Result<u64, String> {
        let read: Result<_, StoreError> = store
            .read(|tx| async move {
                tx.range(&Range::prefix(&Key::of((client,))), 10_000, Direction::Forward).await
            })
            .await;
        let rows: BTreeMap<Key, Bytes> = read.map_err(|error| error.to_string())?.into_iter().collect();
        let number = rows.get(&key(client, "last")).map_or(0, |value| number_of(value));
        if number < known.sure || number > known.tried {
            return Err(format!("has done {number}, but {} to {} were possible", known.sure, known.tried));
        }
        let mut rows = rows;
        let reference = rows.remove(&key(client, "blob"));
        if rows != expected(client, number) {
            return Err(format!("transaction {number} is torn"));
        }
        check_blob(client, number, reference.as_deref(), store).await?;
        Ok(number)
    }
}

fn key(client: u64, name: &str) -> Key {
    Key::of((client, name))
}

fn total_key() -> Key {
    Key::of(("total",))
}

fn log_key(client: u64) -> Key {
    key(client, "log")
}

fn number_of(value: &[u8]) -> u64 {
    value.try_into().map_or(u64::MAX, u64::from_be_bytes)
}

fn big(number: u64) -> Bytes {
    vec![number as u8; if number.is_multiple_of(9) { 150_000 } else { 300 }].into()
}

/// The client's nth transaction.
async fn transaction(tx: &Tx, client: u64, number: u64, blob: Option<BlobId>) -> Result<(), StoreError> {
    // A read of one's own, so that commits have something to check.
    let last = tx.get(&key(client, "last")).await?.map_or(0, |value| number_of(&value));
    assert_eq!(last + 1, number, "a client goes on from what it knows");
    tx.put(&key(client, "last"), number.to_be_bytes().to_vec());
    tx.put(&key(client, "big"), big(number));
    tx.add(&total_key(), 1);
    // Messages that come, and go with the next transaction.
    tx.delete_range(&Range::prefix(&key(client, "message")));
    for message in 0..number % 4 {
        tx.put(&key(client, "message").with((number, message)), "message");
    }
    let log = Log::new(log_key(client));
    let _position = log.append_at_commit(tx, number.to_be_bytes().to_vec());
    log.trim(tx, number.saturating_sub(LOG_KEPT));
    if let Some(blob) = blob {
        tx.put(&key(client, "blob"), blob.as_bytes().to_vec());
    }
    Ok(())
}

/// All rows of a client after its nth transaction, but for the blob's.
fn expected(client: u64, number: u64) -> BTreeMap<Key, Bytes> {
    let mut rows = BTreeMap::new();
    if number == 0 {
        return rows;
    }
    let mut put = |key, value: &[u8]| rows.insert(key, Bytes::copy_from_slice(value));
    put(key(client, "last"), &number.to_be_bytes());
    put(key(client, "big"), &big(number));
    for message in 0..number % 4 {
        put(key(client, "message").with((number, message)), b"message");
    }
    // The trim of a transaction comes before its own append, and names positions, which begin at 0.
    for position in number.saturating_sub(LOG_KEPT)..number {
        put(log_key(client).with((position,)), &(position + 1).to_be_bytes());
    }
    put(log_key(client).with((false,)), &number.to_be_bytes());
    rows
}

fn blob_content(client: u64, number: u64) -> Bytes {
    vec![(client * 50 + number) as u8; 5_000 + number as usize].into()
}

/// Every fifth transaction refers to a new blob, the first too.
fn blob_number(number: u64) -> u64 {
    number - (number + 4) % 5
}

async fn blob(client: u64, number: u64, store: &Store) -> Result<Option<BlobId>, StoreError> {
    if blob_number(number) != number {
        return Ok(None);
    }
    store.blobs().put(blob_content(client, number)).await.map(Some)
}

async fn check_blob(client: u64, number: u64, reference: Option<&[u8]>, store: &Store) -> Result<(), String> {
    let Some(reference) = reference else {
        return if number == 0 { Ok(()) } else { Err("the reference to a blob is gone".into()) };
    };
    let id = <[u8; 16]>::try_from(reference).map_err(|_| "the reference to a blob is torn")?;
    let reader = store.blobs().open_blob(id.into()).await.map_err(|error| error.to_string())?;
    let reader = reader.ok_or_else(|| format!("the blob of transaction {} is gone", blob_number(number)))?;
    let content = reader.read_all(1 << 20).await.map_err(|error| error.to_string())?;
    if content == blob_content(client, blob_number(number)) { Ok(()) } else { Err("a blob is torn".into()) }
}
