//! The facts of a request: condition keys and their values.

use std::collections::BTreeMap;

/// Condition keys, in any case, each with its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    values: BTreeMap<String, Vec<String>>,
}

impl Context {
    /// No facts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value of a key.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.values.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    /// The same, for building.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.insert(key, value);
        self
    }

    /// The values of a key; none if it is absent.
    pub fn get(&self, key: &str) -> &[String] {
        let values = if key.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.values.get(&key.to_ascii_lowercase())
        } else {
            self.values.get(key)
        };
        values.map_or(&[], Vec::as_slice)
    }

    /// The value of a key that has exactly one: only such a key may stand in a variable.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            [value] => Some(value),
            _ => None,
        }
    }
}

impl<K: AsRef<str>, V: Into<String>> FromIterator<(K, V)> for Context {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut context = Self::new();
        for (key, value) in pairs {
            context.insert(key.as_ref(), value);
        }
        context
    }
}
