//! Names of groups and streams, and the resource names that are made of them.

use std::str::FromStr;

use apus_kernel::{AccountId, Arn, Caller, Region, Resource};

use crate::errors::Refusal;

/// A group's name is at most so long.
pub(crate) const NAME_LENGTH_MAX: usize = 512;
const SERVICE: &str = "logs";
const GROUP: &str = "log-group:";

/// A log group: its place and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

impl GroupId {
    /// The caller's group of that name.
    pub(crate) fn of(caller: &Caller, name: impl Into<String>) -> Self {
        Self { account: caller.account, region: caller.region.clone(), name: name.into() }
    }

    /// The caller's group, by its name or its resource name; exactly one of the two members is to be given.
    pub(crate) fn either(
        caller: &Caller,
        name: Option<&str>,
        identifier: Option<&str>,
    ) -> Result<Self, Refusal> {
        match (name, identifier) {
            (Some(name), None) => Ok(Self::of(caller, name)),
            (None, Some(identifier)) => Self::identified(caller, identifier),
            (Some(_), Some(_)) => {
                Err(Refusal::parameter("Only one of logGroupName and logGroupIdentifier may be specified."))
            }
            (None, None) => {
                Err(Refusal::parameter("Either logGroupName or logGroupIdentifier must be specified."))
            }
        }
    }

    /// The group that a name or a resource name means.
    pub(crate) fn identified(caller: &Caller, identifier: &str) -> Result<Self, Refusal> {
        if !identifier.starts_with("arn:") {
            return Ok(Self::of(caller, identifier));
        }
        Self::from_arn(identifier)
            .filter(|id| id.region == caller.region)
            .ok_or_else(|| Refusal::parameter("The specified log group identifier is not valid."))
    }

    /// The group that a resource name is about, with or without `:*` at its end.
    pub(crate) fn from_arn(text: &str) -> Option<Self> {
        let arn = Arn::from_str(text).ok().filter(|arn| arn.service == SERVICE)?;
        let name = arn.resource.strip_prefix(GROUP)?;
        let name = name.strip_suffix(":*").unwrap_or(name);
        let valid = !name.is_empty() && name.len() <= NAME_LENGTH_MAX && !name.contains(':');
        let (account, region) = (arn.account.parse().ok()?, arn.region.parse().ok()?);
        valid.then(|| Self { account, region, name: name.to_owned() })
    }

    /// `arn:aws:logs:us-east-1:000000000000:log-group:NAME`.
    pub(crate) fn arn(&self) -> Arn {
        Arn::regional(SERVICE, &self.region, self.account, format!("{GROUP}{}", self.name))
    }

    /// The name that older members show: with `:*` at its end.
    pub(crate) fn arn_of_all(&self) -> String {
        format!("{}:*", self.arn())
    }

    /// A stream's resource name.
    pub(crate) fn stream_arn(&self, stream: &str) -> Arn {
        Arn::regional(
            SERVICE,
            &self.region,
            self.account,
            format!("{GROUP}{}:log-stream:{stream}", self.name),
        )
    }
}

/// What policies are asked about: the service decides over a stream, whose name is empty where an operation is about
/// the whole group. That is how AWS's denials name it, and why `…:log-group:NAME:*` matches.
pub(crate) fn group_resource(caller: &Caller, name: &str) -> Vec<Resource> {
    vec![GroupId::of(caller, name).stream_arn("").into()]
}

/// As [`group_resource`], of a group that is given by name or by resource name.
pub(crate) fn identified_resource(
    caller: &Caller,
    name: Option<&str>,
    identifier: Option<&str>,
    stream: &str,
) -> Vec<Resource> {
    match GroupId::either(caller, name, identifier) {
        Ok(id) => vec![id.stream_arn(stream).into()],
        // The operation refuses the input; until then nothing is allowed by it.
        Err(_) => vec![Resource::All],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_and_by_resource_name() {
        let caller = Caller::root(AccountId::DEVELOPMENT, Region::default());
        let id = GroupId::of(&caller, "/aws/lambda/f");
        for text in [
            "/aws/lambda/f",
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f",
            "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*",
        ] {
            assert_eq!(GroupId::identified(&caller, text).ok().as_ref(), Some(&id), "{text}");
        }
        for text in [
            "arn:aws:logs:us-east-1:000000000000:log-group:",
            "arn:aws:logs:us-east-1:000000000000:log-group:a:log-stream:b",
            "arn:aws:logs:eu-west-1:000000000000:log-group:a",
            "arn:aws:sqs:us-east-1:000000000000:log-group:a",
        ] {
            assert!(GroupId::identified(&caller, text).is_err(), "{text}");
        }
        assert!(GroupId::either(&caller, Some("a"), Some("a")).is_err());
        assert!(GroupId::either(&caller, None, None).is_err());
    }
}
