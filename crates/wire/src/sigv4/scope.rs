//! A credential scope: the day, region and service that a signing key is good for.

use std::fmt;
use std::sync::Arc;

use apus_time::Timestamp;

use super::AuthError;
use crate::split::cut;

/// What every scope ends with.
pub(super) const TERMINATOR: &str = "aws4_request";

/// `20150830/us-east-1/iam/aws4_request`. Clones share the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    text: Arc<str>,
    date_ends: usize,
    region_ends: usize,
}

impl Scope {
    /// The scope of a day (in UTC, `YYYYMMDD`), a region and a service's signing name. No part holds a slash.
    pub fn of(date: &str, region: &str, service: &str) -> Self {
        let text = [date, "/", region, "/", service, "/", TERMINATOR].concat().into();
        let date_ends = date.len();
        Self { text, date_ends, region_ends: date_ends + 1 + region.len() }
    }

    /// The scope of an instant.
    pub fn new(at: Timestamp, region: impl AsRef<str>, service: impl AsRef<str>) -> Self {
        Self::of(day(&at.to_compact()), region.as_ref(), service.as_ref())
    }

    /// The scope that a client wrote; nothing if it has not four parts, the last of them to be checked.
    pub(super) fn parse(text: &str) -> Option<(Self, &str)> {
        let (date, rest) = cut(text, b'/');
        let (region, rest) = cut(rest?, b'/');
        let (_service, terminator) = cut(rest?, b'/');
        let terminator = terminator.filter(|last| cut(last, b'/').1.is_none())?;
        let date_ends = date.len();
        Some((Self { text: text.into(), date_ends, region_ends: date_ends + 1 + region.len() }, terminator))
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The day in UTC, `YYYYMMDD`.
    pub fn date(&self) -> &str {
        &self.text[..self.date_ends]
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.text[self.date_ends + 1..self.region_ends]
    }

    /// The service's signing name.
    pub fn service(&self) -> &str {
        cut(&self.text[self.region_ends + 1..], b'/').0
    }

    /// Refuses a scope of another region than `region`, or of none of `services`.
    pub fn check(&self, region: &str, services: &[&str]) -> Result<(), AuthError> {
        if !services.contains(&self.service()) {
            let expected = services.first().copied().unwrap_or_default().to_owned();
            return Err(AuthError::WrongService { got: self.service().to_owned(), expected });
        }
        if self.region() != region {
            return Err(AuthError::WrongRegion {
                got: self.region().to_owned(),
                expected: region.to_owned(),
            });
        }
        Ok(())
    }

    /// Refuses a scope of another day than the request's, whose compact form is given too.
    pub(super) fn check_date(&self, requested: Timestamp, compact: &str) -> Result<(), AuthError> {
        if self.date() == day(compact) {
            return Ok(());
        }
        Err(AuthError::WrongDate { scope: self.date().to_owned(), requested })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The day of an instant in its compact form.
pub(super) fn day(compact: &str) -> &str {
    compact.get(..8).unwrap_or(compact)
}
