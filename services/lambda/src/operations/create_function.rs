//! `CreateFunction`: checks and keeps a function; it can be invoked once it has been made ready (`readiness.rs`).

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{CreateFunction, CreateFunctionRequest, FunctionConfiguration};
use apus_schema::ServiceError;
use apus_store::{BlobId, StoreError};

use crate::code::package::Package;
use crate::code_signing::{self, SigningId};
use crate::describe::{Detail, configuration};
use crate::destinations::check::{Purpose, check};
use crate::errors::{self, Failure};
use crate::function_name::{self, FunctionReference, LATEST};
use crate::settings::Settings;
use crate::store::FunctionRecord;
use crate::store::stage::Stage;
use crate::store::version::Publication;
use crate::{Lambda, code_source, layer, resolve, role_sessions, store};

pub(crate) const ACCESS: Access<CreateFunction> =
    Access::new("lambda:CreateFunction", |input: &CreateFunctionRequest, caller| {
        resolve::resources(&input.function_name, None, caller)
    });

pub(crate) async fn create_function(
    lambda: Arc<Lambda>,
    context: Context,
    input: CreateFunctionRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let function = new_function(&context, &input.function_name)?;
    let settings = Settings::of(&input, &function.id.name)?;
    role_sessions::check_role(&context, &function.id, &input.role).await?;
    if let Some(target) = &settings.dead_letters {
        check(&context, &function.id, &input.role, target, Purpose::DeadLetters).await?;
    }
    let id = function.id.clone();
    let exists = lambda.store.read(|tx| async move { store::function::get(&tx, &id).await });
    if exists.await.map_err(Failure::from)?.is_some() {
        return Err(errors::function_exists(&function.id.name));
    }
    lambda.check_runtime(&settings.runtime)?;
    let package = code_source::package(&context, &input.code, "CreateFunction").await?;
    let unpacked_bytes = lambda.unpack(&package).await?;
    let layers = input.layers.unwrap_or_default();
    lambda.check_layers(&context, &layers, &[]).await?;
    let arn = input.code_signing_config_arn.as_deref().filter(|arn| !arn.is_empty());
    let code_signing = arn.map(|arn| {
        let parsed = SigningId::parse(arn, function.id.account, &function.id.region);
        parsed.ok_or_else(|| errors::code_signing_gone(arn))
    });
    let code_signing = code_signing.transpose()?;
    let blob = lambda.store.blobs().put(package.bytes.clone()).await.map_err(Failure::from)?;
    let record = record(&lambda, settings, input.role, &package, blob);
    let publication = (input.publish == Some(true)).then(|| lambda.publication(None, context.now));
    let new = New { record: &record, unpacked_bytes, layers: &layers, publication, code_signing };
    let kept = keep(&lambda, &function, new).await;
    // After the store's own failure the commit may have come through; then the blob is the function's.
    if matches!(kept, Err(Failure::Refused(_) | Failure::Store(StoreError::Conflict { .. }))) {
        lambda.delete_blob(blob).await;
    }
    let (version, record) = kept?;
    lambda.begin_readiness(&function.id, &version).await;
    let function = if version == LATEST { function } else { function.with_qualifier(&version) };
    Ok(configuration(&function, &version, &record, Detail::Full).map_err(Failure::from)?)
}

/// The function to be made: of the caller's account, unqualified.
fn new_function(context: &Context, text: &str) -> Result<FunctionReference, ServiceError> {
    let caller = &context.caller;
    let function = function_name::parse(text, None, caller.account, &caller.region)
        .map_err(|error| errors::name_error(error, caller.region.as_str()))?;
    if function.id.account != caller.account {
        return Err(errors::other_account(function.id.account));
    }
    if function.qualifier.is_some() {
        return Err(errors::invalid_parameter("The name of a new function must not have a qualifier."));
    }
    Ok(function)
}

fn record(
    lambda: &Lambda,
    settings: Settings,
    role: String,
    package: &Package,
    blob: BlobId,
) -> FunctionRecord {
    FunctionRecord {
        runtime: settings.runtime,
        role,
        handler: settings.handler,
        description: settings.description,
        timeout_secs: settings.timeout_secs,
        memory_mb: settings.memory_mb,
        tmp_mb: settings.tmp_mb,
        variables: settings.variables,
        architecture: settings.architecture,
        log_group: settings.logging.group,
        json_log: settings.logging.json,
        tags: settings.tags,
        revision: lambda.env.uuid_v4(),
        modified_at_micros: lambda.env.now().as_micros(),
        code_sha256: package.hash.as_bytes().to_vec(),
        code_bytes: package.bytes.len() as u64,
        code_blob: *blob.as_bytes(),
        reserved_concurrency: None,
        content_revision: None,
        published: None,
        recursive_loop: None,
        update_runtime_on: None,
        layers: None,
        dead_letters: settings.dead_letters,
        state: Some(Stage::Pending),
        update: None,
        code_signing: None,
    }
}

/// What is to be kept.
#[derive(Clone)]
struct New<'a> {
    record: &'a FunctionRecord,
    unpacked_bytes: u64,
    layers: &'a [String],
    publication: Option<Publication>,
    code_signing: Option<SigningId>,
}

/// Keeps the function, and a version of it if it is to be published: the version to be shown.
async fn keep(
    lambda: &Lambda,
    function: &FunctionReference,
    new: New<'_>,
) -> Result<(String, FunctionRecord), Failure> {
    let kept = lambda.store.transact(|tx| {
        let (id, new) = (function.id.clone(), new.clone());
        async move {
            if store::function::get(&tx, &id).await?.is_some() {
                return Err(Failure::from(errors::function_exists(&id.name)));
            }
            let layers = layer::contents(&tx, new.layers, &[]).await?;
            layer::check_size(new.unpacked_bytes, &layers)?;
            let layers = Some(layers).filter(|layers| !layers.is_empty());
            let mut record = FunctionRecord { layers, ..new.record.clone() };
            store::function::set_code_signing(&tx, &id, &mut record, new.code_signing.as_ref());
            code_signing::check_unsigned(&tx, &id, &record, &id.name).await?;
            store::function::create(&tx, &id, &record);
            match new.publication {
                Some(publication) => {
                    let (number, version) =
                        store::version::publish(&tx, &id, &mut record, publication).await?;
                    Ok((number.to_string(), version))
                }
                None => Ok((LATEST.to_owned(), record)),
            }
        }
    });
    kept.await
}
