//! An object's bytes are as many as it says, with the MD5 and the checksum that it says.

use std::collections::BTreeSet;

use apus_store::fsck::Look;
use apus_store::{BLOB_READ_MAX, BlobId, StoreError};

use crate::checksum::Digests;
use crate::object::Object;

/// Of an object whose bytes are in the store.
pub(super) fn check_held(look: &mut Look, place: &str, object: &Object, held: &[u8]) {
    let mut digests = digests_for(object);
    digests.update(held);
    compare(look, place, object, held.len() as u64, digests);
}

/// Of an object whose bytes are in a blob, a piece in memory at a time.
pub(super) async fn check_blob(
    look: &mut Look,
    place: &str,
    object: &Object,
    id: BlobId,
) -> Result<(), StoreError> {
    let Some(blob) = look.blobs().open_blob(id).await? else {
        look.finding(place, format!("its bytes are in blob {id}, which is not there"));
        return Ok(());
    };
    let (mut digests, mut at) = (digests_for(object), 0);
    while at < blob.size() {
        let piece = blob.read_at(at, BLOB_READ_MAX).await?;
        digests.update(&piece);
        at += piece.len() as u64;
    }
    compare(look, place, object, blob.size(), digests);
    Ok(())
}

fn digests_for(object: &Object) -> Digests {
    Digests::new(&BTreeSet::from([object.checksum.algorithm]))
}

fn compare(look: &mut Look, place: &str, object: &Object, size_bytes: u64, digests: Digests) {
    if size_bytes != object.size_bytes {
        look.finding(place, format!("it says {} bytes, and there are {size_bytes}", object.size_bytes));
        return;
    }
    let (md5, checksums) = digests.finish();
    if md5 != object.md5 {
        look.finding(place, "its bytes do not have the MD5 that was stored");
    }
    if !checksums.contains(&object.checksum) {
        let name = object.checksum.algorithm.name();
        look.finding(place, format!("its bytes do not have the {name} checksum that was stored"));
    }
}
