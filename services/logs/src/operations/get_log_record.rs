//! `GetLogRecord`: all fields of the event that a query's `@ptr` means.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{GetLogRecord, GetLogRecordRequest, GetLogRecordResponse};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::{Refusal, not_supported};
use crate::names::{GroupId, group_resource};
use crate::query::running::{read_pointer, row};
use crate::retention;
use crate::store::{self, Group};

pub(crate) const ACCESS: Access<GetLogRecord> =
    Access::new("logs:GetLogRecord", |input: &GetLogRecordRequest, caller| {
        let name = read_pointer(&input.log_record_pointer).map(|(name, _)| name);
        group_resource(caller, &name.unwrap_or_default())
    });

pub(crate) async fn get_log_record(
    logs: Arc<Logs>,
    context: Context,
    input: GetLogRecordRequest,
) -> Result<GetLogRecordResponse, ServiceError> {
    if input.unmask == Some(true) {
        return Err(not_supported("unmask").into());
    }
    let missing = || Refusal::parameter("The specified logRecordPointer is not valid.");
    let (name, position) = read_pointer(&input.log_record_pointer).ok_or_else(missing)?;
    let id = GroupId::of(&context.caller, name);
    let read = logs.store.read(|tx| async move {
        let record = store::group(&tx, &id).await?.ok_or(Refusal::NoGroup)?;
        let group = Group::of(&id, &record);
        let kept = position.time_ms >= retention::kept_from_ms(&record, tx.now());
        let event = store::event_at(&tx, &group, position).await?.filter(|_| kept).ok_or_else(missing)?;
        let stream = group.stream_name(&tx, event.stream).await?.ok_or_else(missing)?;
        let log = format!("{}:{}", id.account, id.name);
        Ok::<_, Refusal>(row(&id, &log, &stream, event).all())
    });
    Ok(GetLogRecordResponse { log_record: Some(read.await?) })
}
