//! Who follows groups as they grow: live tails, told in memory of what was committed.

pub(crate) mod session;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apus_env::HashMap;
use tokio::sync::mpsc;

use crate::batch::Given;

/// Batches that wait for one follower; a slower one misses some.
const WAITING_MAX: usize = 256;
/// Followers of one group.
const FOLLOWERS_MAX: usize = 64;

/// What was appended to a stream.
pub(crate) struct Told<'a> {
    pub(crate) stream: &'a str,
    pub(crate) events: &'a [Given],
    pub(crate) now_ms: i64,
}

/// The same, as a follower gets it.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) group: u64,
    pub(crate) stream: String,
    pub(crate) events: Vec<Given>,
    pub(crate) ingested_at_ms: i64,
}

/// Where a follower gets its news.
pub(crate) struct Followings {
    pub(crate) news: mpsc::Receiver<News>,
    missed: Arc<AtomicBool>,
}

impl Followings {
    /// Whether something was missed since this was asked last.
    pub(crate) fn take_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }
}

struct Follower {
    news: mpsc::Sender<News>,
    missed: Arc<AtomicBool>,
}

/// All followers, by the number of the group.
#[derive(Default)]
pub(crate) struct Hub(Mutex<HashMap<u64, Vec<Follower>>>);

impl Hub {
    /// Tells the followers of a group; who is gone is forgotten, and who is slow misses it.
    pub(crate) fn tell(&self, group: u64, told: &Told<'_>) {
        let mut followers = self.lock();
        let Some(own) = followers.get_mut(&group) else { return };
        own.retain(|follower| !follower.news.is_closed());
        if own.is_empty() {
            followers.remove(&group);
            return;
        }
        if told.events.is_empty() {
            return;
        }
        for follower in own {
            let news = News {
                group,
                stream: told.stream.to_owned(),
                events: told.events.to_vec(),
                ingested_at_ms: told.now_ms,
            };
            // A live tail is a sample of what it cannot follow.
            if follower.news.try_send(news).is_err() {
                follower.missed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Follows these groups from now on; nothing if one has too many followers already.
    pub(crate) fn follow(&self, groups: &[u64]) -> Option<Followings> {
        let (sender, news) = mpsc::channel(WAITING_MAX);
        let missed = Arc::<AtomicBool>::default();
        let mut followers = self.lock();
        for group in groups {
            let own = followers.entry(*group).or_default();
            own.retain(|follower| !follower.news.is_closed());
            if own.len() >= FOLLOWERS_MAX {
                return None;
            }
            own.push(Follower { news: sender.clone(), missed: Arc::clone(&missed) });
        }
        Some(Followings { news, missed })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Vec<Follower>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
