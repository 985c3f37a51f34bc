//! `TagResource`: tags a group that is given by its resource name.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{TagResource, TagResourceRequest};
use apus_schema::{ServiceError, Unit};

use crate::names::{GroupId, group_resource};
use crate::{Logs, tags};

pub(crate) const ACCESS: Access<TagResource> =
    Access::new("logs:TagResource", |input: &TagResourceRequest, caller| {
        match GroupId::from_arn(&input.resource_arn) {
            Some(id) => vec![id.arn().into()],
            None => group_resource(caller, ""),
        }
    });

pub(crate) async fn tag_resource(
    logs: Arc<Logs>,
    context: Context,
    input: TagResourceRequest,
) -> Result<Unit, ServiceError> {
    let id = super::tagged(&context.caller, &input.resource_arn)?;
    let change = logs.change_group(&id, |_tx, record| {
        record.tags = tags::merged(record.tags.take(), input.tags.clone())?;
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
