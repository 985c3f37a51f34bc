//! Which mapping: account, region and UUID.

use apus_kernel::{AccountId, Arn, Region};

const RESOURCE: &str = "event-source-mapping:";

/// A mapping's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MappingId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) uuid: String,
}

impl MappingId {
    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("lambda", &self.region, self.account, format!("{RESOURCE}{}", self.uuid))
    }

    /// The mapping that an ARN names.
    pub(crate) fn from_arn(text: &str) -> Option<Self> {
        let arn: Arn = text.parse().ok()?;
        let uuid = arn.resource.strip_prefix(RESOURCE).filter(|_| arn.service == "lambda")?;
        Some(Self {
            account: arn.account.parse().ok()?,
            region: arn.region.parse().ok()?,
            uuid: uuid.to_owned(),
        })
    }
}
