//! What a function's configurations ask of each of its versions.

use std::collections::BTreeMap;

use crate::function_name::{LATEST, Qualifier};
use crate::store::alias::AliasRecord;
use crate::store::provisioned::ProvisionedRecord;

/// The versions that a configuration is for, each with its part: of an alias that leads to two, according to their
/// weights.
pub(crate) fn shares(qualifier: &str, requested: u32, alias: Option<&AliasRecord>) -> Vec<(String, u32)> {
    let mut shares = Vec::new();
    let mut left = requested;
    let main = match (Qualifier::of(qualifier), alias) {
        (Qualifier::Alias(_), Some(alias)) => {
            for (version, weight) in &alias.weights {
                let part = ((f64::from(requested) * weight).round() as u32).min(left);
                left -= part;
                shares.push((version.clone(), part));
            }
            &alias.version
        }
        (Qualifier::Version(_), _) => qualifier,
        (Qualifier::Alias(_), None) | (Qualifier::Latest, _) => return Vec::new(),
    };
    shares.push((main.to_owned(), left));
    shares.retain(|(version, part)| *part > 0 && version != LATEST);
    shares
}

/// How many environments of each version are to stand.
pub(crate) fn wanted(
    configs: &[(String, ProvisionedRecord)],
    aliases: &BTreeMap<String, AliasRecord>,
) -> BTreeMap<String, u32> {
    let mut wanted = BTreeMap::new();
    for (qualifier, record) in configs {
        for (version, part) in shares(qualifier, record.requested, aliases.get(qualifier)) {
            *wanted.entry(version).or_default() += part;
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(version: &str, weights: &[(&str, f64)]) -> AliasRecord {
        AliasRecord {
            version: version.into(),
            description: String::new(),
            weights: weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect(),
            revision: String::new(),
        }
    }

    fn config(qualifier: &str, requested: u32) -> (String, ProvisionedRecord) {
        (qualifier.to_owned(), ProvisionedRecord { requested, modified_at_micros: 0 })
    }

    #[test]
    fn an_alias_shares_out_what_it_asks_for() {
        for (requested, weights, expected) in [
            (4, &[][..], &[("1", 4)][..]),
            (4, &[("2", 0.25)], &[("2", 1), ("1", 3)]),
            (10, &[("2", 0.26)], &[("2", 3), ("1", 7)]),
            (1, &[("2", 0.1)], &[("1", 1)]),
            (1, &[("2", 0.9)], &[("2", 1)]),
            (3, &[("2", 1.0)], &[("2", 3)]),
            (3, &[("2", 0.0)], &[("1", 3)]),
        ] {
            let found = shares("live", requested, Some(&alias("1", weights)));
            let expected: Vec<_> =
                expected.iter().map(|(version, part)| ((*version).to_owned(), *part)).collect();
            assert_eq!(found, expected, "{requested} by {weights:?}");
            assert_eq!(found.iter().map(|(_, part)| part).sum::<u32>(), requested);
        }
        assert_eq!(shares("7", 2, None), [("7".to_owned(), 2)]);
        assert_eq!(shares("gone", 2, None), []);
        assert_eq!(shares("live", 2, Some(&alias(LATEST, &[]))), []);
    }

    #[test]
    fn what_several_ask_of_one_version_adds_up() {
        let aliases =
            BTreeMap::from([("a".into(), alias("1", &[])), ("b".into(), alias("2", &[("1", 0.5)]))]);
        let found = wanted(&[config("3", 1), config("a", 2), config("b", 4)], &aliases);
        assert_eq!(found, BTreeMap::from([("1".into(), 4), ("2".into(), 2), ("3".into(), 1)]));
    }
}
