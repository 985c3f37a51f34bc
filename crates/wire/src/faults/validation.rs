//! Broken constraints of the model, in AWS's words. A table gives services that have words of their own a hook.

use std::fmt::Write;

use apus_schema::{Common, ErrorSchema, Reason, Schema, ServiceError, ServiceSchema, Step, Value, Violation};

use crate::json::write_document;

/// The most characters of a refused value that a message repeats.
const MAX_VALUE_CHARS: usize = 1_024;

/// What a service answers to a request that breaks constraints of its model. There must be at least one violation.
pub fn violation_error(service: &ServiceSchema, violations: &[Violation<'_>]) -> ServiceError {
    let hook = HOOKS.iter().find(|(name, _)| *name == service.name).map(|(_, hook)| *hook);
    hook.and_then(|hook| hook(violations))
        .unwrap_or_else(|| ServiceError::common(Common::Validation, message(violations)))
}

/// Gives a service's own error, or nothing where the common words fit.
type Hook = fn(&[Violation<'_>]) -> Option<ServiceError>;

static HOOKS: &[(&str, Hook)] = &[("s3", s3), ("sqs", sqs)];

/// SQS names a missing parameter; no model lists the error, which has a name in each protocol.
static MISSING_PARAMETER: ErrorSchema = ErrorSchema {
    name: "MissingRequiredParameterException",
    code: "MissingParameter",
    status: 400,
    query_status: 400,
    sender_fault: true,
    schema: &NO_MEMBERS,
};
static NO_MEMBERS: Schema = Schema::structure("MissingRequiredParameterException", &[]);

/// SQS names the attribute that it does not know, where names of attributes are listed.
static UNKNOWN_ATTRIBUTE: ErrorSchema = ErrorSchema {
    name: "InvalidAttributeName",
    code: "InvalidAttributeName",
    status: 400,
    query_status: 400,
    sender_fault: true,
    schema: &NO_MEMBERS,
};

fn sqs(violations: &[Violation<'_>]) -> Option<ServiceError> {
    missing_parameter(violations).or_else(|| unknown_attribute(violations))
}

fn unknown_attribute(violations: &[Violation<'_>]) -> Option<ServiceError> {
    let unknown = violations.iter().find_map(|violation| {
        let Reason::Enumeration(known) = violation.reason else { return None };
        let Some(Step::Member(member)) = violation.path.first() else { return None };
        let names = match violation.value? {
            Value::List(names) if member.ends_with("AttributeNames") => names.as_slice(),
            name if member.ends_with("AttributeNames") => std::slice::from_ref(name),
            _ => return None,
        };
        names.iter().find_map(|name| match name {
            Value::String(name) if !known.contains(&name.as_str()) => Some(name),
            _ => None,
        })
    })?;
    Some(ServiceError::modelled(&UNKNOWN_ATTRIBUTE, format!("Unknown Attribute {unknown}.")))
}

fn missing_parameter(violations: &[Violation<'_>]) -> Option<ServiceError> {
    let missing = violations.iter().find(|violation| violation.reason == Reason::Required)?;
    let parameter = path(&missing.path, str::to_owned);
    Some(ServiceError::modelled(
        &MISSING_PARAMETER,
        format!("The request must contain the parameter {parameter}."),
    ))
}

/// S3 refuses a body that lacks something as a whole.
fn s3(violations: &[Violation<'_>]) -> Option<ServiceError> {
    let in_body = violations.iter().any(|violation| violation.path.len() > 1);
    in_body.then(|| ServiceError::common(Common::Malformed, ""))
}

/// The words of the validator that most services share.
fn message(violations: &[Violation<'_>]) -> String {
    let count = violations.len();
    let noun = if count == 1 { "error" } else { "errors" };
    let mut text = format!("{count} validation {noun} detected: ");
    for (at, violation) in violations.iter().enumerate() {
        if at > 0 {
            text.push_str("; ");
        }
        let place = path(&violation.path, decapitalised);
        let value = violation.value.map_or_else(|| "null".to_owned(), |value| format!("'{}'", shown(value)));
        let _ = write!(
            text,
            "Value {value} at '{place}' failed to satisfy constraint: Member must {}",
            constraint(&violation.reason)
        );
    }
    text
}

fn constraint(reason: &Reason) -> String {
    match reason {
        Reason::Required => "not be null".into(),
        Reason::LengthBelow(min) => format!("have length greater than or equal to {min}"),
        Reason::LengthAbove(max) => format!("have length less than or equal to {max}"),
        Reason::ValueBelow(min) => format!("have value greater than or equal to {min}"),
        Reason::ValueAbove(max) => format!("have value less than or equal to {max}"),
        Reason::Pattern(pattern) => format!("satisfy regular expression pattern: {pattern}"),
        Reason::Enumeration(values) => format!("satisfy enum value set: [{}]", values.join(", ")),
    }
}

fn path(steps: &[Step], name: fn(&str) -> String) -> String {
    let parts = steps.iter().map(|step| match step {
        Step::Member(member) => name(member),
        Step::Element(number) => format!("{number}.member"),
        Step::Key(key) => format!("{key}.member"),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The validator writes members as Java does: `roleName`, but `QueueURLs` and the like by the same rule.
fn decapitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

fn shown(value: &Value) -> String {
    let mut text = match value {
        Value::String(text) => text.clone(),
        Value::Structure(_) | Value::Stream(_) => String::new(),
        Value::Blob(bytes) => format!("java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len()),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}={}", shown(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        scalar => {
            let mut out = String::new();
            write_document(&mut out, scalar);
            out
        }
    };
    if let Some((at, _)) = text.char_indices().nth(MAX_VALUE_CHARS) {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_aws() {
        let value = Value::from("a b");
        let violations = [
            Violation {
                path: vec![Step::Member("RoleName")],
                value: Some(&value),
                reason: Reason::Pattern("[\\w+=,.@-]+"),
            },
            Violation {
                path: vec![Step::Member("Tags"), Step::Element(1), Step::Member("Key")],
                value: None,
                reason: Reason::Required,
            },
        ];
        assert_eq!(
            message(&violations),
            "2 validation errors detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]+; Value null at 'tags.1.member.key' failed to satisfy \
             constraint: Member must not be null"
        );
        let error = sqs(&violations).expect("a parameter is missing");
        assert_eq!(error.message(), "The request must contain the parameter Tags.1.member.Key.");
        assert_eq!(error.name(), "MissingRequiredParameterException");
        assert!(sqs(&violations[..1]).is_none());
        let names = Value::List(vec![Value::from("All"), Value::from("Colour")]);
        let unknown = Violation {
            path: vec![Step::Member("AttributeNames")],
            value: Some(&names),
            reason: Reason::Enumeration(&["All"]),
        };
        let error = sqs(&[unknown]).expect("an attribute is unknown");
        assert_eq!(error.name(), "InvalidAttributeName");
        assert_eq!(error.message(), "Unknown Attribute Colour.");
    }
}
