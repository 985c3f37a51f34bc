//! `HeadObject`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{ChecksumType, HeadObject, HeadObjectOutput, HeadObjectRequest};
use apus_schema::ServiceError;

use crate::object::{Headers, object_arn};
use crate::reading::read_request;
use crate::{S3, checksum};

pub(crate) const ACCESS: Access<HeadObject> = Access::new("s3:GetObject", |input: &HeadObjectRequest, _| {
    vec![object_arn(&input.bucket, &input.key).into()]
});

/// What `GetObject` would answer, without the bytes.
pub(crate) async fn head_object(
    s3: Arc<S3>,
    context: Context,
    input: HeadObjectRequest,
) -> Result<HeadObjectOutput, ServiceError> {
    let request = read_request!(input);
    let reading = s3.read(&context, &request, false).await?;
    let checksum = checksum::Members::of(reading.checksum.then_some(&reading.object.checksum));
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        last_modified: Some(reading.last_modified()),
        content_length: Some(reading.length() as i64),
        content_range: reading.content_range(),
        e_tag: Some(reading.object.quoted_etag()),
        checksum_crc32: checksum.crc32,
        checksum_crc32c: checksum.crc32c,
        checksum_crc64nvme: checksum.crc64nvme,
        checksum_sha1: checksum.sha1,
        checksum_sha256: checksum.sha256,
        checksum_type: reading.checksum.then_some(ChecksumType::FullObject),
        content_type: reading.headers.content_type.or_else(|| Some(Headers::CONTENT_TYPE_DEFAULT.into())),
        cache_control: reading.headers.cache_control,
        content_disposition: reading.headers.content_disposition,
        content_encoding: reading.headers.content_encoding,
        content_language: reading.headers.content_language,
        expires: reading.headers.expires,
        metadata: Some(reading.object.metadata),
        ..HeadObjectOutput::default()
    })
}
