//! `UpdateFunctionCode`: gives `$LATEST` other code. Invocations run the old one until the new one has been made ready
//! (`readiness.rs`); those under way then finish with the old.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{FunctionCode, FunctionConfiguration, UpdateFunctionCode, UpdateFunctionCodeRequest};
use apus_schema::ServiceError;
use apus_store::{BlobId, StoreError, Tx};

use crate::code::package::CodeHash;
use crate::describe::{Detail, configuration};
use crate::errors::{self, Failure};
use crate::function_name::{FunctionReference, LATEST};
use crate::store::FunctionRecord;
use crate::store::version::Publication;
use crate::{Lambda, code_signing, code_source, layer, readiness, resolve, revision, settings, store};

const ACTION: &str = "lambda:UpdateFunctionCode";

pub(crate) const ACCESS: Access<UpdateFunctionCode> = resolve::asked_inside(ACTION);

pub(crate) async fn update_function_code(
    lambda: Arc<Lambda>,
    context: Context,
    input: UpdateFunctionCodeRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    refuse_unsupported(&input)?;
    let asked = function.id.clone();
    let found = lambda.store.read(|tx| async move { store::function::get(&tx, &asked).await }).await;
    let found = found.map_err(Failure::from)?;
    let mut before = found.ok_or_else(|| errors::function_not_found(&function))?;
    revision::check(input.revision_id.as_deref(), &before.revision)?;
    readiness::check_settled(&function, &before)?;
    let code = FunctionCode {
        zip_file: input.zip_file,
        s3_bucket: input.s3_bucket,
        s3_key: input.s3_key,
        s3_object_version: input.s3_object_version,
        ..FunctionCode::default()
    };
    let package = code_source::package(&context, &code, "UpdateFunctionCode").await?;
    let unpacked_bytes = lambda.unpack(&package).await?;
    layer::check_size(unpacked_bytes, before.layers())?;
    if input.dry_run == Some(true) {
        let (id, record) = (&function.id, &before);
        let checked = lambda
            .store
            .read(|tx| async move { code_signing::check_unsigned(&tx, id, record, &id.name).await });
        checked.await?;
        before.code_sha256 = package.hash.as_bytes().to_vec();
        before.code_bytes = package.bytes.len() as u64;
        return Ok(configuration(&function, LATEST, &before, Detail::Full).map_err(Failure::from)?);
    }
    lambda.check_runtime(&before.runtime)?;
    let blob = lambda.store.blobs().put(package.bytes.clone()).await.map_err(Failure::from)?;
    let update = Update {
        function: function.clone(),
        seen: input.revision_id,
        hash: package.hash,
        bytes: package.bytes.len() as u64,
        unpacked_bytes,
        blob,
        publication: lambda.publication(None, context.now),
        publish: input.publish == Some(true),
        revision: lambda.env.uuid_v4(),
    };
    let kept = lambda.store.transact(|tx| {
        let update = update.clone();
        async move { update.apply(&tx).await }
    });
    let kept = kept.await;
    // After the store's own failure the commit may have come through; then the blob is the function's.
    if matches!(kept, Err(Failure::Refused(_) | Failure::Store(StoreError::Conflict { .. }))) {
        lambda.delete_blob(blob).await;
    }
    let Updated { version, record, unused } = kept?;
    lambda.begin_readiness(&function.id, &version).await;
    for blob in unused {
        lambda.delete_blob(blob).await;
    }
    let function = if version == LATEST { function } else { function.with_qualifier(&version) };
    Ok(configuration(&function, &version, &record, Detail::Full).map_err(Failure::from)?)
}

/// What is to be done, in one transaction.
#[derive(Clone)]
struct Update {
    function: FunctionReference,
    seen: Option<String>,
    hash: CodeHash,
    bytes: u64,
    unpacked_bytes: u64,
    blob: BlobId,
    publication: Publication,
    publish: bool,
    revision: String,
}

/// What was done: the version to be shown, and the blobs that are nobody's.
struct Updated {
    version: String,
    record: FunctionRecord,
    unused: Vec<BlobId>,
}

impl Update {
    async fn apply(self, tx: &Tx) -> Result<Updated, Failure> {
        let id = &self.function.id;
        let found = store::function::get(tx, id).await?;
        let mut record = found.ok_or_else(|| errors::function_not_found(&self.function))?;
        revision::check(self.seen.as_deref(), &record.revision)?;
        readiness::check_settled(&self.function, &record)?;
        code_signing::check_unsigned(tx, id, &record, &id.name).await?;
        layer::check_size(self.unpacked_bytes, record.layers())?;
        store::function::begin_update(tx, id, &mut record);
        let holder = id.qualified_arn(LATEST).to_string();
        let mut unused = vec![self.blob];
        if record.code_hash()? != self.hash {
            unused.clear();
            unused.extend(store::blob::release(tx, record.blob(), &holder).await?);
            record.code_sha256 = self.hash.as_bytes().to_vec();
            record.code_bytes = self.bytes;
            record.code_blob = *self.blob.as_bytes();
            store::blob::hold(tx, self.blob, &holder);
        }
        record.changed(self.revision, self.publication.now);
        if self.publish {
            let (number, record) = store::version::publish(tx, id, &mut record, self.publication).await?;
            return Ok(Updated { version: number.to_string(), record, unused });
        }
        store::function::put(tx, id, &record);
        Ok(Updated { version: LATEST.to_owned(), record, unused })
    }
}

fn refuse_unsupported(input: &UpdateFunctionCodeRequest) -> Result<(), ServiceError> {
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    settings::check_architectures(input.architectures.as_deref())?;
    for (refused, what) in [
        (text(&input.image_uri), "ImageUri"),
        (text(&input.source_kms_key_arn), "SourceKMSKeyArn"),
        (
            input.s3_object_storage_mode.as_ref().is_some_and(|mode| mode.as_str() != "COPY"),
            "S3ObjectStorageMode",
        ),
        (input.publish_to.is_some(), "PublishTo"),
    ] {
        if refused {
            return Err(errors::not_supported(what));
        }
    }
    Ok(())
}
