//! STS: who is calling, and temporary credentials.
//!
//! A session is sealed into its token and stored nowhere; [`SessionCredentials`] opens tokens for a listener.
//! Who may become a role is decided by the role's trust policy, which is read through IAM.

mod access_key;
mod credentials;
mod development;
mod errors;
mod instance_key;
mod operations;
mod policies;
mod role;
mod seal;
mod session;

use apus_kernel::Service;
use apus_model_sts::SERVICE;

pub use credentials::{EnvironmentCredentials, SessionCredentials};
pub use development::{DEVELOPMENT_SECRET, DevelopmentCredentials};
pub use instance_key::InstanceKey;

use operations::{assume_role, get_caller_identity};
use seal::Sealer;

/// What the operations share.
pub(crate) struct Sts {
    sealer: Sealer,
}

/// The registration table. Sessions are sealed under that key.
pub fn service(key: &InstanceKey) -> Service {
    Service::of(&SERVICE, Sts { sealer: key.sealer() })
        .operation(assume_role::ACCESS, assume_role::assume_role)
        .operation(get_caller_identity::ACCESS, get_caller_identity::get_caller_identity)
        .build()
}
