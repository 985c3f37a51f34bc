//! A model resolved: what is reachable from its operations, with the names that Rust gives it.
//!
//! Reads botocore's JSON; knows nothing of how Rust text is laid out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names;
use super::services::Service;

/// A service's model.
#[derive(Debug)]
pub(crate) struct Model {
    pub service: &'static Service,
    pub service_id: String,
    pub signing_name: String,
    pub endpoint_prefix: String,
    pub api_version: String,
    /// Variants of `Protocol`, the preferred one first.
    pub protocols: Vec<&'static str>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
    pub query_compatible: bool,
    pub global: bool,
    /// By name.
    pub operations: Vec<Operation>,
    /// By key, which is the model's name, or that with `Stream` for a blob that flows.
    pub shapes: BTreeMap<String, Shape>,
    /// By name; each is among the shapes too.
    pub errors: Vec<Error>,
    /// What the model says and the tables do not: to be printed.
    pub notes: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub name: String,
    pub method: String,
    pub uri: String,
    pub status: u64,
    /// Keys of shapes.
    pub input: Option<String>,
    pub output: Option<String>,
    pub input_root: Option<String>,
    pub input_namespace: Option<Namespace>,
    pub result_wrapper: Option<String>,
    /// Keys of shapes.
    pub errors: Vec<String>,
    /// A variant of `Auth`.
    pub auth: &'static str,
    pub checksum: Option<Checksum>,
    pub readonly: bool,
}

#[derive(Debug)]
pub(crate) struct Checksum {
    pub algorithm_member: Option<String>,
    pub required: bool,
    pub validation_member: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub prefix: Option<String>,
    pub uri: String,
}

#[derive(Debug)]
pub(crate) struct Error {
    pub name: String,
    pub code: String,
    pub status: u64,
    pub query_status: u64,
    pub sender_fault: bool,
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub name: String,
    /// The static that holds its table.
    pub table: String,
    /// The Rust type of a structure or an enumeration; errors have none.
    pub type_name: Option<String>,
    pub kind: Kind,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub pattern: Option<String>,
    pub sensitive: bool,
}

impl Shape {
    /// The members of a structure; none for any other kind.
    pub(crate) fn members(&self) -> &[Member] {
        if let Kind::Structure { members, .. } = &self.kind { members } else { &[] }
    }
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A variant of `Kind` without members.
    Scalar(&'static str),
    Enumeration(Vec<Variant>),
    Timestamp(Option<&'static str>),
    List {
        member: String,
        element: Option<String>,
        query_element: Option<String>,
        flattened: bool,
    },
    Map {
        key: String,
        value: String,
        key_element: Option<String>,
        value_element: Option<String>,
        query_elements: Option<(String, String)>,
        flattened: bool,
    },
    Structure {
        members: Vec<Member>,
        union: bool,
        eventstream: bool,
        payload: Option<usize>,
    },
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub name: String,
    pub value: String,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub name: String,
    pub field: String,
    /// The key of its shape.
    pub shape: String,
    pub required: bool,
    /// A structure that contains itself needs a box somewhere.
    pub boxed: bool,
    /// A variant of `Location`.
    pub location: Option<&'static str>,
    pub wire_name: Option<String>,
    pub query_name: Option<String>,
    pub flattened: bool,
    pub timestamp_format: Option<&'static str>,
    pub xml_attribute: bool,
    pub xml_namespace: Option<Namespace>,
    pub idempotency_token: bool,
    pub json_value: bool,
    pub event_payload: bool,
    pub event_header: bool,
}

/// Resolves a model. `endpoints` says which services have one endpoint for all regions.
pub(crate) fn resolve(service: &'static Service, json: &Value, endpoints: &Value) -> Result<Model, String> {
    let metadata = &json["metadata"];
    let endpoint_prefix = required_text(metadata, "endpointPrefix")?;
    let mut resolver = Resolver { json, shapes: BTreeMap::new(), tables: BTreeSet::new(), notes: Vec::new() };
    let operations = resolver.operations(service)?;
    let mut errors = BTreeSet::new();
    for operation in &operations {
        errors.extend(operation.errors.iter().cloned());
    }
    // An error's structure needs a table, but no type: its members are set by name.
    let errors = errors.into_iter().map(|error| resolver.error(error)).collect::<Result<Vec<_>, String>>()?;
    let Resolver { mut shapes, notes, .. } = resolver;
    let in_structures: BTreeSet<String> =
        shapes.values().flat_map(Shape::members).map(|m| m.shape.clone()).collect();
    for error in errors.iter().filter(|error| !in_structures.contains(&error.name)) {
        if let Some(shape) = shapes.get_mut(&error.name) {
            shape.type_name = None;
        }
    }
    box_recursion(&mut shapes);
    name_types(&mut shapes, &operations)?;
    let partition = &endpoints["partitions"][0]["services"][&endpoint_prefix];
    Ok(Model {
        service,
        service_id: required_text(metadata, "serviceId")?,
        signing_name: text(metadata, "signingName").unwrap_or_else(|| endpoint_prefix.clone()),
        api_version: required_text(metadata, "apiVersion")?,
        protocols: vec![protocol(metadata)?],
        target_prefix: text(metadata, "targetPrefix"),
        xml_namespace: text(metadata, "xmlNamespace").or_else(|| service.xml_namespace.map(str::to_owned)),
        query_compatible: !metadata["awsQueryCompatible"].is_null(),
        global: partition["isRegionalized"] == Value::Bool(false),
        endpoint_prefix,
        operations,
        shapes,
        errors,
        notes,
    })
}

fn protocol(metadata: &Value) -> Result<&'static str, String> {
    let version = metadata["jsonVersion"].as_str();
    match (metadata["protocol"].as_str(), version) {
        (Some("json"), Some("1.0")) => Ok("AwsJson10"),
        (Some("json"), _) => Ok("AwsJson11"),
        (Some("query"), _) => Ok("Query"),
        (Some("rest-json"), _) => Ok("RestJson"),
        (Some("rest-xml"), _) => Ok("RestXml"),
        (Some("smithy-rpc-v2-cbor"), _) => Ok("RpcV2Cbor"),
        (other, _) => Err(format!("the model's protocol {other:?} is not one that Apus speaks")),
    }
}

struct Resolver<'a> {
    json: &'a Value,
    shapes: BTreeMap<String, Shape>,
    tables: BTreeSet<String>,
    notes: Vec<String>,
}

impl Resolver<'_> {
    fn operations(&mut self, service: &Service) -> Result<Vec<Operation>, String> {
        let Some(all) = self.json["operations"].as_object() else {
            return Err("the model has no operations".into());
        };
        let mut operations = Vec::new();
        for (name, json) in all {
            let http = &json["http"];
            let replaced = flag(json, "deprecated")
                && all
                    .iter()
                    .any(|(other, json)| other != name && json["http"] == *http && !flag(json, "deprecated"));
            if replaced && http["requestUri"] != "/" {
                self.notes
                    .push(format!("{name} is deprecated, and another operation has its binding: left out"));
                continue;
            }
            operations.push(self.operation(service, name, json)?);
        }
        operations.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(operations)
    }

    fn operation(&mut self, service: &Service, name: &str, json: &Value) -> Result<Operation, String> {
        let input = self.structure_of(&json["input"])?;
        let output = self.structure_of(&json["output"])?;
        let method = required_text(&json["http"], "method")?;
        if let Some(prefix) = json["endpoint"]["hostPrefix"].as_str() {
            self.notes.push(format!("{name} goes to hosts that begin with `{prefix}`: not in the tables"));
        }
        let root = output.as_deref().and_then(|output| {
            service
                .response_roots
                .iter()
                .find(|(shape, _)| *shape == output)
                .map(|(_, root)| (*root).to_owned())
        });
        let checksum = &json["httpChecksum"];
        let rest = self.json["metadata"]["protocol"].as_str().is_some_and(|name| name.starts_with("rest"));
        let mut errors: Vec<String> = json["errors"]
            .as_array()
            .map(|errors| errors.iter().filter_map(|error| text(error, "shape")).collect())
            .unwrap_or_default();
        errors.sort();
        for error in &errors {
            self.shape(error, false)?;
        }
        Ok(Operation {
            name: name.to_owned(),
            readonly: flag(json, "readonly") || (rest && matches!(method.as_str(), "GET" | "HEAD")),
            method,
            uri: required_text(&json["http"], "requestUri")?,
            status: json["http"]["responseCode"].as_u64().unwrap_or(200),
            input_root: text(&json["input"], "locationName"),
            input_namespace: namespace(&json["input"]["xmlNamespace"]),
            result_wrapper: text(&json["output"], "resultWrapper").or(root),
            input,
            output,
            errors,
            auth: if service.unsigned.contains(&name) { "None" } else { auth(json) },
            checksum: checksum.is_object().then(|| Checksum {
                algorithm_member: text(checksum, "requestAlgorithmMember"),
                required: flag(checksum, "requestChecksumRequired"),
                validation_member: text(checksum, "requestValidationModeMember"),
            }),
        })
    }

    fn structure_of(&mut self, reference: &Value) -> Result<Option<String>, String> {
        text(reference, "shape").map(|name| self.shape(&name, false)).transpose()
    }

    fn error(&self, key: String) -> Result<Error, String> {
        let json = self.json_of(&key)?;
        let error = &json["error"];
        let fault = flag(json, "fault") || flag(error, "fault");
        let status = error["httpStatusCode"].as_u64().unwrap_or(if fault { 500 } else { 400 });
        Ok(Error {
            code: text(error, "code").unwrap_or_else(|| key.clone()),
            status,
            query_status: status,
            sender_fault: flag(error, "senderFault") || (status < 500 && !fault),
            name: key,
        })
    }

    fn json_of(&self, name: &str) -> Result<&Value, String> {
        let json = &self.json["shapes"][name];
        if json.is_object() {
            Ok(json)
        } else {
            Err(format!("the model names the shape {name} and lacks it"))
        }
    }

    /// Resolves a shape and what it leads to; gives its key.
    fn shape(&mut self, name: &str, streaming: bool) -> Result<String, String> {
        let json = self.json_of(name)?.clone();
        let streaming = json["type"] == "blob" && (streaming || flag(&json, "streaming"));
        let key = if streaming { format!("{name}Stream") } else { name.to_owned() };
        if self.shapes.contains_key(&key) {
            return Ok(key);
        }
        let table = self.table(&key);
        let whole = |at: &str| {
            let number = &json[at];
            number.as_i64().or_else(|| number.as_f64().filter(|n| n.fract() == 0.0).map(|n| n as i64))
        };
        let pattern = text(&json, "pattern");
        let shape = Shape {
            name: name.to_owned(),
            table,
            type_name: (json["type"] == "structure" || json["enum"].is_array()).then(|| names::shape(name)),
            kind: Kind::Scalar("String"),
            min: whole("min"),
            max: whole("max"),
            pattern: pattern.filter(|pattern| self.is_regular(name, pattern)),
            sensitive: flag(&json, "sensitive"),
        };
        // In its place before its members are resolved: they may lead back to it.
        self.shapes.insert(key.clone(), shape);
        let kind = self.kind(name, &json, streaming)?;
        if let Some(shape) = self.shapes.get_mut(&key) {
            shape.kind = kind;
        }
        Ok(key)
    }

    /// The name of a table, told apart from those that differ in case only.
    fn table(&mut self, key: &str) -> String {
        let plain = names::screaming(key);
        let mut name = plain.clone();
        for number in 2.. {
            if self.tables.insert(name.clone()) {
                break;
            }
            name = format!("{plain}_{number}");
        }
        name
    }

    fn is_regular(&mut self, name: &str, pattern: &str) -> bool {
        let regular = apus_schema::Pattern::is_supported(pattern);
        if !regular {
            self.notes.push(format!("{name}'s pattern is not regular, and left to the service: {pattern}"));
        }
        regular
    }

    fn kind(&mut self, name: &str, json: &Value, streaming: bool) -> Result<Kind, String> {
        let location_name = |json: &Value| text(json, "locationName");
        Ok(match json["type"].as_str() {
            Some("boolean") => Kind::Scalar("Boolean"),
            Some("integer") => Kind::Scalar("Integer"),
            Some("long") => Kind::Scalar("Long"),
            Some("float") => Kind::Scalar("Float"),
            Some("double") => Kind::Scalar("Double"),
            Some("blob") if streaming => Kind::Scalar("Stream"),
            Some("blob") => Kind::Scalar("Blob"),
            Some("string" | "character") => match json["enum"].as_array() {
                Some(values) => Kind::Enumeration(variants(values)),
                None => Kind::Scalar("String"),
            },
            Some("timestamp") => Kind::Timestamp(timestamp_format(json)?),
            Some("list") => Kind::List {
                member: self.shape(&required_text(&json["member"], "shape")?, false)?,
                element: location_name(&json["member"]),
                query_element: None,
                flattened: flag(json, "flattened"),
            },
            Some("map") => Kind::Map {
                key: self.shape(&required_text(&json["key"], "shape")?, false)?,
                value: self.shape(&required_text(&json["value"], "shape")?, false)?,
                key_element: location_name(&json["key"]),
                value_element: location_name(&json["value"]),
                query_elements: None,
                flattened: flag(json, "flattened"),
            },
            Some("structure") if flag(json, "document") => Kind::Scalar("Document"),
            Some("structure") => self.structure(json)?,
            other => return Err(format!("the shape {name} is of the unknown type {other:?}")),
        })
    }

    fn structure(&mut self, json: &Value) -> Result<Kind, String> {
        let required: BTreeSet<&str> =
            json["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members = Vec::new();
        for (name, member) in json["members"].as_object().into_iter().flatten() {
            members.push(self.member(name, member, required.contains(name.as_str()))?);
        }
        let payload = json["payload"].as_str();
        Ok(Kind::Structure {
            payload: payload.and_then(|payload| members.iter().position(|member| member.name == payload)),
            union: flag(json, "union"),
            eventstream: flag(json, "eventstream"),
            members,
        })
    }

    fn member(&mut self, name: &str, json: &Value, required: bool) -> Result<Member, String> {
        let target = required_text(json, "shape")?;
        let target_json = self.json_of(&target)?.clone();
        let namespace = namespace(&json["xmlNamespace"]).or_else(|| namespace(&target_json["xmlNamespace"]));
        Ok(Member {
            name: name.to_owned(),
            field: names::snake(name),
            shape: self.shape(&target, flag(json, "streaming"))?,
            required,
            boxed: false,
            location: match json["location"].as_str() {
                None => None,
                Some("uri") => Some("Uri"),
                Some("querystring") => Some("Query"),
                Some("header") => Some("Header"),
                Some("headers") => Some("HeaderPrefix"),
                Some("statusCode") => Some("StatusCode"),
                Some(other) => return Err(format!("{name} has the unknown location {other}")),
            },
            wire_name: wire_name(name, json, &target_json),
            query_name: None,
            flattened: flag(json, "flattened") || flag(&target_json, "flattened"),
            timestamp_format: timestamp_format(json)?,
            xml_attribute: flag(json, "xmlAttribute"),
            xml_namespace: namespace,
            idempotency_token: flag(json, "idempotencyToken"),
            json_value: flag(json, "jsonvalue"),
            event_payload: flag(json, "eventpayload"),
            event_header: flag(json, "eventheader"),
        })
    }
}

/// A member's name on the wire where it is not the model's. A flattened list stands under its element's name.
fn wire_name(name: &str, member: &Value, target: &Value) -> Option<String> {
    let element = if target["type"] == "list" && flag(target, "flattened") {
        text(&target["member"], "locationName")
    } else {
        None
    };
    element.or_else(|| text(member, "locationName")).filter(|wire_name| wire_name != name)
}

fn variants(values: &[Value]) -> Vec<Variant> {
    let mut taken = BTreeSet::new();
    let mut variants = Vec::new();
    for value in values.iter().filter_map(Value::as_str) {
        let plain = names::variant(value);
        let mut name = plain.clone();
        for number in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            name = format!("{plain}V{number}");
        }
        variants.push(Variant { name, value: value.to_owned() });
    }
    variants
}

fn auth(operation: &Value) -> &'static str {
    let named =
        |name: &str| operation["auth"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    if operation["authtype"] == "none" || named("smithy.api#noAuth") {
        "None"
    } else if operation["authtype"] == "v4-unsigned-body" || flag(operation, "unsignedPayload") {
        "SigV4UnsignedPayload"
    } else {
        "SigV4"
    }
}

fn timestamp_format(json: &Value) -> Result<Option<&'static str>, String> {
    match json["timestampFormat"].as_str() {
        None => Ok(None),
        Some("iso8601") => Ok(Some("Iso8601")),
        Some("rfc822") => Ok(Some("HttpDate")),
        Some("unixTimestamp") => Ok(Some("EpochSeconds")),
        Some(other) => Err(format!("the timestamp format {other} is unknown")),
    }
}

fn namespace(json: &Value) -> Option<Namespace> {
    let uri = json.as_str().map(str::to_owned).or_else(|| text(json, "uri"))?;
    Some(Namespace { prefix: text(json, "prefix"), uri })
}

/// Boxes members that are structures and lead back to the structure they are in.
fn box_recursion(shapes: &mut BTreeMap<String, Shape>) {
    let mut inside: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, shape) in &*shapes {
        inside.insert(key.clone(), shape.members().iter().map(|member| member.shape.clone()).collect());
    }
    let leads_to = |from: &str, to: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from.to_owned()];
        while let Some(next) = open.pop() {
            if next == to {
                return true;
            }
            if seen.insert(next.clone()) {
                open.extend(inside.get(&next).into_iter().flatten().cloned());
            }
        }
        false
    };
    for (key, shape) in shapes {
        if let Kind::Structure { members, .. } = &mut shape.kind {
            for member in members {
                member.boxed = leads_to(&member.shape, key);
            }
        }
    }
}

/// Names that a generated file imports, or that every Rust file has.
const TAKEN: &[&str] = &[
    "BTreeMap",
    "Body",
    "Box",
    "Bytes",
    "Default",
    "Err",
    "Into",
    "None",
    "Ok",
    "Option",
    "Result",
    "Some",
    "String",
    "Timestamp",
    "Value",
    "Vec",
];

/// Tells apart types that would have the same name as another type, as an operation or as an import.
fn name_types(shapes: &mut BTreeMap<String, Shape>, operations: &[Operation]) -> Result<(), String> {
    let mut taken: BTreeSet<String> = TAKEN.iter().map(|&name| name.to_owned()).collect();
    taken.extend(operations.iter().map(|operation| operation.name.clone()));
    for shape in shapes.values_mut() {
        if let Some(name) = &mut shape.type_name {
            if taken.contains(name.as_str()) {
                name.push_str("Shape");
            }
            if !taken.insert(name.clone()) {
                return Err(format!("two types would be named {name}"));
            }
        }
    }
    Ok(())
}

fn text(json: &Value, name: &str) -> Option<String> {
    json[name].as_str().map(str::to_owned)
}

fn required_text(json: &Value, name: &str) -> Result<String, String> {
    text(json, name).ok_or_else(|| format!("the model has no `{name}` where one belongs, in {json}"))
}

fn flag(json: &Value, name: &str) -> bool {
    json[name].as_bool().unwrap_or(false)
}
