//! The session of a function's role that its environments work under.
//!
//! A session ends; an environment may not outlive it. So a session belongs to the key that the pool knows a
//! function by: a new session, taken well before the old one ends, is a new key with new environments.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_compute::{Credentials, FunctionKey};
use apus_kernel::{Arn, Caller, Context, Resource};
use apus_model_sts::{AssumeRole, AssumeRoleRequest};
use apus_schema::{Fault, ServiceError};
use apus_time::Timestamp;
use tokio::sync::OnceCell;

use crate::errors;
use crate::function_name::FunctionId;
use crate::store::FunctionRecord;

/// The name under which trust policies know Lambda.
pub(crate) const PRINCIPAL: &str = "lambda.amazonaws.com";
/// How long a session is asked to last, in seconds: what every role allows.
const SESSION_SECS: i32 = 3_600;
/// How much of a session must be left for an invocation: the longest timeout, and time to start and to idle.
const LEFT_MIN: Duration = Duration::from_mins(20);
/// Sessions that are held; beyond that the one that ends first is let go.
const SESSIONS_MAX: usize = 10_000;

/// One session.
#[derive(Debug)]
pub(crate) struct RoleSession {
    pub(crate) credentials: Credentials,
    /// What the pool knows the function by while this session lasts.
    pub(crate) key: FunctionKey,
    ends_at: Timestamp,
}

/// The current session of each version that was invoked, by its revision: an invocation that read the record
/// before a change has a session of its own, and disturbs nobody.
#[derive(Default)]
pub(crate) struct RoleSessions {
    held: Mutex<BTreeMap<Holder, Held>>,
}

/// Function, version and revision of its content.
type Holder = (FunctionId, String, String);

struct Held {
    session: Arc<OnceCell<Arc<RoleSession>>>,
}

impl Held {
    fn is_current(&self, now: Timestamp) -> bool {
        let ends_soon = |session: &Arc<RoleSession>| session.ends_at.since(now) < LEFT_MIN;
        !self.session.get().is_some_and(ends_soon)
    }

    fn key(&self) -> Option<FunctionKey> {
        self.session.get().map(|session| session.key.clone())
    }
}

impl RoleSessions {
    /// The session for an invocation. `retire` hears of keys whose environments nobody will use again.
    pub(crate) async fn get(
        &self,
        context: &Context,
        id: &FunctionId,
        version: &str,
        record: &FunctionRecord,
        retire: impl Fn(&FunctionKey),
    ) -> Result<Arc<RoleSession>, ServiceError> {
        let holder = (id.clone(), version.to_owned(), record.content_revision().to_owned());
        let (cell, retired) = self.hold(holder, context.now);
        retired.iter().for_each(retire);
        let session = cell.get_or_try_init(|| async {
            let assumed = assume(context, id, &record.role).await;
            let (credentials, ends_at) = assumed.map_err(|error| match error.fault() {
                Fault::Sender => errors::role_no_longer_assumed(error),
                Fault::Receiver => error,
            })?;
            let key = FunctionKey {
                arn: id.qualified_arn(version).to_string(),
                revision: format!("{}/{}", record.content_revision(), credentials.access_key_id),
            };
            Ok::<_, ServiceError>(Arc::new(RoleSession { credentials, key, ends_at }))
        });
        session.await.map(Arc::clone)
    }

    /// The version was changed or is gone; of a function that is gone, all are: the keys of their environments.
    pub(crate) fn forget(&self, id: &FunctionId, version: Option<&str>) -> Vec<FunctionKey> {
        let mut all = self.lock();
        let from = (id.clone(), version.unwrap_or_default().to_owned(), String::new());
        let own = |(of, number, _): &&Holder| of == id && version.is_none_or(|version| number == version);
        let holders: Vec<_> = all.range(from..).map(|(holder, _)| holder).take_while(own).cloned().collect();
        holders.iter().filter_map(|holder| all.remove(holder).and_then(|held| held.key())).collect()
    }

    fn hold(&self, holder: Holder, now: Timestamp) -> (Arc<OnceCell<Arc<RoleSession>>>, Vec<FunctionKey>) {
        let mut all = self.lock();
        if let Some(held) = all.get(&holder)
            && held.is_current(now)
        {
            return (Arc::clone(&held.session), Vec::new());
        }
        let session = Arc::default();
        let held = Held { session: Arc::clone(&session) };
        let mut retired: Vec<_> = all.insert(holder, held).into_iter().collect();
        if all.len() > SESSIONS_MAX {
            let ends_at = |held: &Held| held.session.get().map_or(Timestamp::MAX, |session| session.ends_at);
            let first = all.iter().min_by_key(|(_, held)| ends_at(held)).map(|(holder, _)| holder.clone());
            retired.extend(first.and_then(|first| all.remove(&first)));
        }
        (session, retired.iter().filter_map(Held::key).collect())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Holder, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new session of the role, named after the function, and when it ends.
pub(crate) async fn assume(
    context: &Context,
    id: &FunctionId,
    role: &str,
) -> Result<(Credentials, Timestamp), ServiceError> {
    let lambda = Caller::service(PRINCIPAL, id.account, id.region.clone());
    let request = AssumeRoleRequest {
        role_arn: role.to_owned(),
        role_session_name: id.name.clone(),
        duration_seconds: Some(SESSION_SECS),
        ..AssumeRoleRequest::default()
    };
    let answer = context.call_as::<AssumeRole>(lambda, request).await?;
    let credentials =
        answer.credentials.ok_or_else(|| ServiceError::internal("AssumeRole gave no credentials"))?;
    let session = Credentials {
        access_key_id: credentials.access_key_id,
        secret_access_key: credentials.secret_access_key,
        session_token: credentials.session_token,
    };
    Ok((session, credentials.expiration))
}

/// The caller may pass the role, and Lambda may assume it.
pub(crate) async fn check_role(context: &Context, id: &FunctionId, role: &str) -> Result<(), ServiceError> {
    let arn: Arn = role.parse().map_err(|_| errors::invalid_parameter("The role is no ARN of a role."))?;
    if arn.account != id.account.as_str() {
        return Err(errors::cross_account_role());
    }
    context.platform().authorize(context, "iam:PassRole", [Resource::Arn(arn)]).await?;
    assume(context, id, role).await.map(drop).map_err(role_error)
}

/// A role that cannot be assumed, as who names it hears of it.
pub(crate) fn role_error(error: ServiceError) -> ServiceError {
    match error.fault() {
        Fault::Sender => errors::role_cannot_be_assumed(error),
        Fault::Receiver => error,
    }
}
