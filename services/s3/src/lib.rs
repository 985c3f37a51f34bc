//! S3: buckets and objects. Read [`service`] first: the table of what is implemented.
//!
//! Small objects live in the store, large ones in blobs, which flow in and out with bounded memory. This crate
//! knows no HTTP, no clock and no other service.

mod bucket;
mod checksum;
mod condition;
mod download;
mod encoding;
mod errors;
mod listing;
mod object;
mod operations;
mod owner;
mod range;
mod reading;
mod record;
mod refusal;
mod store;
mod token;
mod upload;

use apus_kernel::{AccountId, Context, Principal, Service};
use apus_model_s3::SERVICE;
use apus_schema::ServiceError;
use apus_store::fsck::Check;
use apus_store::{BlobId, Store, StoreError, Tx};

use bucket::{Bucket, BucketName};
use errors::Failure;
use object::{InvalidKey, ObjectKey, Place};
use operations as op;

/// Buckets and objects.
#[derive(Debug)]
pub(crate) struct S3 {
    pub(crate) store: Store,
}

/// The service, on that store and its blobs.
pub fn service(store: Store) -> Service {
    Service::of(&SERVICE, S3 { store })
        .operation(op::create_bucket::ACCESS, op::create_bucket)
        .operation(op::delete_bucket::ACCESS, op::delete_bucket)
        .operation(op::delete_object::ACCESS, op::delete_object)
        .operation(op::get_object::ACCESS, op::get_object)
        .operation(op::head_bucket::ACCESS, op::head_bucket)
        .operation(op::head_object::ACCESS, op::head_object)
        .operation(op::list_buckets::ACCESS, op::list_buckets)
        .operation(op::list_objects_v2::ACCESS, op::list_objects_v2)
        .operation(op::put_object::ACCESS, op::put_object)
        .build()
}

/// What of S3 `apus fsck` looks at: contradictions between rows, and between rows and bytes.
pub fn check() -> impl Check {
    store::Contradictions
}

/// Whether an object's bytes are in that blob: for the sweep at start, which deletes what nobody refers to.
pub async fn refers_to(store: &Store, blob: BlobId) -> Result<bool, StoreError> {
    store.read(|tx| async move { store::is_referenced(&tx, blob).await }).await
}

impl S3 {
    /// The bucket that a request names.
    pub(crate) fn bucket_name(text: &str) -> Result<BucketName, ServiceError> {
        text.parse().map_err(|_| errors::invalid_bucket_name(text))
    }

    /// Deletes a blob that nobody refers to any more. A failure is no one's: the sweep finds what is left.
    pub(crate) async fn discard(&self, place: Option<&Place>) {
        if let Some(Place::Blob(id)) = place
            && let Err(error) = self.store.blobs().delete(*id).await
        {
            tracing::warn!(blob = %id, %error, "a blob that nobody refers to could not be deleted");
        }
    }

    /// The key that a request names.
    pub(crate) fn object_key(text: &str) -> Result<ObjectKey, ServiceError> {
        ObjectKey::parse(text.to_owned()).map_err(|invalid| match invalid {
            InvalidKey::Empty => errors::invalid_argument("Key", "", "The key must not be empty"),
            InvalidKey::TooLong(size) => errors::key_too_long(size),
        })
    }

    /// The account that calls. Nobody in particular is denied whatever a policy says: nothing here is public.
    pub(crate) fn account(context: &Context) -> Result<AccountId, ServiceError> {
        match context.caller.principal {
            Principal::Anonymous => Err(errors::access_denied()),
            _ => Ok(context.caller.account),
        }
    }

    /// A bucket that is there, and the caller's own. `expected_owner` is who the request says owns it.
    ///
    /// No policy of a bucket can let another account in: buckets have none here.
    pub(crate) async fn bucket(
        tx: &Tx,
        context: &Context,
        name: &BucketName,
        expected_owner: Option<&str>,
    ) -> Result<Bucket, Failure> {
        let account = Self::account(context)?;
        let bucket = store::bucket(tx, name).await?.ok_or_else(|| errors::no_such_bucket(name.as_str()))?;
        let expected = expected_owner.is_none_or(|owner| owner == bucket.owner.as_str());
        if bucket.owner != account || !expected {
            return Err(errors::access_denied().into());
        }
        Ok(bucket)
    }
}
