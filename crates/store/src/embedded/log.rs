//! The log being written: frames one behind the other in the newest segment.
//!
//! A file grows ahead of its frames, zeroed, so that a frame overwrites what is there: its sync writes data and
//! no metadata, and a full disk shows before a frame is begun.

use std::sync::Arc;

use apus_env::Env;

use super::frame::{self, ALIGN, FRAME_HEADER, SEGMENT_HEADER, Segment};
use crate::disk::{Disk, DiskFile, OpenMode, SyncPoint, io_error};
use crate::error::StoreError;
use crate::state::Change;

/// A buffer that one large frame has blown up is given back beyond this.
const BUFFER_KEPT: usize = 4 << 20;
/// What a file grows by, in one write.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

pub(super) struct Log {
    disk: Arc<dyn Disk>,
    env: Env,
    extend_bytes: u64,
    segment: Segment,
    file: Arc<dyn DiskFile>,
    /// The sequence number of the next frame.
    next: u64,
    /// Where the next frame begins.
    offset: u64,
    /// Up to where the file is zeroed ahead.
    zeroed: u64,
    /// Closed segments that still matter, oldest first.
    closed: Vec<u64>,
    buffer: Vec<u8>,
}

/// The name of a segment's file. In the order of their names, files are in the order of their numbers.
pub(super) fn file_name(number: u64) -> String {
    format!("log-{number:016x}")
}

pub(super) fn number_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix("log-")?, 16).ok()
}

impl Log {
    /// Begins the segment `number`, whose first frame will be `next`. `closed` are those before it.
    pub(super) fn begin(
        env: &Env,
        disk: &Arc<dyn Disk>,
        extend_bytes: u64,
        number: u64,
        next: u64,
        closed: Vec<u64>,
    ) -> Result<Self, StoreError> {
        let segment = Segment { number, first: next, salt: env.random_u64() };
        let file = create(disk.as_ref(), &segment)?;
        let offset = SEGMENT_HEADER as u64;
        let (disk, env) = (disk.clone(), env.clone());
        Ok(Self {
            disk,
            env,
            extend_bytes,
            segment,
            file,
            next,
            offset,
            zeroed: offset,
            closed,
            buffer: Vec::new(),
        })
    }

    /// Writes a version and waits until it is safe. [`StoreError::Full`]: nothing of it was written.
    pub(super) fn append(&mut self, version: u64, changes: &[Change]) -> Result<(), StoreError> {
        self.buffer.clear();
        frame::encode(self.segment.salt, self.next, version, changes, &mut self.buffer);
        assert!(self.buffer.len() > FRAME_HEADER && self.buffer.len().is_multiple_of(ALIGN));
        self.extend(self.offset + self.buffer.len() as u64)?;
        let wrap = |error| match io_error(format!("writing the log's frame {}", self.next))(error) {
            // Space was set aside; a disk that is full now has broken its word, and the frame may be half there.
            StoreError::Full { place } => StoreError::Io {
                doing: place,
                kind: std::io::ErrorKind::Other,
                detail: "no space after all".into(),
            },
            error => error,
        };
        self.file.write_at(self.offset, &self.buffer).map_err(wrap)?;
        self.file.sync(SyncPoint::LogAppend).map_err(wrap)?;
        self.offset += self.buffer.len() as u64;
        self.next += 1;
        if self.buffer.capacity() > BUFFER_KEPT {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Closes this segment and begins the next.
    pub(super) fn rotate(&mut self) -> Result<(), StoreError> {
        let number = self.segment.number + 1;
        let mut closed = std::mem::take(&mut self.closed);
        closed.push(self.segment.number);
        *self = Self::begin(&self.env, &self.disk, self.extend_bytes, number, self.next, closed)?;
        Ok(())
    }

    /// The closed segments.
    pub(super) fn closed(&self) -> &[u64] {
        &self.closed
    }

    /// Removes closed segments whose frames are all in the base. A removal that a crash undoes does no harm.
    pub(super) fn remove(&mut self, numbers: &[u64]) -> Result<(), StoreError> {
        for &number in numbers {
            let name = file_name(number);
            self.disk.remove(&name).map_err(io_error(format!("removing {name}")))?;
        }
        self.closed.retain(|number| !numbers.contains(number));
        Ok(())
    }

    /// Bytes written to this segment.
    pub(super) fn bytes(&self) -> u64 {
        self.offset
    }

    /// Whether this segment holds any frame.
    pub(super) fn has_frames(&self) -> bool {
        self.next > self.segment.first
    }

    /// The sequence number of the last frame.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    fn extend(&mut self, end: u64) -> Result<(), StoreError> {
        if end <= self.zeroed {
            return Ok(());
        }
        let target = end.next_multiple_of(self.extend_bytes);
        let name = file_name(self.segment.number);
        while self.zeroed < target {
            let zeros = &ZEROS[..ZEROS.len().min((target - self.zeroed) as usize)];
            self.file.write_at(self.zeroed, zeros).map_err(io_error(format!("extending {name}")))?;
            self.zeroed += zeros.len() as u64;
        }
        Ok(())
    }
}

fn create(disk: &dyn Disk, segment: &Segment) -> Result<Arc<dyn DiskFile>, StoreError> {
    let name = file_name(segment.number);
    let wrap = |error| io_error(format!("creating {name}"))(error);
    let file = disk.open(&name, OpenMode::Create).map_err(wrap)?;
    // Nothing of an earlier attempt may stay behind the header.
    file.set_len(0).map_err(wrap)?;
    file.write_at(0, &segment.encode()).map_err(wrap)?;
    file.sync(SyncPoint::LogCreate).map_err(wrap)?;
    disk.sync_dir("", SyncPoint::LogDir).map_err(wrap)?;
    Ok(file)
}
