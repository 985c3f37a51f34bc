//! `UpdateAssumeRolePolicy`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{UpdateAssumeRolePolicy, UpdateAssumeRolePolicyRequest};
use apus_schema::{ServiceError, Unit};

use super::permitted;
use crate::errors::IamError;
use crate::role::{Role, check_trust_policy};
use crate::{Iam, documents, store};

pub(crate) const ACCESS: Access<UpdateAssumeRolePolicy> = Access::free("iam:UpdateAssumeRolePolicy");

pub(crate) async fn update_assume_role_policy(
    iam: Arc<Iam>,
    context: Context,
    input: UpdateAssumeRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    let document = input.policy_document;
    check_trust_policy(&document).map_err(IamError::from)?;
    documents::trust_policy(&document)?;
    let change = |role: &mut Role| {
        role.trust_policy.clone_from(&document);
        Ok(())
    };
    store::change(&iam.store, context.caller.account, &role, change).await?;
    Ok(Unit)
}
