//! The decision: AWS's order of who may forbid and who must allow.
//!
//! An explicit denial anywhere wins. Then every type of policy that sets limits must allow, and somebody must grant:
//! the caller's own policies, or, within an account, the resource's policy alone. Across accounts both must.

use crate::decision::{self, Decision, PolicyType, StatementRef};
use crate::document::{Effect, Statement};
use crate::principal::Closeness;
use crate::{Caller, Context, Policy, arn};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// `sqs:SendMessage`.
    pub action: &'a str,
    /// The resource's name, or `*` for an action that has none.
    pub resource: &'a str,
    /// The account that owns the resource, for resources whose names hold none (S3's); else the name's counts.
    pub resource_account: Option<&'a str>,
    /// The facts that conditions and variables speak of.
    pub context: &'a Context,
}

/// A policy, and the name under which denials speak of it.
#[derive(Clone, Copy, Debug)]
pub struct Attached<'a> {
    /// Its name or resource name.
    pub name: &'a str,
    /// The policy.
    pub policy: &'a Policy,
}

/// All policies that have a say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// The caller's own and its groups'.
    pub identity: &'a [Attached<'a>],
    /// The resource's.
    pub resource: Option<Attached<'a>>,
    /// What the resource's policy means within its account.
    pub resource_rule: ResourceRule,
    /// The caller's boundary.
    pub permission_boundary: Option<Attached<'a>>,
    /// The session's: nothing if it was begun without.
    pub session: Option<&'a [Attached<'a>]>,
    /// The organisation's: nothing outside of one.
    pub scp: Option<&'a [Attached<'a>]>,
}

/// What a resource's policy means for callers of its own account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceRule {
    /// It may allow what the caller's own policies do not (queues, buckets, functions).
    #[default]
    MayAllow,
    /// Nobody gets in whom it does not allow, whatever his own policies say (roles, keys).
    MustAllow,
}

/// Decides.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    Evaluation { request, action: request.action.to_ascii_lowercase(), policies }.decide()
}

pub(crate) struct Evaluation<'a> {
    pub(crate) request: &'a Request<'a>,
    /// In small letters.
    pub(crate) action: String,
    pub(crate) policies: &'a Policies<'a>,
}

impl Evaluation<'_> {
    fn decide(&self) -> Decision {
        if let Some(by) = self.explicit_denial() {
            return Decision::Denied { by };
        }
        let caller = self.request.caller;
        let organisation = match self.policies.scp {
            // An organisation limits the principals of its accounts, not services nor the anonymous.
            Some(scp) if caller.account().is_some() => self.allowing(PolicyType::Scp, scp).is_some(),
            _ => true,
        };
        if !organisation {
            return self.denied(PolicyType::Scp);
        }
        let resource = self.resource_grant();
        match caller {
            Caller::Anonymous | Caller::Service { .. } | Caller::Federated { .. } => match resource {
                Some((_, by)) => Decision::Allowed { by: Some(by) },
                None => self.denied(PolicyType::Resource),
            },
            Caller::Root { .. } => {
                if self.is_same_account() && self.policies.resource_rule == ResourceRule::MayAllow {
                    return Decision::Allowed { by: None };
                }
                match resource {
                    Some((_, by)) => Decision::Allowed { by: Some(by) },
                    None => self.denied(PolicyType::Resource),
                }
            }
            Caller::User { .. } | Caller::Session { .. } => self.decide_for_identity(resource),
        }
    }

    fn decide_for_identity(&self, resource: Option<(Closeness, StatementRef)>) -> Decision {
        let same_account = self.is_same_account();
        let must_allow = !same_account || self.policies.resource_rule == ResourceRule::MustAllow;
        if must_allow && resource.is_none() {
            return self.denied(PolicyType::Resource);
        }
        let closeness = resource.as_ref().map(|(closeness, _)| *closeness);
        if same_account && closeness == Some(Closeness::Direct) {
            return Decision::Allowed { by: resource.map(|(_, by)| by) };
        }
        let identity = self.allowing(PolicyType::Identity, self.policies.identity);
        let resource_suffices = same_account && closeness == Some(Closeness::Indirect);
        if identity.is_none() && !resource_suffices {
            return self.denied(PolicyType::Identity);
        }
        if let Some(boundary) = &self.policies.permission_boundary
            && self.allowing(PolicyType::Boundary, std::slice::from_ref(boundary)).is_none()
        {
            return self.denied(PolicyType::Boundary);
        }
        if let Some(session) = self.policies.session
            && self.allowing(PolicyType::Session, session).is_none()
        {
            return self.denied(PolicyType::Session);
        }
        Decision::Allowed { by: identity.or(resource.map(|(_, by)| by)) }
    }

    fn denied(&self, lacking: PolicyType) -> Decision {
        Decision::DeniedImplicitly { lacking, hint: decision::hint(self, lacking).map(Box::new) }
    }

    /// The policies of a type.
    pub(crate) fn of_type(&self, policy_type: PolicyType) -> &[Attached<'_>] {
        match policy_type {
            PolicyType::Scp => self.policies.scp.unwrap_or_default(),
            PolicyType::Resource => self.policies.resource.as_slice(),
            PolicyType::Identity => self.policies.identity,
            PolicyType::Boundary => self.policies.permission_boundary.as_slice(),
            PolicyType::Session => self.policies.session.unwrap_or_default(),
        }
    }

    fn explicit_denial(&self) -> Option<StatementRef> {
        PolicyType::ALL.into_iter().find_map(|policy_type| {
            if policy_type == PolicyType::Scp && self.request.caller.account().is_none() {
                return None;
            }
            self.first(policy_type, self.of_type(policy_type), Effect::Deny)
        })
    }

    fn allowing(&self, policy_type: PolicyType, policies: &[Attached<'_>]) -> Option<StatementRef> {
        self.first(policy_type, policies, Effect::Allow)
    }

    fn first(
        &self,
        policy_type: PolicyType,
        policies: &[Attached<'_>],
        effect: Effect,
    ) -> Option<StatementRef> {
        policies.iter().find_map(|attached| {
            let statements = attached.policy.statements.iter().enumerate();
            let mut found =
                statements.filter(|(_, statement)| statement.effect == effect && self.applies(statement));
            found.next().map(|(at, statement)| StatementRef::new(policy_type, attached.name, at, statement))
        })
    }

    /// The closest grant of the resource's policy.
    fn resource_grant(&self) -> Option<(Closeness, StatementRef)> {
        let attached = self.policies.resource.as_ref()?;
        let mut best: Option<(Closeness, StatementRef)> = None;
        for (at, statement) in attached.policy.statements.iter().enumerate() {
            if statement.effect != Effect::Allow || !self.applies(statement) {
                continue;
            }
            let Some(closeness) = self.closeness(statement) else { continue };
            if best.as_ref().is_none_or(|(known, _)| *known < closeness) {
                best =
                    Some((closeness, StatementRef::new(PolicyType::Resource, attached.name, at, statement)));
            }
        }
        best
    }

    fn applies(&self, statement: &Statement) -> bool {
        let context = self.request.context;
        (statement.principals.is_none() || self.closeness(statement).is_some())
            && statement.covers_action(&self.action, context)
            && statement.covers_resource(self.request.resource, context)
            && statement.failing_condition(context).is_none()
    }

    pub(crate) fn closeness(&self, statement: &Statement) -> Option<Closeness> {
        statement.principals.as_ref()?.closeness(self.request.caller)
    }

    /// Whether caller and resource share an account; a resource of nobody is everybody's.
    fn is_same_account(&self) -> bool {
        let owner = self.request.resource_account.or_else(|| arn::account(self.request.resource));
        owner.is_none() || owner == self.request.caller.account()
    }
}
