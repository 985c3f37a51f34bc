//! A topic: its name, its attributes and their bounds, which are those of the API reference of `CreateTopic`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use apus_kernel::{AccountId, Arn, Region};
use apus_policy::{Kind, Limits, Policy};
use minicbor::{Decode, Encode};
use serde_json::json;

use crate::delivery_policy::DeliveryPolicy;
use crate::errors::ParameterError;

/// The longest display name, in characters.
const DISPLAY_NAME_CHARS_MAX: usize = 100;

/// A topic's name: 1 to 256 letters, digits, hyphens and underscores; a FIFO topic's ends in `.fifo`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TopicName(String);

/// A text that is no topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidName;

const FIFO_SUFFIX: &str = ".fifo";

/// Whether a topic or a queue of that name is a FIFO one.
pub(crate) fn is_fifo(name: &str) -> bool {
    name.ends_with(FIFO_SUFFIX)
}

impl TopicName {
    const LENGTH_MAX: usize = 256;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_fifo(&self) -> bool {
        is_fifo(&self.0)
    }
}

impl FromStr for TopicName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let stem = text.strip_suffix(FIFO_SUFFIX).unwrap_or(text);
        let valid = !stem.is_empty()
            && text.len() <= Self::LENGTH_MAX
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

/// A topic's place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TopicId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: TopicName,
}

impl TopicId {
    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("sns", &self.region, self.account, self.name.as_str())
    }

    /// The topic that a resource name means; nothing if it means none.
    pub(crate) fn named(arn: &Arn) -> Option<Self> {
        if arn.service != "sns" {
            return None;
        }
        let (account, region) = (arn.account.parse().ok()?, arn.region.parse().ok()?);
        Some(Self { account, region, name: arn.resource.parse().ok()? })
    }

    /// As [`Self::named`], of a text. `parameter` is what it was given as.
    pub(crate) fn parse(text: &str, parameter: &str) -> Result<Self, ParameterError> {
        Self::named(&parse_arn(text, parameter)?)
            .ok_or_else(|| ParameterError::because(parameter, "An ARN of a topic is required"))
    }
}

/// A resource name, refused in SNS's words.
pub(crate) fn parse_arn(text: &str, parameter: &str) -> Result<Arn, ParameterError> {
    text.parse().map_err(|_| {
        let parts = text.split(':').count();
        let reason = if parts < 6 {
            format!("An ARN must have at least 6 elements, not {parts}")
        } else {
            format!("{text} is not an Amazon resource name")
        };
        ParameterError::because(parameter, reason)
    })
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.arn().fmt(f)
    }
}

/// Over what a FIFO topic finds repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) enum ThroughputScope {
    #[default]
    #[n(0)]
    Topic,
    #[n(1)]
    MessageGroup,
}

/// What only FIFO topics have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct FifoAttributes {
    #[n(0)]
    pub(crate) content_based: bool,
    #[n(1)]
    pub(crate) scope: ThroughputScope,
}

/// The attributes of a topic that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct TopicAttributes {
    #[n(0)]
    pub(crate) display_name: String,
    /// Nothing is the default one.
    #[n(1)]
    pub(crate) policy: Option<String>,
    #[n(2)]
    pub(crate) delivery_policy: Option<DeliveryPolicy>,
    #[n(3)]
    pub(crate) fifo: Option<FifoAttributes>,
    /// 1, unless it was set.
    #[n(4)]
    pub(crate) signature_version: Option<u8>,
    #[n(5)]
    pub(crate) tracing: Option<String>,
}

/// What SNS has and Apus has not.
const NOT_SUPPORTED: [&str; 3] = ["KmsMasterKeyId", "ArchivePolicy", "DataProtectionPolicy"];
/// The endings of the attributes that say where to log deliveries.
const FEEDBACK: [&str; 3] = ["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];

impl TopicAttributes {
    /// For a new topic, whose name says which type it is of.
    pub(crate) fn for_new(
        name: &TopicName,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, ParameterError> {
        let says_fifo = given.get("FifoTopic").map(|value| boolean("FifoTopic", value)).transpose()?;
        if says_fifo.unwrap_or(false) != name.is_fifo() {
            return Err(ParameterError::plain(if name.is_fifo() {
                "Topic Name"
            } else {
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII \
                 letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
            }));
        }
        let mut attributes = Self { fifo: name.is_fifo().then(FifoAttributes::default), ..Self::default() };
        for (attribute, value) in given.iter().filter(|(attribute, _)| *attribute != "FifoTopic") {
            attributes.set(attribute, value)?;
        }
        Ok(attributes)
    }

    /// Sets one.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        match name {
            "DisplayName" => {
                if value.chars().count() > DISPLAY_NAME_CHARS_MAX || value.chars().any(char::is_control) {
                    return Err(ParameterError::plain("DisplayName"));
                }
                value.clone_into(&mut self.display_name);
            }
            "Policy" if value.is_empty() => self.policy = None,
            "Policy" => {
                // Numbers are the quota's of topic policies: 30 KB.
                if value.len() > 30 * 1_024 {
                    return Err(ParameterError::because(
                        "Policy",
                        "Length of the policy exceeds 30720 bytes",
                    ));
                }
                Policy::parse(value, Kind::Resource, Limits::NONE)
                    .map_err(|error| ParameterError::because("Policy", error.to_string()))?;
                self.policy = Some(value.to_owned());
            }
            "DeliveryPolicy" if value.is_empty() => self.delivery_policy = None,
            "DeliveryPolicy" => self.delivery_policy = Some(DeliveryPolicy::of_topic(value)?),
            "SignatureVersion" => {
                let version = value.parse().ok().filter(|version| matches!(version, 1 | 2));
                self.signature_version =
                    Some(version.ok_or_else(|| ParameterError::plain("SignatureVersion"))?);
            }
            "TracingConfig" if value == "PassThrough" => self.tracing = Some(value.to_owned()),
            "TracingConfig" if value == "Active" => {
                return Err(ParameterError::NotSupported("TracingConfig Active".into()));
            }
            "TracingConfig" => return Err(ParameterError::plain("TracingConfig")),
            "ContentBasedDeduplication" => {
                let on = boolean(name, value)?;
                self.fifo_only(name)?.content_based = on;
            }
            "FifoThroughputScope" => {
                self.fifo_only(name)?.scope = match value {
                    "Topic" => ThroughputScope::Topic,
                    "MessageGroup" => ThroughputScope::MessageGroup,
                    _ => return Err(ParameterError::plain("FifoThroughputScope")),
                };
            }
            "KmsMasterKeyId" if value.is_empty() => {}
            other if NOT_SUPPORTED.contains(&other) || FEEDBACK.iter().any(|end| other.ends_with(end)) => {
                return Err(ParameterError::NotSupported(format!("the topic attribute {other}")));
            }
            _ => return Err(ParameterError::plain("AttributeName")),
        }
        Ok(())
    }

    fn fifo_only(&mut self, name: &str) -> Result<&mut FifoAttributes, ParameterError> {
        self.fifo.as_mut().ok_or_else(|| {
            ParameterError::because("Attributes", format!("{name} can only be set for FIFO topics"))
        })
    }

    /// What notifications are signed by, also where nobody chose.
    pub(crate) fn effective_signature_version(&self) -> u8 {
        self.signature_version.unwrap_or(1)
    }

    /// Whom letters are from.
    pub(crate) fn sender(&self, id: &TopicId) -> String {
        if self.display_name.is_empty() { id.to_string() } else { self.display_name.clone() }
    }

    /// The policy, also where none was set.
    pub(crate) fn effective_policy(&self, id: &TopicId) -> String {
        self.policy.clone().unwrap_or_else(|| default_policy(id))
    }
}

/// What AWS gives a topic for a policy.
fn default_policy(id: &TopicId) -> String {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
                "SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish",
            ],
            "Resource": id.to_string(),
            "Condition": { "StringEquals": { "AWS:SourceOwner": id.account.to_string() } },
        }],
    })
    .to_string()
}

/// `true` or `false`, in any case.
pub(crate) fn boolean(name: &str, value: &str) -> Result<bool, ParameterError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ParameterError::because(
            "Attributes",
            format!("{name}: Invalid value [{value}]. Must be true or false."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, given: &[(&str, &str)]) -> Result<TopicAttributes, ParameterError> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TopicAttributes::for_new(&name.parse().expect("a name"), &given)
    }

    #[test]
    fn names_have_their_form() {
        for name in ["a", "A-b_9", "jobs.fifo", &"x".repeat(256)] {
            assert!(name.parse::<TopicName>().is_ok(), "{name}");
        }
        for name in ["", ".fifo", "a.b", "a b", "a/b", "ä", &"x".repeat(257)] {
            assert_eq!(name.parse::<TopicName>(), Err(InvalidName), "{name}");
        }
        let arn = |text: &str| TopicId::parse(text, "TopicArn").map(|id| id.to_string());
        assert!(arn("arn:aws:sns:us-east-1:000000000000:t").is_ok());
        for text in ["t", "arn:aws:sqs:us-east-1:000000000000:t", "arn:aws:sns:us-east-1:000000000000:t:x"] {
            assert!(arn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn attributes_have_their_bounds() {
        assert_eq!(made("t", &[]), Ok(TopicAttributes::default()));
        assert!(made("t.fifo", &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]).is_ok());
        assert!(
            made("t", &[("SignatureVersion", "2"), ("FifoTopic", "false"), ("KmsMasterKeyId", "")]).is_ok()
        );
        for (name, given) in [
            ("t.fifo", &[][..]),
            ("t", &[("FifoTopic", "true")]),
            ("t", &[("ContentBasedDeduplication", "true")]),
            ("t", &[("SignatureVersion", "3")]),
            ("t", &[("DisplayName", "a\nb")]),
            ("t", &[("Policy", "{}")]),
            ("t", &[("TracingConfig", "On")]),
            ("t", &[("Colour", "red")]),
        ] {
            assert!(matches!(made(name, given), Err(ParameterError::Invalid(_))), "{name} {given:?}");
        }
        for name in ["KmsMasterKeyId", "HTTPSuccessFeedbackRoleArn", "ArchivePolicy"] {
            assert!(matches!(made("t", &[(name, "x")]), Err(ParameterError::NotSupported(_))), "{name}");
        }
        let id = TopicId::parse("arn:aws:sns:us-east-1:000000000000:t", "TopicArn").expect("a topic");
        let policy = TopicAttributes::default().effective_policy(&id);
        assert!(Policy::parse(&policy, Kind::Resource, Limits::NONE).is_ok(), "{policy}");
    }
}
