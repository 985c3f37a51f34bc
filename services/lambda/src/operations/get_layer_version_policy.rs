//! `GetLayerVersionPolicy`: who else may use a layer version.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{GetLayerVersionPolicy, GetLayerVersionPolicyRequest, GetLayerVersionPolicyResponse};
use apus_schema::ServiceError;

use crate::{Lambda, errors, permission, resolve};

const ACTION: &str = "lambda:GetLayerVersionPolicy";

pub(crate) const ACCESS: Access<GetLayerVersionPolicy> = resolve::asked_inside(ACTION);

pub(crate) async fn get_layer_version_policy(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetLayerVersionPolicyRequest,
) -> Result<GetLayerVersionPolicyResponse, ServiceError> {
    let id = Lambda::layer(&context, &input.layer_name)?;
    let number = u64::try_from(input.version_number).unwrap_or(0);
    let found = lambda.permitted_version(&context, ACTION, &id, number).await?;
    let record = found.ok_or_else(|| errors::no_layer_of_that_number(&id, number))?;
    if record.statements.is_empty() {
        return Err(errors::no_policy_to_change());
    }
    Ok(GetLayerVersionPolicyResponse {
        policy: Some(permission::document(&record.statements)),
        revision_id: Some(record.policy_revision),
    })
}
