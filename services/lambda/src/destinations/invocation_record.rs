//! What destinations and dead-letter queues read. Texts in, texts out.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use apus_time::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::asynchronous::rules::Condition;
use crate::executions::observed::{beginning, error_message};
use crate::store::event::ResponseRecord;

/// The longest `ErrorMessage` of a dead letter: the first kilobyte.
const ERROR_MESSAGE_BYTES_MAX: usize = 1_024;

/// An event that has ended.
pub(crate) struct Ended<'a> {
    pub(crate) request_id: &'a str,
    /// The function's ARN with its qualifier, which is `$LATEST` if none was asked for.
    pub(crate) function_arn: String,
    pub(crate) condition: Condition,
    /// How often the function ran.
    pub(crate) runs: u32,
    pub(crate) event: &'a str,
    /// What the last attempt came to, if there was one.
    pub(crate) response: Option<&'a ResponseRecord>,
    pub(crate) at: Timestamp,
}

impl Ended<'_> {
    /// The record, as JSON.
    pub(crate) fn record(&self) -> String {
        let context = json!({
            "requestId": self.request_id,
            "functionArn": self.function_arn,
            "condition": self.condition.as_str(),
            "approximateInvokeCount": self.runs,
        });
        let at = self.at.to_iso8601_millis();
        // The payloads go in as they are: nothing is lost of numbers, order or depth.
        let request = format!(
            r#"{{"version":"1.0","timestamp":"{at}","requestContext":{context},"requestPayload":{}"#,
            self.event
        );
        let Some(response) = self.response else { return request + "}" };
        format!(
            r#"{request},"responseContext":{},"responsePayload":{}}}"#,
            response_context(response),
            as_json(&response.payload)
        )
    }

    /// The attributes of a dead letter: name, type and value.
    pub(crate) fn attributes(&self) -> Vec<(String, String, String)> {
        let attribute = |name: &str, kind: &str, value: String| (name.to_owned(), kind.to_owned(), value);
        let mut attributes = vec![attribute("RequestID", "String", self.request_id.to_owned())];
        if let Some(response) = self.response {
            attributes.push(attribute("ErrorCode", "Number", response.status.to_string()));
            let message: String = error_message(&response.payload)
                .chars()
                .map(|c| if is_sendable(c) { c } else { '?' })
                .collect();
            // A message has no empty attributes.
            if !message.is_empty() {
                let message = beginning(&message, ERROR_MESSAGE_BYTES_MAX).to_owned();
                attributes.push(attribute("ErrorMessage", "String", message));
            }
        }
        attributes
    }
}

fn response_context(response: &ResponseRecord) -> Value {
    let mut context = json!({ "statusCode": response.status });
    if let Some(version) = &response.version {
        context["executedVersion"] = version.as_str().into();
    }
    if let Some(error) = &response.function_error {
        context["functionError"] = error.as_str().into();
    }
    context
}

/// A response as JSON; one that is none becomes a string.
fn as_json(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => text.into_owned(),
        Err(_) => Value::from(text.into_owned()).to_string(),
    }
}

/// What queues take: the characters of XML 1.0.
fn is_sendable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended<'a>(event: &'a str, response: Option<&'a ResponseRecord>) -> Ended<'a> {
        Ended {
            request_id: "r",
            function_arn: "arn:f:$LATEST".into(),
            condition: Condition::RetriesExhausted,
            runs: 3,
            event,
            response,
            at: Timestamp::from_millis(1_573_755_365_568),
        }
    }

    fn failed(payload: &str) -> ResponseRecord {
        ResponseRecord {
            status: 200,
            version: Some("7".into()),
            function_error: Some("Unhandled".into()),
            payload: payload.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_record_has_the_fields_of_lambda() {
        let response = failed(r#"{"errorMessage": "no"}"#);
        let record = ended(r#"{"b":1.10,"a":[]}"#, Some(&response)).record();
        assert_eq!(
            serde_json::from_str::<Value>(&record).expect("JSON"),
            json!({
                "version": "1.0",
                "timestamp": "2019-11-14T18:16:05.568Z",
                "requestContext": {
                    "requestId": "r",
                    "functionArn": "arn:f:$LATEST",
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                },
                "requestPayload": { "b": 1.1, "a": [] },
                "responseContext": { "statusCode": 200, "executedVersion": "7", "functionError": "Unhandled" },
                "responsePayload": { "errorMessage": "no" },
            })
        );
        // As it came: its numbers and its order.
        assert!(record.contains(r#""requestPayload":{"b":1.10,"a":[]},"#), "{record}");
        let never_tried = ended("null", None).record();
        assert!(never_tried.ends_with(r#""requestPayload":null}"#), "{never_tried}");
        let no_json = failed("plain \"text\"");
        assert!(ended("1", Some(&no_json)).record().ends_with(r#""responsePayload":"plain \"text\""}"#));
    }

    #[test]
    fn a_dead_letter_says_what_went_wrong_in_characters_that_a_queue_takes() {
        let values = |payload: &str| {
            let response = failed(payload);
            let attributes = ended("1", Some(&response)).attributes();
            attributes
                .into_iter()
                .map(|(name, kind, value)| format!("{name} {kind} {value}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            values(r#"{"errorMessage":"a\u0007b\n"}"#),
            ["RequestID String r", "ErrorCode Number 200", "ErrorMessage String a?b\n"]
        );
        assert_eq!(values("{}").len(), 2);
        let long = format!(r#"{{"errorMessage":"{}"}}"#, "é".repeat(1_000));
        assert_eq!(values(&long)[2].len(), "ErrorMessage String ".len() + 1_024);
    }
}
