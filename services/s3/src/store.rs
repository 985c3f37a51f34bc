//! Every key of the service. Nothing else knows where a row lies.
//!
//! ```text
//! (-, -, s3) bucket, name                       → BucketRecord   names are unique in the partition
//! (-, -, s3) blob, id                           → nothing        the blob is some object's
//! (owner, -, s3) owned, name                    → nothing        an account's buckets in order
//! (owner, region, s3) object, bucket, key       → ObjectRecord   keys as bytes, in their order
//! (owner, region, s3) content, bucket, key      → bytes          of objects that are held in the store
//! ```

mod check;

use apus_kernel::AccountId;
use apus_store::{BlobId, Direction, Key, Keyspace, Range, StoreError, Table, Tx};
use bytes::Bytes;

pub(crate) use self::check::Contradictions;
use crate::bucket::{Bucket, BucketName};
use crate::listing::{Position, behind_prefix};
use crate::object::{Object, ObjectKey, Place};
use crate::record::{BucketRecord, ObjectRecord, corrupt};

const SERVICE: &str = "s3";
/// The account and region of what belongs to none.
const NOBODY: &str = "";

/// Buckets by name, of all accounts.
fn buckets() -> Table<BucketRecord> {
    Table::new(Keyspace::global(NOBODY, SERVICE).sub(("bucket",)))
}

/// The blobs that objects refer to.
fn blobs() -> Keyspace {
    Keyspace::global(NOBODY, SERVICE).sub(("blob",))
}

/// An account's buckets.
fn owned(owner: AccountId) -> Keyspace {
    Keyspace::global(owner.as_str(), SERVICE).sub(("owned",))
}

fn space(bucket: &Bucket) -> Keyspace {
    Keyspace::new(bucket.owner.as_str(), bucket.region.as_str(), SERVICE)
}

fn objects(bucket: &Bucket) -> Table<ObjectRecord> {
    Table::new(space(bucket).sub(("object", bucket.name.as_str())))
}

fn content_space(bucket: &Bucket) -> Keyspace {
    space(bucket).sub(("content", bucket.name.as_str()))
}

fn content(bucket: &Bucket, key: &ObjectKey) -> Key {
    content_space(bucket).key((key.as_str().as_bytes(),))
}

/// The bucket of that name, whosever it is.
pub(crate) async fn bucket(tx: &Tx, name: &BucketName) -> Result<Option<Bucket>, StoreError> {
    let record = buckets().get(tx, (name.as_str(),)).await?;
    record.map(|record| record.into_bucket(name.as_str())).transpose()
}

/// Adds a bucket.
pub(crate) fn put_bucket(tx: &Tx, bucket: &Bucket) {
    buckets().put(tx, (bucket.name.as_str(),), &BucketRecord::of(bucket));
    tx.put(&owned(bucket.owner).key((bucket.name.as_str(),)), Bytes::new());
}

/// Removes a bucket, which must be empty.
pub(crate) fn delete_bucket(tx: &Tx, bucket: &Bucket) {
    buckets().delete(tx, (bucket.name.as_str(),));
    tx.delete(&owned(bucket.owner).key((bucket.name.as_str(),)));
}

/// Whether a bucket has no object.
pub(crate) async fn is_empty(tx: &Tx, bucket: &Bucket) -> Result<bool, StoreError> {
    let objects = objects(bucket);
    Ok(objects.list(tx, &objects.range(()), 1).await?.is_empty())
}

/// The first buckets of an account, in the order of their names, behind one of them.
pub(crate) async fn buckets_of(
    tx: &Tx,
    owner: AccountId,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Bucket>, StoreError> {
    let space = owned(owner);
    let range = match after {
        Some(name) => space.all().after(&space.key((name,))),
        None => space.all(),
    };
    let mut found = Vec::new();
    for (key, _) in tx.range(&range, limit, Direction::Forward).await? {
        let (name,): (String,) = space.unpack(&key)?;
        let record = buckets().get(tx, (name.as_str(),)).await?;
        let record = record
            .ok_or_else(|| corrupt(format!("bucket {name}"), "its owner has it, and it is not there"))?;
        found.push(record.into_bucket(&name)?);
    }
    Ok(found)
}

/// The object at a key, without its bytes.
pub(crate) async fn object(tx: &Tx, bucket: &Bucket, key: &ObjectKey) -> Result<Option<Object>, StoreError> {
    let record = objects(bucket).get(tx, (key.as_str().as_bytes(),)).await?;
    record.map(|record| record.into_object(key.as_str())).transpose()
}

/// The bytes of an object that is held in the store.
pub(crate) async fn content_of(
    tx: &Tx,
    bucket: &Bucket,
    key: &ObjectKey,
    object: &Object,
) -> Result<Bytes, StoreError> {
    let bytes =
        if object.size_bytes == 0 { Some(Bytes::new()) } else { tx.get(&content(bucket, key)).await? };
    let bytes = bytes.filter(|bytes| bytes.len() as u64 == object.size_bytes);
    bytes.ok_or_else(|| {
        corrupt(format!("object {}", key.as_str()), "its bytes are not there, or not all of them")
    })
}

/// Puts an object over what was there, with its bytes if they are held in the store.
pub(crate) fn put_object(
    tx: &Tx,
    bucket: &Bucket,
    key: &ObjectKey,
    old: Option<&Object>,
    new: &Object,
    bytes: &Bytes,
) {
    release(tx, old);
    let content = content(bucket, key);
    match &new.place {
        Place::Store if bytes.is_empty() => tx.delete(&content),
        Place::Store => tx.put(&content, bytes.clone()),
        Place::Blob(id) => {
            tx.delete(&content);
            tx.put(&blobs().key((id.as_bytes(),)), Bytes::new());
        }
    }
    objects(bucket).put(tx, (key.as_str().as_bytes(),), &ObjectRecord::of(new));
}

/// Removes an object.
pub(crate) fn delete_object(tx: &Tx, bucket: &Bucket, key: &ObjectKey, old: &Object) {
    release(tx, Some(old));
    tx.delete(&content(bucket, key));
    objects(bucket).delete(tx, (key.as_str().as_bytes(),));
}

/// Says that an object's blob is nobody's any more.
fn release(tx: &Tx, old: Option<&Object>) {
    if let Some(Object { place: Place::Blob(id), .. }) = old {
        tx.delete(&blobs().key((id.as_bytes(),)));
    }
}

/// Whether some object refers to a blob.
pub(crate) async fn is_referenced(tx: &Tx, id: BlobId) -> Result<bool, StoreError> {
    Ok(tx.get(&blobs().key((id.as_bytes(),))).await?.is_some())
}

/// The objects whose keys begin with `prefix`, behind a position: the first `limit` of them, in order.
pub(crate) async fn objects_behind(
    tx: &Tx,
    bucket: &Bucket,
    prefix: &str,
    position: &Position,
    limit: usize,
) -> Result<Vec<(String, Object)>, StoreError> {
    let objects = objects(bucket);
    let key = |bytes: &[u8]| objects.space().key((bytes,));
    let mut range: Range = objects.range(()).from(&key(prefix.as_bytes()));
    if let Some(end) = behind_prefix(prefix) {
        range = range.before(&key(&end));
    }
    range = match position {
        Position::Start => range,
        Position::AfterKey(last) => range.after(&key(last.as_bytes())),
        Position::AfterPrefix(last) => match behind_prefix(last) {
            Some(start) => range.from(&key(&start)),
            None => return Ok(Vec::new()),
        },
    };
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (key, record) in objects.list(tx, &range, limit).await? {
        let (name,): (Vec<u8>,) = objects.space().unpack(&key)?;
        let name = String::from_utf8(name)
            .map_err(|_| corrupt(format!("{key:?}"), "an object's key is no UTF-8"))?;
        let object = record.into_object(&name)?;
        found.push((name, object));
    }
    Ok(found)
}
