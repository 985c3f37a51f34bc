//! `DeleteObject`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_s3::{DeleteObject, DeleteObjectOutput, DeleteObjectRequest};
use apus_schema::ServiceError;
use apus_store::Tx;

use crate::bucket::BucketName;
use crate::condition::WriteCondition;
use crate::errors::{self, Failure};
use crate::object::{Object, ObjectKey, Place, object_arn};
use crate::{S3, refusal, store};

pub(crate) const ACCESS: Access<DeleteObject> =
    Access::new("s3:DeleteObject", |input: &DeleteObjectRequest, _| {
        vec![object_arn(&input.bucket, &input.key).into()]
    });

/// Removes an object. That there is none is a success, unless a condition asks for one.
pub(crate) async fn delete_object(
    s3: Arc<S3>,
    context: Context,
    input: DeleteObjectRequest,
) -> Result<DeleteObjectOutput, ServiceError> {
    refusal::of_delete_object(&input)?;
    let name = S3::bucket_name(&input.bucket)?;
    let key = S3::object_key(&input.key)?;
    let condition = input.if_match.map(WriteCondition::Matches);
    let owner = input.expected_bucket_owner.as_deref();
    let deleted =
        s3.store.transact(|tx| delete(tx, &context, &name, &key, condition.as_ref(), owner)).await?;
    s3.discard(deleted.as_ref()).await;
    Ok(DeleteObjectOutput::default())
}

/// Removes the object; says which bytes nobody refers to any more.
async fn delete(
    tx: Tx,
    context: &Context,
    name: &BucketName,
    key: &ObjectKey,
    condition: Option<&WriteCondition>,
    owner: Option<&str>,
) -> Result<Option<Place>, Failure> {
    let bucket = S3::bucket(&tx, context, name, owner).await?;
    let old = store::object(&tx, &bucket, key).await?;
    if let Some(condition) = condition {
        let etag = old.as_ref().map(Object::etag);
        condition.check(etag.as_deref()).map_err(|refusal| errors::write_refused(refusal, key))?;
    }
    let Some(old) = old else { return Ok(None) };
    store::delete_object(&tx, &bucket, key, &old);
    Ok(Some(old.place))
}
