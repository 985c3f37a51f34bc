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
    /// The power fails, and the disk does the worst of one kind.
    Worst(Loss),
}

/// What becomes of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is lost.
    Everything,
    /// It is kept, but each file's newest change is torn.
    Torn,
    /// The newest change to each file, and to the names, is kept; what came before is lost.
    Reordered,
    /// Names are kept, the content of files is lost.
    Content,
    /// The content of files is kept, names are lost.
    Names,
}

impl Crash {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Kill,
        Self::PowerLoss,
        Self::Worst(Loss::Everything),
        Self::Worst(Loss::Torn),
        Self::Worst(Loss::Reordered),
        Self::Worst(Loss::Content),
        Self::Worst(Loss::Names),
    ];
}

/// What becomes of one change that was not synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Torn,
    Lost,
}

impl Loss {
    fn name(self, newest: bool) -> bool {
        match self {
            Self::Everything | Self::Names => false,
            Self::Torn | Self::Content => true,
            Self::Reordered => newest,
        }
    }

    fn content(self, newest: bool) -> Fate {
        match self {
            Self::Everything | Self::Content => Fate::Lost,
            Self::Names => Fate::Kept,
            Self::Torn => {
                if newest {
                    Fate::Torn
                } else {
                    Fate::Kept
                }
            }
            Self::Reordered => {
                if newest {
                    Fate::Kept
                } else {
                    Fate::Lost
                }
            }
        }
    }
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
        match crash {
            Crash::Kill => return,
            Crash::PowerLoss => self.lose_as_the_dice_fall(),
            Crash::Worst(loss) => {
                self.tree.crash(|newest| loss.name(newest));
                for inode in &mut self.inodes {
                    inode.crash(|newest, _| loss.content(newest), &mut self.dice);
                }
            }
        }
        self.drop_nameless();
    }

    fn lose_as_the_dice_fall(&mut self) {
        // Whole disks differ: one loses nearly everything, another nearly nothing.
        let (keep, of) = [(0, 1), (1, 4), (1, 2), (3, 4), (1, 1)][self.dice.below(5) as usize];
        let mut fates = self.dice.fork();
        self.tree.crash(|_| fates.chance(keep, of));
        for inode in &mut self.inodes {
            let fate = |_, dice: &mut Rng| match fates.chance(keep, of) {
                true => Fate::Kept,
                false if dice.chance(1, 2) => Fate::Torn,
                false => Fate::Lost,
            };
            inode.crash(fate, &mut self.dice);
        }
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
    fn crash(&mut self, mut fate: impl FnMut(bool, &mut Rng) -> Fate, dice: &mut Rng) {
        let mut left = self.pending.len();
        for change in std::mem::take(&mut self.pending) {
            left -= 1;
            match (fate(left == 0, dice), change) {
                (Fate::Kept, change) => change.apply(&mut self.durable),
                (Fate::Torn, Change::Write(offset, data)) => tear(offset, &data, dice, &mut self.durable),
                (Fate::Torn | Fate::Lost, _) => {}
            }
        }
        self.content.clone_from(&self.durable);
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
