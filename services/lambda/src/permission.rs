//! Resource policies: the statements that `AddPermission` writes, and the document that they make.

use apus_kernel::{AccountId, Arn};
use apus_model_lambda::{AddLayerVersionPermissionRequest, AddPermissionRequest, FunctionUrlAuthType};
use apus_schema::ServiceError;
use serde_json::{Map, Value, json};

use crate::errors;
use crate::function_name::{FunctionReference, LATEST};
use crate::store::policy::StatementRecord;

/// The longest policy, in bytes.
const POLICY_BYTES_MAX: usize = 20_480;
/// The only action that `FunctionUrlAuthType` is about.
const INVOKE_URL: &str = "lambda:InvokeFunctionUrl";

/// The policy that these statements make, as JSON.
pub(crate) fn document(statements: &[StatementRecord]) -> String {
    let statements: Vec<&str> = statements.iter().map(|statement| statement.json.as_str()).collect();
    format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{}]}}"#, statements.join(","))
}

/// Refuses what can have no policy.
pub(crate) fn check_subject(function: &FunctionReference) -> Result<(), ServiceError> {
    if function.qualifier.as_deref() == Some(LATEST) {
        return Err(errors::invalid_parameter("We currently do not support adding policies for $LATEST."));
    }
    Ok(())
}

/// The statement that a request asks for, about that resource.
pub(crate) fn statement(
    input: &AddPermissionRequest,
    resource: &Arn,
) -> Result<StatementRecord, ServiceError> {
    if input.function_url_auth_type.is_some() && input.action != INVOKE_URL {
        return Err(errors::invalid_parameter(
            "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
        ));
    }
    // A policy that cannot be read would lock everybody out, its owner as well.
    if input.source_arn.as_ref().is_some_and(|source| source.contains("${")) {
        return Err(errors::invalid_parameter("SourceArn must not contain a policy variable (${)."));
    }
    let mut equals = Map::new();
    let mut equal = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            equals.insert(key.to_owned(), value.into());
        }
    };
    equal("AWS:SourceAccount", input.source_account.as_deref());
    equal("aws:PrincipalOrgID", input.principal_org_id.as_deref());
    equal("lambda:EventSourceToken", input.event_source_token.as_deref());
    equal(
        "lambda:FunctionUrlAuthType",
        input.function_url_auth_type.as_ref().map(FunctionUrlAuthType::as_str),
    );
    let mut conditions = Map::new();
    if !equals.is_empty() {
        conditions.insert("StringEquals".into(), equals.into());
    }
    if let Some(via) = input.invoked_via_function_url {
        conditions.insert("Bool".into(), json!({ "lambda:InvokedViaFunctionUrl": via.to_string() }));
    }
    if let Some(source) = &input.source_arn {
        conditions.insert("ArnLike".into(), json!({ "AWS:SourceArn": source }));
    }
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal(&input.principal)?,
        "Action": input.action,
        "Resource": resource.to_string(),
    });
    if !conditions.is_empty() {
        statement["Condition"] = conditions.into();
    }
    Ok(StatementRecord { sid: input.statement_id.clone(), json: statement.to_string() })
}

/// The statement that a request asks for, about that layer version. The model allows one action, and everybody, an
/// account or its root.
pub(crate) fn layer_statement(
    input: &AddLayerVersionPermissionRequest,
    resource: &Arn,
) -> Result<StatementRecord, ServiceError> {
    if input.organization_id.is_some() && input.principal != "*" {
        return Err(errors::invalid_parameter("OrganizationId can only be given with the principal *."));
    }
    let mut statement = json!({
        "Sid": input.statement_id,
        "Effect": "Allow",
        "Principal": principal(&input.principal)?,
        "Action": input.action,
        "Resource": resource.to_string(),
    });
    if let Some(organisation) = &input.organization_id {
        statement["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": organisation } });
    }
    Ok(StatementRecord { sid: input.statement_id.clone(), json: statement.to_string() })
}

/// Everybody, an account, an identity of IAM, or a service.
fn principal(text: &str) -> Result<Value, ServiceError> {
    if text == "*" {
        return Ok("*".into());
    }
    if let Ok(account) = text.parse::<AccountId>() {
        return Ok(json!({ "AWS": Arn::global("iam", account, "root").to_string() }));
    }
    if is_identity(text) {
        return Ok(json!({ "AWS": text }));
    }
    let is_service = text.contains('.')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && text.split('.').all(|part| !part.is_empty());
    if is_service {
        return Ok(json!({ "Service": text }));
    }
    Err(errors::invalid_parameter(
        "The provided principal was invalid. Please check the principal and try again.",
    ))
}

fn is_identity(text: &str) -> bool {
    let Ok(arn) = text.parse::<Arn>() else { return false };
    let kinds: &[&str] = match &*arn.service {
        "iam" => &["user/", "role/"],
        "sts" => &["assumed-role/", "federated-user/"],
        _ => return false,
    };
    let known = kinds.iter().any(|kind| arn.resource.len() > kind.len() && arn.resource.starts_with(kind));
    let known = known || (arn.service == "iam" && arn.resource == "root");
    known
        && arn.region.is_empty()
        && arn.account.parse::<AccountId>().is_ok()
        && !text.contains(['*', '?', '"', '\\'])
}

/// Adds a statement, whose id must be new, if the policy stays within its bound.
pub(crate) fn add(statements: &mut Vec<StatementRecord>, one: StatementRecord) -> Result<(), ServiceError> {
    if statements.iter().any(|statement| statement.sid == one.sid) {
        return Err(errors::statement_exists(&one.sid));
    }
    statements.push(one);
    let bytes = document(statements).len();
    if bytes > POLICY_BYTES_MAX { Err(errors::policy_too_long(bytes, POLICY_BYTES_MAX)) } else { Ok(()) }
}

/// Removes the statement of that id.
pub(crate) fn remove(statements: &mut Vec<StatementRecord>, sid: &str) -> Result<(), ServiceError> {
    let before = statements.len();
    statements.retain(|statement| statement.sid != sid);
    if statements.len() == before { Err(errors::no_statement(sid)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_have_four_forms() {
        let root = json!({ "AWS": "arn:aws:iam::123456789012:root" });
        for (text, expected) in [
            ("*", Some("*".into())),
            ("123456789012", Some(root.clone())),
            ("arn:aws:iam::123456789012:root", Some(root)),
            (
                "arn:aws:iam::123456789012:role/a/b",
                Some(json!({ "AWS": "arn:aws:iam::123456789012:role/a/b" })),
            ),
            ("s3.amazonaws.com", Some(json!({ "Service": "s3.amazonaws.com" }))),
            ("12345678901", None),
            ("s3", None),
            ("s3.amazonaws.com\"", None),
            (".com", None),
            ("arn:aws:iam::123456789012:role/*", None),
            ("arn:aws:iam::123456789012:role/", None),
            ("arn:aws:sqs::123456789012:role/a", None),
            ("arn:aws:iam::12345:role/a", None),
        ] {
            assert_eq!(principal(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_policy_has_a_bound_and_each_id_once() {
        let statement = |sid: usize| StatementRecord { sid: sid.to_string(), json: "x".repeat(1_000) };
        let mut statements = Vec::new();
        for sid in 0..20 {
            add(&mut statements, statement(sid)).expect("there is room");
        }
        assert!(
            add(&mut statements, statement(20)).is_err_and(|error| error.name().starts_with("PolicyLength"))
        );
        statements.pop();
        assert!(add(&mut statements, statement(3)).is_err_and(|error| error.message().contains("(3)")));
        assert!(remove(&mut statements, "99").is_err());
        assert!(remove(&mut statements, "3").is_ok());
        assert_eq!(statements.len(), 19);
    }
}
