//! What a crash takes.

use apus_env::sim::Rng;

use super::file::{Change, Inode};
use super::tree::Entry;
use super::{Faults, State};

/// How everything ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed: what it wrote stays, synced or not.
    Kill,
    /// The power fails: of what was not synced, the disk keeps, loses or tears each part as it likes.
    PowerLoss,
}

/// A disk writes sectors of this size whole, and nothing smaller for sure.
const SECTOR: usize = 512;

impl State {
    pub(super) fn crash(&mut self, crash: Crash) {
        self.boot += 1;
        self.locked = false;
        self.faults = Faults {
            ignored: self.faults.ignored,
            capacity_bytes: self.faults.capacity_bytes,
            ..Faults::default()
        };
        if crash == Crash::Kill {
            return;
        }
        // Whole disks differ: one loses nearly everything, another nearly nothing.
        let (keep, of) = [(0, 1), (1, 4), (1, 2), (3, 4), (1, 1)][self.dice.below(5) as usize];
        let mut dice = self.dice.fork();
        self.tree.crash(|| dice.chance(keep, of));
        for inode in &mut self.inodes {
            inode.crash(|| dice.chance(keep, of), &mut self.dice);
        }
        self.drop_nameless();
    }

    /// A file that has lost its last name is gone with the processes that had it open.
    fn drop_nameless(&mut self) {
        let mut named = vec![false; self.inodes.len()];
        self.tree.files().for_each(|inode| named[inode] = true);
        for (inode, named) in self.inodes.iter_mut().zip(named) {
            if !named {
                *inode = Inode::default();
            }
        }
        self.bytes = self.inodes.iter().map(|inode| inode.content.len() as u64).sum();
    }

    /// A file has lost a name: the one it had.
    pub(super) fn unlinked(&mut self, entry: Option<Entry>) {
        let Some(Entry::File(inode)) = entry else { return };
        self.bytes -= self.inodes[inode].content.len() as u64;
        self.inodes[inode].unlinked = true;
    }
}

impl Inode {
    fn crash(&mut self, mut keeps: impl FnMut() -> bool, dice: &mut Rng) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                change if keeps() => change.apply(&mut self.durable),
                Change::Write(offset, data) if dice.chance(1, 2) => {
                    tear(offset, &data, dice, &mut self.durable);
                }
                _ => {}
            }
        }
        self.content = self.durable.clone();
    }
}

/// Keeps a part of a write: up to some byte, or some of its sectors.
fn tear(offset: u64, data: &[u8], dice: &mut Rng, content: &mut Vec<u8>) {
    if dice.chance(1, 2) {
        let kept = dice.below(data.len() as u64 + 1) as usize;
        return Change::Write(offset, data[..kept].to_vec()).apply(content);
    }
    let mut at = 0;
    while at < data.len() {
        let to_boundary = SECTOR - (offset as usize + at) % SECTOR;
        let end = data.len().min(at + to_boundary);
        if dice.chance(1, 2) {
            Change::Write(offset + at as u64, data[at..end].to_vec()).apply(content);
        }
        at = end;
    }
}
