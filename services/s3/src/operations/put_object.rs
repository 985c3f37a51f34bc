//! `PutObject`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{ChecksumType, PutObject, PutObjectOutput, PutObjectRequest};
use apus_schema::{Body, ServiceError};
use apus_store::{StoreError, Tx};

use crate::bucket::BucketName;
use crate::checksum::{self, Algorithm, Checksum, parse_md5};
use crate::condition::WriteCondition;
use crate::errors::{self, Failure};
use crate::object::{
    Headers, METADATA_BYTES_MAX, Object, ObjectKey, Place, content_encoding, metadata_bytes, object_arn,
};
use crate::upload::{Expected, Received, receive};
use crate::{S3, refusal, store};

pub(crate) const ACCESS: Access<PutObject> = Access::new("s3:PutObject", |input: &PutObjectRequest, _| {
    vec![object_arn(&input.bucket, &input.key).into()]
});

/// What a request asks, its body apart.
struct Request {
    bucket: BucketName,
    key: ObjectKey,
    expected_bucket_owner: Option<String>,
    condition: Option<WriteCondition>,
    headers: Headers,
    metadata: BTreeMap<String, String>,
}

/// Puts an object, whole or not at all. Its bytes are durable before a transaction refers to them, and those that
/// it replaces are deleted after: a crash between leaves a blob that nobody refers to, never the reverse.
pub(crate) async fn put_object(
    s3: Arc<S3>,
    context: Context,
    input: PutObjectRequest,
) -> Result<PutObjectOutput, ServiceError> {
    refusal::of_put_object(&input)?;
    let expected = expected(&input)?;
    let body = input.body.clone().unwrap_or_default();
    let request = request(input)?;
    // Nobody sends gigabytes to learn that the bucket is not there.
    s3.store.read(|tx| check(tx, &context, &request)).await?;
    let object = put(&s3, &context, &request, &body, &expected).await?;
    let checksum = checksum::Members::of(Some(&object.checksum));
    Ok(PutObjectOutput {
        e_tag: Some(object.quoted_etag()),
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: Some(ChecksumType::FullObject),
        ..PutObjectOutput::default()
    })
}

async fn put(
    s3: &S3,
    context: &Context,
    request: &Request,
    body: &Body,
    expected: &Expected,
) -> Result<Object, ServiceError> {
    let received = receive(s3.store.blobs(), body, expected).await?;
    let committed = s3.store.transact(|tx| commit(tx, context, request, &received)).await;
    match committed {
        Ok((object, replaced)) => {
            s3.discard(replaced.as_ref()).await;
            Ok(object)
        }
        Err(failure) => {
            // Where the outcome is unknown the blob may be referred to: it is left to the sweep, which looks.
            if nothing_was_kept(&failure) {
                s3.discard(Some(&received.place)).await;
            }
            Err(match (failure, &request.condition) {
                (Failure::Store(error @ StoreError::Conflict { .. }), Some(_)) => {
                    errors::conditional_request_conflict(error)
                }
                (failure, _) => failure.into(),
            })
        }
    }
}

/// Whether a failed commit certainly changed nothing.
fn nothing_was_kept(failure: &Failure) -> bool {
    match failure {
        Failure::Answer(_) => true,
        Failure::Store(error) => {
            matches!(
                error,
                StoreError::Conflict { .. } | StoreError::TooLarge { .. } | StoreError::Full { .. }
            )
        }
    }
}

/// Refers to the new bytes; says which ones nobody refers to any more.
async fn commit(
    tx: Tx,
    context: &Context,
    request: &Request,
    received: &Received,
) -> Result<(Object, Option<Place>), Failure> {
    let bucket = S3::bucket(&tx, context, &request.bucket, request.expected_bucket_owner.as_deref()).await?;
    let old = store::object(&tx, &bucket, &request.key).await?;
    check_condition(request, old.as_ref())?;
    let object = Object {
        size_bytes: received.size_bytes,
        md5: received.md5,
        modified_at: tx.now(),
        checksum: received.checksum.clone(),
        headers: request.headers.clone(),
        metadata: request.metadata.clone(),
        place: received.place.clone(),
    };
    store::put_object(&tx, &bucket, &request.key, old.as_ref(), &object, &received.bytes);
    Ok((object, old.map(|old| old.place)))
}

/// Whether the object may be put, as far as can be known before its bytes.
async fn check(tx: Tx, context: &Context, request: &Request) -> Result<(), Failure> {
    let bucket = S3::bucket(&tx, context, &request.bucket, request.expected_bucket_owner.as_deref()).await?;
    if request.condition.is_some() {
        let old = store::object(&tx, &bucket, &request.key).await?;
        check_condition(request, old.as_ref())?;
    }
    Ok(())
}

fn check_condition(request: &Request, old: Option<&Object>) -> Result<(), ServiceError> {
    let Some(condition) = &request.condition else { return Ok(()) };
    let etag = old.map(Object::etag);
    condition.check(etag.as_deref()).map_err(|refusal| errors::write_refused(refusal, &request.key))
}

fn request(input: PutObjectRequest) -> Result<Request, ServiceError> {
    let bucket = S3::bucket_name(&input.bucket)?;
    let key = S3::object_key(&input.key)?;
    let condition = match (input.if_match, input.if_none_match) {
        (None, None) => None,
        (Some(tags), None) => Some(WriteCondition::Matches(tags)),
        (None, Some(tags)) if tags.trim() == "*" => Some(WriteCondition::Absent),
        _ => return Err(errors::not_implemented("If-None-Match")),
    };
    let metadata = input.metadata.unwrap_or_default();
    let size = metadata_bytes(&metadata);
    if size > METADATA_BYTES_MAX {
        return Err(errors::metadata_too_large(size));
    }
    let metadata = metadata.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let headers = Headers {
        content_type: input.content_type,
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding.as_deref().and_then(content_encoding),
        content_language: input.content_language,
        expires: input.expires,
    };
    Ok(Request {
        bucket,
        key,
        expected_bucket_owner: input.expected_bucket_owner,
        condition,
        headers,
        metadata,
    })
}

/// What the request says of its bytes.
fn expected(input: &PutObjectRequest) -> Result<Expected, ServiceError> {
    let md5 = match input.content_md5.as_deref() {
        None => None,
        Some(text) => Some(parse_md5(text).ok_or_else(|| errors::invalid_digest(text))?),
    };
    let given = [
        (Algorithm::Crc32, &input.checksum_crc32),
        (Algorithm::Crc32c, &input.checksum_crc32c),
        (Algorithm::Crc64Nvme, &input.checksum_crc64nvme),
        (Algorithm::Sha1, &input.checksum_sha1),
        (Algorithm::Sha256, &input.checksum_sha256),
    ];
    let mut given = given.into_iter().filter_map(|(algorithm, text)| Some((algorithm, text.as_ref()?)));
    let first = given.next();
    if given.next().is_some() {
        let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(errors::invalid_request(message));
    }
    let checksum = match first {
        None => None,
        Some((algorithm, text)) => {
            Some(Checksum::parse(algorithm, text).ok_or_else(|| errors::invalid_checksum(algorithm))?)
        }
    };
    let algorithm = match input.checksum_algorithm.as_ref() {
        None => None,
        Some(name) => Some(Algorithm::named(name.as_str()).ok_or_else(errors::unknown_algorithm)?),
    };
    if let (Some(checksum), Some(algorithm)) = (&checksum, algorithm)
        && checksum.algorithm != algorithm
    {
        return Err(errors::invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid."));
    }
    Ok(Expected { md5, checksum, algorithm })
}
