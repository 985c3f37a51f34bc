//! A configuration as answers show it: what was asked for, and what stands.

use apus_compute::Shortfall;
use apus_model_lambda::ProvisionedConcurrencyStatusEnum as Status;
use apus_time::Timestamp;

use super::wanted::shares;
use crate::Lambda;
use crate::describe::last_modified;
use crate::function_name::FunctionId;
use crate::store::alias::AliasRecord;
use crate::store::provisioned::ProvisionedRecord;

/// What AWS says of code that does not initialise.
const INIT_FAILURE: &str = "FUNCTION_ERROR_INIT_FAILURE";

/// A configuration, described.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) requested: i32,
    pub(crate) allocated: i32,
    pub(crate) available: i32,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) last_modified: String,
}

impl Lambda {
    /// What stands of a configuration at the moment. Of a version that several configurations share, each is shown
    /// what it asked for.
    pub(crate) fn describe_provisioned(
        &self,
        id: &FunctionId,
        qualifier: &str,
        record: &ProvisionedRecord,
        alias: Option<&AliasRecord>,
    ) -> Described {
        let (mut allocated, mut available, mut reason) = (0, 0, None);
        for (version, part) in shares(qualifier, record.requested, alias) {
            let Some(kept) = self.provisions.kept(id, &version) else { continue };
            let found = kept.key.and_then(|key| self.compute.provisioned(&key));
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).min(part);
            if let Some(found) = found {
                allocated += count(found.standing);
                available += count(found.free);
                reason = reason.or_else(|| found.shortfall.map(|shortfall| words(&shortfall)));
            }
            reason = kept.problem.or(reason);
        }
        let status = match &reason {
            _ if allocated >= record.requested => Status::Ready,
            Some(_) => Status::Failed,
            None => Status::InProgress,
        };
        Described {
            requested: record.requested as i32,
            allocated: allocated as i32,
            available: available as i32,
            reason: reason.filter(|_| status == Status::Failed),
            status,
            last_modified: last_modified(Timestamp::from_micros(record.modified_at_micros)),
        }
    }
}

fn words(shortfall: &Shortfall) -> String {
    match shortfall {
        Shortfall::Function => INIT_FAILURE.to_owned(),
        Shortfall::Platform(why) => why.clone(),
        Shortfall::Crowded(most) => {
            format!("this platform keeps at most {most} environments of all functions together")
        }
    }
}
