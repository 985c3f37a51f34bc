//! Errors on the wire: what a service error is called, and its status, in each protocol's and service's own words.

mod tables;
mod validation;

use apus_schema::{
    Common, ErrorKind, Fault as Blame, Fields, Kind, Protocol, Schema, ServiceError, ServiceSchema, Value,
};

use crate::json::{Body, write_string, write_structure};
use crate::styles::Style;
use tables::Entry;
pub use validation::violation_error;

/// What an answer says of an error.
pub(crate) struct Facts<'a> {
    /// The shape's name, which JSON protocols send.
    pub(crate) name: &'static str,
    /// The code that XML protocols send.
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) sender: bool,
    pub(crate) message: &'a str,
    /// Which member a JSON body gives the message in, where the model does not say.
    message_key: &'static str,
    /// A modelled error's shape.
    pub(crate) schema: Option<&'static Schema>,
    /// Its members, without the message.
    pub(crate) fields: Fields,
    /// What stands beside code and message.
    pub(crate) elements: &'a [(&'static str, String)],
    /// The code for `x-amzn-query-error`.
    query_code: &'static str,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(service: Option<&ServiceSchema>, protocol: Protocol, error: &'a ServiceError) -> Self {
        match error.kind() {
            ErrorKind::Modelled(modelled) => {
                let mut fields = error.fields().clone();
                if let Some(at) = message_member(modelled.schema) {
                    fields.take(at);
                }
                let sender = error.fault() == Blame::Sender;
                if let Some(name) = Style::of(service).fault_member
                    && let Some((at, _)) = modelled.schema.member(name)
                    && fields.get(at).is_none()
                {
                    fields.set(at, Value::from(if sender { "User" } else { "Service" }));
                }
                Self {
                    name: modelled.name,
                    code: modelled.code,
                    status: if protocol == Protocol::Query { modelled.query_status } else { modelled.status },
                    sender,
                    message: error.message(),
                    message_key: "message",
                    schema: Some(modelled.schema),
                    fields,
                    elements: error.elements(),
                    query_code: modelled.code,
                }
            }
            ErrorKind::Named { code, query_code, status } => Self {
                name: code,
                code,
                status,
                sender: status < 500,
                message: error.message(),
                message_key: "message",
                schema: None,
                fields: Fields::default(),
                elements: error.elements(),
                query_code,
            },
            ErrorKind::Common(common) => {
                let entry = tables::entry(service, protocol, common);
                let query = tables::entry(service, Protocol::Query, common);
                // What once was refused over the query protocol is refused with the same status.
                let compatible = service.is_some_and(|service| service.query_compatible);
                Self {
                    name: entry.code,
                    code: entry.code,
                    status: if compatible { query.status } else { entry.status },
                    sender: common.is_sender_fault(),
                    message: if error.message().is_empty() { entry.text } else { error.message() },
                    message_key: entry.message_key,
                    schema: None,
                    fields: Fields::default(),
                    elements: error.elements(),
                    query_code: query.code,
                }
            }
        }
    }

    /// The name in `__type`: a modelled error's in the service's namespace, a shared one's in that of AWS's
    /// framework, which awsJson 1.1 leaves out.
    pub(crate) fn type_name(&self, service: Option<&ServiceSchema>, protocol: Protocol) -> String {
        let namespace = match (self.schema, protocol) {
            (Some(_), _) => Style::of(service).type_namespace,
            (None, Protocol::AwsJson11) => "",
            (None, _) => "com.amazon.coral.service#",
        };
        format!("{namespace}{}", self.name)
    }

    /// `code;Sender` for services that once spoke the query protocol.
    pub(crate) fn query_error(&self, service: Option<&ServiceSchema>) -> Option<String> {
        let compatible = service.is_some_and(|service| service.query_compatible);
        let blame = if self.sender { "Sender" } else { "Receiver" };
        compatible.then(|| format!("{};{blame}", self.query_code))
    }

    /// The members and the message as a JSON object.
    pub(crate) fn json_body(&self, which: Body, first: Option<(&str, &str)>) -> String {
        let mut body = String::new();
        if let Some(schema) = self.schema {
            let at = message_member(schema).filter(|_| !self.message.is_empty());
            let mut fields = self.fields.clone();
            if let Some(at) = at {
                fields.set(at, Value::from(self.message));
            }
            write_structure(&mut body, schema, &fields, which, first);
            if at.is_some() || self.message.is_empty() {
                return body;
            }
            body.pop();
            if body.len() > 1 {
                body.push(',');
            }
        } else {
            body.push('{');
            if let Some((name, text)) = first {
                write_string(&mut body, name);
                body.push(':');
                write_string(&mut body, text);
                body.push(',');
            }
        }
        write_string(&mut body, self.message_key);
        body.push(':');
        write_string(&mut body, self.message);
        body.push('}');
        body
    }
}

/// The place of the member that holds an error's message.
pub(crate) fn message_member(schema: &Schema) -> Option<usize> {
    let is_message = |member: &apus_schema::Member| {
        member.name.eq_ignore_ascii_case("message") && matches!(member.shape.kind, Kind::String)
    };
    schema.members().iter().position(is_message)
}

/// The code and the status that a shared error has in that protocol of that service: for logs and tests of services.
pub fn common_fault(
    service: Option<&ServiceSchema>,
    protocol: Protocol,
    common: Common,
) -> (&'static str, u16) {
    let Entry { code, status, .. } = tables::entry(service, protocol, common);
    (code, *status)
}
