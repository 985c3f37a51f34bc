//! `StartQuery`: begins an Insights query over one or more groups.

use std::sync::Arc;

use apus_kernel::{Access, Context, Resource};
use apus_model_logs::{QueryLanguage, StartQuery, StartQueryRequest, StartQueryResponse, errors};
use apus_schema::ServiceError;

use crate::Logs;
use crate::errors::{Refusal, not_supported};
use crate::names::GroupId;
use crate::query::running::{Search, start};
use crate::query::{Query, RESULT_ROWS_MAX};

/// Groups of one query.
const GROUPS_MAX: usize = 50;
/// Times below this are seconds, as the model has them; AWS takes milliseconds as well.
const SECONDS_MAX: i64 = 100_000_000_000;

fn groups<'i>(input: &'i StartQueryRequest) -> Vec<&'i String> {
    let several = [&input.log_group_names, &input.log_group_identifiers].into_iter().flatten().flatten();
    input.log_group_name.iter().chain(several).collect::<Vec<&'i String>>()
}

pub(crate) const ACCESS: Access<StartQuery> =
    Access::new("logs:StartQuery", |input: &StartQueryRequest, caller| {
        let id = |text: &String| match GroupId::identified(caller, text) {
            Ok(id) => id.stream_arn("").into(),
            // The operation refuses the input; until then nothing is allowed by it.
            Err(_) => Resource::All,
        };
        let resources: Vec<_> = groups(input).into_iter().map(id).collect();
        if resources.is_empty() { vec![Resource::All] } else { resources }
    });

pub(crate) async fn start_query(
    logs: Arc<Logs>,
    context: Context,
    input: StartQueryRequest,
) -> Result<StartQueryResponse, ServiceError> {
    if let Some(language) = input.query_language.as_ref().filter(|language| **language != QueryLanguage::Cwli)
    {
        return Err(not_supported(&format!("the query language {language}")).into());
    }
    let given = [
        input.log_group_name.is_some(),
        input.log_group_names.is_some(),
        input.log_group_identifiers.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() != 1 {
        let message = "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be specified.";
        return Err(Refusal::parameter(message).into());
    }
    let ids = groups(&input).into_iter().map(|text| GroupId::identified(&context.caller, text));
    let groups = ids.collect::<Result<Vec<_>, _>>()?;
    if groups.is_empty() || groups.len() > GROUPS_MAX {
        return Err(Refusal::parameter(format!("A query is about 1 to {GROUPS_MAX} log groups.")).into());
    }
    let ms = |time: i64| if time < SECONDS_MAX { time * 1_000 } else { time };
    let (from_ms, to_ms) = (ms(input.start_time), ms(input.end_time));
    if from_ms > to_ms {
        return Err(Refusal::parameter("The start time must not be after the end time.").into());
    }
    let query = Query::parse(&input.query_string).map_err(errors::malformed_query_exception)?;
    for id in &groups {
        logs.group(id).await?;
    }
    let limit = input.limit.map_or(RESULT_ROWS_MAX, |limit| limit as usize).min(RESULT_ROWS_MAX);
    let search = Search { groups, text: input.query_string, query, from_ms, to_ms, limit };
    Ok(StartQueryResponse { query_id: Some(start(&logs, search)?) })
}
