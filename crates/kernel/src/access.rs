//! What a call needs to be allowed, and the port that decides it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use apus_schema::{Operation, ServiceError};

use crate::{AccountId, Arn, Caller, Context};

/// A future of the ports, which are used behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An operation's IAM action, and the resources that a call of it touches.
///
/// Actions and resources are those of AWS's Service Authorization Reference.
pub struct Access<O: Operation> {
    /// `sqs:SendMessage`.
    pub action: &'static str,
    /// The resources, from the input and the place that the caller calls for.
    pub resources: fn(&O::Input, &Caller) -> Vec<Resource>,
}

impl<O: Operation> Access<O> {
    /// The action on these resources.
    pub const fn new(action: &'static str, resources: fn(&O::Input, &Caller) -> Vec<Resource>) -> Self {
        Self { action, resources }
    }

    /// An action of no particular resource: policies must allow it on `*`.
    pub const fn on_all(action: &'static str) -> Self {
        Self { action, resources: |_, _| vec![Resource::All] }
    }

    /// Anybody with valid credentials may call it, as `GetCallerIdentity`.
    pub const fn free(action: &'static str) -> Self {
        Self { action, resources: |_, _| Vec::new() }
    }
}

/// What an action touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// One resource.
    Arn(Arn),
    /// No resource in particular: `*`.
    All,
}

impl From<Arn> for Resource {
    fn from(arn: Arn) -> Self {
        Self::Arn(arn)
    }
}

/// A question to the [`Authorizer`].
#[derive(Clone, Debug)]
pub struct AccessRequest<'a> {
    /// The call that it is about.
    pub context: &'a Context,
    /// `sqs:SendMessage`.
    pub action: &'static str,
    /// What it touches.
    pub resource: Resource,
    /// Whose resource it is: the account in its name, or else the one that the caller calls for.
    pub owner: AccountId,
    /// The resource's own policy, where its handler knows one.
    pub resource_policy: Option<ResourcePolicy<'a>>,
    /// The service's own condition keys, each with its values; those of every call are
    /// [`Context::condition_keys`].
    pub conditions: BTreeMap<String, Vec<String>>,
}

/// A resource's own policy: it may let in whom his own policies do not, and others' principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourcePolicy<'a> {
    /// The document, as JSON.
    pub document: &'a str,
    /// Nobody gets in whom it does not allow, whatever his own policies say: a role's trust policy.
    pub must_allow: bool,
}

impl<'a> AccessRequest<'a> {
    /// Whether the call may do that, as far as the door knows. A handler that knows more sets it.
    pub fn new(context: &'a Context, action: &'static str, resource: Resource) -> Self {
        let named = match &resource {
            Resource::Arn(arn) => arn.account.parse().ok(),
            Resource::All => None,
        };
        let owner = named.unwrap_or(context.caller.account);
        Self { context, action, resource, owner, resource_policy: None, conditions: BTreeMap::new() }
    }
}

/// A service whose resources have policies of their own: the door has them decide before a handler runs.
pub trait ResourcePolicies: Send + Sync + 'static {
    /// The policy of the resource that is asked for, as JSON. Nothing where it has none, where there is no such
    /// resource, and where its policy has no say in that action.
    fn policy<'a>(
        &'a self,
        request: &'a AccessRequest<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, ServiceError>>;
}

/// Decides whether a call is allowed. A denial is the error that the caller reads.
pub trait Authorizer: Send + Sync + 'static {
    /// Allowed, or the denial. What cannot be decided is denied.
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>>;
}
