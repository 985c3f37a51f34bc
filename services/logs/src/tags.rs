//! Tags of groups.

use std::collections::BTreeMap;

use crate::errors::Refusal;

/// The most tags of a group.
const TAGS_MAX: usize = 50;

/// Tags with more of them; keys and values were checked against the model.
pub(crate) fn merged(
    own: Option<BTreeMap<String, String>>,
    more: BTreeMap<String, String>,
) -> Result<Option<BTreeMap<String, String>>, Refusal> {
    if more.keys().any(|key| key.starts_with("aws:")) {
        return Err(Refusal::parameter("Tag keys that begin with aws: are reserved."));
    }
    let mut tags = own.unwrap_or_default();
    tags.extend(more);
    if tags.len() > TAGS_MAX {
        Err(Refusal::TooManyTags)
    } else {
        Ok(Some(tags).filter(|tags| !tags.is_empty()))
    }
}
