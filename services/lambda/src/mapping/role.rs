//! The function's execution role as a caller: a mapping may read from its source what the role may, and no more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use apus_kernel::{AccountId, Arn, Caller, Context, Credential, Origin, Platform, Principal};
use apus_model_sts::{AssumeRole, AssumeRoleRequest, AssumedRoleUser};
use apus_schema::ServiceError;
use apus_time::Timestamp;

use crate::function_name::FunctionId;
use crate::role_sessions::PRINCIPAL;

/// How much of a session must be left for a call: a long poll, and what follows it.
const LEFT_MIN: Duration = Duration::from_mins(5);

/// The session that a poller calls with.
#[derive(Default)]
pub(crate) struct RoleCaller {
    held: Mutex<Option<Held>>,
}

struct Held {
    role: String,
    caller: Caller,
    ends_at: Timestamp,
}

impl RoleCaller {
    /// A call as that role of the function, now.
    pub(crate) async fn context(
        &self,
        platform: &Platform,
        id: &FunctionId,
        role: &str,
    ) -> Result<Context, ServiceError> {
        let service = Caller::service(PRINCIPAL, id.account, id.region.clone());
        let context = platform.context(service, Origin::default(), None);
        let caller = if let Some(caller) = self.current(role, context.now) {
            caller
        } else {
            let (caller, ends_at) = assume(&context, id, role).await?;
            let held = Held { role: role.to_owned(), caller: caller.clone(), ends_at };
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            caller
        };
        Ok(platform.context(caller, Origin::default(), None))
    }

    /// Takes a new session next time: the role may have been made anew.
    pub(crate) fn forget(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn current(&self, role: &str, now: Timestamp) -> Option<Caller> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref().filter(|held| held.role == role && held.ends_at.since(now) >= LEFT_MIN)?;
        Some(held.caller.clone())
    }
}

async fn assume(context: &Context, id: &FunctionId, role: &str) -> Result<(Caller, Timestamp), ServiceError> {
    let request = AssumeRoleRequest {
        role_arn: role.to_owned(),
        role_session_name: id.name.clone(),
        ..AssumeRoleRequest::default()
    };
    let service = Caller::service(PRINCIPAL, id.account, id.region.clone());
    let answer = context.call_as::<AssumeRole>(service, request).await?;
    let (user, credentials) = answer
        .assumed_role_user
        .zip(answer.credentials)
        .ok_or_else(|| ServiceError::internal("AssumeRole gave no session"))?;
    let principal = principal(&user).ok_or_else(|| ServiceError::internal("AssumeRole gave no principal"))?;
    let account = principal.account().unwrap_or(id.account);
    let credential =
        Credential { secret: credentials.secret_access_key, principal, account, session_policy: None };
    let caller = Caller::signed(credential, credentials.access_key_id, id.region.clone());
    Ok((caller, credentials.expiration))
}

/// The principal that a session's names mean: `arn:aws:sts::account:assumed-role/role/session`, `AROA…:session`.
fn principal(user: &AssumedRoleUser) -> Option<Principal> {
    let arn: Arn = user.arn.parse().ok()?;
    let account: AccountId = arn.account.parse().ok()?;
    let (role, session) = arn.resource.strip_prefix("assumed-role/")?.split_once('/')?;
    let (role_id, _) = user.assumed_role_id.split_once(':')?;
    Some(Principal::RoleSession {
        account,
        role: role.to_owned(),
        role_id: role_id.to_owned(),
        session: session.to_owned(),
    })
}
