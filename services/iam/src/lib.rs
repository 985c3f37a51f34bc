//! IAM: roles and their policies, and the authorizer that decides by them.
//!
//! Roles are kept here, with their trust policy and their inline policies; what a document means is
//! `apus-policy`'s business, who may become a role is STS's.

mod answers;
mod authorizer;
mod documents;
mod errors;
mod operations;
mod page;
mod parsed;
mod platform_services;
mod role;
mod store;

use apus_env::Env;
use apus_kernel::Service;
use apus_model_iam::SERVICE;
use apus_store::Store;
use apus_store::fsck::Check;

pub use authorizer::{IamAuthorizer, Mode, authorizer};

use operations::{
    create_role, delete_role, delete_role_policy, get_role, get_role_policy, list_role_policies, list_roles,
    put_role_policy, update_assume_role_policy,
};

/// What the operations share.
pub(crate) struct Iam {
    env: Env,
    store: Store,
}

/// What of IAM `apus fsck` looks at: roles that contradict each other, and policies that nobody can read.
pub fn check() -> impl Check {
    store::Contradictions
}

/// The registration table.
pub fn service(env: Env, store: Store) -> Service {
    Service::of(&SERVICE, Iam { env, store })
        .operation(create_role::ACCESS, create_role::create_role)
        .operation(delete_role::ACCESS, delete_role::delete_role)
        .operation(delete_role_policy::ACCESS, delete_role_policy::delete_role_policy)
        .operation(get_role::ACCESS, get_role::get_role)
        .operation(get_role_policy::ACCESS, get_role_policy::get_role_policy)
        .operation(list_role_policies::ACCESS, list_role_policies::list_role_policies)
        .operation(list_roles::ACCESS, list_roles::list_roles)
        .operation(put_role_policy::ACCESS, put_role_policy::put_role_policy)
        .operation(update_assume_role_policy::ACCESS, update_assume_role_policy::update_assume_role_policy)
        .build()
}
