//! A bucket: its name, whose it is, where it is.
//!
//! Rules are those of the user guide's "General purpose bucket naming rules" and of `CreateBucket`.

use std::fmt;
use std::str::FromStr;

use apus_kernel::{AccountId, Arn, Region, ScopeError};
use apus_time::Timestamp;

/// A bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens, unique in the partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BucketName(String);

/// A text that is no bucket's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidName;

impl BucketName {
    const LENGTH_MIN: usize = 3;
    const LENGTH_MAX: usize = 63;
    const PREFIXES_RESERVED: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const SUFFIXES_RESERVED: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a resource.
    pub(crate) fn arn(&self) -> Arn {
        bucket_arn(&self.0)
    }
}

impl FromStr for BucketName {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let letter_or_digit = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = (Self::LENGTH_MIN..=Self::LENGTH_MAX).contains(&bytes.len())
            && bytes.iter().all(|byte| letter_or_digit(byte) || matches!(byte, b'.' | b'-'))
            && bytes.first().is_some_and(letter_or_digit)
            && bytes.last().is_some_and(letter_or_digit)
            && !text.contains("..")
            && !is_ip_address(text)
            && !Self::PREFIXES_RESERVED.iter().any(|prefix| text.starts_with(prefix))
            && !Self::SUFFIXES_RESERVED.iter().any(|suffix| text.ends_with(suffix));
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `arn:aws:s3:::bucket`, for any text that a request gives as a bucket.
pub(crate) fn bucket_arn(bucket: &str) -> Arn {
    Arn::unowned("s3", bucket)
}

/// Four numbers with dots between, even where they are too large for an address.
fn is_ip_address(text: &str) -> bool {
    text.split('.').count() == 4
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A bucket that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) name: BucketName,
    pub(crate) owner: AccountId,
    pub(crate) region: Region,
    pub(crate) created_at: Timestamp,
}

/// Why a bucket cannot be where it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LocationError {
    /// No region's name, or `us-east-1`, which is asked for by silence.
    Invalid(String),
    /// The region that the request went to cannot make it there: `None` for no constraint at all.
    Illegal(Option<String>),
}

/// The region that a bucket is to be in, for a request to `endpoint` with that constraint.
///
/// The endpoint of us-east-1 makes buckets everywhere, every other one in its own region only.
pub(crate) fn location(endpoint: &Region, constraint: Option<&str>) -> Result<Region, LocationError> {
    let anywhere = endpoint.as_str() == Region::DEFAULT;
    let Some(constraint) = constraint.filter(|constraint| !constraint.is_empty()) else {
        return if anywhere { Ok(endpoint.clone()) } else { Err(LocationError::Illegal(None)) };
    };
    let invalid = || LocationError::Invalid(constraint.to_owned());
    let region: Region = match constraint {
        "EU" => "eu-west-1".parse(),
        _ => constraint.parse(),
    }
    .map_err(|_: ScopeError| invalid())?;
    if region.as_str() == Region::DEFAULT || !region.as_str().contains('-') {
        return Err(invalid());
    }
    if anywhere || region == *endpoint {
        Ok(region)
    } else {
        Err(LocationError::Illegal(Some(constraint.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_form() {
        for name in ["abc", "a.b", "1-2", "my.bucket-9", "1.2.3", "1.2.3.4.5", "1.2.3.x", &"x".repeat(63)] {
            assert!(name.parse::<BucketName>().is_ok(), "{name}");
        }
        for name in [
            "",
            "ab",
            "Abc",
            "a_b",
            "a b",
            "a/b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "äbc",
            "192.168.5.4",
            "999.1.1.1",
            "xn--abc",
            "sthree-x",
            "amzn-s3-demo-x",
            "x-s3alias",
            "x--ol-s3",
            "x--x-s3",
            "x.mrap",
            "..",
            "...",
            "arn:aws:s3:::abc",
            &"x".repeat(64),
        ] {
            assert_eq!(name.parse::<BucketName>(), Err(InvalidName), "{name}");
        }
    }

    #[test]
    fn buckets_are_made_where_the_endpoint_may() {
        let check = |endpoint: &str, constraint: Option<&str>, expected: Result<&str, LocationError>| {
            let endpoint = endpoint.parse().expect("a region");
            let found = location(&endpoint, constraint).map(|region| region.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{endpoint} {constraint:?}");
        };
        let illegal = |name: &str| Err(LocationError::Illegal(Some(name.into())));
        let invalid = |name: &str| Err(LocationError::Invalid(name.into()));
        check("us-east-1", None, Ok("us-east-1"));
        check("us-east-1", Some(""), Ok("us-east-1"));
        check("us-east-1", Some("EU"), Ok("eu-west-1"));
        check("us-east-1", Some("eu-central-1"), Ok("eu-central-1"));
        check("us-east-1", Some("us-east-1"), invalid("us-east-1"));
        check("us-east-1", Some("nowhere"), invalid("nowhere"));
        check("us-east-1", Some("../etc"), invalid("../etc"));
        check("eu-west-1", Some("eu-west-1"), Ok("eu-west-1"));
        check("eu-west-1", Some("EU"), Ok("eu-west-1"));
        check("eu-west-1", None, Err(LocationError::Illegal(None)));
        check("eu-west-1", Some("us-west-2"), illegal("us-west-2"));
    }
}
