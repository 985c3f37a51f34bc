//! The parsed form of policies, kept so that a call costs no parsing: roles' by revision, resources' by their text.

use std::sync::{Arc, Mutex, PoisonError};

use apus_env::HashMap;
use apus_policy::{Attached, Kind, Limits, ParseError, Policy};

use crate::role::Role;

/// Roles whose policies are kept parsed; one more, and all are forgotten and parsed again as they are asked for.
const ROLES_MAX: usize = 4_096;

/// Resources' policies that are kept parsed, with the same end.
const DOCUMENTS_MAX: usize = 4_096;

/// An inline policy under its name.
pub(crate) struct Named {
    name: String,
    policy: Policy,
}

impl Named {
    pub(crate) fn attached(&self) -> Attached<'_> {
        Attached { name: &self.name, policy: &self.policy }
    }
}

/// By role id.
#[derive(Default)]
pub(crate) struct ParsedPolicies(Mutex<HashMap<String, Parsed>>);

/// The policies of one role at one revision.
struct Parsed {
    revision: u64,
    policies: Arc<[Named]>,
}

impl ParsedPolicies {
    /// The role's policies.
    pub(crate) fn of(&self, role: &Role) -> Result<Arc<[Named]>, ParseError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = kept.get(&role.id)
            && parsed.revision == role.revision
        {
            return Ok(Arc::clone(&parsed.policies));
        }
        let policies = role.inline_policies.iter().map(parse).collect::<Result<Arc<[_]>, _>>()?;
        if kept.len() >= ROLES_MAX {
            kept.clear();
        }
        let parsed = Parsed { revision: role.revision, policies: Arc::clone(&policies) };
        kept.insert(role.id.clone(), parsed);
        Ok(policies)
    }
}

/// Resources' policies, by their text.
#[derive(Default)]
pub(crate) struct ParsedDocuments(Mutex<HashMap<String, Arc<Policy>>>);

impl ParsedDocuments {
    /// The policy of a resource.
    pub(crate) fn of(&self, document: &str) -> Result<Arc<Policy>, ParseError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = kept.get(document) {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(Policy::parse(document, Kind::Resource, Limits::NONE)?);
        if kept.len() >= DOCUMENTS_MAX {
            kept.clear();
        }
        kept.insert(document.to_owned(), Arc::clone(&policy));
        Ok(policy)
    }
}

fn parse((name, document): (&String, &String)) -> Result<Named, ParseError> {
    let policy = Policy::parse(document, Kind::Identity, Limits::NONE)?;
    Ok(Named { name: name.clone(), policy })
}
