//! What a runtime needs before functions of it are kept: an interpreter on this host, and the AWS SDK.

use apus_compute::InvokeError;
use apus_schema::ServiceError;
use tracing::warn;

use crate::{Lambda, errors};

impl Lambda {
    /// Makes a runtime ready, or says what to install. An SDK that cannot be had is no reason to refuse a function,
    /// which may not need it.
    pub(crate) async fn prepare(&self, runtime: &str, function: &str) -> Result<(), ServiceError> {
        match self.compute.prepare(runtime).await {
            Ok(notes) => {
                for note in notes {
                    warn!(function, note, "about the function's runtime");
                }
                Ok(())
            }
            Err(InvokeError::Unsupported(why)) => Err(errors::invalid_parameter(why)),
            Err(other) => Err(errors::invoke_error(other)),
        }
    }
}
