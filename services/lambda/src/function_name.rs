//! How a function is named: its name, part of its ARN or all of it, with or without a qualifier.
//!
//! The model's pattern, which the gateway checks, is looser than what means something: this parser is the
//! only place that decides which function is meant.

use apus_kernel::{AccountId, Arn, Region};

/// The longest name, in characters; the model's bound is the ARN's.
pub(crate) const NAME_LENGTH_MAX: usize = 64;
/// The version that is being edited.
pub(crate) const LATEST: &str = "$LATEST";

/// A function's place: account, region and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FunctionId {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

impl FunctionId {
    pub(crate) fn arn(&self) -> Arn {
        Arn::regional("lambda", &self.region, self.account, format!("function:{}", self.name))
    }

    /// The ARN with a version or alias behind it.
    pub(crate) fn qualified_arn(&self, qualifier: &str) -> Arn {
        let resource = format!("function:{}:{qualifier}", self.name);
        Arn::regional("lambda", &self.region, self.account, resource)
    }
}

/// A function as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionReference {
    pub(crate) id: FunctionId,
    /// A version or alias, if the caller asked for one.
    pub(crate) qualifier: Option<String>,
}

impl FunctionReference {
    /// What the caller means by its qualifier; without one, `$LATEST`.
    pub(crate) fn qualifier(&self) -> Qualifier {
        self.qualifier.as_deref().map_or(Qualifier::Latest, Qualifier::of)
    }

    /// The same function with that qualifier.
    pub(crate) fn with_qualifier(&self, qualifier: &str) -> Self {
        Self { id: self.id.clone(), qualifier: Some(qualifier.to_owned()) }
    }

    /// The ARN as the caller means it, with the qualifier if there is one.
    pub(crate) fn arn(&self) -> Arn {
        self.qualifier.as_deref().map_or_else(|| self.id.arn(), |qualifier| self.id.qualified_arn(qualifier))
    }
}

/// What stands behind a function's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qualifier {
    /// The version that is being edited.
    Latest,
    /// A published version.
    Version(u64),
    /// An alias.
    Alias(String),
}

impl Qualifier {
    /// What that text means. A number that is no version's, such as `007`, means a version that is not there.
    pub(crate) fn of(text: &str) -> Self {
        if text == LATEST {
            Self::Latest
        } else if text.bytes().all(|b| b.is_ascii_digit()) {
            let number = Some(text).filter(|text| !text.starts_with('0')).and_then(|text| text.parse().ok());
            Self::Version(number.unwrap_or(u64::MAX))
        } else {
            Self::Alias(text.to_owned())
        }
    }
}

/// Why a text names no function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameError {
    /// It has none of the accepted forms.
    Form,
    /// The name has more than [`NAME_LENGTH_MAX`] characters.
    TooLong(String),
    /// It names a function of this other region.
    OtherRegion(String),
    /// The name has one qualifier, the request another.
    QualifiersDiffer,
}

/// The function that `text` means for a caller in that account and region; `qualifier` is the request's own.
pub(crate) fn parse(
    text: &str,
    qualifier: Option<&str>,
    account: AccountId,
    region: &Region,
) -> Result<FunctionReference, NameError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (place, rest) = place(&parts)?;
    let (name, own_qualifier) = match *rest {
        [name] => (name, None),
        [name, own] if is_qualifier(own) => (name, Some(own)),
        _ => return Err(NameError::Form),
    };
    if !is_name(name) {
        return Err(NameError::Form);
    }
    if name.len() > NAME_LENGTH_MAX {
        return Err(NameError::TooLong(name.to_owned()));
    }
    if let Some(other) = place.region.filter(|other| *other != region.as_str()) {
        return Err(NameError::OtherRegion(other.to_owned()));
    }
    if own_qualifier.zip(qualifier).is_some_and(|(own, asked)| own != asked) {
        return Err(NameError::QualifiersDiffer);
    }
    let id = FunctionId {
        account: place.account.unwrap_or(account),
        region: region.clone(),
        name: name.to_owned(),
    };
    Ok(FunctionReference { id, qualifier: own_qualifier.or(qualifier).map(str::to_owned) })
}

/// What stands before the name.
#[derive(Default)]
struct Place<'a> {
    region: Option<&'a str>,
    account: Option<AccountId>,
}

/// Splits off what stands before the name: `arn:aws:lambda:region:account:function`, or a tail of it.
fn place<'a, 'b>(parts: &'b [&'a str]) -> Result<(Place<'a>, &'b [&'a str]), NameError> {
    if let ["arn", partition, service, region, account, kind, rest @ ..] = parts {
        let account = account.parse().map_err(|_| NameError::Form)?;
        let known = *partition == "aws" && *service == "lambda" && *kind == "function";
        let place = Place { region: Some(region), account: Some(account) };
        return if known && is_region(region) { Ok((place, rest)) } else { Err(NameError::Form) };
    }
    let (mut place, mut rest) = (Place::default(), parts);
    if let [region, more @ ..] = rest
        && !more.is_empty()
        && is_region(region)
    {
        (place.region, rest) = (Some(*region), more);
    }
    if let [first, more @ ..] = rest
        && !more.is_empty()
        && let Ok(account) = first.parse()
    {
        (place.account, rest) = (Some(account), more);
    }
    if let ["function", more @ ..] = rest
        && !more.is_empty()
    {
        rest = more;
    }
    Ok((place, rest))
}

/// `us-east-1`: what the model takes for a region before a name.
fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let (Some(number), true) = (words.last(), words.len() >= 3) else { return false };
    let letters = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
        && words[..words.len() - 1].iter().all(letters)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_qualifier(text: &str) -> bool {
    text == LATEST || is_name(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "123456789012";

    fn check(text: &str, qualifier: Option<&str>) -> Result<String, NameError> {
        let region = "eu-west-1".parse().expect("a region");
        let reference = parse(text, qualifier, HOME.parse().expect("an account"), &region)?;
        Ok(reference.arn().to_string())
    }

    #[test]
    fn every_form_leads_to_the_function() {
        for (text, qualifier, resource) in [
            ("hello", None, "123456789012:function:hello"),
            ("Hello_World-9", None, "123456789012:function:Hello_World-9"),
            ("hello:$LATEST", None, "123456789012:function:hello:$LATEST"),
            ("hello", Some("$LATEST"), "123456789012:function:hello:$LATEST"),
            ("hello:live", Some("live"), "123456789012:function:hello:live"),
            ("hello:7", None, "123456789012:function:hello:7"),
            ("function:hello", None, "123456789012:function:hello"),
            ("function", None, "123456789012:function:function"),
            ("function:function", None, "123456789012:function:function"),
            ("210987654321:function:hello", None, "210987654321:function:hello"),
            ("210987654321:hello", None, "210987654321:function:hello"),
            ("210987654321", None, "123456789012:function:210987654321"),
            ("210987654321:function:hello:live", None, "210987654321:function:hello:live"),
            ("eu-west-1:210987654321:function:hello", None, "210987654321:function:hello"),
            ("eu-west-1", None, "123456789012:function:eu-west-1"),
            ("arn:aws:lambda:eu-west-1:123456789012:function:hello", None, "123456789012:function:hello"),
            ("arn:aws:lambda:eu-west-1:123456789012:function:hello:3", None, "123456789012:function:hello:3"),
            (&"x".repeat(64), None, &format!("123456789012:function:{}", "x".repeat(64))),
        ] {
            assert_eq!(check(text, qualifier), Ok(format!("arn:aws:lambda:eu-west-1:{resource}")), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        let long = "x".repeat(65);
        for (text, qualifier, error) in [
            ("", None, NameError::Form),
            ("a b", None, NameError::Form),
            ("a.b", None, NameError::Form),
            ("häuser", None, NameError::Form),
            ("hello:", None, NameError::Form),
            (":hello", None, NameError::Form),
            ("hello:a:b", None, NameError::Form),
            ("hello:$FIRST", None, NameError::Form),
            ("arn:aws:lambda:eu-west-1:123456789012:function:", None, NameError::Form),
            ("arn:aws:lambda:eu-west-1:123456789012:layer:hello", None, NameError::Form),
            ("arn:aws:sqs:eu-west-1:123456789012:function:hello", None, NameError::Form),
            ("arn:aws:lambda:eu-west-1:12345:function:hello", None, NameError::Form),
            ("arn:aws:lambda::123456789012:function:hello", None, NameError::Form),
            ("arn:aws:lambda:hello", None, NameError::Form),
            (&long, None, NameError::TooLong(long.clone())),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:hello",
                None,
                NameError::OtherRegion("us-east-1".into()),
            ),
            ("hello:live", Some("$LATEST"), NameError::QualifiersDiffer),
        ] {
            assert_eq!(check(text, qualifier), Err(error), "{text}");
        }
    }
}
