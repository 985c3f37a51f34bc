//! A client's request through the router and the reader.

use apus_schema::{Kind, Location, Protocol, Schema};
use apus_wire::{Form, Hint, Payload, RequestHead, Router, decode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value as Json;

use crate::values::{fields_to_json, same};
use crate::{Case, model};

pub(crate) fn check(case: &Case<'_>) -> Result<(), String> {
    let operation = model::operation(case);
    let service = model::service(case, vec![operation].leak());
    let sent = &case.json["serialized"];
    let uri = sent["uri"].as_str().unwrap_or("/");
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
    let body = sent["body"].as_str().unwrap_or_default();
    let body = match case.protocol() {
        Protocol::RpcV2Cbor => STANDARD.decode(body).expect("CBOR is in base64"),
        _ => body.as_bytes().to_vec(),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in sent["headers"].as_object().into_iter().flatten() {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("a header's name"),
            HeaderValue::from_str(value.as_str().expect("a header's text")).expect("a header's value"),
        );
    }
    // Some vectors list only the headers that they are about.
    if let Some(prefix) = service.target_prefix.filter(|_| !headers.contains_key("x-amz-target")) {
        let target = format!("{prefix}.{}", operation.name);
        headers.insert("x-amz-target", HeaderValue::from_str(&target).expect("a header's value"));
    }
    let method = Method::from_bytes(sent["method"].as_str().unwrap_or(operation.method).as_bytes());
    let method = method.expect("a method");
    let head = RequestHead { method: &method, path, query, headers: &headers };
    let form = (case.protocol() == Protocol::Query).then(|| Form::parse_body(&body).expect("a form"));
    let route = Router::new(&[service])
        .find(&head, &Hint { signing_name: Some("vectors"), host: None }, form.as_ref())
        .map_err(|error| format!("not found: {error}"))?;
    if route.operation.name != operation.name {
        return Err(format!("routed to {}", route.operation.name));
    }
    let fields = decode(&route, &head, Payload::Bytes(body.into())).map_err(|error| error.to_string())?;
    let found = normal(operation.input, fields_to_json(operation.input, &fields));
    let expected = normal(operation.input, case.json["params"].clone());
    if same(&found, &expected) { Ok(()) } else { Err(format!("found {found}, expected {expected}")) }
}

/// Parameters without explicit nulls, and without those entries of a map over the query string that have
/// members of their own: a server sees them in both places, a client may have put them in either.
fn normal(input: &Schema, mut parameters: Json) -> Json {
    let Some(members) = parameters.as_object_mut() else { return parameters };
    members.retain(|_, value| !value.is_null());
    let in_query = input.members().iter().filter(|member| member.location == Location::Query);
    let (maps, bound): (Vec<_>, Vec<_>) =
        in_query.partition(|member| matches!(member.shape.kind, Kind::Map { .. }));
    for map in maps {
        let Some(Json::Object(entries)) = members.get_mut(map.name) else { continue };
        entries.retain(|key, _| bound.iter().all(|member| member.wire_name != key));
        if entries.is_empty() {
            members.remove(map.name);
        }
    }
    parameters
}
