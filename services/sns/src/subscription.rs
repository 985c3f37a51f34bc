//! A subscription: who gets a topic's messages, which of them, and in what form.

use std::collections::BTreeMap;

use apus_kernel::Arn;
use apus_patterns::{Dialect, Pattern};
use minicbor::{Decode, Encode};
use serde_json::Value;

use crate::delivery_policy::DeliveryPolicy;
use crate::errors::ParameterError;
use crate::message::Message;
use crate::topic::{TopicId, boolean, is_fifo as has_fifo_name, parse_arn};

/// The longest endpoint.
const ENDPOINT_LENGTH_MAX: usize = 2_048;

/// How messages reach a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Protocol {
    #[n(0)]
    Sqs,
    #[n(1)]
    Lambda,
    #[n(2)]
    Http,
    #[n(3)]
    Https,
    #[n(4)]
    Email,
    #[n(5)]
    EmailJson,
    #[n(6)]
    Sms,
}

/// What SNS has and Apus has not.
const NOT_SUPPORTED: [&str; 2] = ["application", "firehose"];

impl Protocol {
    const ALL: [Self; 7] =
        [Self::Sqs, Self::Lambda, Self::Http, Self::Https, Self::Email, Self::EmailJson, Self::Sms];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Lambda => "lambda",
            Self::Http => "http",
            Self::Https => "https",
            Self::Email => "email",
            Self::EmailJson => "email-json",
            Self::Sms => "sms",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ParameterError> {
        if let Some(known) = Self::ALL.into_iter().find(|known| known.as_str() == text) {
            return Ok(known);
        }
        if NOT_SUPPORTED.contains(&text) {
            return Err(ParameterError::NotSupported(format!("subscriptions of the protocol {text}")));
        }
        Err(ParameterError::plain(&format!("Amazon SNS does not support this protocol string: {text}")))
    }

    /// Whether it posts to endpoints outside, whose answers a delivery policy is about.
    pub(crate) fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Whether a subscriber is asked first, wherever it is.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Http | Self::Https | Self::Email | Self::EmailJson)
    }

    /// Whether only who has credentials may end such a subscription: those who get its messages read its link in
    /// them, and a queue's readers are not its owners.
    pub(crate) fn needs_owner(self) -> bool {
        !self.asks()
    }

    /// Checks that the endpoint is one of this protocol, and one that the topic may have.
    pub(crate) fn check(self, endpoint: &str, topic: &TopicId) -> Result<(), ParameterError> {
        if endpoint.is_empty() || endpoint.len() > ENDPOINT_LENGTH_MAX {
            return Err(ParameterError::plain("Endpoint"));
        }
        let is_fifo = topic.name.is_fifo();
        match self {
            Self::Sqs => {
                let queue = endpoint.parse().ok().filter(|arn: &Arn| arn.service == "sqs");
                let queue = queue.ok_or_else(|| ParameterError::plain("SQS endpoint ARN"))?;
                if has_fifo_name(&queue.resource) && !is_fifo {
                    return Err(ParameterError::plain(
                        "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
                    ));
                }
            }
            _ if is_fifo => {
                let reason = format!(
                    "{} subscriptions are not supported by FIFO topics: subscribe a queue",
                    self.as_str()
                );
                return Err(ParameterError::because("Invalid parameter: Protocol", reason));
            }
            Self::Lambda => {
                let function = endpoint
                    .parse()
                    .ok()
                    .filter(|arn: &Arn| arn.service == "lambda" && arn.resource.starts_with("function:"));
                function.ok_or_else(|| ParameterError::plain("Lambda endpoint ARN"))?;
            }
            Self::Http | Self::Https => {
                let rest = endpoint.strip_prefix(self.as_str()).and_then(|rest| rest.strip_prefix("://"));
                let rest =
                    rest.ok_or_else(|| ParameterError::plain("Endpoint must match the specified protocol"))?;
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let valid = !host.is_empty() && endpoint.bytes().all(|b| b.is_ascii_graphic());
                if !valid {
                    return Err(ParameterError::because("Endpoint", "it is not a valid URL"));
                }
            }
            Self::Email | Self::EmailJson => {
                let parts =
                    endpoint.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
                if parts.is_none() || endpoint.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    return Err(ParameterError::plain("Email address"));
                }
            }
            Self::Sms if !is_phone_number(endpoint) => {
                return Err(ParameterError::plain(&format!("Invalid SMS endpoint: {endpoint}")));
            }
            Self::Sms => {}
        }
        Ok(())
    }
}

/// A number as E.164 has it: a plus, and up to fifteen digits.
pub(crate) fn is_phone_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (4..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// What a filter policy looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) enum FilterScope {
    #[default]
    #[n(0)]
    Attributes,
    #[n(1)]
    Body,
}

impl FilterScope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Attributes => "MessageAttributes",
            Self::Body => "MessageBody",
        }
    }

    fn dialect(self) -> &'static Dialect {
        match self {
            Self::Attributes => &Dialect::SNS_ATTRIBUTES,
            Self::Body => &Dialect::SNS_BODY,
        }
    }
}

/// The attributes of a subscription that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SubscriptionAttributes {
    #[n(0)]
    pub(crate) filter_policy: Option<String>,
    #[n(1)]
    pub(crate) filter_scope: FilterScope,
    #[n(2)]
    pub(crate) is_raw: bool,
    /// The dead-letter queue.
    #[n(3)]
    pub(crate) dead_letter: Option<String>,
    #[n(4)]
    pub(crate) delivery_policy: Option<DeliveryPolicy>,
}

impl SubscriptionAttributes {
    /// For a new subscription. The scope comes first: it decides how the policy is read.
    pub(crate) fn for_new(
        protocol: Protocol,
        topic: &TopicId,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, ParameterError> {
        let mut attributes = Self::default();
        let scope = given.iter().filter(|(name, _)| *name == "FilterPolicyScope");
        let others = given.iter().filter(|(name, _)| *name != "FilterPolicyScope");
        for (name, value) in scope.chain(others) {
            attributes.set(protocol, topic, name, value).map_err(ParameterError::among_attributes)?;
        }
        Ok(attributes)
    }

    /// Sets one; an empty value unsets it.
    pub(crate) fn set(
        &mut self,
        protocol: Protocol,
        topic: &TopicId,
        name: &str,
        value: &str,
    ) -> Result<(), ParameterError> {
        match name {
            "FilterPolicy" if matches!(value.trim(), "" | "{}") => self.filter_policy = None,
            "FilterPolicy" => {
                read(value, self.filter_scope)?;
                self.filter_policy = Some(value.to_owned());
            }
            "FilterPolicyScope" => {
                let scope = match value {
                    "MessageAttributes" => FilterScope::Attributes,
                    "MessageBody" => FilterScope::Body,
                    other => {
                        let reason = format!(
                            "Invalid value [{other}]. Please use either MessageBody or MessageAttributes"
                        );
                        return Err(ParameterError::plain(&format!("FilterPolicyScope: {reason}")));
                    }
                };
                if let Some(policy) = &self.filter_policy {
                    read(policy, scope)?;
                }
                self.filter_scope = scope;
            }
            "RawMessageDelivery" => {
                let on = boolean(name, value)?;
                if on && protocol != Protocol::Sqs && !protocol.is_http() {
                    let name = protocol.as_str();
                    let reason = format!("Delivery protocol [{name}] does not support raw message delivery.");
                    return Err(ParameterError::plain(&format!("RawMessageDelivery: {reason}")));
                }
                self.is_raw = on;
            }
            "RedrivePolicy" if value.is_empty() => self.dead_letter = None,
            "RedrivePolicy" => self.dead_letter = Some(dead_letter(value, topic)?),
            "DeliveryPolicy" if !protocol.is_http() => {
                let reason =
                    format!("Delivery protocol [{}] does not support delivery policies.", protocol.as_str());
                return Err(ParameterError::plain(&format!("DeliveryPolicy: {reason}")));
            }
            "DeliveryPolicy" if value.is_empty() => self.delivery_policy = None,
            "DeliveryPolicy" => self.delivery_policy = Some(DeliveryPolicy::of_subscription(value)?),
            "SubscriptionRoleArn" | "ReplayPolicy" => {
                return Err(ParameterError::NotSupported(format!("the subscription attribute {name}")));
            }
            _ => return Err(ParameterError::plain("AttributeName")),
        }
        Ok(())
    }

    /// Whether the subscriber gets the message.
    pub(crate) fn wants(&self, facts: &Facts) -> bool {
        let Some(policy) = &self.filter_policy else { return true };
        // It was checked when it came; what cannot be read now lets nothing through.
        let Ok(pattern) = read(policy, self.filter_scope) else { return false };
        match self.filter_scope {
            FilterScope::Attributes => pattern.matches(&facts.attributes),
            FilterScope::Body => facts.body.as_ref().is_some_and(|body| pattern.matches(body)),
        }
    }
}

/// What filters see of a message.
pub(crate) struct Facts {
    attributes: Value,
    /// Nothing if the text is not JSON: then no policy over the body matches.
    body: Option<Value>,
}

impl Facts {
    pub(crate) fn of(message: &Message) -> Self {
        Self { attributes: message.attribute_event(), body: serde_json::from_str(&message.text).ok() }
    }
}

fn read(policy: &str, scope: FilterScope) -> Result<Pattern, ParameterError> {
    Pattern::parse(policy, scope.dialect())
        .map_err(|error| ParameterError::plain(&format!("FilterPolicy: {error}")))
}

/// `{"deadLetterTargetArn": …}`
fn dead_letter(text: &str, topic: &TopicId) -> Result<String, ParameterError> {
    let refused = |reason: &str| ParameterError::plain(&format!("RedrivePolicy: {reason}"));
    let Ok(Value::Object(policy)) = serde_json::from_str(text) else {
        return Err(refused("failed to parse JSON."));
    };
    let arn = policy.get("deadLetterTargetArn").and_then(Value::as_str).filter(|_| policy.len() == 1);
    let arn = arn.ok_or_else(|| refused("must contain deadLetterTargetArn and nothing else"))?;
    let queue = parse_arn(arn, "RedrivePolicy: deadLetterTargetArn")?;
    if queue.service != "sqs" || queue.region != topic.region.as_str() {
        return Err(refused(
            "deadLetterTargetArn is an invalid arn: a queue of the topic's region is required",
        ));
    }
    if has_fifo_name(&queue.resource) && !topic.name.is_fifo() {
        return Err(refused("must use a standard queue as DLQ for a standard topic"));
    }
    Ok(arn.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> TopicId {
        TopicId::parse(&format!("arn:aws:sns:us-east-1:000000000000:{name}"), "TopicArn").expect("a topic")
    }

    #[test]
    fn endpoints_are_of_their_protocol() {
        for (protocol, endpoint, topic_name, fine) in [
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:q", "t", true),
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "t", false),
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "t.fifo", true),
            ("sqs", "arn:aws:sqs:us-east-1:000000000000:q", "t.fifo", true),
            ("sqs", "http://localhost/q", "t", false),
            ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f", "t", true),
            ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f", "t.fifo", false),
            ("lambda", "arn:aws:sqs:us-east-1:000000000000:q", "t", false),
            ("http", "http://localhost:8080/x", "t", true),
            ("http", "https://localhost/x", "t", false),
            ("https", "https://localhost/x", "t", true),
            ("https", "http://localhost/x", "t", false),
            ("email", "bird@example.test", "t", true),
            ("email-json", "bird@example.test", "t", true),
            ("email", "bird", "t", false),
            ("email", "a b@example.test", "t", false),
            ("email", "bird@example.test", "t.fifo", false),
            ("sms", "+4915112345678", "t", true),
            ("sms", "my number", "t", false),
            ("http", "http://", "t", false),
            ("http", "http://a b/", "t", false),
            ("http", "http://localhost/x", "t.fifo", false),
        ] {
            let checked = Protocol::parse(protocol).expect("a protocol").check(endpoint, &topic(topic_name));
            assert_eq!(checked.is_ok(), fine, "{protocol} {endpoint} {topic_name}: {checked:?}");
        }
        assert!(matches!(Protocol::parse("firehose"), Err(ParameterError::NotSupported(_))));
        assert!(matches!(Protocol::parse("pigeon"), Err(ParameterError::Invalid(_))));
    }

    #[test]
    fn attributes_are_checked_against_protocol_topic_and_each_other() {
        let made = |protocol, given: &[(&str, &str)]| {
            let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            SubscriptionAttributes::for_new(protocol, &topic("t"), &given)
        };
        let nested = ("FilterPolicy", r#"{"a": {"b": [1]}}"#);
        assert!(made(Protocol::Sqs, &[nested]).is_err());
        assert!(made(Protocol::Sqs, &[nested, ("FilterPolicyScope", "MessageBody")]).is_ok());
        let mut attributes =
            made(Protocol::Sqs, &[nested, ("FilterPolicyScope", "MessageBody")]).expect("valid");
        let back = attributes.set(Protocol::Sqs, &topic("t"), "FilterPolicyScope", "MessageAttributes");
        assert!(back.is_err(), "its policy is nested");
        let dead = |arn: &str| format!(r#"{{"deadLetterTargetArn": "{arn}"}}"#);
        for (protocol, name, value, fine) in [
            (Protocol::Sqs, "RawMessageDelivery", "TRUE".to_owned(), true),
            (Protocol::Lambda, "RawMessageDelivery", "true".into(), false),
            (Protocol::Sqs, "RawMessageDelivery", "yes".into(), false),
            (Protocol::Sqs, "RedrivePolicy", dead("arn:aws:sqs:us-east-1:000000000000:d"), true),
            (Protocol::Sqs, "RedrivePolicy", dead("arn:aws:sqs:eu-west-1:000000000000:d"), false),
            (Protocol::Sqs, "RedrivePolicy", dead("arn:aws:sqs:us-east-1:000000000000:d.fifo"), false),
            (Protocol::Sqs, "RedrivePolicy", dead("d"), false),
            (Protocol::Sqs, "RedrivePolicy", "{}".into(), false),
            (Protocol::Sqs, "DeliveryPolicy", "{}".into(), false),
            (Protocol::Http, "DeliveryPolicy", "{}".into(), true),
            (Protocol::Sqs, "Colour", "red".into(), false),
        ] {
            assert_eq!(made(protocol, &[(name, &value)]).is_ok(), fine, "{name} {value}");
        }
    }
}
