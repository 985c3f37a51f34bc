//! `UpdateCodeSigningConfig`: changes what is given, for all functions that have the configuration.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    UpdateCodeSigningConfig, UpdateCodeSigningConfigRequest, UpdateCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, code_signing, store};

pub(crate) const ACCESS: Access<UpdateCodeSigningConfig> =
    Access::new("lambda:UpdateCodeSigningConfig", |input: &UpdateCodeSigningConfigRequest, _| {
        code_signing::resources(&input.code_signing_config_arn)
    });

pub(crate) async fn update_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: UpdateCodeSigningConfigRequest,
) -> Result<UpdateCodeSigningConfigResponse, ServiceError> {
    let id = &code_signing::named(&context, &input.code_signing_config_arn)?;
    let now = context.now;
    let kept = lambda.store.transact(|tx| {
        let input = input.clone();
        async move {
            let found = store::code_signing::get(&tx, id).await?;
            let mut record = found.ok_or_else(|| errors::no_code_signing(&input.code_signing_config_arn))?;
            record.description = input.description.or(record.description);
            if let Some(publishers) = input.allowed_publishers {
                record.publishers = publishers.signing_profile_version_arns;
            }
            if input.code_signing_policies.is_some() {
                record.untrusted = code_signing::untrusted(input.code_signing_policies);
            }
            record.modified_at_micros = now.as_micros();
            store::code_signing::put(&tx, id, &record);
            Ok::<_, Failure>(record)
        }
    });
    let record = kept.await?;
    Ok(UpdateCodeSigningConfigResponse { code_signing_config: code_signing::describe(id, &record) })
}
