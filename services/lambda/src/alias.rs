//! Aliases: where they may lead, and where an invocation goes.

use std::collections::BTreeMap;

use apus_model_lambda::{AliasConfiguration, AliasRoutingConfiguration};
use apus_schema::{Common, ServiceError};

use crate::errors;
use crate::function_name::{FunctionId, LATEST};
use crate::store::alias::AliasRecord;

/// Versions that an alias leads to beside its first.
const ADDITIONAL_MAX: usize = 1;
/// The model's pattern for names of aliases, which its engine cannot say.
const NAME_PATTERN: &str = "(?!^[0-9]+$)([a-zA-Z0-9-_]+)";

/// The version that an invocation goes to; `chance` is from 0 to below 1.
pub(crate) fn choose(alias: &AliasRecord, chance: f64) -> &str {
    let mut passed = 0.0;
    for (version, weight) in &alias.weights {
        passed += weight;
        if chance < passed {
            return version;
        }
    }
    &alias.version
}

/// Holds an alias's name to what the model's pattern says.
pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let valid = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !name.bytes().all(|b| b.is_ascii_digit());
    if valid {
        return Ok(());
    }
    let message = format!(
        "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: {NAME_PATTERN}"
    );
    Err(ServiceError::common(Common::Validation, message))
}

/// The weights that a request gives, for an alias that leads to `version` first.
pub(crate) fn weights(
    routing: Option<AliasRoutingConfiguration>,
    version: &str,
) -> Result<BTreeMap<String, f64>, ServiceError> {
    let weights = routing.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
    if weights.len() > ADDITIONAL_MAX {
        return Err(errors::invalid_parameter(format!(
            "Number of items in AdditionalVersionWeights cannot be greater than {ADDITIONAL_MAX}"
        )));
    }
    if !weights.is_empty() && version == LATEST {
        return Err(errors::invalid_parameter(
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ));
    }
    if weights.contains_key(version) {
        return Err(errors::invalid_parameter(format!(
            "Invalid function version {version}. Function version {version} is already included in routing \
             configuration."
        )));
    }
    Ok(weights)
}

/// An alias as answers show it.
pub(crate) fn describe(id: &FunctionId, name: &str, alias: &AliasRecord) -> AliasConfiguration {
    let routing_config = (!alias.weights.is_empty())
        .then(|| AliasRoutingConfiguration { additional_version_weights: Some(alias.weights.clone()) });
    AliasConfiguration {
        alias_arn: Some(id.qualified_arn(name).to_string()),
        name: Some(name.to_owned()),
        function_version: Some(alias.version.clone()),
        description: Some(alias.description.clone()),
        routing_config,
        revision_id: Some(alias.revision.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(weights: &[(&str, f64)]) -> AliasRecord {
        AliasRecord {
            version: "1".into(),
            description: String::new(),
            weights: weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect(),
            revision: String::new(),
        }
    }

    #[test]
    fn chance_below_the_weight_goes_to_the_other_version() {
        for (weight, chance, version) in [
            (0.25, 0.0, "2"),
            (0.25, 0.2499, "2"),
            (0.25, 0.25, "1"),
            (0.25, 0.999, "1"),
            (0.0, 0.0, "1"),
            (1.0, 0.999_999, "2"),
        ] {
            assert_eq!(choose(&alias(&[("2", weight)]), chance), version, "{chance} of {weight}");
        }
        assert_eq!(choose(&alias(&[]), 0.0), "1");
    }

    #[test]
    fn a_name_is_no_number() {
        for name in ["live", "a1", "1a", "_", "-1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "1", "007", "a.b", "ä", "$LATEST"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn weights_are_of_one_other_version() {
        let check = |weights: &[(&str, f64)], version| {
            let additional_version_weights = Some(alias(weights).weights);
            super::weights(Some(AliasRoutingConfiguration { additional_version_weights }), version)
                .map_err(|error| error.message().to_owned())
        };
        assert!(check(&[("2", 0.5)], "1").is_ok());
        assert!(check(&[], LATEST).is_ok());
        assert!(
            check(&[("2", 0.5), ("3", 0.1)], "1").is_err_and(|error| error.starts_with("Number of items"))
        );
        assert!(check(&[("2", 0.5)], LATEST).is_err_and(|error| error.starts_with("$LATEST is not")));
        assert!(
            check(&[("2", 0.5)], "2").is_err_and(|error| error.starts_with("Invalid function version 2."))
        );
    }
}
