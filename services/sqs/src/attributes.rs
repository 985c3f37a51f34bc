//! The attributes of a queue: their names, bounds and defaults, and how they are set and read.
//!
//! Bounds and defaults are those of the API references of `CreateQueue` and `SetQueueAttributes`.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_policy::{Kind, Limits, Policy};
use minicbor::{Decode, Encode};

use crate::redrive::{RedriveAllowPolicy, RedrivePolicy};

/// The longest policy, in bytes.
const POLICY_BYTES_MAX: usize = 20_480;

/// The attributes of a queue that can be set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Attributes {
    #[n(0)]
    pub(crate) visibility_timeout_secs: u32,
    #[n(1)]
    pub(crate) delay_secs: u32,
    #[n(2)]
    pub(crate) retention_secs: u32,
    #[n(3)]
    pub(crate) message_bytes_max: u32,
    #[n(4)]
    pub(crate) receive_wait_secs: u32,
    /// Of a FIFO queue.
    #[n(5)]
    pub(crate) fifo: Option<FifoAttributes>,
    #[n(6)]
    pub(crate) redrive: Option<RedrivePolicy>,
    #[n(7)]
    pub(crate) redrive_allow: Option<RedriveAllowPolicy>,
    /// The queue's own policy, as it was given; it was checked.
    #[n(8)]
    pub(crate) policy: Option<String>,
    /// Kept and read back: what lies on the disk is the disk's to encrypt.
    #[n(9)]
    #[cbor(default)]
    pub(crate) sqs_managed_sse_off: bool,
}

/// The attributes that only a FIFO queue has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct FifoAttributes {
    /// A message without a deduplication id has the SHA-256 of its body for one.
    #[n(0)]
    pub(crate) content_based_deduplication: bool,
    /// Duplicates are looked for within the message's group, not in the whole queue.
    #[n(1)]
    pub(crate) deduplicates_within_group: bool,
    /// `perMessageGroupId`: recorded, for there is no limit here that it could raise.
    #[n(2)]
    pub(crate) limit_is_per_group: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            visibility_timeout_secs: 30,
            delay_secs: 0,
            retention_secs: 345_600,
            message_bytes_max: 1_048_576,
            receive_wait_secs: 0,
            fifo: None,
            redrive: None,
            redrive_allow: None,
            policy: None,
            sqs_managed_sse_off: false,
        }
    }
}

/// Why attributes are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttributeError {
    /// SQS has no attribute of that name, or it cannot be set, or not on a queue of that type.
    Unknown(String),
    /// SQS has it; Apus does not support it.
    NotSupported(String),
    /// Not a number, or out of bounds.
    Invalid(&'static str),
    /// It cannot be read, or does not go together with the others.
    Because { name: &'static str, value: String, reason: String },
}

impl AttributeError {
    pub(crate) fn because(name: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::Because { name, value: value.into(), reason: reason.into() }
    }
}

/// Name, bounds and place of each attribute that is a number.
type Bounds = (&'static str, u32, u32, fn(&mut Attributes) -> &mut u32);
const BOUNDS: [Bounds; 5] = [
    ("VisibilityTimeout", 0, 43_200, |a| &mut a.visibility_timeout_secs),
    ("DelaySeconds", 0, 900, |a| &mut a.delay_secs),
    ("MessageRetentionPeriod", 60, 1_209_600, |a| &mut a.retention_secs),
    ("MaximumMessageSize", 1_024, 1_048_576, |a| &mut a.message_bytes_max),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, |a| &mut a.receive_wait_secs),
];

impl Attributes {
    /// The defaults with these set, for a new queue whose name says which type it is of.
    pub(crate) fn for_new(fifo: bool, given: &BTreeMap<String, String>) -> Result<Self, AttributeError> {
        let attributes = Self { fifo: fifo.then(FifoAttributes::default), ..Self::default() };
        attributes.with(given)
    }

    /// These, with some set.
    pub(crate) fn with(&self, given: &BTreeMap<String, String>) -> Result<Self, AttributeError> {
        let mut attributes = self.clone();
        for (name, value) in given {
            attributes.set(name, value)?;
        }
        attributes.check_together()?;
        Ok(attributes)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), AttributeError> {
        if let Some((name, min, max, place)) = BOUNDS.iter().find(|bounds| bounds.0 == name) {
            let number = value.parse().ok().filter(|number| (*min..=*max).contains(number));
            *place(self) = number.ok_or(AttributeError::Invalid(name))?;
            return Ok(());
        }
        match name {
            "RedrivePolicy" => self.redrive = optional(value, RedrivePolicy::parse)?,
            "RedriveAllowPolicy" => self.redrive_allow = optional(value, RedriveAllowPolicy::parse)?,
            "Policy" => self.policy = optional(value, policy)?,
            "SqsManagedSseEnabled" => self.sqs_managed_sse_off = !boolean("SqsManagedSseEnabled", value)?,
            // Without a key there is nothing to encrypt with, and its reuse period says nothing.
            "KmsMasterKeyId" if value.is_empty() => {}
            "KmsMasterKeyId" | "KmsDataKeyReusePeriodSeconds" => {
                return Err(AttributeError::NotSupported(name.into()));
            }
            _ => return self.set_fifo(name, value),
        }
        Ok(())
    }

    fn set_fifo(&mut self, name: &str, value: &str) -> Result<(), AttributeError> {
        let Some(fifo) = &mut self.fifo else { return Err(AttributeError::Unknown(name.into())) };
        match name {
            "FifoQueue" => {
                if !boolean("FifoQueue", value)? {
                    let reason = "Modifying queue type is not supported.";
                    return Err(AttributeError::because("FifoQueue", value, reason));
                }
            }
            "ContentBasedDeduplication" => {
                fifo.content_based_deduplication = boolean("ContentBasedDeduplication", value)?;
            }
            "DeduplicationScope" => {
                fifo.deduplicates_within_group =
                    choice("DeduplicationScope", value, "queue", "messageGroup")?;
            }
            "FifoThroughputLimit" => {
                fifo.limit_is_per_group =
                    choice("FifoThroughputLimit", value, "perQueue", "perMessageGroupId")?;
            }
            _ => return Err(AttributeError::Unknown(name.into())),
        }
        Ok(())
    }

    fn check_together(&self) -> Result<(), AttributeError> {
        match &self.fifo {
            Some(fifo) if fifo.limit_is_per_group && !fifo.deduplicates_within_group => {
                Err(AttributeError::because(
                    "FifoThroughputLimit",
                    "perMessageGroupId",
                    "The value perMessageGroupId is allowed only when the value for DeduplicationScope is messageGroup.",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The attributes that can be set, as they are read. Those that are empty are left out.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        let mut own = self.clone();
        let mut shown: Vec<_> =
            BOUNDS.iter().map(|bounds| (bounds.0, bounds.3(&mut own).to_string())).collect();
        shown.push(("SqsManagedSseEnabled", (!self.sqs_managed_sse_off).to_string()));
        if let Some(fifo) = &self.fifo {
            let scope = if fifo.deduplicates_within_group { "messageGroup" } else { "queue" };
            let limit = if fifo.limit_is_per_group { "perMessageGroupId" } else { "perQueue" };
            shown.push(("FifoQueue", "true".into()));
            shown.push(("ContentBasedDeduplication", fifo.content_based_deduplication.to_string()));
            shown.push(("DeduplicationScope", scope.into()));
            shown.push(("FifoThroughputLimit", limit.into()));
        }
        let policies = [
            ("Policy", self.policy.clone()),
            ("RedrivePolicy", self.redrive.as_ref().map(RedrivePolicy::to_json)),
            ("RedriveAllowPolicy", self.redrive_allow.as_ref().map(RedriveAllowPolicy::to_json)),
        ];
        shown.extend(policies.into_iter().filter_map(|(name, text)| Some((name, text?))));
        shown
    }

    /// The first of these names under which the other attributes have a different value.
    pub(crate) fn difference<'n>(
        &self,
        other: &Self,
        mut names: impl Iterator<Item = &'n String>,
    ) -> Option<&'n str> {
        let (own, others) = (self.shown(), other.shown());
        let value = |shown: &[(&'static str, String)], name: &str| {
            shown.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        names.find(|name| value(&own, name) != value(&others, name)).map(String::as_str)
    }

    pub(crate) fn visibility_timeout(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_secs.into())
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_secs.into())
    }

    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(self.retention_secs.into())
    }

    pub(crate) fn receive_wait(&self) -> Duration {
        Duration::from_secs(self.receive_wait_secs.into())
    }
}

/// An empty text takes the attribute away.
fn optional<T>(
    value: &str,
    parse: impl FnOnce(&str) -> Result<T, AttributeError>,
) -> Result<Option<T>, AttributeError> {
    if value.is_empty() { Ok(None) } else { parse(value).map(Some) }
}

fn policy(text: &str) -> Result<String, AttributeError> {
    let limits = Limits { bytes: POLICY_BYTES_MAX, count_blanks: true };
    match Policy::parse(text, Kind::Resource, limits) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(AttributeError::because("Policy", text, error.to_string())),
    }
}

fn boolean(name: &'static str, value: &str) -> Result<bool, AttributeError> {
    match value {
        "true" | "TRUE" | "True" => Ok(true),
        "false" | "FALSE" | "False" => Ok(false),
        _ => Err(AttributeError::Invalid(name)),
    }
}

/// Whether it is the second of two.
fn choice(name: &'static str, value: &str, first: &str, second: &str) -> Result<bool, AttributeError> {
    match value {
        _ if value == first => Ok(false),
        _ if value == second => Ok(true),
        _ => Err(AttributeError::Invalid(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: impl Into<String>) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.into())])
    }

    #[test]
    fn numbers_are_held_to_their_bounds() {
        for (name, min, max, _) in BOUNDS {
            let set = |value: String| Attributes::for_new(false, &given(name, value));
            assert!(set(min.to_string()).is_ok() && set(max.to_string()).is_ok(), "{name}");
            for value in [(max + 1).to_string(), format!("{}", i64::from(min) - 1), String::new(), "x".into()]
            {
                assert_eq!(set(value), Err(AttributeError::Invalid(name)));
            }
        }
    }

    #[test]
    fn each_type_of_queue_has_its_own_attributes() {
        for (fifo, name, value, expected) in [
            (false, "QueueArn", "x", AttributeError::Unknown("QueueArn".into())),
            (false, "Colour", "red", AttributeError::Unknown("Colour".into())),
            (false, "FifoQueue", "false", AttributeError::Unknown("FifoQueue".into())),
            (
                false,
                "ContentBasedDeduplication",
                "true",
                AttributeError::Unknown("ContentBasedDeduplication".into()),
            ),
            (false, "KmsMasterKeyId", "alias/x", AttributeError::NotSupported("KmsMasterKeyId".into())),
            (true, "DeduplicationScope", "both", AttributeError::Invalid("DeduplicationScope")),
            (true, "ContentBasedDeduplication", "yes", AttributeError::Invalid("ContentBasedDeduplication")),
        ] {
            assert_eq!(Attributes::for_new(fifo, &given(name, value)), Err(expected));
        }
        for (name, value) in [("FifoQueue", "false"), ("FifoThroughputLimit", "perMessageGroupId")] {
            let refused = Attributes::for_new(true, &given(name, value));
            assert!(matches!(refused, Err(AttributeError::Because { .. })), "{name} {refused:?}");
        }
    }

    #[test]
    fn what_is_shown_can_be_set_and_is_the_same() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead.fifo";
        let set = BTreeMap::from(
            [
                ("VisibilityTimeout", "7".to_owned()),
                ("FifoQueue", "true".to_owned()),
                ("ContentBasedDeduplication", "true".to_owned()),
                ("DeduplicationScope", "messageGroup".to_owned()),
                ("FifoThroughputLimit", "perMessageGroupId".to_owned()),
                ("SqsManagedSseEnabled", "false".to_owned()),
                ("RedrivePolicy", format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"4"}}"#)),
                ("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#.to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let attributes = Attributes::for_new(true, &set).expect("they are valid");
        let shown: BTreeMap<_, _> =
            attributes.shown().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let again = Attributes::for_new(true, &shown);
        assert_eq!(again.as_ref(), Ok(&attributes));
        assert_eq!(
            attributes.difference(&Attributes::default(), shown.keys()),
            Some("ContentBasedDeduplication")
        );
        assert_eq!(attributes.difference(&attributes, shown.keys()), None);
        assert!(set.iter().all(|(name, value)| name == "RedrivePolicy" || shown.get(name) == Some(value)));
    }

    #[test]
    fn an_empty_policy_takes_it_away() {
        let set =
            Attributes::default().with(&given("RedriveAllowPolicy", r#"{"redrivePermission":"allowAll"}"#));
        let set = set.expect("it is valid");
        assert!(set.redrive_allow.is_some());
        assert_eq!(set.with(&given("RedriveAllowPolicy", "")), Ok(Attributes::default()));
    }
}
