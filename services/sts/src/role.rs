//! The role that somebody wants to become: found by its name, read through IAM.

use apus_kernel::{AccountId, Arn, Caller, Context};
use apus_model_iam::errors::NO_SUCH_ENTITY_EXCEPTION;
use apus_model_iam::{GetRole, GetRoleRequest};
use apus_schema::ServiceError;
use percent_encoding::percent_decode_str;

use crate::errors::StsError;
use crate::session::SECONDS_DEFAULT;

/// Whom STS reads roles as.
const STS: &str = "sts.amazonaws.com";

/// Which role is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleName {
    pub(crate) arn: Arn,
    pub(crate) account: AccountId,
    /// Without its path.
    pub(crate) name: String,
}

impl RoleName {
    /// The role in `arn:aws:iam::123456789012:role/path/name`.
    pub(crate) fn from_arn(text: &str) -> Result<Self, StsError> {
        let invalid = || StsError::InvalidArn { arn: text.to_owned() };
        let arn: Arn = text.parse().map_err(|_| invalid())?;
        let account = arn.account.parse().map_err(|_| invalid())?;
        let path = arn.resource.strip_prefix("role/").ok_or_else(invalid)?;
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let valid = arn.service == "iam" && arn.region.is_empty() && !name.is_empty();
        if valid { Ok(Self { arn, account, name }) } else { Err(invalid()) }
    }
}

/// What STS needs to know of a role.
#[derive(Clone, Debug)]
pub(crate) struct AssumableRole {
    pub(crate) arn: Arn,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) session_seconds_max: i32,
    pub(crate) trust_policy: String,
}

/// The role of that name, if there is one.
pub(crate) async fn find(
    context: &Context,
    account: AccountId,
    name: &str,
) -> Result<Option<AssumableRole>, ServiceError> {
    let caller = Caller::service(STS, account, context.caller.region.clone());
    let answer = context.call_as::<GetRole>(caller, GetRoleRequest { role_name: name.to_owned() }).await;
    let role = match answer {
        Ok(answer) => answer.role,
        Err(error) if error.is(&NO_SUCH_ENTITY_EXCEPTION) => return Ok(None),
        Err(error) => return Err(error),
    };
    let document = role.assume_role_policy_document.unwrap_or_default();
    let trust_policy =
        percent_decode_str(&document).decode_utf8().map_err(ServiceError::internal)?.into_owned();
    Ok(Some(AssumableRole {
        arn: role.arn.parse().map_err(ServiceError::internal)?,
        name: role.role_name,
        id: role.role_id,
        session_seconds_max: role.max_session_duration.unwrap_or(SECONDS_DEFAULT),
        trust_policy,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_named_by_its_arn_and_nothing_else() {
        let name = |text: &str| RoleName::from_arn(text).map(|role| role.name).ok();
        assert_eq!(name("arn:aws:iam::123456789012:role/worker").as_deref(), Some("worker"));
        assert_eq!(name("arn:aws:iam::123456789012:role/a/b/worker").as_deref(), Some("worker"));
        for text in [
            "worker",
            "arn:aws:iam::123456789012:user/worker",
            "arn:aws:sts::123456789012:role/worker",
            "arn:aws:iam:us-east-1:123456789012:role/worker",
            "arn:aws:iam::12345:role/worker",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
