//! `AddPermission` and `RemovePermission`: statements of a topic's policy, by their labels.

use apus_kernel::AccountId;
use serde_json::{Map, Value, json};

use crate::topic::TopicId;

/// The most statements of a policy that permissions are added to.
const STATEMENTS_MAX: usize = 100;
/// The longest label.
const LABEL_LENGTH_MAX: usize = 100;
/// The actions that a topic's owner may share.
const SHARED: [&str; 9] = [
    "AddPermission",
    "DeleteTopic",
    "GetDataProtectionPolicy",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
];

/// Why a permission is neither added nor removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PermissionError {
    Label,
    Exists,
    NoLabel,
    Action(String),
    Account(String),
    /// A list without members; its parameter.
    Empty(&'static str),
    TooMany,
}

/// The topic's policy with a statement more.
pub(crate) fn added(
    policy: &str,
    topic: &TopicId,
    label: &str,
    accounts: &[String],
    actions: &[String],
) -> Result<String, PermissionError> {
    if label.is_empty() || label.len() > LABEL_LENGTH_MAX {
        return Err(PermissionError::Label);
    }
    if accounts.is_empty() {
        return Err(PermissionError::Empty("AWSAccountId"));
    }
    if actions.is_empty() {
        return Err(PermissionError::Empty("ActionName"));
    }
    if let Some(unknown) = actions.iter().find(|action| !SHARED.contains(&action.as_str())) {
        return Err(PermissionError::Action(unknown.clone()));
    }
    let principal = |text: &String| {
        let account: AccountId = text.parse().map_err(|_| PermissionError::Account(text.clone()))?;
        Ok(json!(format!("arn:aws:iam::{account}:root")))
    };
    let principals: Vec<Value> = accounts.iter().map(principal).collect::<Result<_, _>>()?;
    let actions: Vec<Value> = actions.iter().map(|action| json!(format!("SNS:{action}"))).collect();
    let mut document = read(policy);
    let mut statements = statements(&mut document);
    if statements.iter().any(|statement| is_labelled(statement, label)) {
        return Err(PermissionError::Exists);
    }
    if statements.len() >= STATEMENTS_MAX {
        return Err(PermissionError::TooMany);
    }
    statements.push(json!({
        "Sid": label,
        "Effect": "Allow",
        "Principal": { "AWS": one_or_many(principals) },
        "Action": one_or_many(actions),
        "Resource": topic.to_string(),
    }));
    document.insert("Statement".into(), Value::Array(statements));
    Ok(Value::Object(document).to_string())
}

/// The topic's policy without the statement of that label; nothing if it was the last.
pub(crate) fn removed(policy: &str, label: &str) -> Result<Option<String>, PermissionError> {
    let mut document = read(policy);
    let mut statements = statements(&mut document);
    let before = statements.len();
    statements.retain(|statement| !is_labelled(statement, label));
    if statements.len() == before {
        return Err(PermissionError::NoLabel);
    }
    if statements.is_empty() {
        return Ok(None);
    }
    document.insert("Statement".into(), Value::Array(statements));
    Ok(Some(Value::Object(document).to_string()))
}

/// A policy that was checked when it was set.
fn read(policy: &str) -> Map<String, Value> {
    match serde_json::from_str(policy) {
        Ok(Value::Object(document)) => document,
        _ => Map::new(),
    }
}

/// Its statements, of which a single one may stand for itself.
fn statements(document: &mut Map<String, Value>) -> Vec<Value> {
    match document.remove("Statement") {
        Some(Value::Array(statements)) => statements,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn is_labelled(statement: &Value, label: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(label)
}

fn one_or_many(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

#[cfg(test)]
mod tests {
    use apus_policy::{Kind, Limits, Policy};

    use super::*;
    use crate::topic::TopicAttributes;

    #[test]
    fn permissions_come_and_go_by_label() {
        let topic = TopicId::parse("arn:aws:sns:us-east-1:000000000000:t", "TopicArn").expect("a topic");
        let first = TopicAttributes::default().effective_policy(&topic);
        let add = |label: &str, accounts: &[&str], actions: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            added(&first, &topic, label, &owned(accounts), &owned(actions))
        };
        let both =
            add("a", &["111122223333", "444455556666"], &["Publish", "Subscribe"]).expect("it is added");
        assert!(Policy::parse(&both, Kind::Resource, Limits::NONE).is_ok(), "{both}");
        assert_eq!(removed(&both, "a"), Ok(Some(first.clone())));
        assert_eq!(removed(&first, "__default_statement_ID"), Ok(None));
        assert_eq!(removed(&first, "a"), Err(PermissionError::NoLabel));
        let twice = added(&both, &topic, "a", &["111122223333".to_owned()], &["Publish".to_owned()]);
        assert_eq!(twice, Err(PermissionError::Exists));
        assert_eq!(add("", &["111122223333"], &["Publish"]), Err(PermissionError::Label));
        assert_eq!(add("b", &["1"], &["Publish"]), Err(PermissionError::Account("1".into())));
        assert_eq!(
            add("b", &["111122223333"], &["CreateTopic"]),
            Err(PermissionError::Action("CreateTopic".into()))
        );
        assert_eq!(add("b", &[], &["Publish"]), Err(PermissionError::Empty("AWSAccountId")));
    }
}
