//! S3: objects small and large, put, read, listed and deleted by several clients at once.

use std::collections::BTreeMap;

use apus_model_s3::{
    CreateBucket, CreateBucketRequest, DeleteBucket, DeleteBucketRequest, DeleteObject, DeleteObjectRequest,
    GetObject, GetObjectRequest, HeadBucket, HeadBucketRequest, ListObjectsV2, ListObjectsV2Request,
    PutObject, PutObjectRequest,
};
use apus_schema::{Body, ServiceError};

use super::{Client, is_absent, is_made};
use crate::register::Saw;
use crate::value;

pub(crate) const BUCKETS: [&str; 2] = ["north", "south"];
const KEYS: u64 = 6;
/// A bucket that comes and goes.
pub(crate) const TIDE: &str = "tide";
/// Few objects, so that it is often empty.
const TIDE_KEYS: u64 = 2;
/// All that is known of a bucket is that it is there.
const THERE: u64 = 0;
/// More than any object has.
const READ_BYTES_MAX: usize = 1 << 20;

/// The history's name of an object.
pub(crate) fn object_key(bucket: &str, key: &str) -> String {
    format!("s3 {bucket} {key}")
}

/// The history's name of a bucket.
pub(crate) fn bucket_key(bucket: &str) -> String {
    format!("bucket {bucket}")
}

pub(super) async fn prepare(client: &Client) -> Result<(), ServiceError> {
    for bucket in BUCKETS {
        is_made(create(client, bucket).await)?;
    }
    Ok(())
}

async fn create(client: &Client, bucket: &str) -> Result<(), ServiceError> {
    let input = CreateBucketRequest { bucket: bucket.into(), ..CreateBucketRequest::default() };
    let call = client.call::<CreateBucket>(input);
    client.history.write(&bucket_key(bucket), Some(THERE), call).await.map(drop)
}

pub(super) async fn step(client: &Client) {
    match client.below(6) {
        0 => tide(client).await,
        1 => object(client, TIDE, TIDE_KEYS).await,
        _ => object(client, BUCKETS[client.below(BUCKETS.len() as u64) as usize], KEYS).await,
    }
}

/// The bucket that comes and goes: never with an object in it.
async fn tide(client: &Client) {
    let (name, bucket) = (bucket_key(TIDE), TIDE.to_owned());
    match client.below(8) {
        0..3 => {
            let _noted = create(client, TIDE).await;
        }
        3..5 => {
            let input = DeleteBucketRequest { bucket, ..DeleteBucketRequest::default() };
            let _noted = client.history.write(&name, None, client.call::<DeleteBucket>(input)).await;
        }
        5 => {
            let began = client.history.tick();
            if let Some(found) = head_bucket(client, TIDE).await {
                client.history.saw(&name, Saw::Value(found), began);
            }
        }
        _ => {
            let key = format!("folder/{}", client.below(TIDE_KEYS));
            let name = object_key(TIDE, &key);
            let input = DeleteObjectRequest { bucket, key, ..DeleteObjectRequest::default() };
            let _noted = client.history.write(&name, None, client.call::<DeleteObject>(input)).await;
        }
    }
}

/// Whether a bucket is there; nothing if that could not be learnt.
pub(crate) async fn head_bucket(client: &Client, bucket: &str) -> Option<Option<u64>> {
    let input = HeadBucketRequest { bucket: bucket.into(), ..HeadBucketRequest::default() };
    let answer = client.call::<HeadBucket>(input).await;
    client.history.heard("bucket head", &answer);
    match answer {
        Ok(_) => Some(Some(THERE)),
        Err(error) => is_absent(&error).then_some(None),
    }
}

async fn object(client: &Client, bucket: &str, keys: u64) {
    let key = format!("folder/{}", client.below(keys));
    let name = object_key(bucket, &key);
    match client.below(20) {
        0..9 => {
            let token = client.history.token();
            let body = Some(Body::full(value::object(token)));
            let input = PutObjectRequest { bucket: bucket.into(), key, body, ..PutObjectRequest::default() };
            let _noted = client.history.write(&name, Some(token), client.call::<PutObject>(input)).await;
        }
        9..12 => {
            let input = DeleteObjectRequest { bucket: bucket.into(), key, ..DeleteObjectRequest::default() };
            let _noted = client.history.write(&name, None, client.call::<DeleteObject>(input)).await;
        }
        12..18 => {
            let began = client.history.tick();
            if let Some(found) = get_object(client, bucket, &key).await {
                client.history.saw(&name, Saw::Value(found), began);
            }
        }
        _ => {
            let began = client.history.tick();
            let Some(listed) = list_objects(client, bucket).await else { return };
            for name in client.history.keys(&object_key(bucket, "")) {
                let saw = listed.get(&name).map_or(Saw::Value(None), |size| Saw::Size(*size));
                client.history.saw(&name, saw, began);
            }
        }
    }
}

/// What an object holds; nothing if that could not be learnt.
pub(crate) async fn get_object(client: &Client, bucket: &str, key: &str) -> Option<Option<u64>> {
    let name = object_key(bucket, key);
    let input = GetObjectRequest { bucket: bucket.into(), key: key.into(), ..GetObjectRequest::default() };
    let answer = client.call::<GetObject>(input).await;
    client.history.heard("s3 get", &answer);
    match answer {
        Ok(output) => match output.body?.collect(READ_BYTES_MAX).await {
            Ok(bytes) => {
                let token = value::read_object(&bytes);
                if token.is_none() {
                    client.history.violation(format!("{name}: {} torn or foreign bytes", bytes.len()));
                }
                token.map(Some)
            }
            Err(_) => None,
        },
        Err(error) if is_absent(&error) => Some(None),
        Err(_) => None,
    }
}

/// The objects of a bucket by their names in the history, with their sizes; nothing if that could not be learnt.
pub(crate) async fn list_objects(client: &Client, bucket: &str) -> Option<BTreeMap<String, u64>> {
    let input = ListObjectsV2Request { bucket: bucket.into(), ..ListObjectsV2Request::default() };
    let answer = client.call::<ListObjectsV2>(input).await;
    client.history.heard("s3 list", &answer);
    let objects = match answer {
        Ok(listed) => listed.contents.unwrap_or_default(),
        // A bucket that is not there holds nothing.
        Err(error) if is_absent(&error) => Vec::new(),
        Err(_) => return None,
    };
    let line = |object: apus_model_s3::Object| {
        Some((object_key(bucket, object.key.as_deref()?), object.size? as u64))
    };
    Some(objects.into_iter().filter_map(line).collect())
}
