//! The forms in which a message reaches subscribers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::message::{Attribute, AttributeValue};
use crate::store::{MessageRecord, SubscriptionRecord};
use crate::topic::TopicId;

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

    /// The JSON document that queues and endpoints get.
    pub(crate) fn document(&self) -> String {
        let mut fields = Fields::new("Notification", self.message_id, self.topic);
        if let Some(sequence) = &self.message.sequence_number {
            fields.text("SequenceNumber", sequence);
        }
        if let Some(subject) = &self.message.message.subject {
            fields.text("Subject", subject);
        }
        fields.text("Message", &self.text());
        fields.text("Timestamp", &self.message.published_at().to_iso8601_millis());
        fields.text("UnsubscribeURL", &self.unsubscribe_url());
        let attributes = self.attributes();
        if !attributes.is_empty() {
            fields.0.insert("MessageAttributes".into(), Value::Object(attributes));
        }
        fields.document()
    }

    /// The event that a function gets.
    pub(crate) fn event(&self) -> Value {
        let message = &self.message.message;
        json!({ "Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.subscription_arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": self.message_id,
                "TopicArn": self.topic.to_string(),
                "Subject": message.subject,
                "Message": self.text(),
                "Timestamp": self.message.published_at().to_iso8601_millis(),
                "UnsubscribeUrl": self.unsubscribe_url(),
                "MessageAttributes": self.attributes(),
            },
        }] })
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

/// The document that asks a subscriber whether it wants to be one.
pub(crate) fn confirmation(
    topic: &TopicId,
    message_id: &str,
    token: &str,
    base_url: &str,
    at: apus_time::Timestamp,
) -> String {
    let mut fields = Fields::new("SubscriptionConfirmation", message_id, topic);
    fields.text("Token", token);
    fields.text(
        "Message",
        &format!(
            "You have chosen to subscribe to the topic {topic}.\nTo confirm the subscription, visit the SubscribeURL included in this message."
        ),
    );
    let url = format!("{base_url}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}");
    fields.text("SubscribeURL", &url);
    fields.text("Timestamp", &at.to_iso8601_millis());
    fields.document()
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

    fn document(self) -> String {
        Value::Object(self.0).to_string()
    }
}
