//! `AddPermission` and `RemovePermission`: statements of a queue's policy, by their labels.

use apus_kernel::AccountId;
use serde_json::{Map, Value, json};

use crate::queue_id::QueueId;

/// The most statements of a policy that permissions are added to.
const STATEMENTS_MAX: usize = 20;
/// The most actions of one statement.
const ACTIONS_MAX: usize = 7;
/// The longest label.
const LABEL_LENGTH_MAX: usize = 80;

/// The actions that a queue's owner may share.
const SHARED: [&str; 7] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ReceiveMessage",
    "SendMessage",
];
/// The actions that only a queue's owner may call: a policy gives them to nobody else
/// ("Cross-account permissions don't apply to this action" in the API reference).
const OWNERS: [&str; 12] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "CreateQueue",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueues",
    "ListQueueTags",
    "RemovePermission",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];

/// Whether only the queue's own account may call it: `sqs:DeleteQueue`.
pub(crate) fn is_owners(action: &str) -> bool {
    action.strip_prefix("sqs:").is_some_and(|name| OWNERS.contains(&name))
}

/// Why a permission is neither added nor removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PermissionError {
    /// A value of a parameter that does not do, and why.
    Value { parameter: &'static str, value: String, reason: &'static str },
    /// A parameter is missing.
    Missing(&'static str),
    /// Too many actions or statements.
    TooMany(String),
}

fn value(parameter: &'static str, value: &str, reason: &'static str) -> PermissionError {
    PermissionError::Value { parameter, value: value.into(), reason }
}

/// What `AddPermission` adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permission {
    label: String,
    accounts: Vec<AccountId>,
    actions: Vec<String>,
}

impl Permission {
    pub(crate) fn parse(
        label: &str,
        accounts: &[String],
        actions: &[String],
    ) -> Result<Self, PermissionError> {
        check_label(label)?;
        if accounts.is_empty() {
            return Err(PermissionError::Missing("AWSAccountIds"));
        }
        if actions.is_empty() {
            return Err(PermissionError::Missing("Actions"));
        }
        if actions.len() > ACTIONS_MAX {
            return Err(PermissionError::TooMany(format!(
                "{} Actions were found, maximum allowed is {ACTIONS_MAX}.",
                actions.len()
            )));
        }
        for action in actions {
            if OWNERS.contains(&action.as_str()) {
                let reason = "Only the queue owner is allowed to invoke this action.";
                return Err(value("ActionName", &format!("SQS:{action}"), reason));
            }
            if !SHARED.contains(&action.as_str()) {
                let reason = "Please refer to the appropriate WSDL for a list of valid actions.";
                return Err(value("ActionName", &format!("SQS:{action}"), reason));
            }
        }
        let unknown = |text: &str| value("PrincipalId", &format!("[{text}]"), "Unable to verify.");
        let accounts = accounts.iter().map(|text| text.parse().map_err(|_| unknown(text)));
        Ok(Self {
            label: label.into(),
            accounts: accounts.collect::<Result<_, _>>()?,
            actions: actions.to_vec(),
        })
    }

    /// The queue's policy with this permission.
    pub(crate) fn added_to(&self, policy: Option<&str>, queue: &QueueId) -> Result<String, PermissionError> {
        let arn = queue.arn().to_string();
        let mut document = read(policy);
        document.entry("Version").or_insert_with(|| json!("2012-10-17"));
        document.entry("Id").or_insert_with(|| json!(format!("{arn}/SQSDefaultPolicy")));
        let mut statements = statements(&mut document);
        if statements.iter().any(|statement| is_labelled(statement, &self.label)) {
            return Err(value("Label", &self.label, "Already exists."));
        }
        if statements.len() >= STATEMENTS_MAX {
            return Err(PermissionError::TooMany(format!(
                "{} statements were found, maximum allowed is {STATEMENTS_MAX}.",
                statements.len() + 1
            )));
        }
        let accounts = self.accounts.iter().map(|account| json!(format!("arn:aws:iam::{account}:root")));
        let actions = self.actions.iter().map(|action| json!(format!("SQS:{action}")));
        statements.push(json!({
            "Sid": self.label,
            "Effect": "Allow",
            "Principal": { "AWS": one_or_many(accounts.collect()) },
            "Action": one_or_many(actions.collect()),
            "Resource": arn,
        }));
        document.insert("Statement".into(), Value::Array(statements));
        Ok(Value::Object(document).to_string())
    }
}

/// The queue's policy without the permission of that label; nothing if it was the last.
pub(crate) fn removed_from(policy: Option<&str>, label: &str) -> Result<Option<String>, PermissionError> {
    check_label(label)?;
    let mut document = read(policy);
    let mut statements = statements(&mut document);
    let before = statements.len();
    statements.retain(|statement| !is_labelled(statement, label));
    if statements.len() == before {
        return Err(value("Label", label, "can't find label on existing policy."));
    }
    if statements.is_empty() {
        return Ok(None);
    }
    document.insert("Statement".into(), Value::Array(statements));
    Ok(Some(Value::Object(document).to_string()))
}

fn check_label(label: &str) -> Result<(), PermissionError> {
    let valid = (1..=LABEL_LENGTH_MAX).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
    if valid { Ok(()) } else { Err(value("Label", label, reason)) }
}

/// A policy that was checked when it was set.
fn read(policy: Option<&str>) -> Map<String, Value> {
    match policy.map(serde_json::from_str) {
        Some(Ok(Value::Object(document))) => document,
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

    fn parse(label: &str, accounts: &[&str], actions: &[&str]) -> Result<Permission, PermissionError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Permission::parse(label, &owned(accounts), &owned(actions))
    }

    #[test]
    fn permissions_come_and_go_by_label() {
        let queue = QueueId::from_arn("arn:aws:sqs:us-east-1:000000000000:jobs").expect("a queue");
        let first = parse("first", &["111122223333"], &["SendMessage"]).expect("it is valid");
        let second =
            parse("second", &["111122223333", "444455556666"], &["*", "ReceiveMessage"]).expect("so is it");
        let policy = first.added_to(None, &queue).expect("it is added");
        assert_eq!(
            policy,
            "{\"Version\":\"2012-10-17\",\"Id\":\"arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy\",\
             \"Statement\":[{\"Sid\":\"first\",\"Effect\":\"Allow\",\
             \"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:root\"},\"Action\":\"SQS:SendMessage\",\
             \"Resource\":\"arn:aws:sqs:us-east-1:000000000000:jobs\"}]}"
        );
        let both = second.added_to(Some(&policy), &queue).expect("it is added");
        assert!(Policy::parse(&both, Kind::Resource, Limits::NONE).is_ok(), "{both}");
        assert_eq!(first.added_to(Some(&both), &queue), Err(value("Label", "first", "Already exists.")));
        assert_eq!(removed_from(Some(&both), "second"), Ok(Some(policy.clone())));
        assert_eq!(removed_from(Some(&policy), "first"), Ok(None));
        for policy in [None, Some(policy.as_str())] {
            assert!(matches!(removed_from(policy, "third"), Err(PermissionError::Value { .. })));
        }
    }

    #[test]
    fn what_cannot_be_shared_is_refused() {
        for (label, accounts, actions) in [
            ("a b", &["111122223333"][..], &["SendMessage"][..]),
            ("", &["111122223333"], &["SendMessage"]),
            ("a", &["1111"], &["SendMessage"]),
            ("a", &[], &["SendMessage"]),
            ("a", &["111122223333"], &[]),
            ("a", &["111122223333"], &["DeleteQueue"]),
            ("a", &["111122223333"], &["Frobnicate"]),
            ("a", &["111122223333"], &["SendMessage"; 8]),
        ] {
            assert!(parse(label, accounts, actions).is_err(), "{label} {accounts:?} {actions:?}");
        }
        assert!(is_owners("sqs:DeleteQueue") && !is_owners("sqs:SendMessage") && !is_owners("DeleteQueue"));
    }
}
