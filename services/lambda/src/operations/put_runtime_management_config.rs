//! `PutRuntimeManagementConfig`: keeps when a version may get another runtime.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    PutRuntimeManagementConfig, PutRuntimeManagementConfigRequest, PutRuntimeManagementConfigResponse,
    UpdateRuntimeOn,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::store::subject::Subject;
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:PutRuntimeManagementConfig";

pub(crate) const ACCESS: Access<PutRuntimeManagementConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn put_runtime_management_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: PutRuntimeManagementConfigRequest,
) -> Result<PutRuntimeManagementConfigResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    // Runtimes here are the host's: none can be held on to by its name.
    if input.update_runtime_on == UpdateRuntimeOn::Manual || input.runtime_version_arn.is_some() {
        return Err(errors::not_supported("UpdateRuntimeOn Manual"));
    }
    let wanted = input.update_runtime_on;
    let kept = lambda.store.transact(|tx| {
        let (function, wanted) = (function.clone(), wanted.as_str().to_owned());
        async move {
            let subject = store::subject::get(&tx, &function).await?;
            match subject.ok_or_else(|| errors::function_not_found(&function))? {
                Subject::Function(mut record) => {
                    record.update_runtime_on = Some(wanted);
                    store::function::put(&tx, &function.id, &record);
                }
                Subject::Version(number, mut record) => {
                    record.update_runtime_on = Some(wanted);
                    store::version::put(&tx, &function.id, number, &record);
                }
                Subject::Alias(..) => return Err(Failure::from(errors::versions_only())),
            }
            Ok(())
        }
    });
    kept.await?;
    Ok(PutRuntimeManagementConfigResponse {
        update_runtime_on: wanted,
        function_arn: function.arn().to_string(),
        runtime_version_arn: None,
    })
}
