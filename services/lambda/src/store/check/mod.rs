//! Contradictions between the rows of Lambda, and between rows and code packages: what no crash may leave behind.
//!
//! Rows are walked a page at a time and packages read in pieces. What is in memory grows with versions and layers only: the
//! hash of each blob that code is in, and who needs it.

mod blobs;
mod concurrency;
mod executions;
mod functions;
mod mappings;
#[cfg(test)]
mod tests;

use apus_kernel::{AccountId, Region};
use apus_store::StoreError;
use apus_store::fsck::{Check, Checked, Look};

use super::SERVICE;
use crate::function_name::FunctionId;

/// The check of Lambda.
pub(crate) struct Contradictions;

impl Check for Contradictions {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(check(look))
    }
}

/// An account and region that functions are in.
struct Scope {
    account: AccountId,
    region: Region,
}

impl Scope {
    fn function(&self, name: &str) -> FunctionId {
        FunctionId { account: self.account, region: self.region.clone(), name: name.to_owned() }
    }
}

async fn check(look: &mut Look) -> Result<(), StoreError> {
    let mut needed = blobs::Needed::default();
    for space in look.spaces(SERVICE).await? {
        // What belongs to all accounts comes below.
        let (Ok(account), Ok(region)) = (space.account.parse(), space.region.parse()) else { continue };
        let scope = Scope { account, region };
        functions::check(look, &scope, &mut needed).await?;
        blobs::check_layers(look, &scope, &mut needed).await?;
        concurrency::check(look, &scope).await?;
        mappings::check(look, &scope).await?;
    }
    blobs::check_references(look, &needed).await?;
    functions::check_unready(look).await?;
    concurrency::check_all(look).await?;
    mappings::check_all(look).await?;
    executions::check(look).await
}
