//! `DeleteLayerVersion`: no function can begin to use it; those that use it keep it. One that is not there is as good
//! as deleted.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{DeleteLayerVersion, DeleteLayerVersionRequest};
use apus_schema::{ServiceError, Unit};

use crate::errors::Failure;
use crate::{Lambda, resolve, store};

const ACTION: &str = "lambda:DeleteLayerVersion";

pub(crate) const ACCESS: Access<DeleteLayerVersion> = resolve::asked_inside(ACTION);

pub(crate) async fn delete_layer_version(
    lambda: Arc<Lambda>,
    context: Context,
    input: DeleteLayerVersionRequest,
) -> Result<Unit, ServiceError> {
    let id = Lambda::layer(&context, &input.layer_name)?;
    let number = u64::try_from(input.version_number).unwrap_or(0);
    lambda.permitted_version(&context, ACTION, &id, number).await?;
    let deleted = lambda.store.transact(|tx| {
        let id = id.clone();
        async move {
            let Some(record) = store::layer::get(&tx, &id, number).await? else { return Ok(None) };
            Ok::<_, Failure>(store::layer::delete(&tx, &id, number, &record).await?)
        }
    });
    if let Some(blob) = deleted.await? {
        lambda.delete_blob(blob).await;
    }
    Ok(Unit)
}
