//! The facts of one call, which every handler is passed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use apus_schema::{Operation, ServiceError};
use apus_time::Timestamp;

use crate::{Arn, Caller, Platform};

/// The facts of one call.
#[derive(Clone)]
pub struct Context {
    /// Who is calling, and for which account and region.
    pub caller: Caller,
    /// The request's id, which the caller reads in the response.
    pub request_id: Arc<str>,
    /// When the call came in.
    pub now: Timestamp,
    /// Facts of the request for conditions in policies and for links in answers.
    pub origin: Origin,
    platform: Platform,
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The peer's address; nothing for calls from within the platform.
    pub source_ip: Option<std::net::IpAddr>,
    /// The URL that the client reached the platform at, without a trailing slash: `http://127.0.0.1:4566`.
    pub base_url: Arc<str>,
    /// The request came over TLS.
    pub secure: bool,
    /// The client's software.
    pub user_agent: Option<String>,
    /// The trace that the request belongs to, in the form of `X-Amzn-Trace-Id`, as the client says.
    pub trace: Option<String>,
    /// The resource on whose behalf a part of the platform calls: a topic, for what is subscribed to it.
    pub source: Option<Box<Arn>>,
}

impl Context {
    /// A call from that caller, now.
    pub(crate) fn new(platform: Platform, caller: Caller, origin: Origin, request_id: Arc<str>) -> Self {
        let now = platform.env().now();
        Self { caller, request_id, now, origin, platform }
    }

    /// The platform's door.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The global condition keys that follow from the call, each with its values.
    pub fn condition_keys(&self) -> BTreeMap<String, Vec<String>> {
        let Self { caller, origin, .. } = self;
        let mut keys = BTreeMap::new();
        let mut set = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                keys.insert(key.to_owned(), vec![value]);
            }
        };
        set("aws:CurrentTime", Some(self.now.to_iso8601()));
        set("aws:EpochTime", Some(self.now.as_secs().to_string()));
        set("aws:RequestedRegion", Some(caller.region.to_string()));
        set("aws:SecureTransport", Some(origin.secure.to_string()));
        set("aws:SourceIp", origin.source_ip.map(|ip| ip.to_string()));
        set("aws:UserAgent", origin.user_agent.clone());
        set("aws:SourceArn", origin.source.as_ref().map(ToString::to_string));
        // Some names say no account: a bucket's.
        let source_account = origin.source.as_ref().map(|source| source.account.clone());
        set("aws:SourceAccount", source_account.filter(|account| !account.is_empty()));
        set("aws:PrincipalAccount", caller.principal.account().map(|account| account.to_string()));
        set("aws:PrincipalArn", caller.principal.arn().map(|arn| arn.to_string()));
        set("aws:userid", Some(caller.principal.user_id().into_owned()));
        keys
    }

    /// Calls another operation as the same caller, in the same request.
    pub async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        self.call_as::<O>(self.caller.clone(), input).await
    }

    /// Calls another operation as somebody else, in the same request.
    pub async fn call_as<O: Operation>(
        &self,
        caller: Caller,
        input: O::Input,
    ) -> Result<O::Output, ServiceError> {
        let context = Self { caller, now: self.platform.env().now(), ..self.clone() };
        self.platform.call::<O>(context, input).await
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("caller", &self.caller)
            .field("request_id", &self.request_id)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
