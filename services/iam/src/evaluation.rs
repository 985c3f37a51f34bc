//! Adapter
use std::collections::BTreeMap;
use std::fmt;

/// A policy by its name.
#[derive(Clone, Debug)]
pub(crate) struct Named;

/// Bad.
#[derive(Debug)]
pub(crate) struct Unreadable(String);
impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unreadable {}

pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) conditions: &'a BTreeMap<String, Vec<String>>,
}

pub(crate) enum Verdict {
    Allowed,
    Denied,
    NotAllowed { hint: Option<String> },
}

pub(crate) fn parse(_name: &str, _document: &str) -> Result<Named, Unreadable> {
    Ok(Named)
}

pub(crate) fn evaluate(_policies: &[Named], _question: &Question<'_>) -> Verdict {
    Verdict::NotAllowed { hint: None }
}
