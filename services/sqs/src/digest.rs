//! The digests that clients check.

use std::collections::BTreeMap;

use md5::{Digest, Md5};

use crate::message::Attribute;

/// `MD5OfMessageBody`.
pub(crate) fn md5_of_body(body: &str) -> String {
    hex(Md5::digest(body.as_bytes()).as_ref())
}

/// `MD5OfMessageAttributes`, as the developer guide's "Calculating the MD5 message digest for message
/// attributes" describes it; nothing where there are none.
pub(crate) fn md5_of_attributes(attributes: &BTreeMap<String, Attribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut text = Vec::new();
    let part = |text: &mut Vec<u8>, bytes: &[u8]| {
        text.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        text.extend_from_slice(bytes);
    };
    for (name, attribute) in attributes {
        part(&mut text, name.as_bytes());
        part(&mut text, attribute.data_type.as_bytes());
        text.push(attribute.value.transport());
        part(&mut text, attribute.value.as_bytes());
    }
    Some(hex(Md5::digest(&text).as_ref()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
    let digits: Vec<[u8; 2]> = bytes.iter().map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    String::from_utf8(digits.into_flattened()).expect("digits are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::AttributeValue;

    fn string(data_type: &str, value: &str) -> Attribute {
        Attribute { data_type: data_type.into(), value: AttributeValue::String(value.into()) }
    }

    #[test]
    fn digests_are_those_that_clients_compute() {
        assert_eq!(md5_of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
        let attributes = BTreeMap::from([
            ("EventType".to_owned(), string("String", "signup")),
            (
                "raw".to_owned(),
                Attribute { data_type: "Binary".into(), value: AttributeValue::Binary(vec![0, 255]) },
            ),
        ]);
        assert_eq!(md5_of_attributes(&BTreeMap::new()), None);
        assert_eq!(md5_of_attributes(&attributes).as_deref(), Some("88895757317549e7cb7465f0bde466b5"));
    }
}
