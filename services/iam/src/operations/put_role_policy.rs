//! `PutRolePolicy`.

use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{PutRolePolicy, PutRolePolicyRequest};
use apus_schema::{ServiceError, Unit};

use super::permitted;
use crate::role::Role;
use crate::{Iam, documents, store};

pub(crate) const ACCESS: Access<PutRolePolicy> = Access::free("iam:PutRolePolicy");

pub(crate) async fn put_role_policy(
    iam: Arc<Iam>,
    context: Context,
    input: PutRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    let role = permitted(&iam, &context, ACCESS.action, &input.role_name).await?;
    let (name, document) = (input.policy_name, input.policy_document);
    documents::identity_policy(&document)?;
    let put = |role: &mut Role| role.put_inline_policy(&name, document.clone());
    store::change(&iam.store, context.caller.account, &role, put).await?;
    Ok(Unit)
}
