//! The parsed form of roles' policies, kept so that a call costs no parsing.

use std::sync::{Arc, Mutex, PoisonError};

use apus_env::HashMap;

use crate::evaluation::{Named, Unreadable, parse};
use crate::role::Role;

/// Roles whose policies are kept parsed; one more, and all are forgotten and parsed again as they are asked for.
const ROLES_MAX: usize = 4_096;

/// By role id, with the revision that was parsed.
#[derive(Default)]
pub(crate) struct ParsedPolicies(Mutex<HashMap<String, (u64, Arc<[Named]>)>>);

impl ParsedPolicies {
    /// The role's policies.
    pub(crate) fn of(&self, role: &Role) -> Result<Arc<[Named]>, Unreadable> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((revision, policies)) = kept.get(&role.id)
            && *revision == role.revision
        {
            return Ok(Arc::clone(policies));
        }
        let parsed: Result<Arc<[Named]>, Unreadable> =
            role.inline_policies.iter().map(|(name, document)| parse(name, document)).collect();
        let parsed = parsed?;
        if kept.len() >= ROLES_MAX {
            kept.clear();
        }
        kept.insert(role.id.clone(), (role.revision, Arc::clone(&parsed)));
        Ok(parsed)
    }
}
