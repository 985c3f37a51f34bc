//! A simulated file: what a reader sees, what is safe, and what lies between.

use std::io;
use std::sync::Arc;

use super::super::{DiskFile, SyncPoint};
use super::point::Act;
use super::{Shared, State, ends, power_is_off};

/// A file's content. Names are elsewhere.
#[derive(Debug, Default)]
pub(super) struct Inode {
    /// What every reader sees.
    pub(super) content: Vec<u8>,
    /// What a crash cannot take.
    pub(super) durable: Vec<u8>,
    /// What was done since the last sync.
    pub(super) pending: Vec<Change>,
    /// It has no name any more, and goes when nobody has it open.
    pub(super) unlinked: bool,
    open: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

impl Change {
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => {
                let (start, end) = (*offset as usize, *offset as usize + data.len());
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[start..end].copy_from_slice(data);
            }
            Self::SetLen(len) => content.resize(*len as usize, 0),
        }
    }
}

impl Inode {
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }
}

pub(super) struct SimFile {
    shared: Arc<Shared>,
    inode: usize,
    /// The name it was opened by.
    name: String,
    boot: u64,
}

impl SimFile {
    pub(super) fn new(shared: &Arc<Shared>, inode: usize, name: &str, state: &mut State) -> Self {
        state.inodes[inode].open += 1;
        Self { shared: shared.clone(), inode, name: name.to_owned(), boot: state.boot }
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.shared.lock();
        self.check_boot(&state)?;
        let act = match change {
            Change::Write(..) => Act::Write,
            Change::SetLen(_) => Act::SetLen,
        };
        let last = state.change_turn(act, &self.name)?;
        let before = state.inodes[self.inode].content.len() as u64;
        let after = match &change {
            Change::Write(offset, data) => before.max(offset + data.len() as u64),
            Change::SetLen(len) => *len,
        };
        if state
            .faults
            .capacity_bytes
            .is_some_and(|most| after > before && state.bytes - before + after > most)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if !state.inodes[self.inode].unlinked {
            state.bytes = state.bytes - before + after;
        }
        let inode = &mut state.inodes[self.inode];
        change.apply(&mut inode.content);
        if !self.shared.volatile {
            inode.pending.push(change);
        }
        ends(last)
    }

    fn check_boot(&self, state: &State) -> io::Result<()> {
        if state.boot == self.boot { Ok(()) } else { Err(power_is_off()) }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let inode = &mut state.inodes[self.inode];
        inode.open = inode.open.saturating_sub(1);
        // On a disk that can crash, the name may yet come back.
        if inode.open == 0 && inode.unlinked && self.shared.volatile {
            *inode = Inode::default();
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let state = self.shared.lock();
        self.check_boot(&state)?;
        state.read_turn()?;
        let content = &state.inodes[self.inode].content;
        let found = usize::try_from(offset).ok().and_then(|start| content.get(start..start + buf.len()));
        buf.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, data.to_vec()))
    }

    fn size(&self) -> io::Result<u64> {
        let state = self.shared.lock();
        self.check_boot(&state)?;
        state.read_turn()?;
        Ok(state.inodes[self.inode].content.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len))
    }

    fn sync(&self, point: SyncPoint) -> io::Result<()> {
        let mut state = self.shared.lock();
        self.check_boot(&state)?;
        let last = state.change_turn(Act::Sync(point), &self.name)?;
        // Power that goes during a sync leaves it done or not.
        let done = !last || state.dice.chance(1, 2);
        if state.syncs(point) && done {
            state.inodes[self.inode].sync();
        }
        ends(last)
    }
}
