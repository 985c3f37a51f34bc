//! What was decided, by which statement, and how a denial is told.

use std::fmt;

use crate::document::{Effect, Statement};
use crate::evaluate::{Evaluation, Request};

/// The verdict on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed {
        /// The statement that says so; nothing for an account's root in its own account.
        by: Option<StatementRef>,
    },
    /// A statement forbids it.
    Denied {
        /// Which.
        by: StatementRef,
    },
    /// No statement allows it.
    DeniedImplicitly {
        /// The type of policy that would have to.
        lacking: PolicyType,
        /// The statement that comes closest.
        hint: Option<Box<Hint>>,
    },
}

/// A type of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyType {
    /// An organisation's service control policy.
    Scp,
    /// The resource's own policy.
    Resource,
    /// A policy of the caller's.
    Identity,
    /// A permissions boundary.
    Boundary,
    /// A session's policy.
    Session,
}

impl PolicyType {
    /// In the order in which they may deny.
    pub(crate) const ALL: [Self; 5] =
        [Self::Scp, Self::Resource, Self::Identity, Self::Boundary, Self::Session];

    fn article(self) -> &'static str {
        if self == Self::Identity { "an" } else { "a" }
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scp => "service control policy",
            Self::Resource => "resource-based policy",
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        })
    }
}

/// A statement, by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRef {
    /// The type of its policy.
    pub policy_type: PolicyType,
    /// The name of its policy.
    pub policy: String,
    /// Its place in the policy, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
}

impl StatementRef {
    pub(crate) fn new(policy_type: PolicyType, policy: &str, at: usize, statement: &Statement) -> Self {
        Self { policy_type, policy: policy.to_owned(), statement: at, sid: statement.sid.clone() }
    }
}

impl fmt::Display for StatementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sid {
            Some(sid) if !sid.is_empty() => {
                write!(f, "statement {sid:?} of {} {:?}", self.policy_type, self.policy)
            }
            _ => write!(f, "statement {} of {} {:?}", self.statement, self.policy_type, self.policy),
        }
    }
}

/// The statement that would nearly have allowed a request, and why it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Which.
    pub statement: StatementRef,
    /// What about it does not match, in the order of a statement's elements.
    pub misses: Vec<Miss>,
}

/// An element of a statement that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It speaks of other callers.
    Principal,
    /// It speaks of other actions of the service.
    Action,
    /// It speaks of other resources.
    Resource,
    /// A condition does not hold.
    Condition {
        /// As written.
        condition: String,
        /// What the request has for its key.
        actual: Vec<String>,
    },
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal => f.write_str("its principals do not include the caller"),
            Self::Action => f.write_str("its actions do not include this one"),
            Self::Resource => f.write_str("its resources do not include this one"),
            Self::Condition { condition, actual } if actual.is_empty() => {
                write!(f, "its condition {condition} does not hold: the request has no such key")
            }
            Self::Condition { condition, actual } => {
                write!(f, "its condition {condition} does not hold: the request has {actual:?}")
            }
        }
    }
}

impl Decision {
    /// Whether it may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// AWS's message for a denial; nothing for an allowance.
    pub fn message(&self, request: &Request<'_>) -> Option<String> {
        let because = match self {
            Self::Allowed { .. } => return None,
            Self::Denied { by } => {
                format!("with an explicit deny in {} {}", by.policy_type.article(), by.policy_type)
            }
            Self::DeniedImplicitly { lacking, .. } => {
                format!("because no {lacking} allows the {} action", request.action)
            }
        };
        Some(format!(
            "User: {} is not authorized to perform: {} on resource: {} {because}",
            request.caller, request.action, request.resource
        ))
    }

    /// A line of our own beneath that message: which statement decided, or would nearly have allowed.
    pub fn explanation(&self, request: &Request<'_>) -> Option<String> {
        match self {
            Self::Allowed { .. } => None,
            Self::Denied { by } => Some(format!("denied by {by}")),
            Self::DeniedImplicitly { hint: Some(hint), .. } => {
                let misses: Vec<String> = hint.misses.iter().map(ToString::to_string).collect();
                Some(format!("{} would have allowed it, but {}", hint.statement, misses.join(", and ")))
            }
            Self::DeniedImplicitly { lacking, hint: None } => Some(format!(
                "no statement comes near: {} {lacking} needs one with Action {:?} and Resource {:?}",
                lacking.article(),
                request.action,
                request.resource
            )),
        }
    }
}

/// The allowing statement that misses least, among those of the type that names the action, or at least its service
/// together with the resource.
pub(crate) fn hint(evaluation: &Evaluation<'_>, lacking: PolicyType) -> Option<Hint> {
    let request = evaluation.request;
    let service = evaluation.action.split_inclusive(':').next().unwrap_or_default();
    let mut best: Option<(u32, Hint)> = None;
    for attached in evaluation.of_type(lacking) {
        for (at, statement) in attached.policy.statements.iter().enumerate() {
            if statement.effect != Effect::Allow {
                continue;
            }
            let mut misses = Vec::new();
            let mut cost = 0;
            if statement.principals.is_some() && evaluation.closeness(statement).is_none() {
                misses.push(Miss::Principal);
                cost += 3;
            }
            if !statement.covers_action(&evaluation.action, request.context) {
                if !statement.names_service(service) {
                    continue;
                }
                misses.push(Miss::Action);
                cost += 8;
            }
            if !statement.covers_resource(request.resource, request.context) {
                misses.push(Miss::Resource);
                cost += 4;
            }
            for condition in statement.conditions.iter().filter(|one| !one.holds(request.context)) {
                let actual = request.context.get(&condition.key).to_vec();
                misses.push(Miss::Condition { condition: condition.to_string(), actual });
                cost += 1;
            }
            if cost >= 12 {
                continue;
            }
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                let statement = StatementRef::new(lacking, attached.name, at, statement);
                best = Some((cost, Hint { statement, misses }));
            }
        }
    }
    best.map(|(_, hint)| hint)
}
