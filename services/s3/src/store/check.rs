//! Contradictions between the rows of S3, and between rows and bytes: what no crash may leave behind.
//!
//! Rows are walked a page at a time and bytes read in pieces, so memory grows with one thing only: 16 bytes for each
//! object that is in a blob, as it does for the sweep at start.

mod bytes;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use apus_store::fsck::{Check, Checked, Look, Space};
use apus_store::{BlobId, Keyspace, StoreError};

use super::{SERVICE, blobs, buckets, content, content_space, object, objects, owned};
use crate::bucket::{Bucket, BucketName};
use crate::object::{ObjectKey, Place};

/// The check of S3.
pub(crate) struct Contradictions;

impl Check for Contradictions {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(check(look))
    }
}

async fn check(look: &mut Look) -> Result<(), StoreError> {
    let mut referred = BTreeSet::new();
    let mut records = look.records(buckets());
    while let Some(((name,), record)) = records.next::<(String,)>(look).await? {
        let Some(bucket) = look.sound(record.into_bucket(&name))? else { continue };
        if look.tx().get(&owned(bucket.owner).key((name.as_str(),))).await?.is_none() {
            look.finding(
                place(&bucket.name),
                format!("it is not among the buckets of its owner {}", bucket.owner),
            );
        }
        check_objects(look, &bucket, &mut referred).await?;
        check_contents(look, &bucket).await?;
    }
    for space in look.spaces(SERVICE).await? {
        check_space(look, &space).await?;
    }
    check_references(look, &referred).await
}

fn place(bucket: &BucketName) -> String {
    format!("bucket {bucket}")
}

/// Where a finding about an object is.
fn object_place(bucket: &Bucket, key: &ObjectKey) -> String {
    format!("object {} of {}", key.as_str(), place(&bucket.name))
}

fn object_key(key: Vec<u8>) -> Option<ObjectKey> {
    ObjectKey::parse(String::from_utf8(key).ok()?).ok()
}

/// Every object has its bytes, and a blob is one object's.
async fn check_objects(
    look: &mut Look,
    bucket: &Bucket,
    referred: &mut BTreeSet<BlobId>,
) -> Result<(), StoreError> {
    let (tx, mut records) = (look.tx(), look.records(objects(bucket)));
    while let Some(((name,), record)) = records.next::<(Vec<u8>,)>(look).await? {
        let Some(name) = object_key(name) else {
            look.finding(place(&bucket.name), "an object has a key that is none");
            continue;
        };
        let Some(object) = look.sound(record.into_object(name.as_str()))? else { continue };
        let place = object_place(bucket, &name);
        match object.place {
            Place::Store => {
                let held = tx.get(&content(bucket, &name)).await?.unwrap_or_default();
                bytes::check_held(look, &place, &object, &held);
            }
            Place::Blob(id) => {
                if !referred.insert(id) {
                    look.finding(&place, format!("blob {id} is another object's too"));
                }
                if tx.get(&blobs().key((id.as_bytes(),))).await?.is_none() {
                    look.finding(
                        &place,
                        format!("blob {id} is not among those that objects are in: it will be swept"),
                    );
                }
                bytes::check_blob(look, &place, &object, id).await?;
            }
        }
    }
    Ok(())
}

/// Bytes in the store are an object's that is there.
async fn check_contents(look: &mut Look, bucket: &Bucket) -> Result<(), StoreError> {
    let (tx, space) = (look.tx(), content_space(bucket));
    let mut rows = look.rows(space.all());
    while let Some((key, _)) = rows.next().await? {
        let Some((name,)) = look.sound(space.unpack::<(Vec<u8>,)>(&key))? else { continue };
        let Some(name) = object_key(name) else {
            look.finding(format!("{key:?}"), "bytes are of an object whose key is none");
            continue;
        };
        let found = object(&tx, bucket, &name).await;
        if look.sound(found)?.is_some_and(|found| found.is_none_or(|found| found.place != Place::Store)) {
            look.finding(
                object_place(bucket, &name),
                "there are bytes in the store that are not the object's",
            );
        }
    }
    Ok(())
}

/// What an account has is of buckets that are there.
async fn check_space(look: &mut Look, space: &Space) -> Result<(), StoreError> {
    let Space { account, region, keys } = space;
    let own = keys.sub(("owned",));
    let mut rows = look.rows(own.all());
    while let Some((key, _)) = rows.next().await? {
        let Some((name,)) = look.sound(own.unpack::<(String,)>(&key))? else { continue };
        if bucket_of(look, &name).await?.is_none_or(|bucket| bucket.owner.as_str() != account) {
            look.finding(
                format!("bucket {name}"),
                format!("{account} has it, and it is not there, or another's"),
            );
        }
    }
    for part in ["object", "content"] {
        let space: Keyspace = keys.sub((part,));
        let mut rest = space.all();
        while let Some((name,)) = look.next_beginning::<(String,)>(&space, &rest).await? {
            let bucket = bucket_of(look, &name).await?;
            let is_here =
                |bucket: Bucket| bucket.owner.as_str() == account && bucket.region.as_str() == region;
            if !bucket.is_some_and(is_here) {
                let detail =
                    format!("there are rows under \"{part}\" in {account} {region}, where no such bucket is");
                look.finding(format!("bucket {name}"), detail);
            }
            rest = rest.behind(&space.key((name,)));
        }
    }
    Ok(())
}

/// The bucket of that name, if there is one and its record can be read.
async fn bucket_of(look: &mut Look, name: &str) -> Result<Option<Bucket>, StoreError> {
    let record = buckets().get(&look.tx(), (name,)).await;
    let bucket = record.and_then(|record| record.map(|record| record.into_bucket(name)).transpose());
    Ok(look.sound(bucket)?.flatten())
}

/// What the sweep spares is some object's.
async fn check_references(look: &mut Look, referred: &BTreeSet<BlobId>) -> Result<(), StoreError> {
    let mut rows = look.rows(blobs().all());
    while let Some((key, _)) = rows.next().await? {
        let Some((id,)) = look.sound(blobs().unpack::<(Vec<u8>,)>(&key))? else { continue };
        match <[u8; 16]>::try_from(id).map(BlobId::from) {
            Ok(id) if referred.contains(&id) => {}
            Ok(id) => look.finding(
                format!("blob {id}"),
                "an object is said to be in it, and none is: it is never swept",
            ),
            Err(_) => look.finding(format!("{key:?}"), "it is no blob's id"),
        }
    }
    Ok(())
}
