//! Entries of a map as read from the wire: of keys that come twice, the last counts, as AWS's readers have it.

use std::collections::BTreeMap;

use apus_schema::Value;

pub(crate) fn last_wins(entries: Vec<(String, Value)>) -> Vec<(String, Value)> {
    if entries.len() < 2 {
        return entries;
    }
    let mut last = BTreeMap::new();
    for (at, (key, _)) in entries.iter().enumerate() {
        last.insert(key.as_str(), at);
    }
    if last.len() == entries.len() {
        return entries;
    }
    let mut kept: Vec<usize> = last.into_values().collect();
    kept.sort_unstable();
    let mut kept = kept.into_iter().peekable();
    let unique = |(at, entry)| kept.next_if_eq(&at).map(|_| entry);
    entries.into_iter().enumerate().filter_map(unique).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_keys_that_come_twice_the_last_counts() {
        let entry = |key: &str, value: i64| (key.to_owned(), Value::Integer(value));
        let found = last_wins(vec![entry("b", 1), entry("a", 2), entry("b", 3)]);
        assert_eq!(found, vec![entry("a", 2), entry("b", 3)]);
    }
}
