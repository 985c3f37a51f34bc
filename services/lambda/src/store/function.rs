//! Functions: what is being edited, and what all versions share; and what a version is, which has the same form.

use std::collections::BTreeMap;

use apus_store::{BlobId, Counter, Key, StoreError, Table, Tx, record};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use super::layer::LayerContent;
use super::stage::{self, Stage, Unready};
use super::{alias, blob, code_signing, event_invoke, policy, provisioned, running, space, version};
use crate::code::package::CodeHash;
use crate::code_signing::SigningId;
use crate::function_name::{FunctionId, LATEST};

/// A function's `$LATEST`, or a version of it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct FunctionRecord {
    #[n(0)]
    pub(crate) runtime: String,
    #[n(1)]
    pub(crate) role: String,
    #[n(2)]
    pub(crate) handler: String,
    #[n(3)]
    pub(crate) description: String,
    #[n(4)]
    pub(crate) timeout_secs: u32,
    #[n(5)]
    pub(crate) memory_mb: u32,
    #[n(6)]
    pub(crate) tmp_mb: u32,
    /// Absent if none were ever given, which answers show.
    #[n(7)]
    pub(crate) variables: Option<BTreeMap<String, String>>,
    #[n(8)]
    pub(crate) architecture: String,
    #[n(9)]
    pub(crate) log_group: String,
    #[n(10)]
    pub(crate) tags: BTreeMap<String, String>,
    /// `RevisionId`: changes with every change, never comes back.
    #[n(11)]
    pub(crate) revision: String,
    #[n(12)]
    pub(crate) modified_at_micros: i64,
    #[cbor(n(13), with = "minicbor::bytes")]
    pub(crate) code_sha256: Vec<u8>,
    #[n(14)]
    pub(crate) code_bytes: u64,
    /// The blob that holds the code package.
    #[cbor(n(15), with = "minicbor::bytes")]
    pub(crate) code_blob: [u8; 16],
    /// How much of the account's concurrency is this function's alone, and no more.
    #[n(16)]
    pub(crate) reserved_concurrency: Option<u32>,
    /// The revision of code and configuration, if something else has changed since.
    #[n(17)]
    pub(crate) content_revision: Option<String>,
    /// What was last published, of `$LATEST`.
    #[n(18)]
    pub(crate) published: Option<Published>,
    /// What is to become of a function that calls itself, in the API's words.
    #[n(19)]
    pub(crate) recursive_loop: Option<String>,
    /// When it may get another runtime, in the API's words.
    #[n(20)]
    pub(crate) update_runtime_on: Option<String>,
    /// Its layers, lowest first; absent if there are none.
    #[n(21)]
    pub(crate) layers: Option<Vec<LayerContent>>,
    /// The ARN of the dead-letter queue or topic.
    #[n(22)]
    pub(crate) dead_letters: Option<String>,
    /// Whether it can be invoked, if that is not so.
    #[n(23)]
    pub(crate) state: Option<Stage>,
    /// Whether its last update is what invocations run, if that is not so. Versions are never updated.
    #[n(24)]
    pub(crate) update: Option<Stage>,
    /// What of its log is kept, if that is JSON; absent for text.
    #[n(25)]
    pub(crate) json_log: Option<JsonLog>,
    /// The id of its code signing configuration; of `$LATEST`, for all versions.
    #[n(26)]
    pub(crate) code_signing: Option<String>,
}

/// From which levels on lines of a log in JSON are kept, in the API's words.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct JsonLog {
    /// Of the function's.
    #[n(0)]
    pub(crate) application: String,
    /// Of the platform's.
    #[n(1)]
    pub(crate) system: String,
}

/// The last version that was made of `$LATEST`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Published {
    #[n(0)]
    pub(crate) version: u64,
    /// The hash of what it was made of.
    #[n(1)]
    pub(crate) content: String,
}

impl FunctionRecord {
    /// The hash of the code package.
    pub(crate) fn code_hash(&self) -> Result<CodeHash, StoreError> {
        CodeHash::from_slice(&self.code_sha256).ok_or_else(|| StoreError::Corrupt {
            place: format!("the function with revision {}", self.revision),
            detail: "its code's hash has another length than SHA-256".into(),
        })
    }

    /// What the pool knows code and configuration by.
    pub(crate) fn content_revision(&self) -> &str {
        self.content_revision.as_deref().unwrap_or(&self.revision)
    }

    /// Code or configuration have changed: environments of the old ones are no good.
    pub(crate) fn changed(&mut self, revision: String, now: Timestamp) {
        self.modified_at_micros = now.as_micros();
        self.revision = revision;
        self.content_revision = None;
    }

    /// Something else has changed.
    pub(crate) fn touched(&mut self, revision: String) {
        let content = std::mem::replace(&mut self.revision, revision);
        self.content_revision.get_or_insert(content);
    }

    /// Code and configuration without what is no version's: equal hashes are equal versions.
    pub(crate) fn content_hash(&self) -> String {
        let content = Self {
            tags: BTreeMap::new(),
            revision: String::new(),
            modified_at_micros: 0,
            code_blob: [0; 16],
            reserved_concurrency: None,
            content_revision: None,
            published: None,
            recursive_loop: None,
            update_runtime_on: None,
            state: None,
            update: None,
            code_signing: None,
            ..self.clone()
        };
        CodeHash::of(&record::encode(&content)).to_string()
    }

    /// Holds every blob that code is in.
    pub(crate) fn hold(&self, tx: &Tx, holder: &str) {
        blob::hold(tx, self.blob(), holder);
        for layer in self.layers() {
            blob::hold(tx, layer.blob(), holder);
        }
    }

    /// Releases every blob that code is in; those that are nobody's now.
    pub(crate) async fn release(&self, tx: &Tx, holder: &str) -> Result<Vec<BlobId>, StoreError> {
        let mut unused = Vec::new();
        for blob in std::iter::once(self.blob()).chain(self.layers().iter().map(LayerContent::blob)) {
            unused.extend(blob::release(tx, blob, holder).await?);
        }
        Ok(unused)
    }

    /// Whether the function may be led to by its own doing without end; of `$LATEST`, for all versions.
    pub(crate) fn may_recurse(&self) -> bool {
        self.recursive_loop.as_deref() == Some("Allow")
    }

    /// Its layers, lowest first.
    pub(crate) fn layers(&self) -> &[LayerContent] {
        self.layers.as_deref().unwrap_or_default()
    }

    /// The blob that holds the code package.
    pub(crate) fn blob(&self) -> BlobId {
        BlobId::from(self.code_blob)
    }
}

pub(super) fn functions(id: &FunctionId) -> Table<FunctionRecord> {
    Table::new(space(id).sub(("function",)))
}

/// What all functions of the account in the region have for themselves together: their reservations, and of those
/// that reserve nothing their provisioned concurrency.
pub(crate) fn reserved(id: &FunctionId) -> Counter {
    Counter::new(space(id).key(("reserved",)))
}

/// The function, if there is one.
pub(crate) async fn get(tx: &Tx, id: &FunctionId) -> Result<Option<FunctionRecord>, StoreError> {
    functions(id).get(tx, (id.name.as_str(),)).await
}

/// Changes a function, but not its code.
pub(crate) fn put(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    functions(id).put(tx, (id.name.as_str(),), record);
}

/// Makes a function, whose code's blob is finished. It is to be made ready.
pub(crate) fn create(tx: &Tx, id: &FunctionId, record: &FunctionRecord) {
    put(tx, id, record);
    record.hold(tx, &id.qualified_arn(LATEST).to_string());
    stage::put(tx, &Unready::latest(id));
}

/// Gives a function that code signing configuration instead of its own; the caller writes it.
pub(crate) fn set_code_signing(
    tx: &Tx,
    id: &FunctionId,
    record: &mut FunctionRecord,
    config: Option<&SigningId>,
) {
    if let Some(before) = &record.code_signing {
        code_signing::detach(tx, &SigningId::beside(id, before), &id.name);
    }
    if let Some(config) = config {
        code_signing::attach(tx, config, &id.name);
    }
    record.code_signing = config.map(|config| config.id.clone());
}

/// Begins an update of code or configuration: invocations go on with what runs now, until the new content is ready.
/// Comes before the blobs of the old one are released; no other update is under way.
pub(crate) fn begin_update(tx: &Tx, id: &FunctionId, record: &mut FunctionRecord) {
    // After an update that failed, what runs is kept already.
    if record.update.is_none() {
        running::keep(tx, id, record);
        record.hold(tx, &id.qualified_arn(LATEST).to_string());
    }
    record.update = Some(Stage::Pending);
    stage::put(tx, &Unready::latest(id));
}

/// What was to be made ready is, and invocations run it; the blobs that are nobody's now.
pub(crate) async fn settle(tx: &Tx, unready: &Unready) -> Result<Vec<BlobId>, StoreError> {
    stage::delete(tx, unready);
    match unready.number {
        None => running::forget(tx, &unready.id).await,
        Some(_) => Ok(Vec::new()),
    }
}

/// Deletes a function with its versions, aliases and policies; the blobs that are nobody's now.
pub(crate) async fn delete(
    tx: &Tx,
    id: &FunctionId,
    record: &FunctionRecord,
) -> Result<Vec<BlobId>, StoreError> {
    functions(id).delete(tx, (id.name.as_str(),));
    let own = match record.reserved_concurrency {
        Some(own) => own,
        None => provisioned::total(tx, id).await?,
    };
    if own > 0 {
        reserved(id).add(tx, -i64::from(own));
    }
    provisioned::delete_all(tx, id);
    if let Some(config) = &record.code_signing {
        code_signing::detach(tx, &SigningId::beside(id, config), &id.name);
    }
    stage::delete(tx, &Unready::latest(id));
    let mut blobs = running::forget(tx, id).await?;
    blobs.extend(record.release(tx, &id.qualified_arn(LATEST).to_string()).await?);
    for (number, version) in version::list(tx, id, None, usize::MAX).await? {
        blobs.extend(version::delete(tx, id, number, &version).await?);
    }
    for (name, _) in alias::list(tx, id, None, usize::MAX).await? {
        alias::delete(tx, id, &name);
    }
    policy::delete_all(tx, id);
    event_invoke::delete_all(tx, id);
    Ok(blobs)
}

/// At most `limit` functions in the order of their names, those after `after` only.
pub(crate) async fn list(
    tx: &Tx,
    any: &FunctionId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, FunctionRecord)>, StoreError> {
    let table = functions(any);
    let mut range = table.range(());
    if let Some(after) = after {
        let key: Key = table.space().key((after,));
        range = range.after(&key);
    }
    let rows = table.list(tx, &range, limit).await?;
    rows.into_iter().map(|(key, record)| Ok((table.space().unpack::<(String,)>(&key)?.0, record))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function as the first release wrote it.
    #[derive(Encode)]
    #[cbor(map)]
    struct FirstRecord {
        #[n(0)]
        runtime: String,
        #[n(1)]
        role: String,
        #[n(2)]
        handler: String,
        #[n(3)]
        description: String,
        #[n(4)]
        timeout_secs: u32,
        #[n(5)]
        memory_mb: u32,
        #[n(6)]
        tmp_mb: u32,
        #[n(7)]
        variables: Option<BTreeMap<String, String>>,
        #[n(8)]
        architecture: String,
        #[n(9)]
        log_group: String,
        #[n(10)]
        tags: BTreeMap<String, String>,
        #[n(11)]
        revision: String,
        #[n(12)]
        modified_at_micros: i64,
        #[cbor(n(13), with = "minicbor::bytes")]
        code_sha256: Vec<u8>,
        #[n(14)]
        code_bytes: u64,
        #[cbor(n(15), with = "minicbor::bytes")]
        code_blob: [u8; 16],
    }

    fn first() -> FunctionRecord {
        let first = FirstRecord {
            runtime: "python3.12".into(),
            role: "role".into(),
            handler: "a.b".into(),
            description: String::new(),
            timeout_secs: 3,
            memory_mb: 128,
            tmp_mb: 512,
            variables: None,
            architecture: "x86_64".into(),
            log_group: "group".into(),
            tags: BTreeMap::from([("a".into(), "b".into())]),
            revision: "one".into(),
            modified_at_micros: 7,
            code_sha256: vec![1; 32],
            code_bytes: 9,
            code_blob: [2; 16],
        };
        minicbor::decode(&minicbor::to_vec(first).expect("it encodes")).expect("it is read")
    }

    #[test]
    fn functions_of_the_first_release_are_read() {
        let record = first();
        assert_eq!(
            (record.content_revision(), record.layers(), record.reserved_concurrency),
            ("one", &[][..], None)
        );
        assert_eq!(record.blob(), BlobId::from([2; 16]));
    }

    #[test]
    fn only_a_change_of_the_content_is_another_content() {
        let mut record = first();
        let hash = record.content_hash();
        record.touched("two".into());
        record.touched("three".into());
        record.tags.clear();
        record.reserved_concurrency = Some(1);
        assert_eq!((record.content_revision(), record.revision.as_str()), ("one", "three"));
        assert_eq!(record.content_hash(), hash);
        record.timeout_secs = 4;
        record.changed("four".into(), Timestamp::from_micros(8));
        assert_eq!((record.content_revision(), record.revision.as_str()), ("four", "four"));
        assert_ne!(record.content_hash(), hash);
    }
}
