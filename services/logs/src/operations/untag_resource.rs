//! `UntagResource`: takes tags from a group that is given by its resource name.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{UntagResource, UntagResourceRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::names::{GroupId, group_resource};

pub(crate) const ACCESS: Access<UntagResource> =
    Access::new("logs:UntagResource", |input: &UntagResourceRequest, caller| {
        match GroupId::from_arn(&input.resource_arn) {
            Some(id) => vec![id.arn().into()],
            None => group_resource(caller, ""),
        }
    });

pub(crate) async fn untag_resource(
    logs: Arc<Logs>,
    context: Context,
    input: UntagResourceRequest,
) -> Result<Unit, ServiceError> {
    let id = super::tagged(&context.caller, &input.resource_arn)?;
    let change = logs.change_group(&id, |_tx, record| {
        if let Some(tags) = &mut record.tags {
            tags.retain(|key, _| !input.tag_keys.contains(key));
        }
        Ok(())
    });
    change.await?;
    Ok(Unit {})
}
