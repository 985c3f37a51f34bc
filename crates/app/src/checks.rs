//! What `apus fsck` looks at beside the store itself: what services know of their rows, and what the next start will
//! sweep. Adding a service's check is a line in [`checks`].

use apus_store::fsck::{Check, Checked, Look};

use crate::sweep::Sweep;

/// Every check.
pub fn checks() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(apus_service_iam::check()),
        Box::new(apus_service_lambda::check()),
        Box::new(apus_service_s3::check()),
        Box::new(apus_service_sqs::check()),
        Box::new(Unreferenced),
    ]
}

/// Blobs that the next start deletes. A crash may leave them behind, so they are remarks.
struct Unreferenced;

impl Check for Unreferenced {
    fn name(&self) -> &'static str {
        "blobs without a reference"
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(async move {
            for blob in Sweep::begin(&look.store()).await?.unreferenced().await? {
                look.remark(format!("blob {blob}"), "nobody refers to it: the next start deletes it");
            }
            Ok(())
        })
    }
}
