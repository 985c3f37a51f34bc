//! A message of a queue as functions see it, member by member as AWS's events have it.

use std::collections::BTreeMap;

use apus_model_sqs::{Message, MessageAttributeValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: &'a BTreeMap<String, String>,
    message_attributes: BTreeMap<&'a str, SqsAttribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<&'a str>,
    md5_of_body: &'a str,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SqsAttribute<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    /// SQS has no lists yet; events have always had them.
    string_list_values: [(); 0],
    binary_list_values: [(); 0],
    data_type: &'a str,
}

/// The message within an event, as JSON.
pub(crate) fn record(message: &Message, queue_arn: &str, region: &str) -> String {
    let none = BTreeMap::new();
    let text = |member: &'_ Option<String>| -> String { member.clone().unwrap_or_default() };
    let (id, handle) = (text(&message.message_id), text(&message.receipt_handle));
    let attributes = message.message_attributes.iter().flatten();
    let record = SqsRecord {
        message_id: &id,
        receipt_handle: &handle,
        body: message.body.as_deref().unwrap_or_default(),
        attributes: message.attributes.as_ref().unwrap_or(&none),
        message_attributes: attributes.map(|(name, value)| (name.as_str(), attribute(value))).collect(),
        md5_of_message_attributes: message.md5_of_message_attributes.as_deref(),
        md5_of_body: message.md5_of_body.as_deref().unwrap_or_default(),
        event_source: "aws:sqs",
        event_source_arn: queue_arn,
        aws_region: region,
    };
    serde_json::to_string(&record).expect("texts and maps of texts become JSON")
}

fn attribute(value: &MessageAttributeValue) -> SqsAttribute<'_> {
    SqsAttribute {
        string_value: value.string_value.as_deref(),
        binary_value: value.binary_value.as_ref().map(|bytes| STANDARD.encode(bytes)),
        string_list_values: [],
        binary_list_values: [],
        data_type: &value.data_type,
    }
}

/// The record as filter patterns see it: a body that is a JSON object or list is looked into.
pub(crate) fn filtered_as(record: &str) -> Value {
    let mut record: Value = serde_json::from_str(record).unwrap_or_default();
    if let Some(body) = record.get_mut("body")
        && let Some(inner) = body.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
        && (inner.is_object() || inner.is_array())
    {
        *body = inner;
    }
    record
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_has_every_member_that_aws_gives_it() {
        let text = |text: &str| Some(text.to_owned());
        let attribute =
            |string: Option<&str>, binary: Option<&'static [u8]>, kind: &str| MessageAttributeValue {
                string_value: string.map(str::to_owned),
                binary_value: binary.map(Into::into),
                data_type: kind.to_owned(),
                ..MessageAttributeValue::default()
            };
        let message = Message {
            message_id: text("id"),
            receipt_handle: text("handle"),
            md5_of_body: text("digest"),
            body: text("a \"quoted\" body"),
            attributes: Some(BTreeMap::from([("SentTimestamp".to_owned(), "7".to_owned())])),
            md5_of_message_attributes: text("another"),
            message_attributes: Some(BTreeMap::from([
                ("kind".to_owned(), attribute(Some("é"), None, "String")),
                ("raw".to_owned(), attribute(None, Some(b"\x00\xff"), "Binary.png")),
            ])),
        };
        let arn = "arn:aws:sqs:us-east-1:000000000000:jobs";
        let shaped: Value = serde_json::from_str(&record(&message, arn, "us-east-1")).expect("JSON");
        let expected = json!({
            "messageId": "id",
            "receiptHandle": "handle",
            "body": "a \"quoted\" body",
            "attributes": {"SentTimestamp": "7"},
            "messageAttributes": {
                "kind": {"stringValue": "é", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
                "raw": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary.png"},
            },
            "md5OfMessageAttributes": "another",
            "md5OfBody": "digest",
            "eventSource": "aws:sqs",
            "eventSourceARN": arn,
            "awsRegion": "us-east-1",
        });
        assert_eq!(shaped, expected);
        let bare = Message { body: text(r#"{"a": [1]}"#), ..Message::default() };
        let bare = record(&bare, arn, "us-east-1");
        let shaped: Value = serde_json::from_str(&bare).expect("JSON");
        assert_eq!(shaped["messageAttributes"], json!({}));
        assert_eq!(shaped.get("md5OfMessageAttributes"), None);
        assert_eq!(shaped["body"], json!(r#"{"a": [1]}"#));
        assert_eq!(filtered_as(&bare)["body"], json!({"a": [1]}));
    }
}
