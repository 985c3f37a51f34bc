//! `DeleteFunctionCodeSigningConfig`: a function's code is not looked at any more.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteFunctionCodeSigningConfig, DeleteFunctionCodeSigningConfigRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:DeleteFunctionCodeSigningConfig";

pub(crate) const ACCESS: Access<DeleteFunctionCodeSigningConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteFunctionCodeSigningConfigRequest,
) -> Result<Unit, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (function, fresh) = (&function, fresh.clone());
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut record = found.ok_or_else(|| errors::function_not_found(function))?;
            if record.code_signing.is_none() {
                return Ok(());
            }
            store::function::set_code_signing(&tx, &function.id, &mut record, None);
            record.touched(fresh);
            store::function::put(&tx, &function.id, &record);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(Unit)
}
