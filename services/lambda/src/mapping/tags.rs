//! Tags of mappings: read and changed by the same operations as those of functions.

use std::collections::BTreeMap;

use apus_kernel::Context;
use apus_schema::ServiceError;

use super::errors;
use super::id::MappingId;
use crate::Lambda;
use crate::errors::Failure;
use crate::store::mapping;

impl Lambda {
    /// Changes the tags of a mapping, if the call may. Its poller is not disturbed.
    pub(crate) async fn change_mapping_tags(
        &self,
        context: &Context,
        action: &'static str,
        id: MappingId,
        change: impl Fn(&mut BTreeMap<String, String>) -> Result<(), ServiceError> + Send + Sync,
    ) -> Result<(), ServiceError> {
        let (id, _) = self.permitted_mapping_of(context, action, id).await?;
        let kept = self.store.transact(|tx| {
            let (id, change) = (&id, &change);
            async move {
                let before = mapping::get(&tx, id).await?.ok_or_else(errors::no_mapping)?;
                let mut record = before.clone();
                change(&mut record.tags)?;
                mapping::put(&tx, id, Some(&before), &record);
                Ok::<_, Failure>(())
            }
        });
        Ok(kept.await?)
    }
}
