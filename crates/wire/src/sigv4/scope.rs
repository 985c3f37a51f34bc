//! A credential scope: the day, region and service that a signing key is good for.

use std::fmt;

use apus_time::Timestamp;

use super::AuthError;

/// What every scope ends with.
pub(super) const TERMINATOR: &str = "aws4_request";

/// `20150830/us-east-1/iam/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The day in UTC, `YYYYMMDD`.
    pub date: String,
    /// The region.
    pub region: String,
    /// The service's signing name.
    pub service: String,
}

impl Scope {
    /// The scope of an instant.
    pub fn new(at: Timestamp, region: impl Into<String>, service: impl Into<String>) -> Self {
        Self { date: day(at), region: region.into(), service: service.into() }
    }

    /// Refuses a scope of another region than `region`, or of none of `services`.
    pub fn check(&self, region: &str, services: &[&str]) -> Result<(), AuthError> {
        if !services.contains(&self.service.as_str()) {
            let expected = services.first().copied().unwrap_or_default().to_owned();
            return Err(AuthError::WrongService { got: self.service.clone(), expected });
        }
        if self.region != region {
            return Err(AuthError::WrongRegion { got: self.region.clone(), expected: region.to_owned() });
        }
        Ok(())
    }

    /// Refuses a scope of another day than the request's.
    pub(super) fn check_date(&self, requested: Timestamp) -> Result<(), AuthError> {
        if self.date == day(requested) {
            return Ok(());
        }
        Err(AuthError::WrongDate { scope: self.date.clone(), requested })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

pub(super) fn day(at: Timestamp) -> String {
    let mut text = at.to_compact();
    text.truncate(8);
    text
}
