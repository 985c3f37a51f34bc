//! What an older model of a service, which spoke the query protocol, adds to today's: names of parameters and
//! elements, codes of errors, wrappers of results.

use serde_json::Value;

use super::model::{Kind, Model};
use super::services::Service;

/// Merges the query traits of an older model. Today's shapes stay as they are; what the older model lacks takes
/// its facts from the service's table.
pub(crate) fn query_traits(model: &mut Model, older: &Value) {
    model.protocols.push("Query");
    if model.xml_namespace.is_none() {
        model.xml_namespace = text(&older["metadata"]["xmlNamespace"]);
    }
    for operation in &mut model.operations {
        let wrapper = &older["operations"][&operation.name]["output"]["resultWrapper"];
        // Operations that are younger than the older model follow its habit.
        operation.result_wrapper = operation
            .output
            .is_some()
            .then(|| text(wrapper).unwrap_or_else(|| format!("{}Result", operation.name)));
    }
    for error in &mut model.errors {
        let traits = &older["shapes"][&error.name]["error"];
        let known = model.service.error_codes.iter().find(|(name, ..)| *name == error.name);
        if let Some(&(_, code, status)) = known {
            error.code = code.to_owned();
            error.query_status = status.into();
        } else if let Some(code) = text(&traits["code"]) {
            error.code = code;
            error.query_status = traits["httpStatusCode"].as_u64().unwrap_or(error.query_status);
        }
    }
    for shape in model.shapes.values_mut() {
        merge_shape(model.service, &shape.name, &mut shape.kind, &older["shapes"]);
    }
}

fn merge_shape(service: &Service, name: &str, kind: &mut Kind, shapes: &Value) {
    let older = &shapes[name];
    match kind {
        Kind::List { query_element, .. } => *query_element = text(&older["member"]["locationName"]),
        Kind::Map { query_elements, .. } => {
            let key = text(&older["key"]["locationName"]);
            let value = text(&older["value"]["locationName"]);
            *query_elements = (key.is_some() || value.is_some())
                .then(|| (key.unwrap_or_else(|| "key".into()), value.unwrap_or_else(|| "value".into())));
        }
        Kind::Structure { members, .. } => {
            for member in members {
                let supplied = service
                    .query_members
                    .iter()
                    .find(|(shape, own, _)| *shape == name && *own == member.name)
                    .map(|(_, _, query_name)| (*query_name).to_owned());
                let older_member = &older["members"][&member.name];
                let target = &shapes[older_member["shape"].as_str().unwrap_or_default()];
                // A flattened list stands under its element's name.
                let element =
                    if target["flattened"] == true { text(&target["member"]["locationName"]) } else { None };
                let query_name = supplied.or(element).or_else(|| text(&older_member["locationName"]));
                member.query_name = query_name.filter(|query_name| *query_name != member.name);
            }
        }
        Kind::Scalar(_) | Kind::Enumeration(_) | Kind::Timestamp(_) => {}
    }
}

fn text(json: &Value) -> Option<String> {
    json.as_str().map(str::to_owned)
}
