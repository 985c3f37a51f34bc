//! `GetCodeSigningConfig`: a configuration.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{GetCodeSigningConfig, GetCodeSigningConfigRequest, GetCodeSigningConfigResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, code_signing, store};

pub(crate) const ACCESS: Access<GetCodeSigningConfig> =
    Access::new("lambda:GetCodeSigningConfig", |input: &GetCodeSigningConfigRequest, _| {
        code_signing::resources(&input.code_signing_config_arn)
    });

pub(crate) async fn get_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetCodeSigningConfigRequest,
) -> Result<GetCodeSigningConfigResponse, ServiceError> {
    let arn = &input.code_signing_config_arn;
    let id = &code_signing::named(&context, arn)?;
    let found = lambda.store.read(|tx| async move { store::code_signing::get(&tx, id).await }).await;
    let record = found.map_err(Failure::from)?.ok_or_else(|| errors::no_code_signing(arn))?;
    Ok(GetCodeSigningConfigResponse { code_signing_config: code_signing::describe(id, &record) })
}
