//! Pages of a list: `MaxItems`, `Marker` and `IsTruncated`.
//!
//! A marker names the last item of the page before, so that a page stays right whatever comes and goes between two.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::role::RoleError;

/// Items of a page, unless the caller says otherwise.
const ITEMS_DEFAULT: i32 = 100;

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    after: Option<String>,
    items_max: usize,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub(crate) marker: Option<String>,
}

impl PageRequest {
    pub(crate) fn new(marker: Option<String>, items_max: Option<i32>) -> Result<Self, RoleError> {
        let after = marker.map(|marker| read(&marker)).transpose()?;
        let items_max = usize::try_from(items_max.unwrap_or(ITEMS_DEFAULT)).unwrap_or(1).max(1);
        Ok(Self { after, items_max })
    }

    /// The page of these items, which stand in the order of their keys.
    pub(crate) fn of<T>(&self, items: impl IntoIterator<Item = T>, key: impl Fn(&T) -> String) -> Page<T> {
        let behind = |item: &T| self.after.as_ref().is_none_or(|after| key(item) > *after);
        let mut rest = items.into_iter().filter(behind);
        let items: Vec<T> = rest.by_ref().take(self.items_max).collect();
        let more = rest.next().is_some();
        let marker = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Page { items, marker }
    }
}

fn read(marker: &str) -> Result<String, RoleError> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| RoleError::InvalidMarker)?;
    String::from_utf8(bytes).map_err(|_| RoleError::InvalidMarker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let all: Vec<String> = (0..7).map(|number| format!("item-{number}")).collect();
        for size in 1..=8 {
            let (mut seen, mut marker, mut pages) = (Vec::new(), None, 0);
            loop {
                let request = PageRequest::new(marker, Some(size)).expect("our own marker");
                let page = request.of(all.clone(), Clone::clone);
                assert!(page.items.len() <= size as usize);
                seen.extend(page.items);
                pages += 1;
                marker = page.marker;
                if marker.is_none() {
                    break;
                }
            }
            assert_eq!(seen, all, "pages of {size}");
            assert_eq!(pages, all.len().div_ceil(size as usize), "no empty page at the end");
        }
    }

    #[test]
    fn what_no_page_gave_is_refused_as_a_marker() {
        for marker in ["not base64!", "/w", "_w"] {
            assert_eq!(
                PageRequest::new(Some(marker.into()), None),
                Err(RoleError::InvalidMarker),
                "{marker}"
            );
        }
    }
}
