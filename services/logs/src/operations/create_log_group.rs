//! `CreateLogGroup`: makes a group.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{CreateLogGroup, CreateLogGroupRequest, LogGroupClass};
use apus_schema::{ServiceError, Unit};

use crate::errors::{Refusal, not_supported};
use crate::names::{GroupId, group_resource};
use crate::store::{self, GroupRecord};
use crate::{Logs, tags};

pub(crate) const ACCESS: Access<CreateLogGroup> =
    Access::new("logs:CreateLogGroup", |input: &CreateLogGroupRequest, caller| {
        group_resource(caller, &input.log_group_name)
    });

pub(crate) async fn create_log_group(
    logs: Arc<Logs>,
    context: Context,
    input: CreateLogGroupRequest,
) -> Result<Unit, ServiceError> {
    if input.kms_key_id.is_some() {
        return Err(not_supported("kmsKeyId").into());
    }
    if input.deletion_protection_enabled == Some(true) {
        return Err(not_supported("deletionProtectionEnabled").into());
    }
    let class = match input.log_group_class {
        None | Some(LogGroupClass::Standard) => None,
        Some(class @ LogGroupClass::InfrequentAccess) => Some(class.as_str().to_owned()),
        Some(other) => return Err(not_supported(&format!("the log group class {other}")).into()),
    };
    let id = GroupId::of(&context.caller, input.log_group_name);
    let given = input.tags.unwrap_or_default();
    let tags = tags::merged(None, given)?;
    let number = logs.env.random_u64();
    let made = logs.change(|tx| {
        let (id, class, tags) = (id.clone(), class.clone(), tags.clone());
        async move {
            if store::group(&tx, &id).await?.is_some() {
                return Err(Refusal::GroupExists);
            }
            let created_at_ms = tx.now().as_millis();
            let record = GroupRecord { number, created_at_ms, tags, class, ..GroupRecord::default() };
            store::put_group(&tx, &id, &record);
            Ok(())
        }
    });
    made.await?;
    Ok(Unit {})
}
