//! Where messages go that nobody can handle: a queue's redrive policy, and whom a dead-letter queue lets use it.

use minicbor::{Decode, Encode};
use serde_json::{Map, Value, json};

use crate::attributes::{AttributeError, Attributes};
use crate::queue_id::QueueId;

/// The most receives before a message is dead.
const MAX_RECEIVE_COUNT_MAX: u64 = 1_000;
/// The most queues that a dead-letter queue names.
const SOURCES_MAX: usize = 10;

const REDRIVE: &str = "RedrivePolicy";
const ALLOW: &str = "RedriveAllowPolicy";

/// `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RedrivePolicy {
    /// The dead-letter queue.
    #[n(0)]
    pub(crate) target_arn: String,
    /// A message that was received so often without being deleted goes there instead of to a receiver.
    #[n(1)]
    pub(crate) max_receive_count: u32,
}

/// `RedriveAllowPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum RedriveAllowPolicy {
    #[n(0)]
    AllowAll,
    #[n(1)]
    DenyAll,
    /// These queues only, by resource name.
    #[n(2)]
    ByQueue(#[n(0)] Vec<String>),
}

impl RedrivePolicy {
    pub(crate) fn parse(text: &str) -> Result<Self, AttributeError> {
        let because = |reason: String| AttributeError::because(REDRIVE, text, reason);
        let map = map(text).ok_or_else(|| because("Redrive policy is not a valid JSON map.".into()))?;
        for name in map.keys() {
            if !matches!(name.as_str(), "deadLetterTargetArn" | "maxReceiveCount") {
                return Err(because(
                    "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].".into(),
                ));
            }
        }
        let lacks =
            |name: &str| because(format!("Redrive policy does not contain mandatory attribute: {name}."));
        let arn = map.get("deadLetterTargetArn").ok_or_else(|| lacks("deadLetterTargetArn"))?;
        let count = map.get("maxReceiveCount").ok_or_else(|| lacks("maxReceiveCount"))?;
        let number = match count {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (1..=MAX_RECEIVE_COUNT_MAX).contains(number)).ok_or_else(|| {
            let shown = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
            because(format!(
                "Invalid value for maxReceiveCount: {shown}, valid values are from 1 to {MAX_RECEIVE_COUNT_MAX} both \
                 inclusive."
            ))
        })?;
        let target = arn.as_str().and_then(QueueId::from_arn);
        let target = target.ok_or_else(|| because("Invalid value for deadLetterTargetArn.".into()))?;
        Ok(Self { target_arn: target.arn().to_string(), max_receive_count: number as u32 })
    }

    /// The dead-letter queue.
    pub(crate) fn target(&self) -> Option<QueueId> {
        QueueId::from_arn(&self.target_arn)
    }

    pub(crate) fn to_json(&self) -> String {
        json!({ "deadLetterTargetArn": self.target_arn, "maxReceiveCount": self.max_receive_count })
            .to_string()
    }

    /// Whether a queue may have this policy, given the attributes of the queue that it names, if there is one.
    pub(crate) fn check(&self, source: &QueueId, target: Option<&Attributes>) -> Result<(), AttributeError> {
        let because = |reason: String| Err(AttributeError::because(REDRIVE, &self.to_json(), reason));
        let named = self.target();
        if named.as_ref().is_some_and(|named| named.region != source.region) {
            return because("Dead-letter queue must be in same region as the source.".into());
        }
        if named.as_ref().is_some_and(|named| named.account != source.account) {
            return because("Dead-letter queue must be owned by same account as the source.".into());
        }
        let Some(target) = target else { return because("Dead letter target does not exist.".into()) };
        if target.fifo.is_some() != source.name.is_fifo() {
            return because("Dead-letter queue must be same type of queue as the source.".into());
        }
        let allowed = match &target.redrive_allow {
            None | Some(RedriveAllowPolicy::AllowAll) => true,
            Some(RedriveAllowPolicy::DenyAll) => false,
            Some(RedriveAllowPolicy::ByQueue(arns)) => arns.contains(&source.arn().to_string()),
        };
        if allowed {
            return Ok(());
        }
        because("The RedriveAllowPolicy of the dead-letter queue does not allow this source queue.".into())
    }
}

impl RedriveAllowPolicy {
    pub(crate) fn parse(text: &str) -> Result<Self, AttributeError> {
        let because = |reason: &str| AttributeError::because(ALLOW, text, reason);
        let map = map(text).ok_or_else(|| because("Redrive allow policy is not a valid JSON map."))?;
        let permission = map.get("redrivePermission").and_then(Value::as_str);
        let sources = map.get("sourceQueueArns");
        match (permission, sources) {
            (Some("allowAll"), None) => Ok(Self::AllowAll),
            (Some("denyAll"), None) => Ok(Self::DenyAll),
            (Some("allowAll" | "denyAll"), Some(_)) => {
                Err(because("sourceQueueArns is only valid with the redrivePermission byQueue."))
            }
            (Some("byQueue"), Some(Value::Array(arns))) if (1..=SOURCES_MAX).contains(&arns.len()) => {
                let arns: Option<Vec<_>> = arns
                    .iter()
                    .map(|arn| Some(QueueId::from_arn(arn.as_str()?)?.arn().to_string()))
                    .collect();
                arns.map(Self::ByQueue)
                    .ok_or_else(|| because("sourceQueueArns must be a list of queue ARNs."))
            }
            (Some("byQueue"), _) => Err(because("sourceQueueArns must list between 1 and 10 queue ARNs.")),
            _ => Err(because("redrivePermission must be one of allowAll, denyAll and byQueue.")),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::AllowAll => json!({ "redrivePermission": "allowAll" }),
            Self::DenyAll => json!({ "redrivePermission": "denyAll" }),
            Self::ByQueue(arns) => json!({ "redrivePermission": "byQueue", "sourceQueueArns": arns }),
        }
        .to_string()
    }
}

fn map(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

    fn reason(error: &AttributeError) -> &str {
        match error {
            AttributeError::Because { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_redrive_policy_names_a_queue_and_a_count() {
        for count in ["3", "\"3\""] {
            let text = format!(r#"{{"deadLetterTargetArn": "{DEAD}", "maxReceiveCount": {count}}}"#);
            let policy = RedrivePolicy::parse(&text).expect("it is valid");
            assert_eq!((policy.max_receive_count, policy.target_arn.as_str()), (3, DEAD));
        }
        let with =
            |count: &str| format!(r#"{{"deadLetterTargetArn": "{DEAD}", "maxReceiveCount": {count}}}"#);
        for (text, said) in [
            ("[]".to_owned(), "not a valid JSON map"),
            ("{".to_owned(), "not a valid JSON map"),
            (format!(r#"{{"deadLetterTargetArn": "{DEAD}"}}"#), "mandatory attribute: maxReceiveCount"),
            (r#"{"maxReceiveCount": 1}"#.to_owned(), "mandatory attribute: deadLetterTargetArn"),
            (r#"{"maxReceiveCount": 1, "x": 1}"#.to_owned(), "Only following attributes"),
            (r#"{"maxReceiveCount": 1, "deadLetterTargetArn": "dead"}"#.to_owned(), "deadLetterTargetArn"),
            (with("0"), "maxReceiveCount: 0, valid values"),
            (with("1001"), "maxReceiveCount: 1001"),
            (with("1.5"), "maxReceiveCount: 1.5"),
            (with("null"), "maxReceiveCount: null"),
        ] {
            let error = RedrivePolicy::parse(&text).expect_err(&text);
            assert!(reason(&error).contains(said), "{text}: {error:?}");
        }
    }

    #[test]
    fn a_dead_letter_queue_must_be_near_alike_and_willing() {
        let policy = RedrivePolicy { target_arn: DEAD.into(), max_receive_count: 1 };
        let source = |arn: &str| QueueId::from_arn(arn).expect("a queue");
        let own = source("arn:aws:sqs:us-east-1:000000000000:jobs");
        let willing = |allow: &str| Attributes {
            redrive_allow: Some(RedriveAllowPolicy::parse(allow).expect("it is valid")),
            ..Attributes::default()
        };
        let by_queue =
            |arn: &str| format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{arn}"]}}"#);
        let plain = Attributes::default();
        for (source, target, said) in [
            (own.clone(), None, "does not exist"),
            (source("arn:aws:sqs:eu-west-1:000000000000:jobs"), Some(plain.clone()), "same region"),
            (source("arn:aws:sqs:us-east-1:111122223333:jobs"), Some(plain.clone()), "same account"),
            (source("arn:aws:sqs:us-east-1:000000000000:jobs.fifo"), Some(plain.clone()), "same type"),
            (own.clone(), Some(willing(r#"{"redrivePermission":"denyAll"}"#)), "does not allow"),
            (
                own.clone(),
                Some(willing(&by_queue("arn:aws:sqs:us-east-1:000000000000:others"))),
                "does not allow",
            ),
        ] {
            let error = policy.check(&source, target.as_ref()).expect_err(said);
            assert!(reason(&error).contains(said), "{error:?}");
        }
        let named = willing(&by_queue("arn:aws:sqs:us-east-1:000000000000:jobs"));
        for target in [plain, willing(r#"{"redrivePermission":"allowAll"}"#), named] {
            assert_eq!(policy.check(&own, Some(&target)), Ok(()));
        }
    }

    #[test]
    fn who_may_redrive_is_one_of_three() {
        for text in [
            "x",
            "{}",
            r#"{"redrivePermission":"some"}"#,
            r#"{"redrivePermission":"byQueue"}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["x"]}"#,
            r#"{"redrivePermission":"allowAll","sourceQueueArns":[]}"#,
        ] {
            assert!(RedriveAllowPolicy::parse(text).is_err(), "{text}");
        }
    }
}
