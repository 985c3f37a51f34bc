//! What S3 has and Apus has not: refused by the header or parameter that asks for it, never passed over.

use apus_model_s3::{DeleteObjectRequest, ObjectCannedACL, PutObjectRequest, StorageClass};
use apus_schema::ServiceError;

use crate::errors;

/// Refuses the first of these that is set.
pub(crate) fn refuse(asked: &[(&'static str, bool)]) -> Result<(), ServiceError> {
    match asked.iter().find(|(_, set)| *set) {
        Some((header, _)) => Err(errors::not_implemented(header)),
        None => Ok(()),
    }
}

/// Refuses what a `PutObject` asks beyond this service.
pub(crate) fn of_put_object(input: &PutObjectRequest) -> Result<(), ServiceError> {
    refuse(&[
        ("x-amz-server-side-encryption", input.server_side_encryption.is_some()),
        ("x-amz-server-side-encryption-customer-algorithm", input.sse_customer_algorithm.is_some()),
        ("x-amz-server-side-encryption-customer-key", input.sse_customer_key.is_some()),
        ("x-amz-server-side-encryption-customer-key-MD5", input.sse_customer_key_md5.is_some()),
        ("x-amz-server-side-encryption-aws-kms-key-id", input.ssekms_key_id.is_some()),
        ("x-amz-server-side-encryption-context", input.ssekms_encryption_context.is_some()),
        ("x-amz-server-side-encryption-bucket-key-enabled", input.bucket_key_enabled == Some(true)),
        ("x-amz-tagging", input.tagging.as_ref().is_some_and(|tags| !tags.is_empty())),
        ("x-amz-website-redirect-location", input.website_redirect_location.is_some()),
        ("x-amz-write-offset-bytes", input.write_offset_bytes.is_some()),
        ("x-amz-object-lock-mode", input.object_lock_mode.is_some()),
        ("x-amz-object-lock-retain-until-date", input.object_lock_retain_until_date.is_some()),
        ("x-amz-object-lock-legal-hold", input.object_lock_legal_hold_status.is_some()),
        ("x-amz-object-lock-event-hold", input.object_lock_event_hold.is_some()),
        ("x-amz-object-lock-event-hold-duration-days", input.object_lock_event_hold_duration_days.is_some()),
        (
            "x-amz-object-lock-event-hold-duration-years",
            input.object_lock_event_hold_duration_years.is_some(),
        ),
        ("x-amz-checksum-sha512", input.checksum_sha512.is_some()),
        ("x-amz-checksum-md5", input.checksum_md5.is_some()),
        ("x-amz-checksum-xxhash64", input.checksum_xxhash64.is_some()),
        ("x-amz-checksum-xxhash3", input.checksum_xxhash3.is_some()),
        ("x-amz-checksum-xxhash128", input.checksum_xxhash128.is_some()),
    ])?;
    let grants =
        [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp];
    let owners_alone =
        matches!(input.acl, None | Some(ObjectCannedACL::Private | ObjectCannedACL::BucketOwnerFullControl));
    if !owners_alone || grants.iter().any(|grant| grant.is_some()) {
        return Err(errors::acls_not_supported());
    }
    match &input.storage_class {
        None | Some(StorageClass::Standard) => Ok(()),
        Some(StorageClass::Unknown(class)) => Err(errors::invalid_storage_class(class)),
        Some(_) => Err(errors::not_implemented("x-amz-storage-class")),
    }
}

/// Refuses what a `DeleteObject` asks beyond this service.
pub(crate) fn of_delete_object(input: &DeleteObjectRequest) -> Result<(), ServiceError> {
    version(input.version_id.as_deref())?;
    refuse(&[
        ("x-amz-mfa", input.mfa.is_some()),
        ("x-amz-bypass-governance-retention", input.bypass_governance_retention == Some(true)),
        ("x-amz-if-match-last-modified-time", input.if_match_last_modified_time.is_some()),
        ("x-amz-if-match-size", input.if_match_size.is_some()),
    ])
}

/// Objects have no versions: only the one called `null`.
pub(crate) fn version(id: Option<&str>) -> Result<(), ServiceError> {
    match id {
        None | Some("null") => Ok(()),
        Some(id) => Err(errors::invalid_argument("versionId", id, "Invalid version id specified")),
    }
}
