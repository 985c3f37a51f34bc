//! The parsed form of roles' policies, kept so that a call costs no parsing.

use std::sync::{Arc, Mutex, PoisonError};

use apus_env::HashMap;

use crate::evaluation::{Named, Unreadable, parse};
use crate::role::Role;

/// Roles whose policies are kept parsed; one more, and all are forgotten and parsed again as they are asked for.
const ROLES_MAX: usize = 4_096;

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
    pub(crate) fn of(&self, role: &Role) -> Result<Arc<[Named]>, Unreadable> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = kept.get(&role.id)
            && parsed.revision == role.revision
        {
            return Ok(Arc::clone(&parsed.policies));
        }
        let documents = role.inline_policies.iter();
        let policies =
            documents.map(|(name, document)| parse(name, document)).collect::<Result<Arc<[_]>, _>>()?;
        if kept.len() >= ROLES_MAX {
            kept.clear();
        }
        let parsed = Parsed { revision: role.revision, policies: Arc::clone(&policies) };
        kept.insert(role.id.clone(), parsed);
        Ok(policies)
    }
}
