//! `UpdateFunctionConfiguration`: changes what is given of `$LATEST`, and leaves the rest. Invocations run under the old
//! configuration until the new one has been made ready (`readiness.rs`); those under way then finish under the old.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    FunctionConfiguration, UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest,
};
use apus_schema::ServiceError;
use apus_store::{BlobId, Tx};

use crate::describe::{Detail, configuration};
use crate::destinations::check::{Purpose, check};
use crate::errors::{self, Failure};
use crate::function_name::{FunctionId, LATEST};
use crate::settings::{self, Settings};
use crate::store::FunctionRecord;
use crate::{Lambda, code_signing, layer, readiness, resolve, revision, role_sessions, store};

const ACTION: &str = "lambda:UpdateFunctionConfiguration";

pub(crate) const ACCESS: Access<UpdateFunctionConfiguration> = resolve::asked_inside(ACTION);

pub(crate) async fn update_function_configuration(
    lambda: Arc<Lambda>,
    context: Context,
    input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    if let Some(role) = &input.role {
        role_sessions::check_role(&context, &function.id, role).await?;
    }
    let asked = function.id.clone();
    let before = lambda.store.read(|tx| async move { store::function::get(&tx, &asked).await }).await;
    let before = before.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(&function))?;
    readiness::check_settled(&function, &before)?;
    if let Some(target) = settings::dead_letters(input.dead_letter_config.as_ref()) {
        let role = input.role.as_deref().unwrap_or(&before.role);
        check(&context, &function.id, role, &target, Purpose::DeadLetters).await?;
    }
    let runtime = input.runtime.as_ref().map_or(&*before.runtime, |runtime| runtime.as_str());
    Settings::check_runtime(runtime)?;
    lambda.check_runtime(runtime)?;
    let mut unpacked_bytes = 0;
    if let Some(layers) = &input.layers {
        lambda.check_layers(&context, layers, before.layers()).await?;
        unpacked_bytes = lambda.unpacked_bytes(&function, &before).await?;
    }
    let fresh = lambda.env.uuid_v4();
    let now = context.now;
    let kept = lambda.store.transact(|tx| {
        let (function, input, fresh) = (function.clone(), input.clone(), fresh.clone());
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut record: FunctionRecord = found.ok_or_else(|| errors::function_not_found(&function))?;
            revision::check(input.revision_id.as_deref(), &record.revision)?;
            readiness::check_settled(&function, &record)?;
            store::function::begin_update(&tx, &function.id, &mut record);
            let (role, layers) = (input.role.clone(), input.layers.clone());
            Settings::changed(input, &record, &function.id.name)?.put_into(&mut record);
            record.role = role.unwrap_or(record.role);
            let unused = match layers {
                Some(layers) => {
                    for layer in
                        layers.iter().filter(|layer| record.layers().iter().all(|own| own.arn != **layer))
                    {
                        code_signing::check_unsigned(&tx, &function.id, &record, layer).await?;
                    }
                    set_layers(&tx, &function.id, &mut record, &layers, unpacked_bytes).await?
                }
                None => Vec::new(),
            };
            record.changed(fresh, now);
            store::function::put(&tx, &function.id, &record);
            Ok::<_, Failure>((record, unused))
        }
    });
    let (record, unused) = kept.await?;
    for blob in unused {
        lambda.delete_blob(blob).await;
    }
    lambda.begin_readiness(&function.id, LATEST).await;
    Ok(configuration(&function, LATEST, &record, Detail::Full).map_err(Failure::from)?)
}

/// Gives the function these layers instead of its own; the blobs that are nobody's now.
async fn set_layers(
    tx: &Tx,
    id: &FunctionId,
    record: &mut FunctionRecord,
    wanted: &[String],
    unpacked_bytes: u64,
) -> Result<Vec<BlobId>, Failure> {
    let holder = id.qualified_arn(LATEST).to_string();
    let contents = layer::contents(tx, wanted, record.layers()).await?;
    layer::check_size(unpacked_bytes, &contents)?;
    for layer in &contents {
        store::blob::hold(tx, layer.blob(), &holder);
    }
    let mut unused = Vec::new();
    for old in record.layers().iter().filter(|old| !contents.contains(old)) {
        unused.extend(store::blob::release(tx, old.blob(), &holder).await?);
    }
    record.layers = Some(contents).filter(|contents| !contents.is_empty());
    Ok(unused)
}
