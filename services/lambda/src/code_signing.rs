//! Code signing: configurations that functions can have, and what becomes of code under them. Nothing signs code here, so
//! that all of it is unsigned: under `Warn` it is taken with a warning, under `Enforce` it is refused.

use apus_env::Env;
use apus_kernel::{AccountId, Arn, Caller, Context, Region, Resource};
use apus_model_lambda::{AllowedPublishers, CodeSigningConfig, CodeSigningPolicies, CodeSigningPolicy};
use apus_schema::ServiceError;
use apus_store::Tx;
use apus_time::Timestamp;
use tracing::warn;

use crate::describe::last_modified;
use crate::errors::{self, Failure};
use crate::function_name::FunctionId;
use crate::store::FunctionRecord;
use crate::store::code_signing::{self, CodeSigningRecord};

const ENFORCE: &str = "Enforce";
const PREFIX: &str = "csc-";
/// Characters of an id behind its prefix.
const ID_LENGTH: usize = 17;

/// A configuration's place: account, region and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SigningId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) id: String,
}

impl SigningId {
    /// The one of that id, beside a function.
    pub(crate) fn beside(function: &FunctionId, id: &str) -> Self {
        Self { account: function.account, region: function.region.clone(), id: id.to_owned() }
    }

    /// None yet, of the caller's account and region.
    pub(crate) fn any(caller: &Caller) -> Self {
        Self { account: caller.account, region: caller.region.clone(), id: String::new() }
    }

    /// A new one.
    pub(crate) fn new(env: &Env, caller: &Caller) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let digit = |_| char::from(DIGITS[env.random_below(DIGITS.len() as u64) as usize]);
        let id = PREFIX.chars().chain((0..ID_LENGTH).map(digit)).collect();
        Self { id, ..Self::any(caller) }
    }

    /// The one that an ARN of the caller's account and region names.
    pub(crate) fn parse(arn: &str, account: AccountId, region: &Region) -> Option<Self> {
        let parsed: Arn = arn.parse().ok()?;
        let id = parsed.resource.strip_prefix("code-signing-config:")?;
        let own = parsed.account == account.as_str() && parsed.region == region.as_str();
        own.then(|| Self { account, region: region.clone(), id: id.to_owned() })
    }

    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("lambda", &self.region, self.account, format!("code-signing-config:{}", self.id))
    }
}

/// What is asked about, where an ARN names a configuration.
pub(crate) fn resources(arn: &str) -> Vec<Resource> {
    vec![arn.parse::<Arn>().map_or(Resource::All, Resource::Arn)]
}

/// The configuration that a request names, which may not be there.
pub(crate) fn named(context: &Context, arn: &str) -> Result<SigningId, ServiceError> {
    let caller = &context.caller;
    SigningId::parse(arn, caller.account, &caller.region).ok_or_else(|| errors::no_code_signing(arn))
}

/// What becomes of unsigned code, as a request says; it is warned of, unless told otherwise.
pub(crate) fn untrusted(policies: Option<CodeSigningPolicies>) -> String {
    let policy = policies.and_then(|policies| policies.untrusted_artifact_on_deployment);
    policy.unwrap_or(CodeSigningPolicy::Warn).as_str().to_owned()
}

/// Refuses unsigned code for a function, if its configuration says so. `what` is named by the error.
pub(crate) async fn check_unsigned(
    tx: &Tx,
    function: &FunctionId,
    record: &FunctionRecord,
    what: &str,
) -> Result<(), Failure> {
    let Some(id) = &record.code_signing else { return Ok(()) };
    let id = SigningId::beside(function, id);
    let Some(config) = code_signing::get(tx, &id).await? else {
        return Err(errors::code_signing_gone(&id.arn().to_string()).into());
    };
    if config.untrusted == ENFORCE {
        return Err(errors::code_not_verified(what).into());
    }
    warn!(
        function = function.name,
        what, "unsigned code is deployed, which its code signing configuration warns of"
    );
    Ok(())
}

/// A configuration as answers show it.
pub(crate) fn describe(id: &SigningId, record: &CodeSigningRecord) -> CodeSigningConfig {
    CodeSigningConfig {
        code_signing_config_id: id.id.clone(),
        code_signing_config_arn: id.arn().to_string(),
        description: record.description.clone(),
        allowed_publishers: AllowedPublishers { signing_profile_version_arns: record.publishers.clone() },
        code_signing_policies: CodeSigningPolicies {
            untrusted_artifact_on_deployment: Some(CodeSigningPolicy::from(record.untrusted.as_str())),
        },
        last_modified: last_modified(Timestamp::from_micros(record.modified_at_micros)),
    }
}
