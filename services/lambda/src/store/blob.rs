//! The blobs that code is in, and who holds them: `$LATEST` and the versions made of it share one.
//!
//! Functions of older stores hold their blob without an entry that says so: whatever adds a holder to a blob adds
//! the one that it is shared with, too.

use std::collections::BTreeSet;

use apus_store::{BlobId, Direction, Keyspace, Store, StoreError, Tx};
use bytes::Bytes;

use super::SERVICE;
use crate::code::package::{CodeHash, UPLOAD_BYTES_MAX};

/// References to blobs that are read at once.
const REFERENCES_PAGE: usize = 1_000;

pub(super) fn references() -> Keyspace {
    Keyspace::new("", "", SERVICE).sub(("blob",))
}

pub(super) fn holders() -> Keyspace {
    Keyspace::new("", "", SERVICE).sub(("holder",))
}

/// Notes that the holder, an ARN, needs the blob, which is finished.
pub(crate) fn hold(tx: &Tx, blob: BlobId, holder: &str) {
    let id = blob.as_bytes().to_vec();
    tx.put(&references().key((id.clone(),)), Bytes::new());
    tx.put(&holders().key((id, holder)), Bytes::new());
}

/// Notes that the holder does not need the blob any more. The blob, if it is nobody's now: the caller deletes it
/// after the commit.
pub(crate) async fn release(tx: &Tx, blob: BlobId, holder: &str) -> Result<Option<BlobId>, StoreError> {
    let id = blob.as_bytes().to_vec();
    tx.delete(&holders().key((id.clone(), holder)));
    if !tx.range(&holders().range((id.clone(),)), 1, Direction::Forward).await?.is_empty() {
        return Ok(None);
    }
    tx.delete(&references().key((id,)));
    Ok(Some(blob))
}

/// The package in a blob, which has that hash; nothing if the blob is gone by now. `owner` is named by errors.
pub(crate) async fn package(
    store: &Store,
    blob: BlobId,
    hash: CodeHash,
    owner: &str,
) -> Result<Option<Bytes>, StoreError> {
    let Some(blob) = store.blobs().open_blob(blob).await? else { return Ok(None) };
    let code = blob.read_all(UPLOAD_BYTES_MAX).await?;
    if CodeHash::of(&code) == hash {
        return Ok(Some(code));
    }
    Err(StoreError::Corrupt {
        place: format!("the code package of {owner}"),
        detail: "its bytes do not have the hash that was stored".into(),
    })
}

/// Every blob that code is in.
pub(crate) async fn referenced_blobs(store: &Store) -> Result<BTreeSet<BlobId>, StoreError> {
    let mut found = BTreeSet::new();
    let mut rest = references().all();
    loop {
        let range = rest.clone();
        let page =
            store.read(|tx| async move { tx.range(&range, REFERENCES_PAGE, Direction::Forward).await });
        let page = page.await?;
        for (key, _) in &page {
            let (id,): (Vec<u8>,) = references().unpack(key)?;
            let id: [u8; 16] = id.try_into().map_err(|_| StoreError::Corrupt {
                place: format!("{key:?}"),
                detail: "the reference is no blob's id".into(),
            })?;
            found.insert(BlobId::from(id));
        }
        match page.last() {
            Some((last, _)) if page.len() == REFERENCES_PAGE => rest = rest.after(last),
            _ => return Ok(found),
        }
    }
}
