//! `CreateCodeSigningConfig`: whose signatures functions are to ask for.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    CreateCodeSigningConfig, CreateCodeSigningConfigRequest, CreateCodeSigningConfigResponse,
};
use apus_schema::ServiceError;

use crate::code_signing::{self, SigningId};
use crate::errors::{self, Failure};
use crate::store::code_signing::CodeSigningRecord;
use crate::{Lambda, store};

pub(crate) const ACCESS: Access<CreateCodeSigningConfig> = Access::on_all("lambda:CreateCodeSigningConfig");

pub(crate) async fn create_code_signing_config(
    lambda: Arc<Lambda>,
    context: Context,
    input: CreateCodeSigningConfigRequest,
) -> Result<CreateCodeSigningConfigResponse, ServiceError> {
    if input.tags.is_some_and(|tags| !tags.is_empty()) {
        return Err(errors::not_supported("Tags of code signing configurations"));
    }
    let id = SigningId::new(&lambda.env, &context.caller);
    let record = CodeSigningRecord {
        description: input.description,
        publishers: input.allowed_publishers.signing_profile_version_arns,
        untrusted: code_signing::untrusted(input.code_signing_policies),
        modified_at_micros: context.now.as_micros(),
    };
    let kept = lambda.store.transact(|tx| {
        let (id, record) = (&id, &record);
        async move {
            store::code_signing::put(&tx, id, record);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(CreateCodeSigningConfigResponse { code_signing_config: code_signing::describe(&id, &record) })
}
