//! The context that a client sends beside the event: a JSON object in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::limits::CLIENT_CONTEXT_BYTES_MAX;

/// The JSON inside; nothing if it is too long or not of that form.
pub(crate) fn decode(text: &str) -> Option<String> {
    if text.len() > CLIENT_CONTEXT_BYTES_MAX {
        return None;
    }
    let json = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    serde_json::from_str::<Map<String, Value>>(&json).ok()?;
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_in_base64_within_the_bound_is_a_context() {
        let encode = |text: &str| STANDARD.encode(text);
        let object = r#"{"client":{"app":"é"}}"#;
        assert_eq!(decode(&encode(object)).as_deref(), Some(object));
        // 2,685 bytes are 3,580 in base64; three more are 3,584.
        let sized = |bytes: usize| encode(&format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)));
        assert!(decode(&sized(2_685)).is_some());
        assert!(decode(&sized(2_688)).is_none());
        for text in [object, "", "%%%", &encode("[]"), &encode("{"), &encode("7"), &STANDARD.encode([0xff])] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
