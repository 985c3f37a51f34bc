//! Every blob that code is in is there, is what was uploaded, and is kept for those who need it and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use apus_store::fsck::Look;
use apus_store::{BLOB_READ_MAX, BlobId, StoreError};
use sha2::{Digest as _, Sha256};

use super::super::FunctionRecord;
use super::super::blob::{holders, references};
use super::super::layer::{LayerRecord, layers};
use super::Scope;
use crate::layer_name::LayerId;

/// What was seen of blobs so far.
#[derive(Default)]
pub(super) struct Needed {
    /// Each blob that is there, with its size and hash.
    seen: BTreeMap<BlobId, (u64, [u8; 32])>,
    /// Each blob with who needs it, there or not.
    by: BTreeSet<(BlobId, String)>,
}

/// What a row says of a blob.
struct Said<'a> {
    blob: BlobId,
    bytes: u64,
    sha256: &'a [u8],
}

/// The code and the layers of a version, or of what stands for one.
pub(super) async fn check_function(
    look: &mut Look,
    needed: &mut Needed,
    holder: &str,
    record: &FunctionRecord,
) -> Result<(), StoreError> {
    let code = Said { blob: record.blob(), bytes: record.code_bytes, sha256: &record.code_sha256 };
    check_one(look, needed, holder, &code).await?;
    for layer in record.layers() {
        let content = Said { blob: layer.blob(), bytes: layer.bytes, sha256: &layer.sha256 };
        check_one(look, needed, holder, &content).await?;
    }
    Ok(())
}

/// Layer versions.
pub(super) async fn check_layers(
    look: &mut Look,
    scope: &Scope,
    needed: &mut Needed,
) -> Result<(), StoreError> {
    let id = |name| LayerId { account: scope.account, region: scope.region.clone(), name };
    let mut records = look.records::<LayerRecord>(layers(&id(String::new())));
    while let Some(((name, number), record)) = records.next::<(String, u64)>(look).await? {
        let (holder, content) = (id(name).version_arn(number).to_string(), &record.content);
        if content.arn != holder {
            look.finding(&holder, format!("it says that it is {}", content.arn));
        }
        let said = Said { blob: content.blob(), bytes: content.bytes, sha256: &content.sha256 };
        check_one(look, needed, &holder, &said).await?;
    }
    Ok(())
}

async fn check_one(
    look: &mut Look,
    needed: &mut Needed,
    holder: &str,
    said: &Said<'_>,
) -> Result<(), StoreError> {
    let (tx, blob) = (look.tx(), said.blob);
    let id = blob.as_bytes().to_vec();
    if tx.get(&references().key((id.clone(),))).await?.is_none() {
        look.finding(holder, format!("blob {blob} is not among those that code is in: it will be swept"));
    }
    // Functions of older stores hold their blob alone, and without an entry.
    let is_held = tx.get(&holders().key((id.clone(), holder))).await?.is_some();
    if !is_held && look.rows(holders().range((id,))).next().await?.is_some() {
        look.finding(
            holder,
            format!("it needs blob {blob}, which goes with the last of others that need it"),
        );
    }
    needed.by.insert((blob, holder.to_owned()));
    let known = needed.seen.get(&blob).copied();
    let seen = if known.is_some() { known } else { read(look, blob).await? };
    let Some(seen) = seen else {
        look.finding(holder, format!("its code is in blob {blob}, which is not there"));
        return Ok(());
    };
    needed.seen.insert(blob, seen);
    if seen.0 != said.bytes {
        look.finding(holder, format!("blob {blob} is said to have {} bytes, and has {}", said.bytes, seen.0));
    }
    if seen.1 != said.sha256 {
        look.finding(holder, format!("blob {blob} does not have the SHA-256 that was stored"));
    }
    Ok(())
}

/// A blob's size and hash, a piece in memory at a time.
async fn read(look: &Look, blob: BlobId) -> Result<Option<(u64, [u8; 32])>, StoreError> {
    let Some(blob) = look.blobs().open_blob(blob).await? else { return Ok(None) };
    let (mut hash, mut at) = (Sha256::new(), 0);
    while at < blob.size() {
        let piece = blob.read_at(at, BLOB_READ_MAX).await?;
        hash.update(&piece);
        at += piece.len() as u64;
    }
    Ok(Some((blob.size(), hash.finalize().into())))
}

/// What is kept is needed.
pub(super) async fn check_references(look: &mut Look, needed: &Needed) -> Result<(), StoreError> {
    let mut rows = look.rows(references().all());
    while let Some((key, _)) = rows.next().await? {
        let Some((id,)) = look.sound(references().unpack::<(Vec<u8>,)>(&key))? else { continue };
        let Some(blob) = blob_id(look, id) else { continue };
        let first = (blob, String::new());
        if needed.by.range(first..).next().is_none_or(|(other, _)| *other != blob) {
            look.finding(
                format!("blob {blob}"),
                "code is said to be in it, and nobody's is: it is never swept",
            );
        }
    }
    let mut rows = look.rows(holders().all());
    while let Some((key, _)) = rows.next().await? {
        let Some((id, holder)) = look.sound(holders().unpack::<(Vec<u8>, String)>(&key))? else { continue };
        let Some(blob) = blob_id(look, id) else { continue };
        if !needed.by.contains(&(blob, holder.clone())) {
            look.finding(format!("blob {blob}"), format!("it is kept for {holder}, which does not need it"));
        }
    }
    Ok(())
}

fn blob_id(look: &mut Look, id: Vec<u8>) -> Option<BlobId> {
    let id = <[u8; 16]>::try_from(id).map(BlobId::from);
    if id.is_err() {
        look.finding("the list of blobs that code is in", "an entry is no blob's id");
    }
    id.ok()
}
