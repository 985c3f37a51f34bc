//! `GetRuntimeManagementConfig`: when a version may get another runtime.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    GetRuntimeManagementConfig, GetRuntimeManagementConfigRequest, GetRuntimeManagementConfigResponse,
    UpdateRuntimeOn,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::store::subject::Subject;
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:GetRuntimeManagementConfig";

pub(crate) const ACCESS: Access<GetRuntimeManagementConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn get_runtime_management_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetRuntimeManagementConfigRequest,
) -> Result<GetRuntimeManagementConfigResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    let asked = function.clone();
    let found = lambda.store.read(|tx| async move { store::subject::get(&tx, &asked).await }).await;
    let found = found.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(&function))?;
    let (Subject::Function(record) | Subject::Version(_, record)) = found else {
        return Err(errors::versions_only());
    };
    let kept = record.update_runtime_on.as_deref().map(UpdateRuntimeOn::from);
    Ok(GetRuntimeManagementConfigResponse {
        update_runtime_on: Some(kept.unwrap_or(UpdateRuntimeOn::Auto)),
        function_arn: Some(function.arn().to_string()),
        runtime_version_arn: None,
    })
}
