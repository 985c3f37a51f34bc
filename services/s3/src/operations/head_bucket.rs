//! `HeadBucket`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{HeadBucket, HeadBucketOutput, HeadBucketRequest};
use apus_schema::ServiceError;

use crate::S3;
use crate::bucket::bucket_arn;

pub(crate) const ACCESS: Access<HeadBucket> =
    Access::new("s3:ListBucket", |input: &HeadBucketRequest, _| vec![bucket_arn(&input.bucket).into()]);

/// Says whether a bucket is there, and where.
pub(crate) async fn head_bucket(
    s3: Arc<S3>,
    context: Context,
    input: HeadBucketRequest,
) -> Result<HeadBucketOutput, ServiceError> {
    let name = S3::bucket_name(&input.bucket)?;
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = s3.store.read(|tx| async move { S3::bucket(&tx, &context, &name, owner).await }).await?;
    Ok(HeadBucketOutput {
        bucket_region: Some(bucket.region.to_string()),
        access_point_alias: Some(false),
        ..HeadBucketOutput::default()
    })
}
