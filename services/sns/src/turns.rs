//! Turns at endpoints: how many posts may be under way at once, in all and to one of them. An endpoint that hangs holds
//! its post for seconds; this keeps what is slow from holding up what is not.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use apus_kernel::LANES_MAX;

/// Posts to endpoints under way, in all.
pub(crate) const POSTS_MAX: usize = LANES_MAX / 4;
/// Calls under way to one host.
const HOST_CALLS_MAX: u32 = 16;
/// Calls under way to a host whose last one got no answer.
const SILENT_CALLS_MAX: u32 = 1;
/// Hosts that are remembered.
const HOSTS_MAX: usize = 10_000;

/// Who is being called.
pub(crate) struct Turns {
    most: usize,
    hosts: Mutex<Hosts>,
}

#[derive(Default)]
struct Hosts {
    under_way: usize,
    by_name: BTreeMap<String, Host>,
}

#[derive(Default)]
struct Host {
    under_way: u32,
    /// The last post got no answer.
    is_silent: bool,
}

impl Turns {
    /// So many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, hosts: Mutex::default() }
    }

    /// A turn at the host of that URL; nothing if others have to end theirs first.
    pub(crate) fn take(&self, url: &str) -> Option<Turn<'_>> {
        let name = host(url);
        let mut hosts = self.lock();
        let is_known = hosts.by_name.contains_key(name);
        if hosts.under_way >= self.most || (!is_known && hosts.by_name.len() >= HOSTS_MAX && !hosts.forget())
        {
            return None;
        }
        let host = hosts.by_name.entry(name.to_owned()).or_default();
        let most = if host.is_silent { SILENT_CALLS_MAX } else { HOST_CALLS_MAX };
        if host.under_way >= most {
            return None;
        }
        host.under_way += 1;
        hosts.under_way += 1;
        Some(Turn { turns: self, name: name.to_owned(), is_silent: true })
    }

    fn lock(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    /// Makes room; whether it could.
    fn forget(&mut self) -> bool {
        let idle = self.by_name.iter().find(|(_, host)| host.under_way == 0).map(|(name, _)| name.clone());
        idle.is_some_and(|name| self.by_name.remove(&name).is_some())
    }
}

/// What stands before the path: `http://example.com:8080`, or all of it if there is none.
fn host(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let length = url[start..].find(['/', '?', '#']).unwrap_or(url.len() - start);
    &url[..start + length]
}

/// A turn. However it ends, the next may have one.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    name: String,
    is_silent: bool,
}

impl Turn<'_> {
    /// The host has answered, whatever it said.
    pub(crate) fn answered(mut self) {
        self.is_silent = false;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut hosts = self.turns.lock();
        hosts.under_way -= 1;
        let Some(host) = hosts.by_name.get_mut(&self.name) else { return };
        host.under_way -= 1;
        host.is_silent = self.is_silent;
        if host.under_way == 0 && !host.is_silent {
            hosts.by_name.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_their_shares_and_silent_ones_a_small_one() {
        let turns = Turns::new(POSTS_MAX);
        let taken: Vec<_> =
            (0..HOST_CALLS_MAX).map(|n| turns.take(&format!("http://a/{n}")).expect("its share")).collect();
        assert!(turns.take("http://a/x?y").is_none());
        assert!(turns.take("https://a/").is_some(), "another port is another host");
        drop(taken);
        let one = turns.take("http://a").expect("the host was silent, and may be asked again");
        assert!(turns.take("http://a#x").is_none(), "by one at a time");
        one.answered();
        let both = (turns.take("http://a"), turns.take("http://a"));
        assert!(both.0.is_some() && both.1.is_some());
        let others: Vec<_> = (0..).map_while(|n| turns.take(&format!("http://host{n}/"))).collect();
        assert_eq!(others.len(), POSTS_MAX - 2);
        others.into_iter().for_each(Turn::answered);
        let (one, two) = both;
        one.into_iter().chain(two).for_each(Turn::answered);
        assert_eq!(turns.lock().under_way, 0);
        // Only the one that was silent is remembered.
        assert_eq!(turns.lock().by_name.keys().collect::<Vec<_>>(), ["https://a"]);
    }

    #[test]
    fn memory_is_bounded() {
        let turns = Turns::new(POSTS_MAX);
        for number in 0..HOSTS_MAX + 100 {
            drop(turns.take(&format!("http://host{number}/")).expect("there is room"));
        }
        assert_eq!(turns.lock().by_name.len(), HOSTS_MAX);
    }
}
