//! Whether a call is allowed: the door's [`Authorizer`], from the policies that IAM keeps.
//!
//! A root may do anything in its own account, a session what its role's policies and its session policy both
//! allow, a part of the platform what a table says; a resource's own policy, where the handler knows one, has its say
//! in the order that `apus-policy` knows. Without one, nobody reaches into another account.
//!
//! Every decision reads the role from the store, so that a change counts at once and on every node; only
//! the parsed form of its policies is kept, by the role's id and revision.

use std::sync::Arc;

use apus_kernel::{AccessRequest, AccountId, Authorizer, BoxFuture, Principal, Resource, ResourcePolicy};
use apus_policy::{
    Attached, Caller, Context, Decision, Kind, Limits, Policies, Policy, PolicyType, Request, ResourceRule,
    evaluate,
};
use apus_schema::{Common, ServiceError};
use apus_store::Store;
use tracing::warn;

use crate::parsed::{Named, ParsedDocuments, ParsedPolicies};
use crate::role::{ROOT_PATH, role_arn};
use crate::{platform_services, store};

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
    documents: ParsedDocuments,
}

/// The authorizer of an instance. [`Mode::Soft`] is announced here, for it lets everybody do everything.
pub fn authorizer(store: Store, mode: Mode) -> IamAuthorizer {
    if mode == Mode::Soft {
        warn!("permissions are not enforced (--iam soft): denials are logged and the calls go on");
    }
    IamAuthorizer { store, mode, parsed: ParsedPolicies::default(), documents: ParsedDocuments::default() }
}

impl Authorizer for IamAuthorizer {
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        if is_own_root(request) {
            return Box::pin(std::future::ready(Ok(())));
        }
        Box::pin(async move {
            let Some(denial) = self.denial(request).await? else { return Ok(()) };
            if self.mode == Mode::Soft {
                warn!(request_id = %request.context.request_id, "allowed without permission: {denial}");
                return Ok(());
            }
            // Nobody in particular learns nothing in particular: the codec has each service's own words.
            let is_nobody = request.context.caller.principal == Principal::Anonymous;
            let message = if is_nobody { String::new() } else { denial };
            Err(ServiceError::common(Common::AccessDenied, message))
        })
    }
}

/// Who asks, with his own policies.
struct Asker {
    caller: Caller,
    policies: Arc<[Named]>,
    /// A session whose role has been deleted: nothing allows it anything, not even what allows everybody.
    is_gone: bool,
}

impl IamAuthorizer {
    /// Why the call is denied, if it is.
    async fn denial(&self, request: &AccessRequest<'_>) -> Result<Option<String>, ServiceError> {
        let principal = &request.context.caller.principal;
        if let Principal::Service(name) = principal
            && platform_services::may(name, request.action)
        {
            return Ok(None);
        }
        let asker = self.asker(principal).await?;
        let session = request.context.caller.session_policy.as_deref();
        let session = session.map(|text| read(text, Kind::Identity)).transpose()?;
        let resource = request.resource_policy.map(|own| self.resource_policy(own)).transpose()?;
        let identity: Vec<_> = asker.policies.iter().map(Named::attached).collect();
        let session = session.as_ref().map(|policy| [Attached { name: "session", policy }]);
        let policies = Policies {
            identity: &identity,
            resource: resource.as_deref().map(|policy| Attached { name: "resource", policy }),
            resource_rule: rule(request.resource_policy),
            session: session.as_ref().map(<[_; 1]>::as_slice),
            ..Policies::default()
        };
        let named = match &request.resource {
            Resource::Arn(arn) => arn.to_string(),
            Resource::All => "*".to_owned(),
        };
        let context = facts(request, &asker.caller);
        let question = Request {
            caller: &asker.caller,
            action: request.action,
            resource: &named,
            resource_account: Some(request.owner.as_str()),
            context: &context,
        };
        let decision = if asker.is_gone {
            Decision::DeniedImplicitly { lacking: PolicyType::Identity, hint: None }
        } else {
            evaluate(&question, &policies)
        };
        if *principal == Principal::Anonymous {
            // Who is nobody is told nothing: https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
            return Ok(decision.message(&question).map(|_| "Access Denied".to_owned()));
        }
        Ok(decision.message(&question).map(|message| {
            let second = if asker.is_gone {
                Some("the session's role has been deleted".to_owned())
            } else {
                explanation(request, &decision, &question)
            };
            sentences(message, second)
        }))
    }

    fn resource_policy(&self, own: ResourcePolicy<'_>) -> Result<Arc<Policy>, ServiceError> {
        if own.must_allow {
            return read(own.document, Kind::Trust).map(Arc::new);
        }
        self.documents.of(own.document).map_err(ServiceError::internal)
    }

    async fn asker(&self, principal: &Principal) -> Result<Asker, ServiceError> {
        let plain = |caller| Asker { caller, policies: Arc::default(), is_gone: false };
        Ok(match principal {
            Principal::Anonymous => plain(Caller::Anonymous),
            Principal::Service(name) => plain(Caller::Service { name: (*name).to_owned() }),
            Principal::Root(account) => plain(Caller::Root { account: account.to_string() }),
            // There is no way yet to make users or to give them policies.
            Principal::User { account, .. } => {
                plain(Caller::User { account: account.to_string(), arn: principal.to_string() })
            }
            Principal::RoleSession { account, role, role_id, .. } => {
                let arn = principal.to_string();
                self.session(*account, role, role_id, arn).await?
            }
        })
    }

    async fn session(
        &self,
        account: AccountId,
        role: &str,
        role_id: &str,
        arn: String,
    ) -> Result<Asker, ServiceError> {
        let found = store::read(&self.store, account, role).await.map_err(ServiceError::internal)?;
        // A role made anew under the old name is another: sessions of the first one are worth nothing.
        let found = found.filter(|found| found.id == *role_id);
        let is_gone = found.is_none();
        let (role_arn, policies) = match found {
            Some(found) => {
                let policies = self.parsed.of(&found).map_err(ServiceError::internal)?;
                (found.arn(account), policies)
            }
            None => (role_arn(account, ROOT_PATH, role), Arc::default()),
        };
        let caller = Caller::Session { account: account.to_string(), arn, role_arn: role_arn.to_string() };
        Ok(Asker { caller, policies, is_gone })
    }
}

/// A root in its own account, where no document has a say: the rule without what only documents need.
fn is_own_root(request: &AccessRequest<'_>) -> bool {
    let caller = &request.context.caller;
    caller.principal == Principal::Root(request.owner)
        && caller.session_policy.is_none()
        && request.resource_policy.is_none()
}

fn read(text: &str, kind: Kind) -> Result<Policy, ServiceError> {
    // It was checked when it came: what cannot be read now allows nothing.
    Policy::parse(text, kind, Limits::NONE).map_err(ServiceError::internal)
}

fn rule(own: Option<ResourcePolicy<'_>>) -> ResourceRule {
    if own.is_some_and(|own| own.must_allow) { ResourceRule::MustAllow } else { ResourceRule::MayAllow }
}

/// The request's condition keys. Policies mean a session's role by `aws:PrincipalArn`, not the session.
fn facts(request: &AccessRequest<'_>, caller: &Caller) -> Context {
    let mut context = Context::new();
    for (key, values) in request.context.condition_keys().iter().chain(&request.conditions) {
        match caller {
            Caller::Session { role_arn, .. } if key == "aws:PrincipalArn" => context.insert(key, role_arn),
            _ => values.iter().for_each(|value| context.insert(key, value)),
        }
    }
    context
}

/// Which statement denied, or would have allowed. Of another account's policies nobody reads.
fn explanation(request: &AccessRequest<'_>, decision: &Decision, question: &Request<'_>) -> Option<String> {
    let own = request.context.caller.principal.account() == Some(request.owner);
    let lacking = match decision {
        Decision::DeniedImplicitly { lacking, .. } => Some(*lacking),
        _ => None,
    };
    // Where no resource policy was asked, none would help.
    let helpless = lacking == Some(PolicyType::Resource) && request.resource_policy.is_none();
    if own && !helpless { decision.explanation(question) } else { None }
}

/// AWS's sentence, and one of ours behind it.
fn sentences(mut message: String, second: Option<String>) -> String {
    if let Some(second) = second {
        let mut letters = second.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        message.push_str(". ");
        message.extend(first);
        message.push_str(letters.as_str());
        message.push('.');
    }
    message
}
