//! `RemoveLayerVersionPermission`: lets others use a layer version no more.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{RemoveLayerVersionPermission, RemoveLayerVersionPermissionRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::{self, Failure};
use crate::{Lambda, permission, resolve, revision, store};

const ACTION: &str = "lambda:RemoveLayerVersionPermission";

pub(crate) const ACCESS: Access<RemoveLayerVersionPermission> = resolve::asked_inside(ACTION);

pub(crate) async fn remove_layer_version_permission(
    lambda: Arc<Lambda>,
    context: Context,
    input: RemoveLayerVersionPermissionRequest,
) -> Result<Unit, ServiceError> {
    let id = Lambda::layer(&context, &input.layer_name)?;
    let number = u64::try_from(input.version_number).unwrap_or(0);
    lambda.permitted_version(&context, ACTION, &id, number).await?;
    let fresh = lambda.env.uuid_v4();
    let kept = lambda.store.transact(|tx| {
        let (id, fresh, input) = (id.clone(), fresh.clone(), input.clone());
        async move {
            let found = store::layer::get(&tx, &id, number).await?;
            let mut record = found.ok_or_else(|| errors::no_layer_of_that_number(&id, number))?;
            revision::check_policy(input.revision_id.as_deref(), &record.policy_revision)?;
            permission::remove(&mut record.statements, &input.statement_id)?;
            record.policy_revision = fresh;
            store::layer::put(&tx, &id, number, &record);
            Ok::<_, Failure>(())
        }
    });
    kept.await?;
    Ok(Unit)
}
