//! `PublishLayerVersion`: keeps files that functions can share, under the layer's next number.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    FunctionCode, GetLayerVersionResponse, PublishLayerVersion, PublishLayerVersionRequest,
    PublishLayerVersionResponse,
};
use apus_schema::ServiceError;
use apus_store::StoreError;

use crate::errors::{self, Failure};
use crate::store::layer::{LayerContent, LayerRecord};
use crate::{Lambda, code_source, layer, resolve, store};

const ACTION: &str = "lambda:PublishLayerVersion";

pub(crate) const ACCESS: Access<PublishLayerVersion> = resolve::asked_inside(ACTION);

pub(crate) async fn publish_layer_version(
    lambda: Arc<Lambda>,
    context: Context,
    input: PublishLayerVersionRequest,
) -> Result<PublishLayerVersionResponse, ServiceError> {
    let id = lambda.permitted_layer(&context, ACTION, &input.layer_name).await?;
    if id.account != context.caller.account {
        return Err(errors::no_layer_name(&input.layer_name));
    }
    let content = input.content;
    let code = FunctionCode {
        zip_file: content.zip_file,
        s3_bucket: content.s3_bucket,
        s3_key: content.s3_key,
        s3_object_version: content.s3_object_version,
        ..FunctionCode::default()
    };
    let package = code_source::package(&context, &code, "PublishLayerVersion").await?;
    let unpacked_bytes = lambda.unpack(&package).await?;
    let blob = lambda.store.blobs().put(package.bytes.clone()).await.map_err(Failure::from)?;
    let texts = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
    let runtimes = input.compatible_runtimes.unwrap_or_default();
    let architectures = input.compatible_architectures.unwrap_or_default();
    let record = LayerRecord {
        description: input.description.unwrap_or_default(),
        created_at_micros: context.now.as_micros(),
        content: LayerContent {
            arn: String::new(),
            sha256: package.hash.as_bytes().to_vec(),
            bytes: package.bytes.len() as u64,
            unpacked_bytes,
            blob: *blob.as_bytes(),
        },
        runtimes: texts(runtimes.iter().map(|one| one.as_str().to_owned()).collect()),
        architectures: texts(architectures.iter().map(|one| one.as_str().to_owned()).collect()),
        license: input.license_info,
        statements: Vec::new(),
        policy_revision: lambda.env.uuid_v4(),
    };
    let kept = lambda.store.transact(|tx| {
        let (id, mut record) = (id.clone(), record.clone());
        async move {
            let number = store::layer::next_number(&tx, &id).await?;
            record.content.arn = id.version_arn(number).to_string();
            store::layer::create(&tx, &id, number, &record);
            Ok::<_, Failure>((number, record))
        }
    });
    let kept = kept.await;
    // After the store's own failure the commit may have come through; then the blob is the layer's.
    if matches!(kept, Err(Failure::Refused(_) | Failure::Store(StoreError::Conflict { .. }))) {
        lambda.delete_blob(blob).await;
    }
    let (number, record) = kept?;
    let location = lambda.downloads.url(&context, record.content.blob());
    let shown = layer::describe(&id, number, &record, location).map_err(Failure::from)?;
    let GetLayerVersionResponse { content, layer_arn, layer_version_arn, description, .. } = shown;
    let GetLayerVersionResponse { created_date, version, license_info, .. } = shown;
    Ok(PublishLayerVersionResponse {
        content,
        layer_arn,
        layer_version_arn,
        description,
        created_date,
        version,
        license_info,
        compatible_architectures: shown.compatible_architectures,
        compatible_runtimes: shown.compatible_runtimes,
    })
}
