//! Sends letters: a step that the outbox takes. A letter that cannot be sent ends among the outbox's dead, is logged,
//! and is noted with the execution that it is about.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Attempt, Caller, Context, Origin, Principal, StepEnd};
use apus_model_sts::{AssumeRole, AssumeRoleRequest};
use apus_schema::ServiceError;
use apus_store::StoreError;
use tracing::warn;

use super::kind;
use super::letter::LetterRecord;
use crate::Lambda;
use crate::asynchronous::rules;
use crate::function_name::FunctionId;
use crate::role_sessions::PRINCIPAL;
use crate::store::execution;

/// How old a letter may grow.
const AGE_MAX: Duration = Duration::from_hours(6);

/// The step.
pub(crate) async fn deliver(lambda: Arc<Lambda>, attempt: Attempt) -> StepEnd {
    let Ok(letter) = minicbor::decode::<LetterRecord>(&attempt.payload) else {
        return StepEnd::Dead { reason: "it is no letter".into() };
    };
    let (target, about) = (letter.target.clone(), letter.execution.clone());
    let Err(error) = send(&attempt, letter).await else { return StepEnd::Done };
    let after = rules::back_off(attempt.failures);
    if error.is_retryable() && lambda.env.now() + after < attempt.since + AGE_MAX {
        return StepEnd::Again { after, reason: error.to_string() };
    }
    let what = format!("{target}: {}: {}", error.name(), error.message());
    warn!(request_id = about.request_id, target, %error, "the end of an event could not be told");
    let noted = lambda.store.transact(|tx| {
        let (about, what) = (&about, what.clone());
        async move { execution::note_undelivered(&tx, about, what).await }
    });
    match noted.await {
        Ok(()) => StepEnd::Dead { reason: what },
        Err(error) => StepEnd::Again { after, reason: StoreError::to_string(&error) },
    }
}

async fn send(attempt: &Attempt, letter: LetterRecord) -> Result<(), ServiceError> {
    let (id, role, trace) = (letter.function(), letter.role.clone(), letter.trace.clone());
    let read = id.zip(letter.read(&attempt.id));
    let (id, letter) = read.ok_or_else(|| ServiceError::internal("a letter without a target"))?;
    let kind = kind::of(&letter.target.service);
    let kind = kind.ok_or_else(|| ServiceError::internal("a letter to a service that cannot be told"))?;
    let lambda = Caller::service(PRINCIPAL, id.account, id.region.clone());
    let origin = Origin { trace, ..Origin::default() };
    let context = attempt.platform.context(lambda, origin, Some(attempt.id.as_str().into()));
    let mut caller = as_role(&context, &id, &role).await?;
    if let Ok(region) = letter.target.region.parse() {
        caller.region = region;
    }
    (kind.deliver)(&context, caller, &letter).await
}

/// The function's role as a caller: a session of it, named after the function.
pub(super) async fn as_role(context: &Context, id: &FunctionId, role: &str) -> Result<Caller, ServiceError> {
    let lambda = Caller::service(PRINCIPAL, id.account, id.region.clone());
    let request = AssumeRoleRequest {
        role_arn: role.to_owned(),
        role_session_name: id.name.clone(),
        ..AssumeRoleRequest::default()
    };
    let answer = context.call_as::<AssumeRole>(lambda, request).await?;
    let user =
        answer.assumed_role_user.ok_or_else(|| ServiceError::internal("AssumeRole named no session"))?;
    let role_id = user.assumed_role_id.split(':').next().unwrap_or_default().to_owned();
    let name = role.rsplit('/').next().unwrap_or_default().to_owned();
    let principal =
        Principal::RoleSession { account: id.account, role: name, role_id, session: id.name.clone() };
    Ok(Caller {
        principal,
        account: id.account,
        region: id.region.clone(),
        access_key: None,
        session_policy: None,
    })
}
