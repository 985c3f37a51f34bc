//! Why a call is denied, in the words that AWS uses for it.

use apus_kernel::{AccessRequest, Resource};

/// A denial, without the request that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// No statement of the principal's own policies allows it.
    NotAllowedByIdentity {
        /// What would have allowed it, as a sentence.
        hint: Option<String>,
    },
    /// A statement of the principal's own policies denies it.
    DeniedByIdentity,
    /// The session's policy does not allow it, whatever the role's policies say.
    NotAllowedBySession {
        /// What would have allowed it, as a sentence.
        hint: Option<String>,
    },
    /// A statement of the session's policy denies it.
    DeniedBySession,
    /// Only a policy of the resource could allow it: to another account, or to nobody in particular.
    NotAllowedByResource,
}

impl Denial {
    /// The whole message.
    pub(crate) fn message(&self, request: &AccessRequest<'_>) -> String {
        let action = request.action;
        let user = &request.context.caller.principal;
        let resource = match &request.resource {
            Resource::Arn(arn) => arn.to_string(),
            Resource::All => "*".to_owned(),
        };
        let refused = format!("User: {user} is not authorized to perform: {action} on resource: {resource}");
        let (reason, hint) = match self {
            Self::NotAllowedByIdentity { hint } => {
                (format!("because no identity-based policy allows the {action} action"), hint.as_deref())
            }
            Self::DeniedByIdentity => ("with an explicit deny in an identity-based policy".to_owned(), None),
            Self::NotAllowedBySession { hint } => {
                (format!("because no session policy allows the {action} action"), hint.as_deref())
            }
            Self::DeniedBySession => ("with an explicit deny in a session policy".to_owned(), None),
            Self::NotAllowedByResource => {
                (format!("because no resource-based policy allows the {action} action"), None)
            }
        };
        match hint {
            Some(hint) => format!("{refused} {reason}. {hint}"),
            None => format!("{refused} {reason}"),
        }
    }
}
