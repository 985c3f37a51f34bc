//! Names of files and folders: what is seen, what is safe, and what lies between.

use std::collections::BTreeMap;
use std::io;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(usize),
    Dir,
}

/// A change to one folder. It names what it means, so that it can be kept while another is lost.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Link(String, Entry),
    Unlink(String, Entry),
    Rename(String, String, Entry),
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    seen: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
    pending: Vec<Change>,
}

impl Change {
    fn folder(&self) -> &str {
        match self {
            Self::Link(name, _) | Self::Unlink(name, _) | Self::Rename(name, _, _) => folder_of(name),
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<String, Entry>) {
        let mut unlink = |name: &String, entry: &Entry| {
            if names.get(name) == Some(entry) {
                names.remove(name);
            }
        };
        match self {
            Self::Unlink(name, entry) => unlink(name, entry),
            Self::Link(name, entry) => {
                names.insert(name.clone(), *entry);
            }
            Self::Rename(from, to, entry) => {
                unlink(from, entry);
                names.insert(to.clone(), *entry);
            }
        }
    }
}

impl Tree {
    pub(super) fn get(&self, name: &str) -> Option<Entry> {
        self.seen.get(name).copied()
    }

    pub(super) fn change(&mut self, change: Change, volatile: bool) -> io::Result<()> {
        let folder = change.folder();
        if !folder.is_empty() && self.seen.get(folder) != Some(&Entry::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Change::Rename(_, to, _) = &change {
            assert_eq!(folder_of(to), folder, "a file is renamed within its folder");
        }
        change.apply(&mut self.seen);
        if !volatile {
            self.pending.push(change);
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, folder: &str) {
        let (done, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|change| change.folder() == folder);
        self.pending = rest;
        for change in done {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn list(&self, folder: &str) -> Vec<String> {
        let inside = self.seen.keys().filter(|name| folder_of(name) == folder);
        inside.map(|name| name.rsplit('/').next().unwrap_or(name).to_owned()).collect()
    }

    /// What is left when each pending change is kept or not; `keeps` is told whether it is the newest.
    pub(super) fn crash(&mut self, mut keeps: impl FnMut(bool) -> bool) {
        let mut left = self.pending.len();
        for change in std::mem::take(&mut self.pending) {
            left -= 1;
            if keeps(left == 0) {
                change.apply(&mut self.durable);
            }
        }
        let names = self.durable.clone();
        // A file goes with its folder.
        self.durable.retain(|name, _| folder_of(name).is_empty() || names.contains_key(folder_of(name)));
        self.seen = self.durable.clone();
    }

    pub(super) fn files(&self) -> impl Iterator<Item = usize> {
        self.seen.values().filter_map(|entry| match entry {
            Entry::File(inode) => Some(*inode),
            Entry::Dir => None,
        })
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
