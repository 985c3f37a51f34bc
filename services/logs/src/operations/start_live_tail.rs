//! `StartLiveTail`: tells events of groups as they are taken, about once a second, until the client goes.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_logs::{LogGroupClass, StartLiveTail, StartLiveTailRequest, StartLiveTailResponse};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::Refusal;
use crate::names::GroupId;
use crate::pattern::Pattern;
use crate::tail::session::{Followed, Session};

pub(crate) const ACCESS: Access<StartLiveTail> =
    Access::new("logs:StartLiveTail", |input: &StartLiveTailRequest, caller| {
        let id = |text: &String| match GroupId::identified(caller, text) {
            Ok(id) => id.stream_arn("").into(),
            // The operation refuses the input; until then nothing is allowed by it.
            Err(_) => apus_kernel::Resource::All,
        };
        input.log_group_identifiers.iter().map(id).collect()
    });

pub(crate) async fn start_live_tail(
    logs: Arc<Logs>,
    context: Context,
    input: StartLiveTailRequest,
) -> Result<StartLiveTailResponse, ServiceError> {
    let one_group = input.log_group_identifiers.len() == 1;
    let (names, prefixes) = (input.log_stream_names, input.log_stream_name_prefixes);
    if (names.is_some() || prefixes.is_some()) && !one_group {
        let message = "Streams can be named only where there is exactly one log group.";
        return Err(Refusal::parameter(message).into());
    }
    if names.is_some() && prefixes.is_some() {
        let message = "Only one of logStreamNames and logStreamNamePrefixes may be specified.";
        return Err(Refusal::parameter(message).into());
    }
    let text = input.log_event_filter_pattern.unwrap_or_default();
    let pattern = Pattern::parse(&text).map_err(|error| Refusal::parameter(error.to_string()))?;
    let mut groups = Vec::new();
    for identifier in &input.log_group_identifiers {
        let id = GroupId::identified(&context.caller, identifier)?;
        let record = logs.group(&id).await?;
        if record.class.as_deref() == Some(LogGroupClass::InfrequentAccess.as_str()) {
            return Err(Refusal::Operation("A live tail needs the log group class STANDARD.".into()).into());
        }
        groups.push((record.number, id.arn().to_string()));
    }
    let followed = Followed { groups, names, prefixes, text, pattern };
    let session = Session::begin(&logs, followed, context.request_id.to_string())?;
    Ok(StartLiveTailResponse { response_stream: Some(session) })
}
