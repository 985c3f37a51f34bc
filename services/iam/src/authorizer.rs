//! Whether a call is allowed: the door's [`Authorizer`], from the policies that IAM keeps.
//!
//! A root may do anything in its own account, a session what its role's policies and its session policy both
//! allow, a part of the platform what a table says. Nobody reaches into another account, but for
//! `sts:AssumeRole`, whose trust policy STS has asked before. Resource-based policies are not known yet.
//!
//! Every decision reads the role from the store, so that a change counts at once and on every node; only
//! the parsed form of its policies is kept, by the role's id and revision.

use apus_kernel::{AccessRequest, AccountId, Arn, Authorizer, BoxFuture, Principal, Resource};
use apus_schema::{Common, ServiceError};
use apus_store::Store;
use tracing::warn;

use crate::denial::Denial;
use crate::evaluation::{Question, Verdict, evaluate, parse};
use crate::parsed::ParsedPolicies;
use crate::{platform_services, store};

/// Actions whose resource's own policy the service asks before it asks here: it has the word across accounts.
const DECIDED_BY_THE_RESOURCE_TOO: &[&str] = &["sts:AssumeRole"];

/// What becomes of a denial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The call is refused.
    #[default]
    Enforce,
    /// The call goes on, and the denial is logged.
    Soft,
}

/// Decides from the roles in a store.
pub struct IamAuthorizer {
    store: Store,
    mode: Mode,
    parsed: ParsedPolicies,
}

/// The authorizer of an instance. [`Mode::Soft`] is announced here, for it lets everybody do everything.
pub fn authorizer(store: Store, mode: Mode) -> IamAuthorizer {
    if mode == Mode::Soft {
        warn!("permissions are not enforced (--iam soft): denials are logged and the calls go on");
    }
    IamAuthorizer { store, mode, parsed: ParsedPolicies::default() }
}

impl Authorizer for IamAuthorizer {
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(async move {
            let Some(denial) = self.denial(request).await? else { return Ok(()) };
            let message = denial.message(request);
            if self.mode == Mode::Soft {
                warn!(request_id = request.context.request_id, "allowed without permission: {message}");
                return Ok(());
            }
            Err(ServiceError::common(Common::AccessDenied, message))
        })
    }
}

impl IamAuthorizer {
    /// Why the call is denied, if it is.
    async fn denial(&self, request: &AccessRequest<'_>) -> Result<Option<Denial>, ServiceError> {
        let caller = &request.context.caller;
        match &caller.principal {
            Principal::Anonymous => Ok(Some(Denial::NotAllowedByResource)),
            Principal::Service(name) => {
                let denial = Denial::NotAllowedByIdentity { hint: None };
                Ok((!platform_services::may(name, request.action)).then_some(denial))
            }
            principal => {
                let own = principal.account() == Some(owner(request));
                if !own && !DECIDED_BY_THE_RESOURCE_TOO.contains(&request.action) {
                    return Ok(Some(Denial::NotAllowedByResource));
                }
                self.denial_by_policies(request).await
            }
        }
    }

    /// Why the principal's own policies do not allow the call.
    async fn denial_by_policies(&self, request: &AccessRequest<'_>) -> Result<Option<Denial>, ServiceError> {
        match &request.context.caller.principal {
            Principal::Root(_) => Ok(None),
            Principal::RoleSession { account, role, role_id, .. } => {
                let role = store::read(&self.store, *account, role).await.map_err(ServiceError::internal)?;
                // A role made anew under the old name is another: sessions of the first one are worth nothing.
                let Some(role) = role.filter(|role| role.id == *role_id) else {
                    let hint = Some("The session's role has been deleted.".to_owned());
                    return Ok(Some(Denial::NotAllowedByIdentity { hint }));
                };
                self.denial_by_role(request, &role, *account)
            }
            // There is no way yet to make users or to give them policies.
            _ => Ok(Some(Denial::NotAllowedByIdentity { hint: None })),
        }
    }

    fn denial_by_role(
        &self,
        request: &AccessRequest<'_>,
        role: &crate::role::Role,
        account: AccountId,
    ) -> Result<Option<Denial>, ServiceError> {
        let mut conditions = request.conditions.clone();
        // Policies mean the role by this key, not its session.
        conditions.insert("aws:PrincipalArn".into(), vec![role.arn(account).to_string()]);
        let resource = match &request.resource {
            Resource::Arn(arn) => arn.to_string(),
            Resource::All => "*".to_owned(),
        };
        let question = Question { action: request.action, resource: &resource, conditions: &conditions };
        let policies = self.parsed.of(role).map_err(ServiceError::internal)?;
        match evaluate(&policies, &question) {
            Verdict::Denied => return Ok(Some(Denial::DeniedByIdentity)),
            Verdict::NotAllowed { hint } => return Ok(Some(Denial::NotAllowedByIdentity { hint })),
            Verdict::Allowed => {}
        }
        let Some(text) = &request.context.caller.session_policy else { return Ok(None) };
        let bound = parse("session policy", text).map_err(ServiceError::internal)?;
        Ok(match evaluate(&[bound], &question) {
            Verdict::Allowed => None,
            Verdict::Denied => Some(Denial::DeniedBySession),
            Verdict::NotAllowed { hint } => Some(Denial::NotAllowedBySession { hint }),
        })
    }
}

/// Whose resource it is. A name without an account (a bucket's) is of the account that the caller calls for:
/// the service keeps accounts apart by its keys.
fn owner(request: &AccessRequest<'_>) -> AccountId {
    let called = request.context.caller.account;
    let named = |arn: &Arn| arn.account.parse().ok();
    match &request.resource {
        Resource::Arn(arn) => named(arn).unwrap_or(called),
        Resource::All => called,
    }
}
