//! A policy document, parsed.

use crate::Context;
use crate::arn::ArnPattern;
use crate::condition::Condition;
use crate::pattern::Pattern;
use crate::principal::Principals;

/// The longest document that is read at all. Services set lower limits with [`Limits`].
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// More statements than any document within AWS's quotas can hold.
pub const MAX_STATEMENTS: usize = 1024;

/// A policy document.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) version: Version,
    pub(crate) id: Option<String>,
    pub(crate) statements: Vec<Statement>,
}

impl Policy {
    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its `Id`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// How many statements it has.
    pub fn statements(&self) -> usize {
        self.statements.len()
    }

    /// A statement's `Sid`.
    pub fn sid(&self, statement: usize) -> Option<&str> {
        self.statements.get(statement)?.sid.as_deref()
    }
}

/// A version of the policy language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The older one, which a document without a version has: it knows no variables.
    V2008,
    /// Today's.
    V2012,
}

/// What a document is attached to, which decides what it must and must not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user, group or role, a boundary, a session or an organisation: no principals.
    Identity,
    /// A resource: principals and resources.
    Resource,
    /// A role's trust policy: principals, no resources.
    Trust,
}

/// How long a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes.
    pub bytes: usize,
    /// Whether white space counts: IAM counts none of it, other services all.
    pub count_blanks: bool,
}

impl Limits {
    /// No more than [`MAX_DOCUMENT_BYTES`].
    pub const NONE: Self = Self { bytes: MAX_DOCUMENT_BYTES, count_blanks: true };
}

/// Whether a statement allows or denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whoever allows.
    Deny,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    /// Of a resource's or a trust policy.
    pub(crate) principals: Option<Principals>,
    /// In small letters: actions match in any case.
    pub(crate) actions: Patterns<Pattern>,
    /// Absent in a trust policy, which speaks of its own role only.
    pub(crate) resources: Option<Patterns<ArnPattern>>,
    pub(crate) conditions: Vec<Condition>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Patterns<P> {
    Of(Vec<P>),
    NotOf(Vec<P>),
}

impl<P> Patterns<P> {
    fn matches(&self, one: impl Fn(&P) -> bool) -> bool {
        match self {
            Self::Of(list) => list.iter().any(one),
            Self::NotOf(list) => !list.iter().any(one),
        }
    }
}

impl Statement {
    /// `action` in small letters.
    pub(crate) fn covers_action(&self, action: &str, context: &Context) -> bool {
        self.actions.matches(|pattern| pattern.matches(action, context))
    }

    /// Whether its actions speak of that service, `sqs:`, by name.
    pub(crate) fn names_service(&self, service: &str) -> bool {
        match &self.actions {
            Patterns::Of(list) | Patterns::NotOf(list) => list.iter().any(|one| one.begins_with(service)),
        }
    }

    pub(crate) fn covers_resource(&self, resource: &str, context: &Context) -> bool {
        self.resources.as_ref().is_none_or(|list| list.matches(|pattern| pattern.matches(resource, context)))
    }

    /// The first condition that does not hold.
    pub(crate) fn failing_condition(&self, context: &Context) -> Option<&Condition> {
        self.conditions.iter().find(|condition| !condition.holds(context))
    }
}
