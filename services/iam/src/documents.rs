//! Policy documents as they come and go: checked when they come, percent-encoded (RFC 3986) when they go.

use apus_policy::{Kind, Limits, Policy};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::errors::IamError;

/// All but the unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A document as IAM answers with it.
pub(crate) fn encoded(document: &str) -> String {
    utf8_percent_encode(document, RESERVED).to_string()
}

/// Checks a trust policy: it names principals and no resources.
pub(crate) fn trust_policy(document: &str) -> Result<(), IamError> {
    Ok(Policy::parse(document, Kind::Trust, Limits::NONE).map(drop)?)
}

/// Checks an inline policy: it names resources and no principals.
pub(crate) fn identity_policy(document: &str) -> Result<(), IamError> {
    Ok(Policy::parse(document, Kind::Identity, Limits::NONE).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(encoded("{\"a\": \"-._~*+é\"}"), "%7B%22a%22%3A%20%22-._~%2A%2B%C3%A9%22%7D");
    }
}
