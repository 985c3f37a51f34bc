//! `ListObjectsV2`.

use std::sync::Arc;

use apus_kernel::{Access, AccountId, Context};
use apus_model_s3::{
    ChecksumAlgorithm, ChecksumType, CommonPrefix, EncodingType, ListObjectsV2, ListObjectsV2Output,
    ListObjectsV2Request, Object as ObjectEntry, ObjectStorageClass,
};
use apus_schema::ServiceError;
use apus_store::Tx;
use apus_time::Timestamp;

use crate::bucket::{Bucket, bucket_arn};
use crate::encoding::url_encode;
use crate::errors::{self, Failure};
use crate::listing::{Entry, Listing, Next, Position};
use crate::object::{Object, ObjectKey};
use crate::{S3, owner, refusal, store, token};

pub(crate) const ACCESS: Access<ListObjectsV2> =
    Access::new("s3:ListBucket", |input: &ListObjectsV2Request, _| vec![bucket_arn(&input.bucket).into()]);

/// The most lines on a page.
const PAGE_MAX: i32 = 1_000;
/// Rows read at the first step behind a common prefix, where many may be beside the point.
const STEP_MIN: usize = 8;

/// A page of a bucket's objects in the order of their keys' bytes.
pub(crate) async fn list_objects_v2(
    s3: Arc<S3>,
    context: Context,
    input: ListObjectsV2Request,
) -> Result<ListObjectsV2Output, ServiceError> {
    let name = S3::bucket_name(&input.bucket)?;
    let page_max = page_max(input.max_keys)?;
    let encode = encoding(input.encoding_type.as_ref())?;
    let restore = input.optional_object_attributes.as_ref().is_some_and(|attributes| !attributes.is_empty());
    refusal::refuse(&[("x-amz-optional-object-attributes", restore)])?;
    let start = start(&input)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let (delimiter, expected_owner) = (input.delimiter.as_deref(), input.expected_bucket_owner.as_deref());
    let listed = s3.store.read(|tx| async move {
        let bucket = S3::bucket(&tx, &context, &name, expected_owner).await?;
        let listing = Listing::new(&prefix, delimiter, page_max as usize);
        let (entries, next) = page(&tx, &bucket, &prefix, start, listing).await?;
        Ok::<_, Failure>((bucket, entries, next))
    });
    let (bucket, entries, next) = listed.await?;
    let shown_owner = (input.fetch_owner == Some(true)).then_some(bucket.owner);
    let (mut contents, mut common_prefixes) = (Vec::new(), Vec::new());
    let key_count = entries.len() as i32;
    for entry in entries {
        match entry {
            Entry::Object(key, object) => contents.push(object_entry(encode(&key), &object, shown_owner)),
            Entry::CommonPrefix(prefix) => {
                common_prefixes.push(CommonPrefix { prefix: Some(encode(&prefix)) });
            }
        }
    }
    Ok(ListObjectsV2Output {
        is_truncated: Some(next.is_some()),
        contents: (!contents.is_empty()).then_some(contents),
        name: Some(bucket.name.to_string()),
        prefix: Some(encode(input.prefix.as_deref().unwrap_or_default())),
        delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(encode),
        max_keys: Some(page_max),
        common_prefixes: (!common_prefixes.is_empty()).then_some(common_prefixes),
        encoding_type: input.encoding_type,
        key_count: Some(key_count),
        next_continuation_token: next.as_ref().and_then(token::write),
        start_after: input.start_after.as_deref().filter(|after| !after.is_empty()).map(encode),
        continuation_token: input.continuation_token,
        ..ListObjectsV2Output::default()
    })
}

/// Reads rows until the page is full. Behind a common prefix it starts anew, so that a page costs as many steps
/// as it has lines, however many objects are under its prefixes.
async fn page(
    tx: &Tx,
    bucket: &Bucket,
    prefix: &str,
    mut position: Position,
    mut listing: Listing<Object>,
) -> Result<(Vec<Entry<Object>>, Option<Position>), Failure> {
    let mut step = STEP_MIN;
    loop {
        let wanted = listing.room() + 1;
        let limit = if listing.groups() { step.min(wanted.max(STEP_MIN)) } else { wanted };
        let rows = store::objects_behind(tx, bucket, prefix, &position, limit).await?;
        let last_step = rows.len() < limit;
        let mut behind: Option<String> = None;
        for (key, object) in rows {
            if behind.as_ref().is_some_and(|behind| key.starts_with(behind)) {
                continue;
            }
            position = Position::AfterKey(key.clone());
            behind = None;
            match listing.offer(&key, || object) {
                Next::Row => {}
                Next::Behind(common) => behind = Some(common),
                Next::Full => return Ok(listing.finish()),
            }
        }
        if last_step {
            return Ok(listing.finish());
        }
        step = if behind.is_some() { STEP_MIN } else { (step * 2).min(PAGE_MAX as usize) };
        if let Some(common) = behind {
            position = Position::AfterPrefix(common);
        }
    }
}

fn page_max(asked: Option<i32>) -> Result<i32, ServiceError> {
    match asked {
        None => Ok(PAGE_MAX),
        Some(max) if max < 0 => {
            let message = "Argument maxKeys must be an integer between 0 and 2147483647";
            Err(errors::invalid_argument("maxKeys", &max.to_string(), message))
        }
        Some(max) => Ok(max.min(PAGE_MAX)),
    }
}

fn encoding(asked: Option<&EncodingType>) -> Result<fn(&str) -> String, ServiceError> {
    match asked {
        None => Ok(str::to_owned),
        Some(EncodingType::Url) => Ok(url_encode),
        Some(other) => {
            let message = "Invalid Encoding Method specified in Request";
            Err(errors::invalid_argument("encoding-type", other.as_str(), message))
        }
    }
}

/// Where the page begins: a token counts before `start-after`.
fn start(input: &ListObjectsV2Request) -> Result<Position, ServiceError> {
    for text in [&input.prefix, &input.delimiter, &input.start_after].into_iter().flatten() {
        if text.len() > ObjectKey::LENGTH_MAX {
            return Err(errors::key_too_long(text.len()));
        }
    }
    match (input.continuation_token.as_deref(), input.start_after.as_deref()) {
        (Some(text), _) => token::read(text).map_err(|_| errors::invalid_token(text)),
        (None, Some(after)) if !after.is_empty() => Ok(Position::AfterKey(after.to_owned())),
        (None, _) => Ok(Position::Start),
    }
}

fn object_entry(key: String, object: &Object, owner: Option<AccountId>) -> ObjectEntry {
    ObjectEntry {
        key: Some(key),
        last_modified: Some(Timestamp::from_secs(object.modified_at.as_secs())),
        e_tag: Some(object.quoted_etag()),
        checksum_algorithm: Some(vec![ChecksumAlgorithm::from(object.checksum.algorithm.name())]),
        checksum_type: Some(ChecksumType::FullObject),
        size: Some(object.size_bytes as i64),
        storage_class: Some(ObjectStorageClass::Standard),
        owner: owner.map(owner::of),
        ..ObjectEntry::default()
    }
}
