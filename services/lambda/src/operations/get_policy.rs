//! `GetPolicy`: who else may do what with a function, a version or an alias.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{GetPolicy, GetPolicyRequest, GetPolicyResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, permission, resolve, store};

const ACTION: &str = "lambda:GetPolicy";

pub(crate) const ACCESS: Access<GetPolicy> = resolve::asked_inside(ACTION);

pub(crate) async fn get_policy(
    lambda: Arc<Lambda>,
    context: Context,
    input: GetPolicyRequest,
) -> Result<GetPolicyResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    let read = lambda.store.read(|tx| async move {
        let subject = store::subject::get(&tx, &function).await?;
        let policy = store::policy::get(&tx, &function.id, function.qualifier.as_deref()).await?;
        Ok::<_, Failure>(subject.zip(policy))
    });
    let (subject, policy) = read.await?.ok_or_else(errors::no_policy)?;
    Ok(GetPolicyResponse {
        policy: Some(permission::document(&policy.statements)),
        revision_id: Some(subject.revision().to_owned()),
    })
}
