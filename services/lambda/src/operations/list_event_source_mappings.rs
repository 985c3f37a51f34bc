//! `ListEventSourceMappings`: the mappings of an account in a region, by UUID, in pages; of a source or a function,
//! if one is named.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_lambda::{
    ListEventSourceMappings, ListEventSourceMappingsRequest, ListEventSourceMappingsResponse,
};
use apus_schema::ServiceError;
use apus_store::{StoreError, Tx};

use crate::errors::{self, Failure};
use crate::function_name::{self, FunctionReference};
use crate::mapping::describe;
use crate::mapping::id::MappingId;
use crate::store::find::find;
use crate::store::mapping::{self, MappingRecord};
use crate::{Lambda, marker};

/// Mappings in one answer, however many were asked for.
const PAGE_MAX: usize = 100;

pub(crate) const ACCESS: Access<ListEventSourceMappings> = Access::on_all("lambda:ListEventSourceMappings");

pub(crate) async fn list_event_source_mappings(
    lambda: Arc<Lambda>,
    context: Context,
    input: ListEventSourceMappingsRequest,
) -> Result<ListEventSourceMappingsResponse, ServiceError> {
    let caller = &context.caller;
    let named = |text: &String| {
        function_name::parse(text, None, caller.account, &caller.region)
            .map_err(|error| errors::name_error(error, caller.region.as_str()))
    };
    let function = input.function_name.as_ref().map(named).transpose()?;
    let uuid = marker::read(input.marker.as_deref())?.unwrap_or_default();
    let asked = input.max_items.and_then(|items| usize::try_from(items).ok());
    let page = asked.map_or(PAGE_MAX, |items| items.clamp(1, PAGE_MAX));
    let from = MappingId { account: caller.account, region: caller.region.clone(), uuid };
    let wanted = Wanted { source: input.event_source_arn, function };
    let read = lambda.store.read(|tx| {
        let (from, wanted) = (&from, &wanted);
        async move {
            if let Some(function) = &wanted.function
                && find(&tx, function, None).await?.is_none()
            {
                return Err(Failure::from(errors::function_not_found(function)));
            }
            // One more than the page tells whether another page follows.
            Ok(wanted.list(&tx, from.clone(), page + 1).await?)
        }
    });
    let mut listed = read.await?;
    let next_marker = marker::cut(&mut listed, page, |(id, _)| id.uuid.clone());
    let described =
        listed.iter().map(|(id, record)| describe::configuration(id, record, lambda.mappings.result(id)));
    Ok(ListEventSourceMappingsResponse { next_marker, event_source_mappings: Some(described.collect()) })
}

/// Which mappings are asked for.
struct Wanted {
    source: Option<String>,
    function: Option<FunctionReference>,
}

impl Wanted {
    fn has(&self, id: &MappingId, record: &MappingRecord) -> bool {
        self.source.as_ref().is_none_or(|source| *source == record.source)
            && self.function.as_ref().is_none_or(|function| *function == record.function(id))
    }

    async fn list(
        &self,
        tx: &Tx,
        mut from: MappingId,
        limit: usize,
    ) -> Result<Vec<(MappingId, MappingRecord)>, StoreError> {
        let mut found = Vec::new();
        loop {
            let rows = mapping::list(tx, &from, PAGE_MAX).await?;
            let is_last = rows.len() < PAGE_MAX;
            for (id, record) in rows {
                from = id.clone();
                if self.has(&id, &record) {
                    found.push((id, record));
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
            if is_last {
                return Ok(found);
            }
        }
    }
}
