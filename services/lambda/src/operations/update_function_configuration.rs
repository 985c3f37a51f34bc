//! `UpdateFunctionConfiguration`: changes what is given of `$LATEST`, and leaves the rest. When it answers,
//! invocations run under the new configuration; those under way finish under the old.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    FunctionConfiguration, UpdateFunctionConfiguration, UpdateFunctionConfigurationRequest,
};
use apus_schema::ServiceError;

use crate::describe::{Detail, configuration};
use crate::errors::{self, Failure};
use crate::function_name::LATEST;
use crate::settings::Settings;
use crate::store::FunctionRecord;
use crate::{Lambda, resolve, revision, role_sessions, store};

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
    let fresh = lambda.env.uuid_v4();
    let now = context.now;
    let kept = lambda.store.transact(|tx| {
        let (function, input, fresh) = (function.clone(), input.clone(), fresh.clone());
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut record: FunctionRecord = found.ok_or_else(|| errors::function_not_found(&function))?;
            revision::check(input.revision_id.as_deref(), &record.revision)?;
            let role = input.role.clone();
            Settings::changed(input, &record, &function.id.name)?.put_into(&mut record);
            record.role = role.unwrap_or(record.role);
            record.changed(fresh, now);
            store::function::put(&tx, &function.id, &record);
            Ok::<_, Failure>(record)
        }
    });
    let record = kept.await?;
    lambda.retire(&function.id, LATEST);
    Ok(configuration(&function, LATEST, &record, Detail::Full).map_err(Failure::from)?)
}
