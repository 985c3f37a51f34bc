//! Where a resource lives: account, region, and the name that AWS gives it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// An account: twelve digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// 000000000000, the account of a development instance.
    pub const DEVELOPMENT: Self = Self([b'0'; 12]);

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

impl FromStr for AccountId {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let digits: [u8; 12] =
            text.as_bytes().try_into().map_err(|_| ScopeError::new("account id of twelve digits", text))?;
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(ScopeError::new("account id of twelve digits", text))
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A region's name: `us-east-1`. Any name of that form is a region here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The region of requests that name none.
    pub const DEFAULT: &'static str = "us-east-1";
    /// The longest name.
    pub const LENGTH_MAX: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl FromStr for Region {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let valid = (1..=Self::LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && text.starts_with(|first: char| first.is_ascii_lowercase());
        if valid { Ok(Self(text.into())) } else { Err(ScopeError::new("region such as us-east-1", text)) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no account, region or resource name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeError {
    expected: &'static str,
    found: String,
}

impl ScopeError {
    fn new(expected: &'static str, found: &str) -> Self {
        Self { expected, found: found.chars().take(100).collect() }
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not an {}", self.found, self.expected)
    }
}

impl std::error::Error for ScopeError {}

/// An Amazon resource name: `arn:aws:sqs:us-east-1:000000000000:jobs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`.
    pub partition: Cow<'static, str>,
    /// `sqs`.
    pub service: Cow<'static, str>,
    /// Empty where the service is global.
    pub region: String,
    /// Empty where the resource is of no account (a bucket).
    pub account: String,
    /// All after the fifth colon.
    pub resource: String,
}

impl Arn {
    /// The longest name that AWS accepts in its models.
    pub const LENGTH_MAX: usize = 2_048;

    /// A resource of an account in a region.
    pub fn regional(
        service: &'static str,
        region: &Region,
        account: AccountId,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            partition: Cow::Borrowed("aws"),
            service: Cow::Borrowed(service),
            region: region.as_str().to_owned(),
            account: account.as_str().to_owned(),
            resource: resource.into(),
        }
    }

    /// A resource of an account in no region, as IAM's are.
    pub fn global(service: &'static str, account: AccountId, resource: impl Into<String>) -> Self {
        Self { region: String::new(), ..Self::regional(service, &Region::default(), account, resource) }
    }

    /// A resource whose name is unique in the partition, as a bucket's is.
    pub fn unowned(service: &'static str, resource: impl Into<String>) -> Self {
        Self { account: String::new(), ..Self::global(service, AccountId::DEVELOPMENT, resource) }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl FromStr for Arn {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let error = || ScopeError::new("Amazon resource name", text);
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().map(str::to_owned).ok_or_else(error);
        let (arn, partition, service) = (part()?, part()?, part()?);
        let (region, account, resource) = (part()?, part()?, part()?);
        let valid = text.len() <= Self::LENGTH_MAX
            && arn == "arn"
            && !partition.is_empty()
            && !service.is_empty()
            && !resource.is_empty();
        let (partition, service) = (partition.into(), service.into());
        if valid { Ok(Self { partition, service, region, account, resource }) } else { Err(error()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_printed_back() {
        for text in [
            "arn:aws:sqs:us-east-1:000000000000:jobs",
            "arn:aws:iam::123456789012:role/a/b",
            "arn:aws:s3:::bucket/key:with:colons",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:1",
        ] {
            assert_eq!(text.parse::<Arn>().map(|arn| arn.to_string()).as_deref(), Ok(text));
        }
        for text in
            ["", "arn:aws:sqs:us-east-1:000000000000", "arn:aws:sqs:us-east-1:000000000000:", "urn:a:b:c:d:e"]
        {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn accounts_and_regions_have_their_forms() {
        assert!("123456789012".parse::<AccountId>().is_ok());
        for text in ["", "12345678901", "1234567890123", "12345678901a", "１２３４"] {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
        assert!("eu-central-1".parse::<Region>().is_ok());
        for text in ["", "US-EAST-1", "us east", "1-us", "../etc", &"a".repeat(33)] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
