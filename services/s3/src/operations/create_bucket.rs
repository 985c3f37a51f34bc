//! `CreateBucket`.

use std::sync::Arc;

use apus_kernel::{Access, Context, Region};
use apus_model_s3::{
    BucketCannedACL, BucketLocationConstraint, BucketNamespace, CreateBucket, CreateBucketOutput,
    CreateBucketRequest, ObjectOwnership,
};
use apus_schema::ServiceError;

use crate::bucket::{Bucket, bucket_arn, location};
use crate::errors::{self, Failure};
use crate::refusal::refuse;
use crate::{S3, store};

pub(crate) const ACCESS: Access<CreateBucket> =
    Access::new("s3:CreateBucket", |input: &CreateBucketRequest, _| vec![bucket_arn(&input.bucket).into()]);

/// Makes a bucket, in the region that the request went to or, in us-east-1, in any.
pub(crate) async fn create_bucket(
    s3: Arc<S3>,
    context: Context,
    input: CreateBucketRequest,
) -> Result<CreateBucketOutput, ServiceError> {
    refuse_unsupported(&input)?;
    let name = S3::bucket_name(&input.bucket)?;
    let constraint =
        input.create_bucket_configuration.as_ref().and_then(|set| set.location_constraint.as_ref());
    let endpoint = &context.caller.region;
    let region = location(endpoint, constraint.map(BucketLocationConstraint::as_str))
        .map_err(|error| errors::location(&error))?;
    let wanted = Bucket { name, owner: S3::account(&context)?, region, created_at: context.now };
    s3.store.transact(|tx| create(tx, wanted.clone(), endpoint)).await?;
    let here = wanted.region.as_str() == Region::DEFAULT;
    let location =
        if here { format!("/{}", wanted.name) } else { format!("http://{}.s3.amazonaws.com/", wanted.name) };
    Ok(CreateBucketOutput { location: Some(location), ..CreateBucketOutput::default() })
}

async fn create(tx: apus_store::Tx, wanted: Bucket, endpoint: &Region) -> Result<(), Failure> {
    let name = wanted.name.as_str();
    match store::bucket(&tx, &wanted.name).await? {
        None => {
            store::put_bucket(&tx, &Bucket { created_at: tx.now(), ..wanted });
            Ok(())
        }
        Some(other) if other.owner != wanted.owner => Err(errors::bucket_already_exists(name).into()),
        // The oldest region answers success to its owner who makes a bucket again.
        Some(own) if endpoint.as_str() == Region::DEFAULT && own.region == wanted.region => Ok(()),
        Some(_) => Err(errors::bucket_already_owned_by_you(name).into()),
    }
}

fn refuse_unsupported(input: &CreateBucketRequest) -> Result<(), ServiceError> {
    let configuration = input.create_bucket_configuration.as_ref();
    let tags = configuration.and_then(|set| set.tags.as_ref()).is_some_and(|tags| !tags.is_empty());
    refuse(&[
        ("x-amz-bucket-object-lock-enabled", input.object_lock_enabled_for_bucket == Some(true)),
        (
            "x-amz-object-ownership",
            !matches!(input.object_ownership, None | Some(ObjectOwnership::BucketOwnerEnforced)),
        ),
        ("x-amz-bucket-namespace", !matches!(input.bucket_namespace, None | Some(BucketNamespace::Global))),
        ("CreateBucketConfiguration.Location", configuration.is_some_and(|set| set.location.is_some())),
        ("CreateBucketConfiguration.Bucket", configuration.is_some_and(|set| set.bucket.is_some())),
        ("CreateBucketConfiguration.Tags", tags),
    ])?;
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write,
        &input.grant_write_acp,
    ];
    let private = matches!(input.acl, None | Some(BucketCannedACL::Private));
    if private && grants.iter().all(|grant| grant.is_none()) { Ok(()) } else { Err(errors::bucket_acls()) }
}
