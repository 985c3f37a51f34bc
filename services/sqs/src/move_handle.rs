//! The handle of a message move task: which task of which queue. Opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::queue_id::QueueId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MoveHandle {
    pub(crate) task: String,
    pub(crate) source: QueueId,
}

impl MoveHandle {
    pub(crate) fn to_text(&self) -> String {
        STANDARD
            .encode(json!({ "taskId": self.task, "sourceArn": self.source.arn().to_string() }).to_string())
    }

    /// What a handle stands for; nothing if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
        let source = QueueId::from_arn(value.get("sourceArn")?.as_str()?)?;
        Some(Self { task: value.get("taskId")?.as_str()?.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_leads_back() {
        let source = QueueId::from_arn("arn:aws:sqs:us-east-1:000000000000:dead").expect("a queue");
        let handle = MoveHandle { task: "a-b".into(), source };
        assert_eq!(MoveHandle::parse(&handle.to_text()), Some(handle));
        for text in ["", "x", "e30=", &STANDARD.encode("{\"taskId\": 1}")] {
            assert_eq!(MoveHandle::parse(text), None, "{text}");
        }
    }
}
