//! IAM and STS: roles that come and go, and policies of one role changed by several clients at once, which are one
//! record of the store.

use std::time::Duration;

use apus_kernel::Principal;
use apus_model_iam::{
    CreateRole, CreateRoleRequest, DeleteRole, DeleteRolePolicy, DeleteRolePolicyRequest, DeleteRoleRequest,
    GetRole, GetRolePolicy, GetRolePolicyRequest, GetRoleRequest, PutRolePolicy, PutRolePolicyRequest,
};
use apus_model_sts::{AssumeRole, AssumeRoleRequest, GetCallerIdentity, GetCallerIdentityRequest};
use apus_schema::ServiceError;

use super::{Client, WORKER, is_absent, is_made};
use crate::history::Session;
use crate::register::Saw;
use crate::value;

/// Roles whose policies change.
const ROLES: [&str; 2] = ["alpha", "beta"];
const POLICIES: u64 = 4;
/// Less than a session lasts.
const SESSION_LIFE: Duration = Duration::from_mins(50);
/// Roles that come and go.
const LIVES: [&str; 2] = ["mayfly", "moth"];
/// How the history's names of policies begin.
pub(crate) const POLICY_PREFIX: &str = "policy ";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{
    "AWS":"arn:aws:iam::000000000000:root","Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The history's name of a role's policy.
fn policy_key(role: &str, policy: &str) -> String {
    format!("{POLICY_PREFIX}{role} {policy}")
}

/// Every role that there can be.
pub(crate) fn all_roles() -> impl Iterator<Item = &'static str> {
    ROLES.into_iter().chain(LIVES).chain([WORKER])
}

/// The history's name of a role.
pub(crate) fn life_key(role: &str) -> String {
    format!("role {role}")
}

pub(super) async fn prepare(client: &Client) -> Result<(), ServiceError> {
    for role in ROLES.into_iter().chain([WORKER]) {
        is_made(create(client, role).await)?;
    }
    Ok(())
}

async fn create(client: &Client, role: &str) -> Result<(), ServiceError> {
    let token = client.history.token();
    let call = client.call::<CreateRole>(role_request(role, &value::text(token)));
    client.history.write(&life_key(role), Some(token), call).await.map(drop)
}

fn role_request(name: &str, description: &str) -> CreateRoleRequest {
    CreateRoleRequest {
        path: None,
        role_name: name.into(),
        assume_role_policy_document: TRUST.into(),
        description: Some(description.into()),
        max_session_duration: None,
        permissions_boundary: None,
        tags: None,
    }
}

pub(super) async fn step(client: &Client) {
    let role = ROLES[client.below(ROLES.len() as u64) as usize].to_owned();
    let policy = format!("p{}", client.below(POLICIES));
    let name = policy_key(&role, &policy);
    match client.below(20) {
        0..9 => {
            let token = client.history.token();
            let input = PutRolePolicyRequest {
                role_name: role,
                policy_name: policy,
                policy_document: policy_document(token),
            };
            let _noted = client.history.write(&name, Some(token), client.call::<PutRolePolicy>(input)).await;
        }
        9..11 => {
            let input = DeleteRolePolicyRequest { role_name: role, policy_name: policy };
            let _noted = client.history.write(&name, None, client.call::<DeleteRolePolicy>(input)).await;
        }
        11..15 => {
            let began = client.history.tick();
            if let Some(found) = read_policy(client, &role, &policy).await {
                client.history.saw(&name, Saw::Value(found), began);
            }
        }
        15..18 => live(client).await,
        _ => assume(client).await,
    }
}

async fn live(client: &Client) {
    let role = LIVES[client.below(LIVES.len() as u64) as usize];
    let name = life_key(role);
    match client.below(3) {
        0 => {
            let _noted = create(client, role).await;
        }
        1 => {
            let input = DeleteRoleRequest { role_name: role.into() };
            let _noted = client.history.write(&name, None, client.call::<DeleteRole>(input)).await;
        }
        _ => {
            let began = client.history.tick();
            if let Some(found) = read_life(client, role).await {
                client.history.saw(&name, Saw::Value(found), began);
            }
        }
    }
}

/// A session of a role is believed at once, and names whom it stands for.
async fn assume(client: &Client) {
    let input = AssumeRoleRequest {
        role_arn: format!("arn:aws:iam::000000000000:role/{WORKER}"),
        role_session_name: "sim".into(),
        ..AssumeRoleRequest::default()
    };
    let answer = client.call::<AssumeRole>(input).await;
    client.history.heard("sts assume", &answer);
    let Some(credentials) = answer.ok().and_then(|answer| answer.credentials) else { return };
    let (key, token) = (&credentials.access_key_id, &credentials.session_token);
    let caller = match client.credentials.lookup(key, Some(token)).await {
        Ok(credential) => apus_kernel::Caller::signed(credential, key.as_str(), client.caller.region.clone()),
        Err(error) => return client.history.violation(format!("a fresh session is refused: {error:?}")),
    };
    let given_at = client.env.monotonic();
    let session = Session { access_key: key.clone(), token: token.clone(), given_at };
    if let Some(earlier) = client.history.exchange_session(session)
        && given_at < earlier.given_at + SESSION_LIFE
        && let Err(error) = client.credentials.lookup(&earlier.access_key, Some(&earlier.token)).await
    {
        client.history.violation(format!("a session of {:?} is refused: {error:?}", earlier.given_at));
    }
    let is_worker = matches!(&caller.principal, Principal::RoleSession { role, .. } if role == WORKER);
    if !is_worker {
        client.history.violation(format!("a session of {WORKER} is {}", caller.principal));
    }
    let answer = client.call_as::<GetCallerIdentity>(caller, GetCallerIdentityRequest::default()).await;
    client.history.heard("sts identity", &answer);
}

/// What a policy holds; nothing if that could not be learnt.
pub(crate) async fn read_policy(client: &Client, role: &str, policy: &str) -> Option<Option<u64>> {
    let input = GetRolePolicyRequest { role_name: role.into(), policy_name: policy.into() };
    let answer = client.call::<GetRolePolicy>(input).await;
    client.history.heard("iam get policy", &answer);
    let document = match answer {
        Ok(answer) => answer.policy_document,
        Err(error) => return is_absent(&error).then_some(None),
    };
    // IAM gives documents percent-encoded; the number's text is letters and digits, and stays as it is.
    let sid = document.split("%22Sid%22%3A%22").nth(1).and_then(|rest| rest.split('%').next());
    let token = sid.and_then(value::read_text);
    if token.is_none() {
        client.history.violation(format!("policy {role} {policy}: torn or foreign: {document}"));
    }
    token.map(Some)
}

/// What a role says of itself; nothing if that could not be learnt.
pub(crate) async fn read_life(client: &Client, role: &str) -> Option<Option<u64>> {
    let answer = client.call::<GetRole>(GetRoleRequest { role_name: role.into() }).await;
    client.history.heard("iam get role", &answer);
    let description = match answer {
        Ok(answer) => answer.role.description.unwrap_or_default(),
        Err(error) => return is_absent(&error).then_some(None),
    };
    let token = value::read_text(&description);
    if token.is_none() {
        client.history.violation(format!("role {role}: torn or foreign: {description}"));
    }
    token.map(Some)
}

fn policy_document(token: u64) -> String {
    let sid = value::text(token);
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}]}}"#
    )
}
