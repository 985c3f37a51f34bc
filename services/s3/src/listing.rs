//! What a listing shows of the rows that pass by in order, and where the next page goes on.
//!
//! Pure: it is offered rows and says where to look next. Keys under a common prefix that is shown already are
//! never asked for: the reader is sent behind them.

/// Where a listing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// At the first key.
    Start,
    /// Behind this key.
    AfterKey(String),
    /// Behind all keys that begin so.
    AfterPrefix(String),
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry<T> {
    /// An object.
    Object(String, T),
    /// All keys that begin so, up to the first delimiter behind the prefix.
    CommonPrefix(String),
}

/// Where to look after a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// At the row behind it.
    Row,
    /// At the first row that does not begin so.
    Behind(String),
    /// Nowhere: the page is full, and this row is of the next one.
    Full,
}

/// A page in the making.
#[derive(Debug)]
pub(crate) struct Listing<T> {
    prefix: String,
    delimiter: Option<String>,
    entries_max: usize,
    entries: Vec<Entry<T>>,
    truncated: bool,
}

impl<T> Listing<T> {
    /// A page of at most so many lines, of keys that begin with `prefix`.
    pub(crate) fn new(prefix: &str, delimiter: Option<&str>, entries_max: usize) -> Self {
        Self {
            prefix: prefix.to_owned(),
            delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
            entries_max,
            entries: Vec::new(),
            truncated: false,
        }
    }

    /// Whether keys can be shown together.
    pub(crate) fn groups(&self) -> bool {
        self.delimiter.is_some()
    }

    /// How many more lines there may be.
    pub(crate) fn room(&self) -> usize {
        self.entries_max - self.entries.len()
    }

    /// Takes the next row, whose key begins with the prefix and comes behind all rows before.
    pub(crate) fn offer(&mut self, key: &str, object: impl FnOnce() -> T) -> Next {
        assert!(key.starts_with(&self.prefix), "the range of a listing holds keys of its prefix only");
        if self.room() == 0 {
            // A page of no lines at all says that there is no more, as S3 does.
            self.truncated = self.entries_max > 0;
            return Next::Full;
        }
        if let Some(common) = self.common_prefix(key) {
            self.entries.push(Entry::CommonPrefix(common.clone()));
            return Next::Behind(common);
        }
        self.entries.push(Entry::Object(key.to_owned(), object()));
        Next::Row
    }

    fn common_prefix(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref()?;
        let at = key[self.prefix.len()..].find(delimiter)?;
        Some(key[..self.prefix.len() + at + delimiter.len()].to_owned())
    }

    /// The lines, and where the next page goes on if there is one.
    pub(crate) fn finish(self) -> (Vec<Entry<T>>, Option<Position>) {
        let next = self.entries.last().filter(|_| self.truncated).map(|last| match last {
            Entry::Object(key, _) => Position::AfterKey(key.clone()),
            Entry::CommonPrefix(prefix) => Position::AfterPrefix(prefix.clone()),
        });
        (self.entries, next)
    }
}

/// The first text of bytes behind all that begin with `prefix`; nothing if all bytes do.
pub(crate) fn behind_prefix(prefix: &str) -> Option<Vec<u8>> {
    let (last, before) = prefix.as_bytes().split_last()?;
    let mut behind = before.to_vec();
    // No byte of UTF-8 is the largest byte.
    behind.push(last.checked_add(1)?);
    Some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(
        keys: &[&str],
        prefix: &str,
        delimiter: &str,
        entries_max: usize,
    ) -> (Vec<Entry<()>>, Option<Position>) {
        let mut listing = Listing::new(prefix, Some(delimiter), entries_max);
        let mut behind: Option<String> = None;
        for key in keys.iter().filter(|key| key.starts_with(prefix)) {
            if behind.as_ref().is_some_and(|behind| key.starts_with(behind)) {
                continue;
            }
            match listing.offer(key, || ()) {
                Next::Row => behind = None,
                Next::Behind(prefix) => behind = Some(prefix),
                Next::Full => break,
            }
        }
        listing.finish()
    }

    #[test]
    fn keys_are_shown_together_up_to_the_delimiter() {
        let object = |key: &str| Entry::Object(key.into(), ());
        let common = |prefix: &str| Entry::CommonPrefix(prefix.into());
        let keys = ["a", "a//b", "a/b", "a/c/d", "b", "c/", "c/d"];
        let all = keys.map(object).to_vec();
        assert_eq!(page(&keys, "", "", 1_000), (all, None));
        assert_eq!(
            page(&keys, "", "/", 1_000),
            (vec![object("a"), common("a/"), object("b"), common("c/")], None)
        );
        assert_eq!(page(&keys, "a/", "/", 1_000), (vec![common("a//"), object("a/b"), common("a/c/")], None));
        assert_eq!(page(&keys, "c/", "/", 1_000), (vec![object("c/"), object("c/d")], None));
        assert_eq!(page(&keys, "x", "/", 1_000), (vec![], None));
        let first_two = (vec![object("a"), common("a/")], Some(Position::AfterPrefix("a/".into())));
        assert_eq!(page(&keys, "", "/", 2), first_two);
        assert_eq!(page(&keys, "", "", 1), (vec![object("a")], Some(Position::AfterKey("a".into()))));
        assert_eq!(page(&keys, "", "/", 4).1, None, "a page that is just full is the last one");
        assert_eq!(page(&keys, "", "/", 0), (vec![], None));
        assert_eq!(page(&["xAByABz"], "", "AB", 9), (vec![common("xAB")], None));
    }

    #[test]
    fn behind_a_prefix_is_behind_all_that_begin_so() {
        assert_eq!(behind_prefix(""), None);
        assert_eq!(behind_prefix("a/"), Some(b"a0".to_vec()));
        let last = behind_prefix("\u{10ffff}").expect("there is more behind");
        assert!("\u{10ffff}\u{10ffff}".as_bytes() < last.as_slice());
    }
}
