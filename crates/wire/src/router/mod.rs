//! Which operation a request names: by path and method, by target header, or by action. No service is known by name.

mod rest;
mod template;
mod virtual_host;

use std::collections::BTreeMap;
use std::fmt;

use apus_schema::{Common, OperationSchema, Protocol, ServiceError, ServiceSchema};

use http::HeaderName;
use http::header::CONTENT_TYPE;

use crate::form::Form;
use crate::message::RequestHead;
use crate::styles::Style;
use rest::RestTable;
pub use virtual_host::virtual_host;

/// The header of awsJson that names the operation.
static TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// The header of rpc-v2-cbor that names the protocol.
static SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
/// What rpc-v2-cbor's requests say of themselves.
const RPC_V2_CBOR: &str = "rpc-v2-cbor";

/// What is known of a request beside its head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint<'a> {
    /// The service in the signature's credential scope.
    pub signing_name: Option<&'a str>,
    /// The host that the client addressed, without its port.
    pub host: Option<&'a str>,
}

/// The operation that a request names.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its service.
    pub service: &'static ServiceSchema,
    /// The operation.
    pub operation: &'static OperationSchema,
    /// The protocol that the client speaks, among those of the service.
    pub protocol: Protocol,
    /// The labels of the URI template, decoded.
    pub labels: Vec<(&'static str, String)>,
}

/// Why a request names no operation.
#[derive(Clone, Debug)]
pub enum RouteError {
    /// The service has no such operation.
    UnknownOperation {
        /// The service, as far as the request tells.
        service: Option<&'static ServiceSchema>,
        /// How the client wants its answer.
        protocol: Protocol,
        /// What the request named: an action, a target, or a method and path.
        name: String,
        /// The version that a query request named.
        version: Option<String>,
    },
    /// No service here claims the request.
    UnknownService {
        /// How the client wants its answer.
        protocol: Protocol,
        /// What the request named.
        name: String,
    },
    /// The query string or the path cannot be read.
    Malformed {
        /// The service, as far as the request tells.
        service: Option<&'static ServiceSchema>,
        /// How the client wants its answer.
        protocol: Protocol,
        /// What is wrong.
        message: String,
    },
}

impl RouteError {
    /// The service that the request was for, if that is known.
    pub fn service(&self) -> Option<&'static ServiceSchema> {
        match self {
            Self::UnknownOperation { service, .. } | Self::Malformed { service, .. } => *service,
            Self::UnknownService { .. } => None,
        }
    }

    /// How the client wants its answer.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::UnknownOperation { protocol, .. }
            | Self::UnknownService { protocol, .. }
            | Self::Malformed { protocol, .. } => *protocol,
        }
    }

    /// What the client is answered.
    pub fn to_error(&self) -> ServiceError {
        match self {
            Self::UnknownOperation { protocol: Protocol::Query, name, version, .. } => {
                let version = version.as_deref().unwrap_or("NO_VERSION_SPECIFIED");
                let message = format!("Could not find operation {name} for version {version}");
                ServiceError::common(Common::UnknownOperation, message)
            }
            // S3 says nothing about which method it was.
            Self::UnknownOperation { protocol: Protocol::RestXml, .. } => {
                ServiceError::common(Common::UnknownOperation, "")
            }
            Self::UnknownOperation { name, .. } => {
                ServiceError::common(Common::UnknownOperation, format!("Unknown operation {name}"))
            }
            Self::UnknownService { name, .. } => {
                let message =
                    format!("apus has no service for {name}; the list of services is in the documentation");
                ServiceError::common(Common::UnknownService, message)
            }
            Self::Malformed { message, service, .. } => match Style::of(*service).unreadable_uri {
                Some(code) => ServiceError::named(code, 400, message.clone()),
                None => ServiceError::common(Common::Malformed, message.clone()),
            },
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_error().fmt(f)
    }
}

impl std::error::Error for RouteError {}

/// What an operation of the model is answered that Apus does not have.
pub fn not_supported(operation: &OperationSchema) -> ServiceError {
    let message = format!("Apus does not support {}:{} yet", operation.service.name, operation.name);
    ServiceError::common(Common::NotSupported, message)
}

/// The operations of all services, ordered by what requests name them with.
#[derive(Debug)]
pub struct Router {
    services: Vec<&'static ServiceSchema>,
    /// By what stands before the dot of a target, or after `/service/`.
    targets: BTreeMap<&'static str, &'static ServiceSchema>,
    rest: RestTable,
}

impl Router {
    /// The router of these services.
    pub fn new(services: &[&'static ServiceSchema]) -> Self {
        let mut targets = BTreeMap::new();
        for service in services {
            if let Some(prefix) = service.target_prefix {
                targets.insert(prefix, *service);
            }
        }
        Self { services: services.to_vec(), targets, rest: RestTable::new(services) }
    }

    /// Finds the operation. The form is the body of a request whose content type is a form's.
    pub fn find(
        &self,
        head: &RequestHead<'_>,
        hint: &Hint<'_>,
        form: Option<&Form>,
    ) -> Result<Route, RouteError> {
        if head.header(&SMITHY_PROTOCOL) == Some(RPC_V2_CBOR) {
            return self.find_cbor(head);
        }
        if let Some(target) = head.header(&TARGET) {
            return self.find_target(head, target);
        }
        let candidates = self.candidates(hint);
        if let Some(found) = find_action(head, &candidates, form) {
            return found;
        }
        if candidates.is_empty() {
            let name = hint.signing_name.or(hint.host).unwrap_or(head.path).to_owned();
            return Err(RouteError::UnknownService { protocol: plain_protocol(head, form), name });
        }
        self.rest.find(head, &candidates)
    }

    /// The services that may be meant: those of the signature, else those of the host, else all.
    fn candidates(&self, hint: &Hint<'_>) -> Vec<&'static ServiceSchema> {
        let chosen = |keep: &dyn Fn(&ServiceSchema) -> bool| -> Vec<_> {
            self.services.iter().copied().filter(|service| keep(service)).collect()
        };
        if let Some(name) = hint.signing_name {
            return chosen(&|service| service.signing_name == name);
        }
        let of_host = |host: &str| {
            let mut labels = host.split('.');
            labels.find_map(|label| {
                let found = chosen(&|service| service.endpoint_prefix == label);
                (!found.is_empty()).then_some(found)
            })
        };
        hint.host.and_then(of_host).unwrap_or_else(|| self.services.clone())
    }

    fn find_target(&self, head: &RequestHead<'_>, target: &str) -> Result<Route, RouteError> {
        // Versions of targets hold no dots: the last one parts the service from the operation.
        let (prefix, name) = target.rsplit_once('.').unwrap_or(("", target));
        let spoken = match head.header(CONTENT_TYPE) {
            Some(content_type) if content_type.contains("json-1.0") => Protocol::AwsJson10,
            _ => Protocol::AwsJson11,
        };
        let Some(&service) = self.targets.get(prefix) else {
            return Err(RouteError::UnknownService { protocol: spoken, name: target.to_owned() });
        };
        let own = service
            .protocols
            .iter()
            .copied()
            .filter(|protocol| matches!(protocol, Protocol::AwsJson10 | Protocol::AwsJson11));
        let protocol = own.clone().find(|protocol| *protocol == spoken).or_else(|| own.clone().next());
        let unknown = |protocol| RouteError::UnknownOperation {
            service: Some(service),
            protocol,
            name: name.to_owned(),
            version: None,
        };
        let protocol = protocol.ok_or_else(|| unknown(spoken))?;
        let operation = service.operation(name).ok_or_else(|| unknown(protocol))?;
        Ok(Route { service, operation, protocol, labels: Vec::new() })
    }

    fn find_cbor(&self, head: &RequestHead<'_>) -> Result<Route, RouteError> {
        let protocol = Protocol::RpcV2Cbor;
        let unknown = || RouteError::UnknownService { protocol, name: head.path.to_owned() };
        // A prefix may stand before it: clients with an endpoint that has a path.
        let at = head.path.rfind("/service/").ok_or_else(unknown)?;
        let (prefix, rest) = head.path[at + 9..].split_once('/').ok_or_else(unknown)?;
        let name = rest.strip_prefix("operation/").ok_or_else(unknown)?;
        let service =
            self.targets.get(prefix).copied().filter(|service| service.protocols.contains(&protocol));
        let service = service.ok_or_else(unknown)?;
        let operation = service.operation(name).ok_or_else(|| RouteError::UnknownOperation {
            service: Some(service),
            protocol,
            name: name.to_owned(),
            version: None,
        })?;
        Ok(Route { service, operation, protocol, labels: Vec::new() })
    }
}

/// Finds a query operation by its action; nothing if the request names none, or is for services of other protocols.
fn find_action(
    head: &RequestHead<'_>,
    candidates: &[&'static ServiceSchema],
    form: Option<&Form>,
) -> Option<Result<Route, RouteError>> {
    let protocol = Protocol::Query;
    let all = candidates.len();
    let candidates: Vec<_> =
        candidates.iter().copied().filter(|service| service.protocols.contains(&protocol)).collect();
    let in_url = head.query.filter(|query| query.contains("Action="));
    if candidates.is_empty() || form.is_none() && in_url.is_none() {
        return None;
    }
    let url_form = match in_url.map(Form::parse).transpose() {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            let service = candidates.first().copied();
            return Some(Err(RouteError::Malformed { service, protocol, message: error.to_string() }));
        }
    };
    let parameter = |key| form.and_then(|form| form.get(key)).or_else(|| url_form.get(key));
    let action = parameter("Action");
    // A form without an action may be an object that somebody stores.
    if action.is_none() && (form.is_none() || candidates.len() < all) {
        return None;
    }
    let version = parameter("Version");
    let of_version: Vec<_> =
        candidates.iter().filter(|service| version == Some(service.api_version)).copied().collect();
    let narrowed = if of_version.is_empty() { &candidates } else { &of_version };
    let found = action
        .and_then(|action| narrowed.iter().find_map(|service| Some((*service, service.operation(action)?))));
    Some(match found {
        Some((service, operation)) => Ok(Route { service, operation, protocol, labels: Vec::new() }),
        None => Err(RouteError::UnknownOperation {
            // Which of several services was meant, nothing tells.
            service: if let [only] = narrowed[..] { Some(only) } else { None },
            protocol,
            name: action.unwrap_or("NO_ACTION_SPECIFIED").to_owned(),
            version: version.map(str::to_owned),
        }),
    })
}

/// How a client seems to want its answer that no service claims.
fn plain_protocol(head: &RequestHead<'_>, form: Option<&Form>) -> Protocol {
    let json = head.header(CONTENT_TYPE).is_some_and(|found| found.contains("json"));
    match form {
        Some(_) => Protocol::Query,
        None if json => Protocol::RestJson,
        None => Protocol::RestXml,
    }
}
