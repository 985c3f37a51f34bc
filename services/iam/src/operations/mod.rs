//! IAM's operations, one file each.

pub(crate) mod create_role;
pub(crate) mod delete_role;
pub(crate) mod delete_role_policy;
pub(crate) mod get_role;
pub(crate) mod get_role_policy;
pub(crate) mod list_role_policies;
pub(crate) mod list_roles;
pub(crate) mod put_role_policy;
pub(crate) mod update_assume_role_policy;

use apus_kernel::Context;
use apus_schema::{Common, ServiceError};

use crate::errors::IamError;
use crate::role::{ROOT_PATH, Role, RoleError, role_arn};
use crate::{Iam, store};

/// A role of the caller's account that the caller may do this to.
///
/// Its resource name holds its path, which only the role itself knows; so the door leaves these operations to
/// their handlers. Of a role that is not there, only who may look learns so.
async fn permitted(
    iam: &Iam,
    context: &Context,
    action: &'static str,
    name: &str,
) -> Result<Role, ServiceError> {
    let account = context.caller.account;
    let role = store::read(&iam.store, account, name).await.map_err(IamError::from)?;
    let arn = role.as_ref().map_or_else(|| role_arn(account, ROOT_PATH, name), |role| role.arn(account));
    context.platform().authorize(context, action, [arn.into()]).await?;
    let missing = || IamError::from(RoleError::NotFound { role: name.to_owned() });
    Ok(role.ok_or_else(missing)?)
}

fn not_supported(what: &str) -> ServiceError {
    ServiceError::common(Common::NotSupported, format!("Apus does not support {what} yet."))
}
