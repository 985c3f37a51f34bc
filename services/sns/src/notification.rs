//! The forms in which a message reaches subscribers.

use apus_time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::message::{Attribute, AttributeValue};
use crate::signing::{Signed, to_sign};
use crate::store::{MessageRecord, SubscriptionRecord};
use crate::topic::TopicId;

/// What a document is. Its name stands in it.
const NOTIFICATION: &str = "Notification";
const CONFIRMATION: &str = "SubscriptionConfirmation";

/// One message for one subscriber.
pub(crate) struct Notification<'a> {
    pub(crate) topic: &'a TopicId,
    pub(crate) message_id: &'a str,
    pub(crate) message: &'a MessageRecord,
    pub(crate) subscription_arn: &'a str,
    pub(crate) subscription: &'a SubscriptionRecord,
    pub(crate) base_url: &'a str,
}

impl Notification<'_> {
    /// The text alone.
    pub(crate) fn text(&self) -> String {
        self.message.message.text_for(self.subscription.protocol.as_str())
    }

    fn published_at(&self) -> String {
        self.message.published_at().to_iso8601_millis()
    }

    /// What is signed of it.
    pub(crate) fn to_sign(&self) -> String {
        to_sign(&[
            ("Message", Some(&self.text())),
            ("MessageId", Some(self.message_id)),
            ("Subject", self.message.message.subject.as_deref()),
            ("Timestamp", Some(&self.published_at())),
            ("TopicArn", Some(&self.topic.to_string())),
            ("Type", Some(NOTIFICATION)),
        ])
    }

    /// The JSON document that queues and endpoints get.
    pub(crate) fn document(&self, signed: &Signed) -> String {
        let mut fields = Fields::new(NOTIFICATION, self.message_id, self.topic);
        if let Some(sequence) = &self.message.sequence_number {
            fields.text("SequenceNumber", sequence);
        }
        if let Some(subject) = &self.message.message.subject {
            fields.text("Subject", subject);
        }
        fields.text("Message", &self.text());
        fields.text("Timestamp", &self.published_at());
        fields.signed(signed);
        fields.text("UnsubscribeURL", &self.unsubscribe_url());
        let attributes = self.attributes();
        if !attributes.is_empty() {
            fields.0.insert("MessageAttributes".into(), Value::Object(attributes));
        }
        fields.document()
    }

    /// The event that a function gets.
    pub(crate) fn event(&self, signed: &Signed) -> String {
        let message = &self.message.message;
        let event = json!({ "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.subscription_arn,
            "Sns": {
                "Type": NOTIFICATION,
                "MessageId": self.message_id,
                "TopicArn": self.topic.to_string(),
                "Subject": message.subject,
                "Message": self.text(),
                "Timestamp": self.published_at(),
                "SignatureVersion": signed.version.to_string(),
                "Signature": signed.signature,
                "SigningCertUrl": signed.certificate_url,
                "UnsubscribeUrl": self.unsubscribe_url(),
                "MessageAttributes": self.attributes(),
            },
        }] });
        event.to_string()
    }

    /// What a person reads.
    pub(crate) fn letter(&self) -> String {
        let Self { topic, .. } = self;
        format!(
            "{}\n\n-- \nSent to the subscribers of {topic}. To unsubscribe: {}\n",
            self.text(),
            self.unsubscribe_url()
        )
    }

    fn unsubscribe_url(&self) -> String {
        format!("{}/?Action=Unsubscribe&SubscriptionArn={}", self.base_url, self.subscription_arn)
    }

    fn attributes(&self) -> Map<String, Value> {
        let shown = |attribute: &Attribute| {
            let value = match &attribute.value {
                AttributeValue::String(text) => text.clone(),
                AttributeValue::Binary(bytes) => STANDARD.encode(bytes),
            };
            json!({ "Type": attribute.data_type, "Value": value })
        };
        self.message.message.attributes.iter().map(|(name, one)| (name.clone(), shown(one))).collect()
    }
}

/// What asks a subscriber whether it wants to be one.
pub(crate) struct Confirmation<'a> {
    pub(crate) topic: &'a TopicId,
    pub(crate) message_id: &'a str,
    pub(crate) token: &'a str,
    pub(crate) base_url: &'a str,
    pub(crate) at: Timestamp,
}

impl Confirmation<'_> {
    fn text(&self) -> String {
        let topic = self.topic;
        format!(
            "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL included in this message."
        )
    }

    fn url(&self) -> String {
        let Self { topic, token, base_url, .. } = self;
        format!("{base_url}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}")
    }

    /// What is signed of it.
    pub(crate) fn to_sign(&self) -> String {
        to_sign(&[
            ("Message", Some(&self.text())),
            ("MessageId", Some(self.message_id)),
            ("SubscribeURL", Some(&self.url())),
            ("Timestamp", Some(&self.at.to_iso8601_millis())),
            ("Token", Some(self.token)),
            ("TopicArn", Some(&self.topic.to_string())),
            ("Type", Some(CONFIRMATION)),
        ])
    }

    /// The JSON document that queues and endpoints get.
    pub(crate) fn document(&self, signed: &Signed) -> String {
        let mut fields = Fields::new(CONFIRMATION, self.message_id, self.topic);
        fields.text("Token", self.token);
        fields.text("Message", &self.text());
        fields.text("SubscribeURL", &self.url());
        fields.text("Timestamp", &self.at.to_iso8601_millis());
        fields.signed(signed);
        fields.document()
    }

    /// What a person reads.
    pub(crate) fn letter(&self) -> String {
        let Self { topic, .. } = self;
        format!("This address was subscribed to the topic {topic}.\nTo confirm it, visit {}\n", self.url())
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn new(kind: &str, message_id: &str, topic: &TopicId) -> Self {
        let mut fields = Self(Map::new());
        fields.text("Type", kind);
        fields.text("MessageId", message_id);
        fields.text("TopicArn", &topic.to_string());
        fields
    }

    fn text(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), Value::String(value.to_owned()));
    }

    fn signed(&mut self, signed: &Signed) {
        self.text("SignatureVersion", &signed.version.to_string());
        self.text("Signature", &signed.signature);
        self.text("SigningCertURL", &signed.certificate_url);
    }

    fn document(self) -> String {
        Value::Object(self.0).to_string()
    }
}
