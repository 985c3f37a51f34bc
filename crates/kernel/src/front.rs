//! The second kind of registration: HTTP requests that are no API operation (health, function URLs, websites).

use apus_schema::Body;
use http::{Request, Response};

use crate::Platform;
use crate::access::BoxFuture;

/// A front claims some requests and answers them itself.
pub trait HttpFront: Send + Sync + 'static {
    /// For logs and the table of fronts.
    fn name(&self) -> &'static str;
    /// Which requests are its own; among several fronts that claim one, it is the closest's. Two that claim the same
    /// are a defect, which a test of the table finds.
    fn claims(&self) -> Claims;
    /// The service that its requests must be signed for, as those of operations are: the caller is then among the
    /// request's extensions, as a [`crate::Caller`]. Without one it authenticates as its own protocol says.
    fn signed_for(&self) -> Option<&'static str> {
        None
    }
    /// Answers one.
    fn handle(&self, platform: Platform, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
}

/// Which requests a front claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claims {
    /// Every path at or below this one, on any host: `/_apus`.
    Path(&'static str),
    /// Every path that begins with this, on any host: `/SimpleNotificationService-`.
    PathPrefix(&'static str),
    /// Every path on hosts with this suffix: `.lambda-url.us-east-1.localhost`.
    HostSuffix(&'static str),
}

impl Claims {
    /// Whether a request is claimed. `host` is without its port.
    pub fn matches(&self, host: &str, path: &str) -> bool {
        match self {
            Self::Path(prefix) => {
                path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::PathPrefix(prefix) => path.starts_with(prefix),
            Self::HostSuffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        }
    }

    /// How close a claim is: the longer, the closer, and hosts before paths.
    pub fn closeness(&self) -> (bool, usize) {
        match self {
            Self::Path(text) | Self::PathPrefix(text) => (false, text.len()),
            Self::HostSuffix(suffix) => (true, suffix.len()),
        }
    }

    /// Whether some request is claimed by both, and neither is closer for a reason.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            // Of paths one beneath the other, the longer is meant.
            (Self::Path(a) | Self::PathPrefix(a), Self::Path(b) | Self::PathPrefix(b)) => a == b,
            (Self::HostSuffix(a), Self::HostSuffix(b)) => a.ends_with(b) || b.ends_with(a),
            // Hosts are asked before paths.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_claims_what_lies_below_it_and_no_longer_name() {
        let front = Claims::Path("/_apus");
        for (path, claimed) in
            [("/_apus", true), ("/_apus/health", true), ("/_apuss", false), ("/", false), ("/x/_apus", false)]
        {
            assert_eq!(front.matches("localhost", path), claimed, "{path}");
        }
    }

    #[test]
    fn overlaps_are_seen_from_both_sides() {
        let (all, health) = (Claims::Path("/_apus"), Claims::Path("/_apus/health"));
        assert!(all.overlaps(&all) && !all.overlaps(&health) && !health.overlaps(&all));
        assert!(health.closeness() > all.closeness());
        assert!(!health.overlaps(&Claims::Path("/_apus/help")));
        let begins = Claims::PathPrefix("/_apus/he");
        assert!(!begins.overlaps(&health) && begins.overlaps(&Claims::Path("/_apus/he")));
        assert!(begins.matches("", "/_apus/help") && !begins.matches("", "/_apus"));
        assert!(Claims::HostSuffix(".b.localhost").overlaps(&Claims::HostSuffix(".localhost")));
    }
}
