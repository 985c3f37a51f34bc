//! `DeleteBucket`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{DeleteBucket, DeleteBucketRequest};
use apus_schema::{ServiceError, Unit};

use crate::bucket::bucket_arn;
use crate::errors::{self, Failure};
use crate::{S3, store};

pub(crate) const ACCESS: Access<DeleteBucket> =
    Access::new("s3:DeleteBucket", |input: &DeleteBucketRequest, _| vec![bucket_arn(&input.bucket).into()]);

/// Removes an empty bucket. A `PutObject` at the same time either comes before and keeps the bucket, or finds none.
pub(crate) async fn delete_bucket(
    s3: Arc<S3>,
    context: Context,
    input: DeleteBucketRequest,
) -> Result<Unit, ServiceError> {
    let name = S3::bucket_name(&input.bucket)?;
    let (name, context, owner) = (&name, &context, input.expected_bucket_owner.as_deref());
    let deleted = s3.store.transact(|tx| async move {
        let bucket = S3::bucket(&tx, context, name, owner).await?;
        if !store::is_empty(&tx, &bucket).await? {
            return Err(Failure::from(errors::bucket_not_empty(name.as_str())));
        }
        store::delete_bucket(&tx, &bucket);
        Ok(())
    });
    deleted.await?;
    Ok(Unit)
}
