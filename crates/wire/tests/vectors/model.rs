//! Schemas from the vectors' shapes, built at test time. They live as long as the test; recursion is unrolled.

use apus_schema::{
    Auth, ErrorSchema, Kind, Location, Member, OperationSchema, Protocol, Schema, ServiceSchema,
    TimestampFormat, XmlNamespace,
};
use serde_json::Value as Json;

use crate::Case;

/// How often a shape may stand within itself; the vectors need three.
const MAX_RECURSION: usize = 4;

/// The operation of a case, in a service that has no other.
pub(crate) fn operation(case: &Case<'_>) -> &'static OperationSchema {
    let given = &case.json["given"];
    let protocol = case.protocol();
    let rest = matches!(protocol, Protocol::RestJson | Protocol::RestXml);
    let shapes = &case.suite["shapes"];
    let alone = service(case, &[]);
    let errors: Vec<_> = given["errors"].as_array().into_iter().flatten().collect();
    let errors: Vec<_> =
        errors.into_iter().map(|error| leak(error_schema(case, text(&error["shape"])))).collect();
    let operation = leak(OperationSchema {
        service: alone,
        name: text(&given["name"]),
        method: text(&given["http"]["method"]),
        uri: if rest { text(&given["http"]["requestUri"]) } else { "/" },
        status: given["http"]["responseCode"].as_u64().unwrap_or(200) as u16,
        input: root(shapes, &given["input"]),
        output: root(shapes, &given["output"]),
        input_root: given["input"]["locationName"].as_str().map(str::to_owned).map(leak_text),
        input_namespace: None,
        result_wrapper: None,
        errors: leak_all(errors),
        auth: Auth::SigV4,
        checksum: None,
        readonly: false,
    });
    service(case, leak_all(vec![operation])).operations[0]
}

/// The service of a case, with these operations.
pub(crate) fn service(
    case: &Case<'_>,
    operations: &'static [&'static OperationSchema],
) -> &'static ServiceSchema {
    let metadata = &case.suite["metadata"];
    leak(ServiceSchema {
        name: "vectors",
        service_id: "Vectors",
        signing_name: "vectors",
        endpoint_prefix: "vectors",
        api_version: text(&metadata["apiVersion"]),
        protocols: leak_all(vec![case.protocol()]),
        target_prefix: metadata["targetPrefix"].as_str().map(str::to_owned).map(leak_text),
        xml_namespace: None,
        query_compatible: !metadata["awsQueryCompatible"].is_null(),
        global: false,
        operations,
    })
}

/// A whole service as its own model describes it, in that protocol, under that name.
pub(crate) fn whole_service(name: &'static str, model: &Json, protocol: Protocol) -> &'static ServiceSchema {
    let metadata = &model["metadata"];
    let signing_name = metadata["signingName"].as_str().unwrap_or(name).to_owned();
    let service = |operations| {
        leak(ServiceSchema {
            name,
            service_id: text(&metadata["serviceId"]),
            signing_name: leak_text(signing_name.clone()),
            endpoint_prefix: text(&metadata["endpointPrefix"]),
            api_version: text(&metadata["apiVersion"]),
            protocols: leak_all(vec![protocol]),
            target_prefix: metadata["targetPrefix"].as_str().map(str::to_owned).map(leak_text),
            xml_namespace: None,
            query_compatible: false,
            global: false,
            operations,
        })
    };
    let alone = service(&[]);
    let shapes = &model["shapes"];
    let operations = model["operations"].as_object().expect("a model has operations");
    let mut made: Vec<_> = operations
        .iter()
        .map(|(name, given)| {
            leak(OperationSchema {
                service: alone,
                name: leak_text(name.clone()),
                method: text(&given["http"]["method"]),
                uri: text(&given["http"]["requestUri"]),
                status: given["http"]["responseCode"].as_u64().unwrap_or(200) as u16,
                input: root(shapes, &given["input"]),
                output: root(shapes, &given["output"]),
                input_root: None,
                input_namespace: None,
                result_wrapper: given["output"]["resultWrapper"].as_str().map(str::to_owned).map(leak_text),
                errors: &[],
                auth: Auth::SigV4,
                checksum: None,
                readonly: false,
            })
        })
        .collect();
    made.sort_by_key(|operation| operation.name);
    service(leak_all(made))
}

fn error_schema(case: &Case<'_>, name: &'static str) -> ErrorSchema {
    let shape = &case.suite["shapes"][name];
    let default = if shape["fault"] == true { 500 } else { 400 };
    let query_status = shape["error"]["httpStatusCode"].as_u64().unwrap_or(default) as u16;
    // A service that left the query protocol keeps there what it answered then.
    let compatible = !case.suite["metadata"]["awsQueryCompatible"].is_null();
    ErrorSchema {
        name,
        code: shape["error"]["code"].as_str().map_or(name, |code| leak_text(code.to_owned())),
        status: if compatible { default as u16 } else { query_status },
        query_status,
        sender_fault: shape["fault"] != true,
        schema: schema(&case.suite["shapes"], name, &mut Vec::new()),
    }
}

fn root(shapes: &Json, reference: &Json) -> &'static Schema {
    match reference["shape"].as_str() {
        Some(name) => schema(shapes, leak_text(name.to_owned()), &mut Vec::new()),
        None => leak(Schema::new("Unit", structure(Vec::new(), None))),
    }
}

fn schema(shapes: &Json, name: &'static str, path: &mut Vec<&'static str>) -> &'static Schema {
    if path.iter().filter(|own| **own == name).count() == MAX_RECURSION {
        return leak(Schema::new(name, structure(Vec::new(), None)));
    }
    path.push(name);
    let shape = &shapes[name];
    let flattened = shape["flattened"] == true;
    let named = |reference: &Json, default| match reference["locationName"].as_str() {
        Some(name) => leak_text(name.to_owned()),
        None => default,
    };
    let kind = match text(&shape["type"]) {
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "string" => Kind::String,
        "blob" if shape["streaming"] == true => Kind::Stream,
        "blob" => Kind::Blob,
        "timestamp" => Kind::Timestamp(format(shape)),
        "structure" if shape["document"] == true => Kind::Document,
        "structure" => {
            let members = shape["members"].as_object().expect("a structure has members");
            let payload = shape["payload"].as_str();
            let payload = payload.and_then(|payload| members.keys().position(|name| name == payload));
            let required: Vec<_> = shape["required"].as_array().into_iter().flatten().map(text).collect();
            let members = members.iter().map(|(name, reference)| {
                let mut member = member(shapes, name, reference, path);
                member.required = required.contains(&member.name);
                member
            });
            let Kind::Structure { members, .. } = structure(members.collect(), payload) else {
                unreachable!()
            };
            Kind::Structure {
                members,
                union: shape["union"] == true,
                eventstream: shape["eventstream"] == true,
                payload,
            }
        }
        "list" => Kind::List {
            member: schema(shapes, text(&shape["member"]["shape"]), path),
            element: named(&shape["member"], "member"),
            query_element: None,
            flattened,
        },
        "map" => Kind::Map {
            key: schema(shapes, text(&shape["key"]["shape"]), path),
            value: schema(shapes, text(&shape["value"]["shape"]), path),
            key_element: named(&shape["key"], "key"),
            value_element: named(&shape["value"], "value"),
            query_elements: None,
            flattened,
        },
        other => panic!("unknown type {other} of {name}"),
    };
    path.pop();
    leak(Schema::new(name, kind))
}

fn structure(members: Vec<Member>, payload: Option<usize>) -> Kind {
    Kind::Structure { members: leak_all(members), union: false, eventstream: false, payload }
}

fn member(shapes: &Json, name: &str, reference: &Json, path: &mut Vec<&'static str>) -> Member {
    let name = leak_text(name.to_owned());
    let target = &shapes[text(&reference["shape"])];
    let namespace =
        [reference, target].into_iter().map(|from| &from["xmlNamespace"]).find(|ns| !ns.is_null());
    let location = match reference["location"].as_str() {
        None => Location::Body,
        Some("uri") => Location::Uri,
        Some("querystring") => Location::Query,
        Some("header") => Location::Header,
        Some("headers") => Location::HeaderPrefix,
        Some("statusCode") => Location::StatusCode,
        Some(other) => panic!("unknown location {other}"),
    };
    Member {
        location,
        wire_name: reference["locationName"].as_str().map_or(name, |name| leak_text(name.to_owned())),
        flattened: reference["flattened"] == true,
        timestamp_format: format(reference),
        xml_attribute: reference["xmlAttribute"] == true,
        xml_namespace: namespace.map(|namespace| XmlNamespace {
            prefix: namespace["prefix"].as_str().map(|prefix| leak_text(prefix.to_owned())),
            uri: namespace["uri"].as_str().map_or("", |uri| leak_text(uri.to_owned())),
        }),
        json_value: reference["jsonvalue"] == true && location == Location::Header,
        ..Member::new(name, schema(shapes, text(&reference["shape"]), path))
    }
}

fn format(of: &Json) -> Option<TimestampFormat> {
    match of["timestampFormat"].as_str() {
        None => None,
        Some("iso8601") => Some(TimestampFormat::Iso8601),
        Some("rfc822") => Some(TimestampFormat::HttpDate),
        Some("unixTimestamp") => Some(TimestampFormat::EpochSeconds),
        Some(other) => panic!("unknown format {other}"),
    }
}

fn text(json: &Json) -> &'static str {
    leak_text(json.as_str().unwrap_or_else(|| panic!("{json} is no text")).to_owned())
}

fn leak_text(text: String) -> &'static str {
    text.leak()
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn leak_all<T>(values: Vec<T>) -> &'static [T] {
    values.leak()
}
