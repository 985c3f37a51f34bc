//! The static tables that generated code fills: services, operations, shapes, errors.

use std::fmt;
use std::sync::OnceLock;

use regex::Regex;

use crate::Structure as _;

/// One AWS service, as its API model describes it.
#[derive(Debug)]
pub struct ServiceSchema {
    /// Our short name and the name in ARNs and IAM actions: `sqs`, `lambda`.
    pub name: &'static str,
    /// The model's `serviceId`: `SQS`, `Lambda`.
    pub service_id: &'static str,
    /// The service in a signature's credential scope.
    pub signing_name: &'static str,
    /// The host's first label: `sqs` in `sqs.us-east-1.amazonaws.com`.
    pub endpoint_prefix: &'static str,
    /// `2012-11-05`; the `Version` parameter of the query protocol.
    pub api_version: &'static str,
    /// Every protocol that the service accepts, the preferred one first.
    pub protocols: &'static [Protocol],
    /// What stands before the dot in `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// The namespace of XML responses.
    pub xml_namespace: Option<&'static str>,
    /// Errors carry `x-amzn-query-error` with the code that the service's query protocol used.
    pub query_compatible: bool,
    /// One endpoint for all regions, as IAM has.
    pub global: bool,
    /// Every operation of the model, sorted by name.
    pub operations: &'static [&'static OperationSchema],
}

impl ServiceSchema {
    /// The operation of that name.
    pub fn operation(&self, name: &str) -> Option<&'static OperationSchema> {
        let at = self.operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        Some(self.operations[at])
    }
}

/// How a service writes requests and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `X-Amz-Target` and `application/x-amz-json-1.0`.
    AwsJson10,
    /// `X-Amz-Target` and `application/x-amz-json-1.1`.
    AwsJson11,
    /// A form-encoded `Action`, answered in XML.
    Query,
    /// Bound to HTTP, with JSON bodies.
    RestJson,
    /// Bound to HTTP, with XML bodies.
    RestXml,
    /// Smithy's `/service/{service}/operation/{operation}` with CBOR bodies.
    RpcV2Cbor,
}

/// Whether an operation wants a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Signature Version 4.
    SigV4,
    /// Signature Version 4 with the payload's hash left out.
    SigV4UnsignedPayload,
    /// None (`AssumeRoleWithWebIdentity` carries its own proof).
    None,
}

/// The model's `httpChecksum`: which member names the algorithm, and whether one is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// The input member that names the request's algorithm.
    pub algorithm_member: Option<&'static str>,
    /// A checksum or `Content-MD5` must come with the request.
    pub required: bool,
    /// The input member that asks for a checksum in the response.
    pub validation_member: Option<&'static str>,
}

/// One operation of a service.
#[derive(Debug)]
pub struct OperationSchema {
    /// The service it belongs to.
    pub service: &'static ServiceSchema,
    /// AWS's name: `SendMessage`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The URI template: `/{Bucket}/{Key+}?uploads`.
    pub uri: &'static str,
    /// The status of a success.
    pub status: u16,
    /// A structure; empty where the model has no input.
    pub input: &'static Schema,
    /// A structure; empty where the model has no output.
    pub output: &'static Schema,
    /// The XML root of the request body, where no payload member names it.
    pub input_root: Option<&'static str>,
    /// The XML namespace of that root.
    pub input_namespace: Option<XmlNamespace>,
    /// The query protocol's element around the output: `GetCallerIdentityResult`.
    pub result_wrapper: Option<&'static str>,
    /// The errors that the model lists for it.
    pub errors: &'static [&'static ErrorSchema],
    /// Whether it wants a signature.
    pub auth: Auth,
    /// Request and response checksums.
    pub checksum: Option<Checksum>,
    /// It changes nothing.
    pub readonly: bool,
}

impl OperationSchema {
    /// A signed operation without input, output, errors and anything unusual, to be refined by struct update.
    pub const fn new(
        service: &'static ServiceSchema,
        name: &'static str,
        method: &'static str,
        uri: &'static str,
    ) -> Self {
        Self {
            service,
            name,
            method,
            uri,
            status: 200,
            input: crate::Unit::SCHEMA,
            output: crate::Unit::SCHEMA,
            input_root: None,
            input_namespace: None,
            result_wrapper: None,
            errors: &[],
            auth: Auth::SigV4,
            checksum: None,
            readonly: false,
        }
    }
}

/// One modelled error.
#[derive(Debug)]
pub struct ErrorSchema {
    /// The shape's name, which JSON protocols send: `QueueDoesNotExist`.
    pub name: &'static str,
    /// The code that XML protocols send: `AWS.SimpleQueueService.NonExistentQueue`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The HTTP status over the query protocol, where that differs.
    pub query_status: u16,
    /// The client's fault, not the service's.
    pub sender_fault: bool,
    /// A structure with the error's members.
    pub schema: &'static Schema,
}

/// One shape.
#[derive(Debug)]
pub struct Schema {
    /// The model's name of it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The least length (strings, lists, maps, blobs) or value (numbers).
    pub min: Option<i64>,
    /// The greatest length or value.
    pub max: Option<i64>,
    /// What a string must match as a whole.
    pub pattern: Option<&'static Pattern>,
    /// What a string may be; empty means anything.
    pub enumeration: &'static [&'static str],
    /// Not to be logged.
    pub sensitive: bool,
}

impl Schema {
    /// A shape without constraints.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, min: None, max: None, pattern: None, enumeration: &[], sensitive: false }
    }

    /// A structure; at most one of its members is the HTTP payload.
    pub const fn structure(name: &'static str, members: &'static [Member]) -> Self {
        Self::new(name, Kind::Structure { members, union: false, eventstream: false, payload: None })
    }

    /// A structure of which exactly one member is set.
    pub const fn union(name: &'static str, members: &'static [Member]) -> Self {
        Self::new(name, Kind::Structure { members, union: true, eventstream: false, payload: None })
    }

    /// A structure of which each member is an event of a stream.
    pub const fn events(name: &'static str, members: &'static [Member]) -> Self {
        Self::new(name, Kind::Structure { members, union: false, eventstream: true, payload: None })
    }

    /// A text that should be one of these.
    pub const fn enumeration(name: &'static str, values: &'static [&'static str]) -> Self {
        let mut schema = Self::new(name, Kind::String);
        schema.enumeration = values;
        schema
    }

    /// The same, with a least length or value.
    #[must_use]
    pub const fn min(mut self, min: i64) -> Self {
        self.min = Some(min);
        self
    }

    /// The same, with a greatest length or value.
    #[must_use]
    pub const fn max(mut self, max: i64) -> Self {
        self.max = Some(max);
        self
    }

    /// The same, with an expression that a string must match.
    #[must_use]
    pub const fn pattern(mut self, pattern: &'static Pattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// The same, not to be logged.
    #[must_use]
    pub const fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The same structure, of which the member at that place is the HTTP payload.
    #[must_use]
    pub const fn with_payload(mut self, at: usize) -> Self {
        let Kind::Structure { members, ref mut payload, .. } = self.kind else {
            panic!("only a structure has a payload")
        };
        assert!(at < members.len(), "the payload is one of the members");
        *payload = Some(at);
        self
    }

    /// The members of a structure; none for any other kind.
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure { members, .. } => members,
            _ => &[],
        }
    }

    /// The member of that name and its place.
    pub fn member(&self, name: &str) -> Option<(usize, &'static Member)> {
        self.members().iter().enumerate().find(|(_, member)| member.name == name)
    }

    /// The member that is the HTTP payload, and its place.
    pub fn payload(&self) -> Option<(usize, &'static Member)> {
        let Kind::Structure { members, payload: Some(at), .. } = self.kind else { return None };
        Some((at, &members[at]))
    }
}

/// What a shape is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed.
    Long,
    /// 32 bits.
    Float,
    /// 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes, held whole.
    Blob,
    /// Bytes that flow: a [`crate::Body`].
    Stream,
    /// An instant, in the format that the shape names or the protocol's own.
    Timestamp(Option<TimestampFormat>),
    /// Any JSON-like value.
    Document,
    /// A sequence.
    List {
        /// The shape of an element.
        member: &'static Schema,
        /// The element's name in XML; `member` where the model names none.
        element: &'static str,
        /// The element's name in the query protocol of an older model, where that differs.
        query_element: Option<&'static str>,
        /// Elements stand without a container.
        flattened: bool,
    },
    /// Texts to values.
    Map {
        /// The shape of a key.
        key: &'static Schema,
        /// The shape of a value.
        value: &'static Schema,
        /// The key's element in XML; `key` where the model names none.
        key_element: &'static str,
        /// The value's element in XML; `value` where the model names none.
        value_element: &'static str,
        /// The key's and the value's element in the query protocol of an older model, where they differ.
        query_elements: Option<(&'static str, &'static str)>,
        /// Entries stand without a container.
        flattened: bool,
    },
    /// Named members.
    Structure {
        /// In the model's order; a [`crate::Fields`] holds values in the same order.
        members: &'static [Member],
        /// Exactly one member is set.
        union: bool,
        /// Each member is an event of a stream.
        eventstream: bool,
        /// The place of the member that is the HTTP payload.
        payload: Option<usize>,
    },
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The model's name of it.
    pub name: &'static str,
    /// Its shape.
    pub shape: &'static Schema,
    /// A request without it is refused.
    pub required: bool,
    /// Where in the HTTP message it stands.
    pub location: Location,
    /// Its name on the wire (element, key, header, query key, URI label, header prefix); the model's name where it gives none.
    pub wire_name: &'static str,
    /// Its name in the query protocol of an older model, where that differs.
    pub query_name: Option<&'static str>,
    /// The list or map in it stands without a container.
    pub flattened: bool,
    /// The instant's format, where the member names one.
    pub timestamp_format: Option<TimestampFormat>,
    /// It is an attribute of its structure's element.
    pub xml_attribute: bool,
    /// The namespace of its element.
    pub xml_namespace: Option<XmlNamespace>,
    /// The client fills it in where the caller did not.
    pub idempotency_token: bool,
    /// A header that holds base64 of JSON.
    pub json_value: bool,
    /// It is the event's payload (event streams).
    pub event_payload: bool,
    /// It is one of the event's headers (event streams).
    pub event_header: bool,
}

impl Member {
    /// An optional member of the body under its own name, to be refined by struct update.
    pub const fn new(name: &'static str, shape: &'static Schema) -> Self {
        Self {
            name,
            shape,
            required: false,
            location: Location::Body,
            wire_name: name,
            query_name: None,
            flattened: false,
            timestamp_format: None,
            xml_attribute: false,
            xml_namespace: None,
            idempotency_token: false,
            json_value: false,
            event_payload: false,
            event_header: false,
        }
    }
}

/// What generated tables are written with: each names what differs from [`Member::new`].
impl Member {
    /// The same, required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, elsewhere in the HTTP message, under that name.
    #[must_use]
    pub const fn at(mut self, location: Location, wire_name: &'static str) -> Self {
        self.location = location;
        self.wire_name = wire_name;
        self
    }

    /// The same, under another name on the wire.
    #[must_use]
    pub const fn wire(mut self, name: &'static str) -> Self {
        self.wire_name = name;
        self
    }

    /// The same, under another name in the query protocol of an older model.
    #[must_use]
    pub const fn query(mut self, name: &'static str) -> Self {
        self.query_name = Some(name);
        self
    }

    /// The same list or map, without a container.
    #[must_use]
    pub const fn flattened(mut self) -> Self {
        self.flattened = true;
        self
    }

    /// The same, with an instant's format.
    #[must_use]
    pub const fn timestamp_format(mut self, format: TimestampFormat) -> Self {
        self.timestamp_format = Some(format);
        self
    }

    /// The same, as an attribute of the structure's element.
    #[must_use]
    pub const fn xml_attribute(mut self) -> Self {
        self.xml_attribute = true;
        self
    }

    /// The same, with a namespace declared on its element.
    #[must_use]
    pub const fn xml_namespace(mut self, prefix: Option<&'static str>, uri: &'static str) -> Self {
        self.xml_namespace = Some(XmlNamespace { prefix, uri });
        self
    }

    /// The same, filled in by the client where the caller did not.
    #[must_use]
    pub const fn idempotency_token(mut self) -> Self {
        self.idempotency_token = true;
        self
    }

    /// The same, as base64 of JSON in a header.
    #[must_use]
    pub const fn json_value(mut self) -> Self {
        self.json_value = true;
        self
    }

    /// The same, as an event's payload.
    #[must_use]
    pub const fn event_payload(mut self) -> Self {
        self.event_payload = true;
        self
    }

    /// The same, as one of an event's headers.
    #[must_use]
    pub const fn event_header(mut self) -> Self {
        self.event_header = true;
        self
    }
}

/// Where in the HTTP message a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the body (or as the body, if it is the payload).
    Body,
    /// A label of the URI template.
    Uri,
    /// The query string; a map spreads over keys.
    Query,
    /// A header.
    Header,
    /// Every header with that prefix, as a map.
    HeaderPrefix,
    /// The response's status.
    StatusCode,
}

/// A namespace declaration on an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlNamespace {
    /// `xsi` in `xmlns:xsi`.
    pub prefix: Option<&'static str>,
    /// The namespace's name.
    pub uri: &'static str,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2015-08-30T12:36:00Z`.
    Iso8601,
    /// `Sun, 30 Aug 2015 12:36:00 GMT`.
    HttpDate,
    /// `1440938160.5`.
    EpochSeconds,
}

/// A model's regular expression, compiled at its first use.
pub struct Pattern {
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// The expression as the model writes it, which AWS repeats in its messages.
    pub const fn new(source: &'static str) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// As the model writes it.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Whether the whole text matches. An expression that is not supported constrains nothing.
    pub fn matches(&self, text: &str) -> bool {
        self.compiled.get_or_init(|| compile(self.source)).as_ref().is_none_or(|regex| regex.is_match(text))
    }

    /// Whether an expression is within the regular languages; a look-ahead is not. The generator leaves out
    /// and lists those that are not, and the service's rules check them.
    pub fn is_supported(source: &str) -> bool {
        compile(source).is_some()
    }
}

/// Compiles a model's expression. AWS's engine takes `\d`, `\s` and `\w` for ASCII only.
fn compile(source: &str) -> Option<Regex> {
    let mut regex = String::from("^(?:");
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        match (character, if character == '\\' { characters.next() } else { None }) {
            ('\\', Some('d')) => regex += "[0-9]",
            ('\\', Some('D')) => regex += "[^0-9]",
            ('\\', Some('s')) => regex += r"[ \t\n\x0B\f\r]",
            ('\\', Some('S')) => regex += r"[^ \t\n\x0B\f\r]",
            ('\\', Some('w')) => regex += "[0-9A-Za-z_]",
            ('\\', Some('W')) => regex += "[^0-9A-Za-z_]",
            (character, escaped) => {
                regex.push(character);
                regex.extend(escaped);
            }
        }
    }
    regex += ")$";
    Regex::new(&regex).ok()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &'static str, accepted: &[&str], refused: &[&str]) {
        let pattern = Pattern::new(pattern);
        assert!(Pattern::is_supported(pattern.source()), "{pattern:?}");
        for text in accepted {
            assert!(pattern.matches(text), "{pattern:?} refuses {text:?}");
        }
        for text in refused {
            assert!(!pattern.matches(text), "{pattern:?} accepts {text:?}");
        }
    }

    #[test]
    fn classes_are_of_ascii_inside_and_outside_of_brackets() {
        check(r"[\w+=,.@-]+", &["a_Z9@-"], &["é", "a b", ""]);
        check(r"v\d\S\s\W", &["v1x !"], &["v٣x !", "v1  !", "v1xx!"]);
        check(r"\\d", &["\\d"], &["1"]);
        check(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", &["é 9", ""], &["!"]);
    }

    #[test]
    fn a_look_ahead_is_not_supported_and_constrains_nothing() {
        assert!(!Pattern::is_supported("(?!^[0-9]+$)([a-z]+)"));
        assert!(Pattern::new("(?!^[0-9]+$)([a-z]+)").matches("!"));
    }
}
