//! `RemovePermission`: a statement less in the policy of a function, a version or an alias.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{RemovePermission, RemovePermissionRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::{Lambda, permission, resolve, revision, store};

const ACTION: &str = "lambda:RemovePermission";

pub(crate) const ACCESS: Access<RemovePermission> = resolve::asked_inside(ACTION);

pub(crate) async fn remove_permission(
    lambda: Arc<Lambda>,
    context: Context,
    input: RemovePermissionRequest,
) -> Result<Unit, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (function, input, fresh) = (function.clone(), input.clone(), fresh.clone());
        async move {
            let qualifier = function.qualifier.as_deref();
            let subject =
                store::subject::get(&tx, &function).await?.ok_or_else(errors::no_policy_to_change)?;
            let policy = store::policy::get(&tx, &function.id, qualifier).await?;
            let mut policy = policy.ok_or_else(errors::no_policy_to_change)?;
            permission::remove(&mut policy.statements, &input.statement_id)?;
            revision::check_policy(input.revision_id.as_deref(), subject.revision())?;
            if policy.statements.is_empty() {
                store::policy::delete(&tx, &function.id, qualifier.unwrap_or_default());
            } else {
                store::policy::put(&tx, &function.id, qualifier, &policy);
            }
            subject.touch(&tx, &function.id, fresh);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(Unit)
}
