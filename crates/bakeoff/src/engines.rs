//! The engines, each behind one durable `write`: Apus through its transactions, the others behind the same
//! plain group committer.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use apus_env::Env;
use apus_store::{Key, Store, StoreError};
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, TableDefinition};
use tokio::sync::{mpsc, oneshot};

use crate::Failure;

pub(crate) type Changes = Vec<(Bytes, Option<Bytes>)>;

/// Memory that each engine may use for its cache, in bytes.
const CACHE_BYTES: usize = 64 << 20;
/// Commits that one batch takes at most.
const BATCH_MAX: usize = 4_096;
const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("data");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Append and fdatasync, nothing else: the denominator.
    Append,
    Redb,
    Fjall,
    Apus,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Append, Self::Redb, Self::Fjall, Self::Apus];
    /// Those that can be read.
    pub(crate) const STORES: [Self; 3] = [Self::Redb, Self::Fjall, Self::Apus];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Redb => "redb",
            Self::Fjall => "fjall",
            Self::Apus => "apus",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("there is no engine {name}").into())
    }
}

/// An engine that is open.
#[derive(Clone)]
pub(crate) enum Engine {
    Apus(Store),
    Grouped { reader: Reader, commits: mpsc::Sender<Commit> },
}

#[derive(Clone)]
pub(crate) enum Reader {
    None,
    Redb(std::sync::Arc<redb::Database>),
    /// With its database, which must outlive the keyspace.
    Fjall(#[expect(dead_code, reason = "it is held, not used")] Database, Keyspace),
}

pub(crate) struct Commit {
    changes: Changes,
    done: oneshot::Sender<()>,
}

enum Writer {
    Append(File, Vec<u8>),
    Redb(std::sync::Arc<redb::Database>),
    Fjall(Database, Keyspace),
}

impl Engine {
    pub(crate) fn open(env: &Env, kind: Kind, dir: &Path) -> Result<Self, Failure> {
        let (writer, reader) = match kind {
            Kind::Apus => return Ok(Self::Apus(Store::open_dir(env, dir)?)),
            Kind::Append => (Writer::Append(File::create(dir.join("log"))?, Vec::new()), Reader::None),
            Kind::Redb => {
                let database = redb::Builder::new().set_cache_size(CACHE_BYTES).create(dir.join("redb"))?;
                let database = std::sync::Arc::new(database);
                (Writer::Redb(database.clone()), Reader::Redb(database))
            }
            Kind::Fjall => {
                let database = Database::builder(dir.join("fjall")).cache_size(CACHE_BYTES as u64).open()?;
                let keyspace = database.keyspace("data", KeyspaceCreateOptions::default)?;
                (Writer::Fjall(database.clone(), keyspace.clone()), Reader::Fjall(database, keyspace))
            }
        };
        let (commits, receiver) = mpsc::channel(BATCH_MAX);
        let _detached = env.spawn_thread("committer", group(writer, receiver));
        Ok(Self::Grouped { reader, commits })
    }

    /// Makes changes durable.
    pub(crate) async fn write(&self, changes: &Changes) -> Result<(), Failure> {
        match self {
            Self::Apus(store) => {
                let done: Result<(), StoreError> = store
                    .transact(|tx| {
                        for (key, value) in changes {
                            let key = Key::from(key.clone());
                            match value {
                                Some(value) => tx.put(&key, value.clone()),
                                None => tx.delete(&key),
                            }
                        }
                        async { Ok(()) }
                    })
                    .await;
                Ok(done?)
            }
            Self::Grouped { commits, .. } => {
                let (done, answer) = oneshot::channel();
                commits
                    .send(Commit { changes: changes.clone(), done })
                    .await
                    .map_err(|_| "the committer is gone")?;
                Ok(answer.await?)
            }
        }
    }

    /// The length of the value at a key, if it is there.
    pub(crate) async fn read(&self, key: &Bytes) -> Result<Option<usize>, Failure> {
        match self {
            Self::Apus(store) => {
                let key = Key::from(key.clone());
                let value: Result<_, StoreError> = store.read(|tx| async move { tx.get(&key).await }).await;
                Ok(value?.map(|value| value.len()))
            }
            Self::Grouped { reader: Reader::Redb(database), .. } => {
                let table = database.begin_read()?.open_table(TABLE)?;
                Ok(table.get(key.as_ref())?.map(|value| value.value().len()))
            }
            Self::Grouped { reader: Reader::Fjall(_, keyspace), .. } => {
                Ok(keyspace.get(key)?.map(|value| value.len()))
            }
            Self::Grouped { reader: Reader::None, .. } => Ok(None),
        }
    }

    pub(crate) async fn close(self) {
        if let Self::Apus(store) = &self {
            store.close().await;
        }
    }
}

/// Takes all commits that wait and makes them durable together.
async fn group(mut writer: Writer, mut commits: mpsc::Receiver<Commit>) {
    while let Some(first) = commits.recv().await {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = commits.try_recv()
        {
            batch.push(next);
        }
        if let Err(error) = writer.persist(&batch) {
            eprintln!("a batch failed: {error}");
            return;
        }
        for commit in batch {
            let _ = commit.done.send(());
        }
    }
}

impl Writer {
    fn persist(&mut self, batch: &[Commit]) -> Result<(), Failure> {
        let changes = batch.iter().flat_map(|commit| &commit.changes);
        match self {
            Self::Append(file, buffer) => {
                buffer.clear();
                for (key, value) in changes {
                    buffer.extend_from_slice(key);
                    buffer.extend_from_slice(value.as_deref().unwrap_or_default());
                }
                file.write_all(buffer)?;
                file.sync_data()?;
            }
            Self::Redb(database) => {
                let transaction = database.begin_write()?;
                {
                    let mut table = transaction.open_table(TABLE)?;
                    for (key, value) in changes {
                        match value {
                            Some(value) => drop(table.insert(key.as_ref(), value.as_ref())?),
                            None => drop(table.remove(key.as_ref())?),
                        }
                    }
                }
                transaction.commit()?;
            }
            Self::Fjall(database, keyspace) => {
                let mut write = database.batch().durability(Some(PersistMode::SyncData));
                for (key, value) in changes {
                    match value {
                        Some(value) => write.insert(keyspace, key.as_ref(), value.as_ref()),
                        None => write.remove(keyspace, key.as_ref()),
                    }
                }
                write.commit()?;
            }
        }
        Ok(())
    }
}
