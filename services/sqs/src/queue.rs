//! A queue: its name, its URL, its attributes and their bounds.
//!
//! Bounds and defaults are those of the API reference of `CreateQueue`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use apus_kernel::{AccountId, Arn, Region};
use minicbor::{Decode, Encode};

/// A queue's name: 1 to 80 letters, digits, hyphens and underscores; a FIFO queue's ends in `.fifo`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueName(String);

/// A text that is no queue's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidName;

impl QueueName {
    const LENGTH_MAX: usize = 80;
    const FIFO_SUFFIX: &str = ".fifo";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is a FIFO queue's.
    pub(crate) fn is_fifo(&self) -> bool {
        self.0.ends_with(Self::FIFO_SUFFIX)
    }
}

impl FromStr for QueueName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let stem = text.strip_suffix(Self::FIFO_SUFFIX).unwrap_or(text);
        let valid = !stem.is_empty()
            && text.len() <= Self::LENGTH_MAX
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A queue's place: the account and region that it lives in, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: QueueName,
}

impl QueueId {
    /// The queue that a URL means, for a caller in that region. SDKs send every form in which they were
    /// given one; what counts are the last two segments, account and name.
    pub(crate) fn from_url(url: &str, region: &Region) -> Result<Self, InvalidName> {
        let path =
            url.split_once("://").map_or(url, |(_scheme, rest)| rest.split_once('/').map_or("", |x| x.1));
        let path = path.trim_end_matches('/');
        let (before, name) = path.rsplit_once('/').ok_or(InvalidName)?;
        let account = before.rsplit('/').next().unwrap_or(before);
        let account = account.parse().map_err(|_| InvalidName)?;
        Ok(Self { account, region: region.clone(), name: name.parse()? })
    }

    /// The URL that clients reach the queue at, below the platform's own.
    pub(crate) fn url(&self, base_url: &str) -> String {
        format!("{base_url}/{}/{}", self.account, self.name)
    }

    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("sqs", &self.region, self.account, self.name.as_str())
    }
}

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
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            visibility_timeout_secs: 30,
            delay_secs: 0,
            retention_secs: 345_600,
            message_bytes_max: 1_048_576,
            receive_wait_secs: 0,
        }
    }
}

/// Why attributes are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttributeError {
    /// SQS has no attribute of that name.
    Unknown(String),
    /// SQS has it; Apus does not support it.
    NotSupported(String),
    /// It cannot be set.
    ReadOnly(String),
    /// Not a number, or out of bounds.
    Invalid(&'static str),
}

/// Name, bounds and place of each attribute that can be set.
type Bounds = (&'static str, u32, u32, fn(&mut Attributes) -> &mut u32);
const BOUNDS: [Bounds; 5] = [
    ("VisibilityTimeout", 0, 43_200, |a| &mut a.visibility_timeout_secs),
    ("DelaySeconds", 0, 900, |a| &mut a.delay_secs),
    ("MessageRetentionPeriod", 60, 1_209_600, |a| &mut a.retention_secs),
    ("MaximumMessageSize", 1_024, 1_048_576, |a| &mut a.message_bytes_max),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, |a| &mut a.receive_wait_secs),
];
const NOT_SUPPORTED: [&str; 10] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];
const READ_ONLY: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

impl Attributes {
    /// The defaults, with these set.
    pub(crate) fn from_request(set: &BTreeMap<String, String>) -> Result<Self, AttributeError> {
        let mut attributes = Self::default();
        for (name, value) in set {
            attributes.set(name, value)?;
        }
        Ok(attributes)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), AttributeError> {
        if let Some((name, min, max, place)) = BOUNDS.iter().find(|bounds| bounds.0 == name) {
            let number = value.parse().ok().filter(|number| (*min..=*max).contains(number));
            *place(self) = number.ok_or(AttributeError::Invalid(name))?;
            return Ok(());
        }
        Err(match name {
            _ if NOT_SUPPORTED.contains(&name) => AttributeError::NotSupported(name.into()),
            _ if READ_ONLY.contains(&name) => AttributeError::ReadOnly(name.into()),
            _ => AttributeError::Unknown(name.into()),
        })
    }

    /// The first attribute whose value differs, by name.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        let (mut own, mut others) = (self.clone(), other.clone());
        BOUNDS.iter().find(|bounds| *bounds.3(&mut own) != *bounds.3(&mut others)).map(|bounds| bounds.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_form() {
        for name in ["a", "A-b_9", "jobs.fifo", &"x".repeat(80)] {
            assert!(name.parse::<QueueName>().is_ok(), "{name}");
        }
        for name in
            ["", ".fifo", "a.b", "a b", "a/b", "ä", &"x".repeat(81), &format!("{}.fifo", "x".repeat(76))]
        {
            assert_eq!(name.parse::<QueueName>(), Err(InvalidName), "{name}");
        }
    }

    #[test]
    fn urls_of_every_form_lead_to_the_queue() {
        let region: Region = "eu-west-1".parse().expect("a region");
        for url in [
            "http://127.0.0.1:4566/000000000000/jobs",
            "https://sqs.eu-west-1.amazonaws.com/000000000000/jobs",
            "https://eu-west-1.queue.amazonaws.com/000000000000/jobs",
            "http://localhost:4566/queue/eu-west-1/000000000000/jobs/",
            "/000000000000/jobs",
        ] {
            let queue = QueueId::from_url(url, &region).unwrap_or_else(|_| panic!("{url}"));
            assert_eq!(queue.arn().to_string(), "arn:aws:sqs:eu-west-1:000000000000:jobs");
        }
        for url in
            ["", "jobs", "http://127.0.0.1:4566/", "http://127.0.0.1:4566/jobs", "http://x/00000000000/jobs"]
        {
            assert_eq!(QueueId::from_url(url, &region), Err(InvalidName), "{url}");
        }
    }

    #[test]
    fn attributes_are_held_to_their_bounds() {
        for (name, min, max, _) in BOUNDS {
            let set = |value: String| Attributes::from_request(&BTreeMap::from([(name.to_owned(), value)]));
            assert!(set(min.to_string()).is_ok() && set(max.to_string()).is_ok(), "{name}");
            for value in [(max + 1).to_string(), format!("{}", i64::from(min) - 1), String::new(), "x".into()]
            {
                assert_eq!(set(value), Err(AttributeError::Invalid(name)));
            }
        }
        for (name, expected) in [
            ("RedrivePolicy", AttributeError::NotSupported("RedrivePolicy".into())),
            ("QueueArn", AttributeError::ReadOnly("QueueArn".into())),
            ("Colour", AttributeError::Unknown("Colour".into())),
        ] {
            let set = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
            assert_eq!(Attributes::from_request(&set), Err(expected));
        }
    }

    #[test]
    fn the_difference_is_named() {
        let slow = Attributes { delay_secs: 9, ..Attributes::default() };
        assert_eq!(Attributes::default().difference(&slow), Some("DelaySeconds"));
        assert_eq!(slow.difference(&slow), None);
    }
}
