//! `AddPermission`: a statement more in the policy of a function, a version or an alias.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{AddPermission, AddPermissionRequest, AddPermissionResponse};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, permission, resolve, revision, store};

const ACTION: &str = "lambda:AddPermission";

pub(crate) const ACCESS: Access<AddPermission> = resolve::asked_inside(ACTION);

pub(crate) async fn add_permission(
    lambda: Arc<Lambda>,
    context: Context,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let function = lambda.permitted(&context, ACTION, &input.function_name, qualifier).await?;
    permission::check_subject(&function)?;
    let statement = permission::statement(&input, &function.arn())?;
    let json = statement.json.clone();
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (function, statement, fresh) = (function.clone(), statement.clone(), fresh.clone());
        let seen = input.revision_id.clone();
        async move {
            let qualifier = function.qualifier.as_deref();
            let subject = store::subject::get(&tx, &function).await?;
            let subject = subject.ok_or_else(|| errors::function_not_found(&function))?;
            let mut policy = store::policy::get(&tx, &function.id, qualifier).await?.unwrap_or_default();
            permission::add(&mut policy.statements, statement)?;
            revision::check_policy(seen.as_deref(), subject.revision())?;
            store::policy::put(&tx, &function.id, qualifier, &policy);
            subject.touch(&tx, &function.id, fresh);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(AddPermissionResponse { statement: Some(json) })
}
