//! How a layer is named: by its name, its ARN, or the ARN of a version of it.

use apus_kernel::{AccountId, Arn, Region};

/// The longest name, in characters.
const NAME_LENGTH_MAX: usize = 140;

/// A layer's place: account, region and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LayerId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

impl LayerId {
    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("lambda", &self.region, self.account, format!("layer:{}", self.name))
    }

    pub(crate) fn version_arn(&self, number: u64) -> Arn {
        Arn::regional("lambda", &self.region, self.account, format!("layer:{}:{number}", self.name))
    }
}

/// The layer that a name or ARN means for a caller in that account and region; nothing if it means none there.
pub(crate) fn parse(text: &str, account: AccountId, region: &Region) -> Option<LayerId> {
    let id = |account, name: &str| LayerId { account, region: region.clone(), name: name.to_owned() };
    if is_name(text) {
        return Some(id(account, text));
    }
    let (id, number) = parse_arn(text)?;
    (number.is_none() && id.region == *region).then_some(id)
}

/// The layer version that an ARN means.
pub(crate) fn parse_version(text: &str) -> Option<(LayerId, u64)> {
    let (id, number) = parse_arn(text)?;
    Some((id, number?))
}

fn parse_arn(text: &str) -> Option<(LayerId, Option<u64>)> {
    let arn: Arn = text.parse().ok()?;
    let rest = arn.resource.strip_prefix("layer:")?;
    let (name, number) = match rest.split_once(':') {
        Some((name, number)) => (name, Some(number.parse().ok()?)),
        None => (rest, None),
    };
    let known = arn.partition == "aws" && arn.service == "lambda" && is_name(name);
    let id =
        LayerId { account: arn.account.parse().ok()?, region: arn.region.parse().ok()?, name: name.into() };
    known.then_some((id, number))
}

fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_named_by_name_or_arn() {
        let (account, region) = ("123456789012".parse().expect("one"), "eu-west-1".parse().expect("one"));
        let check = |text: &str| parse(text, account, &region).map(|id| id.arn().to_string());
        let arn = "arn:aws:lambda:eu-west-1:210987654321:layer:tools";
        assert_eq!(check("tools").as_deref(), Some("arn:aws:lambda:eu-west-1:123456789012:layer:tools"));
        assert_eq!(check(arn).as_deref(), Some(arn));
        let elsewhere = "arn:aws:lambda:us-east-1:210987654321:layer:tools";
        for text in ["", "a.b", &format!("{arn}:1"), elsewhere, &"x".repeat(141)] {
            assert_eq!(check(text), None, "{text}");
        }
        let version = |text: &str| parse_version(text).map(|(id, number)| id.version_arn(number).to_string());
        assert_eq!(version(&format!("{arn}:7")), Some(format!("{arn}:7")));
        for text in [arn, "tools:1", &format!("{arn}:x"), &format!("{arn}:1:2")] {
            assert_eq!(version(text), None, "{text}");
        }
    }
}
