//! Where a list goes on, as callers carry it from page to page.

use apus_schema::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::errors;
use crate::limits::PAGE_MAX;

/// The marker after that entry.
pub(crate) fn write(entry: &str) -> String {
    URL_SAFE_NO_PAD.encode(entry)
}

/// The entry before the page that is asked for.
pub(crate) fn read(marker: Option<&str>) -> Result<Option<String>, ServiceError> {
    let Some(marker) = marker.filter(|marker| !marker.is_empty()) else { return Ok(None) };
    let entry = URL_SAFE_NO_PAD.decode(marker).ok().and_then(|entry| String::from_utf8(entry).ok());
    entry.map(Some).ok_or_else(forged)
}

/// The same, where entries are numbers.
pub(crate) fn read_number(marker: Option<&str>) -> Result<Option<u64>, ServiceError> {
    read(marker)?.map(|entry| entry.parse().map_err(|_| forged())).transpose()
}

pub(crate) fn forged() -> ServiceError {
    errors::invalid_parameter("The marker is none that an earlier page gave out.")
}

/// How many entries a page has.
pub(crate) fn page(max_items: Option<i32>) -> usize {
    let asked = max_items.and_then(|items| usize::try_from(items).ok());
    asked.map_or(PAGE_MAX, |items| items.clamp(1, PAGE_MAX))
}

/// Cuts what was read to a page; one more was asked for, and tells whether another page follows. The marker of
/// the next page.
pub(crate) fn cut<T>(entries: &mut Vec<T>, page: usize, name: impl Fn(&T) -> String) -> Option<String> {
    let more = entries.len() > page;
    entries.truncate(page);
    entries.last().filter(|_| more).map(|last| write(&name(last)))
}
