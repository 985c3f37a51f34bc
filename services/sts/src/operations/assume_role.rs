//! `AssumeRole`: temporary credentials of a role, for whom its trust policy names.

use std::sync::Arc;

use apus_kernel::{Access, AccessRequest, AccountId, Arn, Context, Principal, ResourcePolicy};
use apus_model_sts::{AssumeRole, AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser, Credentials};
use apus_schema::ServiceError;

use crate::access_key::{KEY_RANDOM, SECRET_RANDOM, secret_access_key, temporary_access_key};
use crate::errors::{self, NotAuthorized, StsError};
use crate::role::{AssumableRole, RoleName, find};
use crate::seal::NONCE_BYTES;
use crate::session::{Session, SessionRequest, expiry};
use crate::{Sts, policies};

/// The handler asks for permission itself, for the role's trust policy has its say.
pub(crate) const ACCESS: Access<AssumeRole> = Access::free("sts:AssumeRole");

pub(crate) async fn assume_role(
    sts: Arc<Sts>,
    context: Context,
    input: AssumeRoleRequest,
) -> Result<AssumeRoleResponse, ServiceError> {
    refuse_what_is_not_supported(&input)?;
    let name = RoleName::from_arn(&input.role_arn)?;
    let packed_policy_size = input.policy.as_deref().map(policies::check_session_policy).transpose()?;
    let role = permitted(&context, &name, &input).await?;
    let chained = matches!(context.caller.principal, Principal::RoleSession { .. });
    let request = SessionRequest {
        seconds: input.duration_seconds,
        role_seconds_max: role.session_seconds_max,
        chained,
    };
    let seconds = request.seconds()?;
    let env = context.platform().env();
    let (mut key, mut secret, mut nonce) = ([0; KEY_RANDOM], [0; SECRET_RANDOM], [0; NONCE_BYTES]);
    env.random_bytes(&mut key);
    env.random_bytes(&mut secret);
    env.random_bytes(&mut nonce);
    let session = Session {
        access_key: temporary_access_key(key),
        secret: secret_access_key(secret),
        account: name.account.to_string(),
        role: role.name,
        role_id: role.id,
        name: input.role_session_name,
        issued_at_micros: context.now.as_micros(),
        expires_at_micros: expiry(context.now, seconds).as_micros(),
        policy: input.policy,
    };
    let session_token = sts.sealer.seal(&session, nonce).ok_or(StsError::PolicyTooLarge)?;
    Ok(AssumeRoleResponse {
        assumed_role_user: Some(assumed_role_user(&session, name.account)),
        credentials: Some(Credentials {
            expiration: session.expires_at(),
            access_key_id: session.access_key,
            secret_access_key: session.secret,
            session_token,
        }),
        packed_policy_size,
        source_identity: None,
        session_token_utilization: None,
        session_token_size: None,
    })
}

/// The role, if the caller may become it. Of a role that is not there nobody learns so.
async fn permitted(
    context: &Context,
    name: &RoleName,
    input: &AssumeRoleRequest,
) -> Result<AssumableRole, ServiceError> {
    let role = find(context, name.account, &name.name).await?.filter(|role| role.arn == name.arn);
    let caller = &context.caller.principal;
    let refused = || NotAuthorized { caller: caller.clone(), role: name.arn.clone() };
    let role = role.ok_or_else(|| StsError::NotAuthorized(Box::new(refused())))?;
    let mut request = AccessRequest::new(context, ACCESS.action, role.arn.clone().into());
    request.resource_policy = Some(ResourcePolicy { document: &role.trust_policy, must_allow: true });
    request.conditions.insert("sts:RoleSessionName".into(), vec![input.role_session_name.clone()]);
    if let Some(id) = &input.external_id {
        request.conditions.insert("sts:ExternalId".into(), vec![id.clone()]);
    }
    context.platform().permit(&request).await?;
    Ok(role)
}

fn assumed_role_user(session: &Session, account: AccountId) -> AssumedRoleUser {
    let Session { role, role_id, name, .. } = session;
    AssumedRoleUser {
        assumed_role_id: format!("{role_id}:{name}"),
        arn: Arn::global("sts", account, format!("assumed-role/{role}/{name}")).to_string(),
    }
}

/// Refused by name rather than left out of account: each of them would change who the session is.
fn refuse_what_is_not_supported(input: &AssumeRoleRequest) -> Result<(), ServiceError> {
    for (given, member) in [
        (input.policy_arns.as_ref().is_some_and(|list| !list.is_empty()), "PolicyArns"),
        (input.tags.as_ref().is_some_and(|list| !list.is_empty()), "Tags"),
        (input.transitive_tag_keys.as_ref().is_some_and(|list| !list.is_empty()), "TransitiveTagKeys"),
        (input.serial_number.is_some(), "SerialNumber"),
        (input.token_code.is_some(), "TokenCode"),
        (input.source_identity.is_some(), "SourceIdentity"),
        (input.provided_contexts.as_ref().is_some_and(|list| !list.is_empty()), "ProvidedContexts"),
        (input.minimum_session_token_size.is_some(), "MinimumSessionTokenSize"),
    ] {
        if given {
            return Err(errors::not_supported(member));
        }
    }
    Ok(())
}
