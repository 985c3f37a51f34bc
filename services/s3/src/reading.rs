//! What `GetObject` and `HeadObject` share: finding the object, its conditions, the range that is asked for.

use apus_kernel::{Context, Resource};
use apus_schema::ServiceError;
use apus_store::Tx;
use apus_time::Timestamp;
use bytes::Bytes;

use crate::bucket::{Bucket, BucketName};
use crate::condition::{ReadConditions, Verdict};
use crate::errors::{self, Failure};
use crate::object::{Headers, Object, ObjectKey, Place};
use crate::range::{ByteRange, NotSatisfiable};
use crate::{S3, refusal, store};

/// A request to read an object, or of what it is.
#[derive(Debug)]
pub(crate) struct ReadRequest {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) conditions: ReadConditions,
    pub(crate) range: Option<String>,
    pub(crate) part_number: Option<i32>,
    pub(crate) version_id: Option<String>,
    pub(crate) expected_bucket_owner: Option<String>,
    pub(crate) checksum_mode: bool,
    /// What the answer is to say instead of what was stored.
    pub(crate) overrides: Headers,
    /// Whether a key of the client's is named, under which the object would be encrypted.
    pub(crate) customer_key: bool,
}

/// Builds a [`ReadRequest`] from either operation's input: their members have the same names.
macro_rules! read_request {
    ($input:expr) => {
        $crate::reading::ReadRequest {
            bucket: $input.bucket,
            key: $input.key,
            conditions: $crate::condition::ReadConditions {
                if_match: $input.if_match,
                if_none_match: $input.if_none_match,
                if_modified_since: $input.if_modified_since,
                if_unmodified_since: $input.if_unmodified_since,
            },
            range: $input.range,
            part_number: $input.part_number,
            version_id: $input.version_id,
            expected_bucket_owner: $input.expected_bucket_owner,
            checksum_mode: $input.checksum_mode.is_some(),
            overrides: $crate::object::Headers {
                content_type: $input.response_content_type,
                cache_control: $input.response_cache_control,
                content_disposition: $input.response_content_disposition,
                content_encoding: $input.response_content_encoding,
                content_language: $input.response_content_language,
                expires: $input.response_expires.map(apus_time::Timestamp::to_http_date),
            },
            customer_key: $input.sse_customer_algorithm.is_some()
                || $input.sse_customer_key.is_some()
                || $input.sse_customer_key_md5.is_some(),
        }
    };
}
pub(crate) use read_request;

/// An object that may be read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) object: Object,
    /// The bytes to send; nothing for an object without any.
    pub(crate) range: Option<ByteRange>,
    /// The range was asked for: the answer says which it is.
    pub(crate) partial: bool,
    /// The object's bytes, if they are held in the store and were wanted.
    pub(crate) bytes: Bytes,
    pub(crate) headers: Headers,
    /// The checksum was asked for, and is of the bytes sent.
    pub(crate) checksum: bool,
}

impl Reading {
    pub(crate) fn length(&self) -> u64 {
        self.range.map_or(0, ByteRange::length)
    }

    /// `bytes 0-9/100`, for a part.
    pub(crate) fn content_range(&self) -> Option<String> {
        let range = self.range.filter(|_| self.partial)?;
        Some(range.content_range(self.object.size_bytes))
    }

    /// HTTP's dates have no fractions of a second.
    pub(crate) fn last_modified(&self) -> Timestamp {
        Timestamp::from_secs(self.object.modified_at.as_secs())
    }
}

impl S3 {
    /// Finds an object, and holds it against what the request asks; with its bytes if they are wanted and held
    /// in the store.
    pub(crate) async fn read(
        &self,
        context: &Context,
        request: &ReadRequest,
        wants_bytes: bool,
    ) -> Result<Reading, ServiceError> {
        refusal::version(request.version_id.as_deref())?;
        refusal::refuse(&[("x-amz-server-side-encryption-customer-algorithm", request.customer_key)])?;
        let name = S3::bucket_name(&request.bucket)?;
        let key = S3::object_key(&request.key)?;
        let found = self.store.read(|tx| find(tx, context, &name, &key, request, wants_bytes)).await?;
        let Some((object, bytes)) = found else {
            return Err(missing(context, &name, &key).await);
        };
        match request.conditions.check(&object.etag(), object.modified_at) {
            Verdict::Holds => {}
            Verdict::NotModified => return Err(errors::not_modified()),
            Verdict::Failed(condition) => return Err(errors::precondition_failed(condition)),
        }
        let (range, partial) = range(request, &object)?;
        let checksum = request.checksum_mode && range == object.whole();
        let headers = object.headers.clone().overridden(request.overrides.clone());
        Ok(Reading { object, range, partial, bytes, headers, checksum })
    }
}

async fn find(
    tx: Tx,
    context: &Context,
    name: &BucketName,
    key: &ObjectKey,
    request: &ReadRequest,
    wants_bytes: bool,
) -> Result<Option<(Object, Bytes)>, Failure> {
    let bucket: Bucket = S3::bucket(&tx, context, name, request.expected_bucket_owner.as_deref()).await?;
    let Some(object) = store::object(&tx, &bucket, key).await? else { return Ok(None) };
    let bytes = match object.place {
        Place::Store if wants_bytes => store::content_of(&tx, &bucket, key, &object).await?,
        _ => Bytes::new(),
    };
    Ok(Some((object, bytes)))
}

/// The answer where there is no object: only those who may list the bucket learn that there is none.
async fn missing(context: &Context, bucket: &BucketName, key: &ObjectKey) -> ServiceError {
    let listing = [Resource::from(bucket.arn())];
    match context.platform().authorize(context, "s3:ListBucket", listing).await {
        Ok(()) => errors::no_such_key(key),
        Err(denied) => denied,
    }
}

/// The bytes that are asked for, and whether a part was asked for.
fn range(request: &ReadRequest, object: &Object) -> Result<(Option<ByteRange>, bool), ServiceError> {
    match (&request.range, request.part_number) {
        (Some(_), Some(_)) => {
            Err(errors::invalid_request("Cannot specify both Range header and partNumber query parameter"))
        }
        // An object that was put at once is a single part.
        (None, Some(1)) => Ok((object.whole(), object.whole().is_some())),
        (None, Some(number)) => Err(errors::invalid_part_number(number)),
        (None, None) => Ok((object.whole(), false)),
        (Some(header), None) => match ByteRange::parse(header, object.size_bytes) {
            Ok(Some(range)) => Ok((Some(range), true)),
            Ok(None) => Ok((object.whole(), false)),
            Err(NotSatisfiable) => Err(errors::invalid_range(header, object.size_bytes)),
        },
    }
}
