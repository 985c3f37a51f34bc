//! What a sandbox needs and takes long to make: its network, and the control group of its slot. Some are made before they
//! are asked for, while nothing else is to do.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;

use super::cgroups::{Entrance, Group, Groups, Limits};
use super::network::{Network, NetworkMaker};

/// Networks and control groups, some of them ready.
pub(super) struct Reserve {
    /// Unless all share the host's.
    networks: Option<NetworkMaker>,
    networks_ready: Vec<Network>,
    /// How many are kept ready; none any more once one could not be made.
    networks_wanted: usize,
    groups: Groups,
    /// By slot; they have no limits yet.
    groups_ready: BTreeMap<u32, Made>,
    /// For so many of the slots that are taken next.
    groups_wanted: usize,
    /// The slots without a sandbox, in the order in which the platform takes them: the one that was free longest first.
    free: VecDeque<u32>,
}

/// A control group, how a process comes into it, and what tells of its memory.
pub(super) struct Made {
    pub(super) group: Group,
    pub(super) entrance: Entrance,
    pub(super) memory_events: Option<OwnedFd>,
}

impl Reserve {
    /// So many of each are kept ready, of as many as there are slots.
    pub(super) fn new(networks: Option<NetworkMaker>, groups: Groups, wanted: usize, slots: u32) -> Self {
        Self {
            networks_wanted: if networks.is_some() { wanted } else { 0 },
            networks,
            networks_ready: Vec::new(),
            groups,
            groups_ready: BTreeMap::new(),
            groups_wanted: wanted,
            free: (0..slots).collect(),
        }
    }

    /// Whether sandboxes have networks of their own.
    pub(super) fn has_networks(&self) -> bool {
        self.networks.is_some()
    }

    /// Makes one of the things that are to be ready; whether there was one.
    ///
    /// When the host has no more of them, sandboxes try to get theirs as they start, and say why they cannot.
    pub(super) fn make_one(&mut self) -> bool {
        if self.networks_ready.len() < self.networks_wanted
            && let Some(networks) = &self.networks
        {
            match networks.make() {
                Ok(network) => self.networks_ready.push(network),
                Err(error) => {
                    eprintln!("apus: no network namespaces are kept ready any more: {error}");
                    self.networks_wanted = 0;
                }
            }
            return true;
        }
        let next: Vec<u32> = self.free.iter().copied().take(self.groups_wanted).collect();
        let Some(slot) = next.iter().copied().find(|slot| !self.groups_ready.contains_key(slot)) else {
            return false;
        };
        let stray = self.groups_ready.keys().copied().find(|ready| !next.contains(ready));
        if let Some(made) = stray.and_then(|slot| self.groups_ready.remove(&slot)) {
            // One that stays behind is removed when its slot is taken.
            let _ = made.group.remove();
        }
        match Made::new(self.groups.slot(slot)) {
            Ok(made) => drop(self.groups_ready.insert(slot, made)),
            Err(error) => {
                eprintln!("apus: no control groups are kept ready any more: {error}");
                self.groups_wanted = 0;
            }
        }
        true
    }

    /// The network of a sandbox, if they have their own.
    pub(super) fn network(&mut self) -> io::Result<Option<Network>> {
        match (self.networks_ready.pop(), &self.networks) {
            (None, Some(networks)) => networks.make().map(Some),
            (ready, _) => Ok(ready),
        }
    }

    /// The group of a slot that is taken now, with these limits.
    pub(super) fn group(&mut self, slot: u32, limits: Limits) -> io::Result<Made> {
        // It is the first, but for those that the platform has taken and not asked for.
        if let Some(at) = self.free.iter().position(|free| *free == slot) {
            self.free.remove(at);
        }
        let made = match self.groups_ready.remove(&slot) {
            Some(made) => made,
            None => Made::new(self.groups.slot(slot))?,
        };
        if let Err(error) = made.group.limit(limits) {
            let _ = made.group.remove();
            return Err(error);
        }
        Ok(made)
    }

    /// A slot has no sandbox any more.
    pub(super) fn vacate(&mut self, slot: u32) {
        if !self.free.contains(&slot) {
            self.free.push_back(slot);
        }
    }

    /// Removes every group.
    pub(super) fn sweep(&self) -> io::Result<u32> {
        self.groups.sweep()
    }
}

impl Made {
    fn new(group: Group) -> io::Result<Self> {
        let entrance = group.create()?;
        match group.watch_memory() {
            Ok(memory_events) => Ok(Self { group, entrance, memory_events }),
            Err(error) => {
                let _ = group.remove();
                Err(error)
            }
        }
    }
}
