//! `DeleteLogStream`: takes a stream away at once; its events are deleted step by step.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{DeleteLogStream, DeleteLogStreamRequest};
use apus_schema::{ServiceError, Unit};

use crate::Logs;
use crate::errors::Refusal;
use crate::names::GroupId;
use crate::store::{self, Group, Schedule, Task};

pub(crate) const ACCESS: Access<DeleteLogStream> =
    Access::new("logs:DeleteLogStream", |input: &DeleteLogStreamRequest, caller| {
        vec![GroupId::of(caller, &input.log_group_name).stream_arn(&input.log_stream_name).into()]
    });

pub(crate) async fn delete_log_stream(
    logs: Arc<Logs>,
    context: Context,
    input: DeleteLogStreamRequest,
) -> Result<Unit, ServiceError> {
    let id = GroupId::of(&context.caller, input.log_group_name);
    let nonce = logs.env.random_u64();
    let gone = logs.change(|tx| {
        let (id, name) = (id.clone(), input.log_stream_name.clone());
        async move {
            let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
            let group = Group::of(&id, &record);
            let stream = group.stream(&tx, &name).await?.ok_or(Refusal::NoStream)?;
            group.delete_stream(&tx, &name, &stream);
            let GroupId { account, region, .. } = id;
            let (number, stream) = (record.number, stream.number);
            let task = Task::ClearStream { account, region, number, stream };
            Schedule::new().put(&tx, tx.now(), nonce, &task);
            Ok(())
        }
    });
    gone.await?;
    Ok(Unit {})
}
