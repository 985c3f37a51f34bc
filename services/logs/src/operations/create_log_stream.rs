//! `CreateLogStream`: makes a stream in a group.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{CreateLogStream, CreateLogStreamRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::errors::Refusal;
use crate::names::GroupId;
use crate::store::{self, Group};

pub(crate) const ACCESS: Access<CreateLogStream> =
    Access::new("logs:CreateLogStream", |input: &CreateLogStreamRequest, caller| {
        vec![GroupId::of(caller, &input.log_group_name).stream_arn(&input.log_stream_name).into()]
    });

pub(crate) async fn create_log_stream(
    logs: Arc<Logs>,
    context: Context,
    input: CreateLogStreamRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let made = logs.change(|tx| {
        let (id, name) = (id.clone(), input.log_stream_name.clone());
        async move {
            let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
            let group = Group::of(&id, &record);
            if group.stream(&tx, &name).await?.is_some() {
                return Err(Refusal::StreamExists);
            }
            let mut tail = group.tail(&tx).await?;
            group.add_stream(&tx, &mut tail, &name, tx.now().as_millis());
            group.put_tail(&tx, &tail);
            Ok(())
        }
    });
    made.await?;
    Ok(Unit {})
}
