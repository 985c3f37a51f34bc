//! `GetObject`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{ChecksumType, GetObject, GetObjectOutput, GetObjectRequest};
use apus_schema::{Body, ServiceError};

use crate::S3;
use crate::object::{Headers, Place, object_arn};
use crate::reading::{Reading, read_request};
use crate::record::corrupt;
use crate::{checksum, download, errors};

pub(crate) const ACCESS: Access<GetObject> = Access::new("s3:GetObject", |input: &GetObjectRequest, _| {
    vec![object_arn(&input.bucket, &input.key).into()]
});

/// How often a reader looks again when the blob that it was sent to has just been replaced.
const ATTEMPTS_MAX: usize = 5;

/// An object's bytes, or a range of them, as they flow.
pub(crate) async fn get_object(
    s3: Arc<S3>,
    context: Context,
    input: GetObjectRequest,
) -> Result<GetObjectOutput, ServiceError> {
    let request = read_request!(input);
    for _ in 0..ATTEMPTS_MAX {
        let reading = s3.read(&context, &request, true).await?;
        if let Some(body) = open(&s3, &reading).await? {
            return Ok(output(reading, body));
        }
    }
    let damaged =
        corrupt(format!("object {} of bucket {}", request.key, request.bucket), "its blob is not there");
    Err(errors::store(damaged))
}

/// The bytes to send; nothing if their blob was deleted in the meantime, and the object with it.
async fn open(s3: &S3, reading: &Reading) -> Result<Option<Body>, ServiceError> {
    let Some(range) = reading.range else { return Ok(Some(Body::empty())) };
    match &reading.object.place {
        // Bounded by what is held in the store.
        Place::Store => Ok(Some(Body::full(reading.bytes.slice(range.first as usize..=range.last as usize)))),
        Place::Blob(id) => {
            let reader = s3.store.blobs().open_blob(*id).await.map_err(errors::store)?;
            Ok(reader.map(|reader| download::flow(reader, range)))
        }
    }
}

fn output(reading: Reading, body: Body) -> GetObjectOutput {
    let checksum = checksum::Members::of(reading.checksum.then_some(&reading.object.checksum));
    let (content_length, last_modified) = (reading.length(), reading.last_modified());
    let content_range = reading.content_range();
    let e_tag = reading.object.quoted_etag();
    let headers = reading.headers;
    GetObjectOutput {
        body: Some(body),
        accept_ranges: Some("bytes".into()),
        last_modified: Some(last_modified),
        content_length: Some(content_length as i64),
        content_range,
        e_tag: Some(e_tag),
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: reading.checksum.then_some(ChecksumType::FullObject),
        content_type: headers.content_type.or_else(|| Some(Headers::CONTENT_TYPE_DEFAULT.into())),
        cache_control: headers.cache_control,
        content_disposition: headers.content_disposition,
        content_encoding: headers.content_encoding,
        content_language: headers.content_language,
        expires: headers.expires,
        metadata: Some(reading.object.metadata),
        ..GetObjectOutput::default()
    }
}
