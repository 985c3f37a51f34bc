//! REST operations by method, path and query string.

use std::collections::BTreeMap;

use apus_schema::{Protocol, ServiceSchema};

use super::template::Template;
use super::{Route, RouteError};
use crate::budget::Unreadable;
use crate::form::{Form, percent_decode};
use crate::message::RequestHead;

/// The templates of each service that has any.
#[derive(Debug)]
pub(super) struct RestTable {
    /// By the service's name and the method.
    templates: BTreeMap<(&'static str, &'static str), Vec<Template>>,
}

fn rest_protocol(service: &ServiceSchema) -> Option<Protocol> {
    let is_rest = |protocol: &&Protocol| matches!(protocol, Protocol::RestJson | Protocol::RestXml);
    service.protocols.iter().find(is_rest).copied()
}

impl RestTable {
    pub(super) fn new(services: &[&'static ServiceSchema]) -> Self {
        let mut templates: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for service in services.iter().filter(|service| rest_protocol(service).is_some()) {
            for operation in service.operations {
                templates.entry((service.name, operation.method)).or_default().push(Template::new(operation));
            }
        }
        Self { templates }
    }

    pub(super) fn find(
        &self,
        head: &RequestHead<'_>,
        candidates: &[&'static ServiceSchema],
    ) -> Result<Route, RouteError> {
        let only = if let [only] = candidates { Some(*only) } else { None };
        let services: Vec<_> =
            candidates.iter().filter_map(|service| Some((*service, rest_protocol(service)?))).collect();
        // Of several services nothing tells which was meant; the answer then is the one that S3 gives.
        let protocol = match services[..] {
            [(_, protocol)] => protocol,
            _ => only.and_then(|service| service.protocols.first().copied()).unwrap_or(Protocol::RestXml),
        };
        let malformed = |Unreadable(message)| RouteError::Malformed { service: only, protocol, message };
        let query = Form::read(head.query.unwrap_or_default()).map_err(malformed)?;
        let path = head.path.strip_prefix('/').unwrap_or(head.path);
        let parts: Vec<_> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };

        let mut found: Vec<Fit<'_, '_>> = Vec::new();
        for (service, protocol) in &services {
            let templates = self.templates.get(&(service.name, head.method.as_str()));
            for template in templates.into_iter().flatten() {
                if !template.match_query(&query) {
                    continue;
                }
                if let Some(labels) = template.match_path(&parts) {
                    found.push(Fit { service, protocol: *protocol, template, labels });
                }
            }
        }
        let best = found.iter().map(|fit| fit.template.rank()).max();
        found.retain(|fit| Some(fit.template.rank()) == best);
        let Some(fit) = choose(found, &query, head) else {
            return Err(RouteError::UnknownOperation {
                service: only,
                protocol,
                name: format!("{} {}", head.method, head.path),
                version: None,
            });
        };
        let decoded =
            fit.labels.into_iter().map(|(label, parts)| Ok((label, percent_decode(&parts.join("/"))?)));
        let labels: Result<Vec<_>, _> = decoded.collect();
        Ok(Route {
            service: fit.service,
            operation: fit.template.operation,
            protocol: fit.protocol,
            labels: labels.map_err(|Unreadable(message)| RouteError::Malformed {
                service: Some(fit.service),
                protocol: fit.protocol,
                message,
            })?,
        })
    }
}

struct Fit<'t, 'p> {
    service: &'static ServiceSchema,
    protocol: Protocol,
    template: &'t Template,
    labels: Vec<(&'static str, Vec<&'p str>)>,
}

/// Chooses among operations of equal templates: one whose required parameters and headers all came, before one
/// that lacks some and can say so; of those the one that the most came for.
fn choose<'t, 'p>(found: Vec<Fit<'t, 'p>>, query: &Form, head: &RequestHead<'_>) -> Option<Fit<'t, 'p>> {
    let named = query.get("x-id");
    found.into_iter().max_by_key(|fit| {
        let (required, present) = fit.template.required(query, head.headers);
        // SDKs of other languages name the operation; models keep old names of an operation beside the
        // new and longer one (`PutBucketLifecycle`); `ListBuckets` comes before `ListDirectoryBuckets`.
        let name = fit.template.operation.name;
        (required == present, present, named == Some(name), OldNameFirst(name))
    })
}

/// Orders names so that the greatest is the one to take: of two the first in the alphabet, unless it only
/// begins the other.
#[derive(PartialEq, Eq)]
struct OldNameFirst(&'static str);

impl Ord for OldNameFirst {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if other.0.starts_with(self.0) || self.0.starts_with(other.0) {
            self.0.len().cmp(&other.0.len())
        } else {
            other.0.cmp(self.0)
        }
    }
}

impl PartialOrd for OldNameFirst {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
