//! Layers: who may use them, how they are shown, and what a function may use together.

use std::collections::BTreeSet;

use apus_kernel::{AccessRequest, Context, Resource, ResourcePolicy};
use apus_model_lambda::{
    Architecture, GetLayerVersionResponse, LayerVersionContentOutput, LayerVersionsListItem, Runtime,
};
use apus_schema::ServiceError;
use apus_store::{StoreError, Tx};
use apus_time::Timestamp;

use crate::code::archive::UNZIPPED_BYTES_MAX;
use crate::code::package::CodeHash;
use crate::errors::{self, Failure};
use crate::layer_name::{self, LayerId};
use crate::store::layer::{LayerContent, LayerRecord};
use crate::{Lambda, permission, store};

/// Layers of one function.
const LAYERS_MAX: usize = 5;

impl Lambda {
    /// The layer that a request names.
    pub(crate) async fn permitted_layer(
        &self,
        context: &Context,
        action: &'static str,
        text: &str,
    ) -> Result<LayerId, ServiceError> {
        let caller = &context.caller;
        let Some(id) = layer_name::parse(text, caller.account, &caller.region) else {
            context.platform().authorize(context, action, [Resource::All]).await?;
            return Err(errors::no_layer_name(text));
        };
        context.platform().authorize(context, action, [id.arn().into()]).await?;
        Ok(id)
    }

    /// The layer version that a request names, if it is there; its policy has its say.
    pub(crate) async fn permitted_version(
        &self,
        context: &Context,
        action: &'static str,
        id: &LayerId,
        number: u64,
    ) -> Result<Option<LayerRecord>, ServiceError> {
        let asked = id.clone();
        let read = self.store.read(|tx| async move { store::layer::get(&tx, &asked, number).await });
        let record = read.await.map_err(Failure::from)?;
        let statements = record.as_ref().map(|record| &record.statements).filter(|list| !list.is_empty());
        let document = statements.map(|statements| permission::document(statements));
        let mut request = AccessRequest::new(context, action, id.version_arn(number).into());
        request.resource_policy =
            document.as_deref().map(|document| ResourcePolicy { document, must_allow: false });
        context.platform().permit(&request).await?;
        Ok(record)
    }

    /// The layer that a name means, without asking whether the caller may do anything with it.
    pub(crate) fn layer(context: &Context, text: &str) -> Result<LayerId, ServiceError> {
        let caller = &context.caller;
        layer_name::parse(text, caller.account, &caller.region).ok_or_else(|| errors::no_layer_name(text))
    }

    /// Whether the caller may use each of these layers; those that a function has already are not asked about.
    pub(crate) async fn check_layers(
        &self,
        context: &Context,
        wanted: &[String],
        before: &[LayerContent],
    ) -> Result<(), ServiceError> {
        check_list(wanted)?;
        for arn in wanted.iter().filter(|arn| before.iter().all(|own| own.arn != **arn)) {
            let (id, number) = version(arn, context)?;
            let found = self.permitted_version(context, "lambda:GetLayerVersion", &id, number).await?;
            found.ok_or_else(|| errors::layer_not_usable(arn))?;
        }
        Ok(())
    }
}

fn version(arn: &str, context: &Context) -> Result<(LayerId, u64), ServiceError> {
    let found = layer_name::parse_version(arn).ok_or_else(|| errors::layer_not_usable(arn))?;
    if found.0.region != context.caller.region {
        return Err(errors::layer_not_usable(arn));
    }
    Ok(found)
}

/// Holds a list of layers to what one function may have.
fn check_list(wanted: &[String]) -> Result<(), ServiceError> {
    if wanted.len() > LAYERS_MAX {
        return Err(errors::invalid_parameter(format!("Cannot reference more than {LAYERS_MAX} layers.")));
    }
    let mut seen = BTreeSet::new();
    for arn in wanted {
        let layer = arn.rsplit_once(':').map_or(arn.as_str(), |(layer, _)| layer);
        if !seen.insert(layer) {
            return Err(errors::invalid_parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {}",
                wanted.join(" and ")
            )));
        }
    }
    Ok(())
}

/// What these layers hold; those that a function has already may have been deleted since.
pub(crate) async fn contents(
    tx: &Tx,
    wanted: &[String],
    before: &[LayerContent],
) -> Result<Vec<LayerContent>, Failure> {
    let mut contents = Vec::new();
    for arn in wanted {
        if let Some(own) = before.iter().find(|own| own.arn == *arn) {
            contents.push(own.clone());
            continue;
        }
        let (id, number) = layer_name::parse_version(arn).ok_or_else(|| errors::layer_not_usable(arn))?;
        let found = store::layer::get(tx, &id, number).await?;
        contents.push(found.ok_or_else(|| errors::layer_not_usable(arn))?.content);
    }
    Ok(contents)
}

/// Holds code and layers together to their bound; `code_bytes` is the code, unpacked.
pub(crate) fn check_size(code_bytes: u64, layers: &[LayerContent]) -> Result<(), ServiceError> {
    let bytes = code_bytes + layers.iter().map(|layer| layer.unpacked_bytes).sum::<u64>();
    if bytes > UNZIPPED_BYTES_MAX {
        return Err(errors::invalid_parameter(format!(
            "Function code combined with layers exceeds the maximum allowed size of {UNZIPPED_BYTES_MAX} bytes. The \
             actual size is {bytes} bytes."
        )));
    }
    Ok(())
}

/// A version as `GetLayerVersion` and `PublishLayerVersion` show it.
pub(crate) fn describe(
    id: &LayerId,
    number: u64,
    record: &LayerRecord,
    location: Option<String>,
) -> Result<GetLayerVersionResponse, StoreError> {
    let hash: CodeHash = record.content.hash()?;
    let item = describe_item(number, record);
    Ok(GetLayerVersionResponse {
        content: Some(LayerVersionContentOutput {
            location,
            code_sha256: Some(hash.to_base64()),
            code_size: Some(record.content.bytes as i64),
            ..LayerVersionContentOutput::default()
        }),
        layer_arn: Some(id.arn().to_string()),
        layer_version_arn: item.layer_version_arn,
        description: item.description,
        created_date: item.created_date,
        version: item.version,
        compatible_architectures: item.compatible_architectures,
        compatible_runtimes: item.compatible_runtimes,
        license_info: item.license_info,
    })
}

/// A version as lists show it.
pub(crate) fn describe_item(number: u64, record: &LayerRecord) -> LayerVersionsListItem {
    let created = Timestamp::from_micros(record.created_at_micros).to_iso8601_millis().replace('Z', "+0000");
    let architectures = record.architectures.as_deref();
    let runtimes = record.runtimes.as_deref();
    LayerVersionsListItem {
        layer_version_arn: Some(record.content.arn.clone()),
        version: i64::try_from(number).ok(),
        description: Some(record.description.clone()),
        created_date: Some(created),
        compatible_architectures: architectures
            .map(|list| list.iter().map(|one| Architecture::from(one.as_str())).collect()),
        compatible_runtimes: runtimes
            .map(|list| list.iter().map(|one| Runtime::from(one.as_str())).collect()),
        license_info: record.license.clone(),
    }
}

/// Whether a version says that it is fit for what is asked for.
pub(crate) fn is_compatible(
    record: &LayerRecord,
    runtime: Option<&Runtime>,
    architecture: Option<&Architecture>,
) -> bool {
    let has = |list: &Option<Vec<String>>, wanted: &str| list.iter().flatten().any(|one| one == wanted);
    runtime.is_none_or(|runtime| has(&record.runtimes, runtime.as_str()))
        && architecture.is_none_or(|architecture| has(&record.architectures, architecture.as_str()))
}
