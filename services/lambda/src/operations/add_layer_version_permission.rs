//! `AddLayerVersionPermission`: lets others use a layer version.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    AddLayerVersionPermission, AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse,
};
use apus_schema::ServiceError;

use crate::errors::{self, Failure};
use crate::{Lambda, permission, resolve, revision, store};

const ACTION: &str = "lambda:AddLayerVersionPermission";

pub(crate) const ACCESS: Access<AddLayerVersionPermission> = resolve::asked_inside(ACTION);

pub(crate) async fn add_layer_version_permission(
    lambda: Arc<Lambda>,
    context: Context,
    input: AddLayerVersionPermissionRequest,
) -> Result<AddLayerVersionPermissionResponse, ServiceError> {
    let id = Lambda::layer(&context, &input.layer_name)?;
    let number = u64::try_from(input.version_number).unwrap_or(0);
    lambda.permitted_version(&context, ACTION, &id, number).await?;
    let statement = permission::layer_statement(&input, &id.version_arn(number))?;
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (id, seen) = (id.clone(), input.revision_id.clone());
        let (statement, fresh) = (statement.clone(), fresh.clone());
        async move {
            let found = store::layer::get(&tx, &id, number).await?;
            let mut record = found.ok_or_else(|| errors::no_layer_of_that_number(&id, number))?;
            revision::check_policy(seen.as_deref(), &record.policy_revision)?;
            permission::add(&mut record.statements, statement)?;
            record.policy_revision = fresh;
            store::layer::put(&tx, &id, number, &record);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(AddLayerVersionPermissionResponse { statement: Some(statement.json), revision_id: Some(fresh) })
}
