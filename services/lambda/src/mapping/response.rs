//! What a function says of its batch, if the mapping listens: `ReportBatchItemFailures`.
//!
//! The rules are those of "Implementing partial batch responses" in the developer guide: nothing said is success, and
//! what cannot be understood is the failure of the whole batch.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is to come of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of it is done.
    Done,
    /// These failed, by their identifiers; the others are done.
    Partial(BTreeSet<String>),
    /// None of it is done.
    Failed,
}

/// The verdict of that response on a batch of records with those identifiers.
pub(crate) fn verdict<'a>(response: &[u8], ids: impl Iterator<Item = &'a str>) -> Verdict {
    let Ok(response) = serde_json::from_slice::<Value>(response) else {
        return if response.is_empty() { Verdict::Done } else { Verdict::Failed };
    };
    let failures = match &response {
        Value::Null => return Verdict::Done,
        Value::String(text) if text.is_empty() => return Verdict::Done,
        Value::Object(members) => match members.get("batchItemFailures") {
            None | Some(Value::Null) => return Verdict::Done,
            Some(Value::Array(failures)) => failures,
            Some(_) => return Verdict::Failed,
        },
        _ => return Verdict::Failed,
    };
    let known: BTreeSet<&str> = ids.collect();
    let mut failed = BTreeSet::new();
    for failure in failures {
        match failure.get("itemIdentifier").and_then(Value::as_str) {
            Some(id) if known.contains(id) => failed.insert(id.to_owned()),
            // An empty one, a number, another key, or a record that was not in the batch.
            _ => return Verdict::Failed,
        };
    }
    if failed.is_empty() { Verdict::Done } else { Verdict::Partial(failed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read_as_the_guide_says() {
        let partial = |ids: &[&str]| Verdict::Partial(ids.iter().map(|id| (*id).to_owned()).collect());
        for (response, expected) in [
            ("", Verdict::Done),
            ("null", Verdict::Done),
            ("\"\"", Verdict::Done),
            ("{}", Verdict::Done),
            (r#"{"other": 1}"#, Verdict::Done),
            (r#"{"batchItemFailures": null}"#, Verdict::Done),
            (r#"{"batchItemFailures": []}"#, Verdict::Done),
            (r#"{"batchItemFailures": [{"itemIdentifier": "b"}]}"#, partial(&["b"])),
            (
                r#"{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}"#,
                partial(&["a", "b"]),
            ),
            (r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": [{"itemIdentifier": 7}]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": [{"itemId": "a"}]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": [{"itemIdentifier": "a"}, {}]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": [{"itemIdentifier": "stranger"}]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": ["a"]}"#, Verdict::Failed),
            (r#"{"batchItemFailures": {}}"#, Verdict::Failed),
            (r#"{"batchItemFailures": "#, Verdict::Failed),
            ("\"all well\"", Verdict::Failed),
            ("[]", Verdict::Failed),
            ("true", Verdict::Failed),
        ] {
            assert_eq!(verdict(response.as_bytes(), ["a", "b"].into_iter()), expected, "{response}");
        }
    }
}
