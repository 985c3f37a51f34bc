//! Listings that may be long, read whole: page by page, so that no transaction is.

use apus_store::StoreError;

/// The most entries that one transaction reads.
pub(crate) const PAGE: usize = 1_000;

/// Calls `each` with every entry of a listing. `read` gives the page that comes after an entry, [`PAGE`] of them unless it is
/// the last.
pub(crate) async fn every<T: Clone, Page>(
    read: impl Fn(Option<T>) -> Page,
    mut each: impl FnMut(&T),
) -> Result<(), StoreError>
where
    Page: Future<Output = Result<Vec<T>, StoreError>>,
{
    let mut after = None;
    loop {
        let page = read(after.take()).await?;
        page.iter().for_each(&mut each);
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.clone()),
            _ => return Ok(()),
        }
    }
}
