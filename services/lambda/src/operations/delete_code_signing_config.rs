//! `DeleteCodeSigningConfig`: forgets a configuration that no function has.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    DeleteCodeSigningConfig, DeleteCodeSigningConfigRequest, DeleteCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, code_signing, store};

pub(crate) const ACCESS: Access<DeleteCodeSigningConfig> =
    Access::new("lambda:DeleteCodeSigningConfig", |input: &DeleteCodeSigningConfigRequest, _| {
        code_signing::resources(&input.code_signing_config_arn)
    });

pub(crate) async fn delete_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteCodeSigningConfigRequest,
) -> Result<DeleteCodeSigningConfigResponse, ServiceError> {
    let arn = &input.code_signing_config_arn;
    let id = &code_signing::named(&context, arn)?;
    let deleted = lambda.store.transact(|tx| async move {
        if store::code_signing::get(&tx, id).await?.is_none() {
            return Err(Failure::from(errors::no_code_signing(arn)));
        }
        if !store::code_signing::functions(&tx, id, None, 1).await?.is_empty() {
            return Err(errors::code_signing_in_use(arn).into());
        }
        store::code_signing::delete(&tx, id);
        Ok(())
    });
    deleted.await?;
    Ok(DeleteCodeSigningConfigResponse {})
}
