//! STS: who is calling, and temporary credentials.

mod access_key;
mod credentials;
mod development;
mod instance_key;
mod seal;
mod session;

pub use credentials::{EnvironmentCredentials, SessionCredentials};
pub use development::DevelopmentCredentials;
pub use instance_key::InstanceKey;
