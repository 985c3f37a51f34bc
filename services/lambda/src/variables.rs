//! A function's own environment variables: their bounds and the names that are not its to set.

use std::collections::BTreeMap;

use serde_json::json;

/// The most that all variables may take, written as JSON, in bytes: AWS's quota of 4 KB.
pub(crate) const VARIABLES_BYTES_MAX: usize = 4_096;

/// Names that a function finds set and cannot set, as the developer guide's "Reserved environment variables".
const RESERVED: [&str; 18] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Why variables are refused, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VariablesError(pub(crate) String);

/// Holds the variables to their bounds.
pub(crate) fn check(variables: &BTreeMap<String, String>) -> Result<(), VariablesError> {
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(VariablesError(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used \
             in this request: {}",
            reserved.join(", ")
        )));
    }
    let written = json!(variables).to_string();
    if written.len() > VARIABLES_BYTES_MAX {
        return Err(VariablesError(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {written}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_may_take_four_kilobytes_written_as_json() {
        let around = r#"{"A":""}"#.len();
        assert_eq!(check(&variables(&[("A", &"x".repeat(4_096 - around))])), Ok(()));
        let error = check(&variables(&[("A", &"x".repeat(4_097 - around))])).unwrap_err().0;
        assert!(error.contains(r#"exceeded the 4KB limit. String measured: {"A":"xxx"#), "{error}");
        // What must be escaped counts as it is written.
        assert!(check(&variables(&[("A", &"\n".repeat(2_045))])).is_err());
        assert_eq!(check(&BTreeMap::new()), Ok(()));
    }

    #[test]
    fn reserved_names_are_listed_in_order() {
        let error =
            check(&variables(&[("_HANDLER", "x"), ("AWS_REGION", "x"), ("MINE", "x")])).unwrap_err().0;
        assert!(error.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"), "{error}");
        for name in ["AWS_ENDPOINT_URL", "AWS_LAMBDA_EXEC_WRAPPER", "TZ", "PATH", "aws_region"] {
            assert_eq!(check(&variables(&[(name, "x")])), Ok(()), "{name}");
        }
    }
}
