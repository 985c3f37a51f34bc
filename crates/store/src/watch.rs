//! Hints that something changed. They may come too often, and are gone after a restart: look, then wait.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::key::Key;

/// Waits for changes to keys with one beginning.
pub struct Watch {
    prefix: Bytes,
    receiver: watch::Receiver<()>,
    watchers: Arc<Watchers>,
}

impl Watch {
    /// Returns once something has changed since the watch was made or last returned. Changes that come in
    /// between count as one.
    pub async fn changed(&mut self) {
        // The sender lives as long as this watch is registered.
        let _ = self.receiver.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.forget(&self.prefix);
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&Key::from(self.prefix.clone())).finish()
    }
}

#[derive(Default)]
pub(crate) struct Watchers(Mutex<Registry>);

#[derive(Default)]
struct Registry {
    by_prefix: BTreeMap<Bytes, (watch::Sender<()>, usize)>,
    /// How many prefixes there are of each length: a change looks up its key's beginnings of these lengths only.
    lengths: BTreeMap<usize, usize>,
}

impl Watchers {
    pub(crate) fn watch(self: &Arc<Self>, prefix: &Key) -> Watch {
        let prefix = prefix.as_bytes().clone();
        let mut registry = self.lock();
        if !registry.by_prefix.contains_key(&prefix) {
            *registry.lengths.entry(prefix.len()).or_default() += 1;
        }
        let (sender, count) =
            registry.by_prefix.entry(prefix.clone()).or_insert_with(|| (watch::Sender::new(()), 0));
        *count += 1;
        let receiver = sender.subscribe();
        Watch { prefix, receiver, watchers: self.clone() }
    }

    pub(crate) fn notify<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        let registry = self.lock();
        if registry.by_prefix.is_empty() {
            return;
        }
        for key in keys {
            for &length in registry.lengths.keys().take_while(|&&length| length <= key.len()) {
                if let Some((sender, _)) = registry.by_prefix.get(&key[..length]) {
                    sender.send_replace(());
                }
            }
        }
    }

    fn forget(&self, prefix: &Bytes) {
        let mut registry = self.lock();
        let Some((_, count)) = registry.by_prefix.get_mut(prefix) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        registry.by_prefix.remove(prefix);
        if let Some(prefixes) = registry.lengths.get_mut(&prefix.len()) {
            *prefixes -= 1;
            if *prefixes == 0 {
                registry.lengths.remove(&prefix.len());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
