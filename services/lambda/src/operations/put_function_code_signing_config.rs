//! `PutFunctionCodeSigningConfig`: from now on a function's code is looked at under a configuration.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    PutFunctionCodeSigningConfig, PutFunctionCodeSigningConfigRequest, PutFunctionCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::code_signing::SigningId;
use crate::errors::{self, Failure};
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:PutFunctionCodeSigningConfig";

pub(crate) const ACCESS: Access<PutFunctionCodeSigningConfig> = resolve::asked_inside(ACTION);

pub(crate) async fn put_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: PutFunctionCodeSigningConfigRequest,
) -> Result<PutFunctionCodeSigningConfigResponse, ServiceError> {
    let function = lambda.permitted_whole(&context, ACTION, &input.function_name).await?;
    let arn = input.code_signing_config_arn;
    let parsed = SigningId::parse(&arn, function.id.account, &function.id.region);
    let config = &parsed.ok_or_else(|| errors::code_signing_gone(&arn))?;
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (function, arn, fresh) = (&function, &arn, fresh.clone());
        async move {
            let found = store::function::get(&tx, &function.id).await?;
            let mut record = found.ok_or_else(|| errors::function_not_found(function))?;
            if store::code_signing::get(&tx, config).await?.is_none() {
                return Err(Failure::from(errors::code_signing_gone(arn)));
            }
            store::function::set_code_signing(&tx, &function.id, &mut record, Some(config));
            record.touched(fresh);
            store::function::put(&tx, &function.id, &record);
            Ok(())
        }
    });
    kept.await?;
    Ok(PutFunctionCodeSigningConfigResponse { code_signing_config_arn: arn, function_name: function.id.name })
}
