//! `CreateRole`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_kernel::{Access, Context};
use apus_model_iam::{CreateRole, CreateRoleRequest, CreateRoleResponse, Tag};
use apus_schema::ServiceError;
use apus_time::Timestamp;

use super::not_supported;
use crate::answers::described;
use crate::errors::IamError;
use crate::role::{ID_RANDOM, ROOT_PATH, Role, SESSION_SECONDS_DEFAULT};
use crate::role::{check_tags, check_trust_policy, role_arn, role_id};
use crate::{Iam, documents, store};

pub(crate) const ACCESS: Access<CreateRole> =
    Access::new("iam:CreateRole", |input: &CreateRoleRequest, caller| {
        let path = input.path.as_deref().unwrap_or(ROOT_PATH);
        vec![role_arn(caller.account, path, &input.role_name).into()]
    });

pub(crate) async fn create_role(
    iam: Arc<Iam>,
    context: Context,
    input: CreateRoleRequest,
) -> Result<CreateRoleResponse, ServiceError> {
    if input.permissions_boundary.is_some() {
        return Err(not_supported("CreateRole with PermissionsBoundary"));
    }
    let account = context.caller.account;
    let role = new_role(input, &iam, context.now)?;
    store::create(&iam.store, account, &role).await?;
    Ok(CreateRoleResponse { role: described(&role, account) })
}

fn new_role(input: CreateRoleRequest, iam: &Iam, now: Timestamp) -> Result<Role, IamError> {
    let tags: Vec<_> =
        input.tags.unwrap_or_default().into_iter().map(|Tag { key, value }| (key, value)).collect();
    check_tags(&tags)?;
    check_trust_policy(&input.assume_role_policy_document)?;
    documents::trust_policy(&input.assume_role_policy_document)?;
    let mut random = [0; ID_RANDOM];
    iam.env.random_bytes(&mut random);
    Ok(Role {
        id: role_id(random),
        path: input.path.unwrap_or_else(|| ROOT_PATH.into()),
        name: input.role_name,
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        session_seconds_max: input.max_session_duration.unwrap_or(SESSION_SECONDS_DEFAULT),
        created_at: Timestamp::from_secs(now.as_secs()),
        tags,
        inline_policies: BTreeMap::new(),
        revision: 0,
    })
}
