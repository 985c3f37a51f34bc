//! After a start: what the log still holds beyond the base goes back into the overlay.
//!
//! At most one frame is ever under way, so only the last may be torn: it was never acknowledged and is dropped.
//! A damaged frame with whole ones behind it, or a gap in their numbers, is no crash but damage, and is refused.

use std::sync::Arc;

use apus_env::Env;

use super::Options;
use super::frame::{ALIGN, FRAME_HEADER, Frame, SEGMENT_HEADER, Segment};
use super::log::{Log, file_name, number_of};
use crate::disk::{Disk, OpenMode, SyncPoint, io_error};
use crate::error::StoreError;
use crate::state::State;

/// Replays what comes after frame `applied`, and gives the log to go on with.
pub(super) fn recover(
    env: &Env,
    disk: &Arc<dyn Disk>,
    options: &Options,
    applied: u64,
    state: &mut State,
) -> Result<Log, StoreError> {
    let numbers = segment_numbers(disk.as_ref())?;
    let newest = numbers.last().copied();
    let mut next = applied + 1;
    let (mut obsolete, mut needed) = (Vec::new(), Vec::new());
    for &number in &numbers {
        let file = SegmentFile::read(disk.as_ref(), number)?;
        let is_newest = newest == Some(number);
        let end = replay(&file, is_newest, &mut next, state)?;
        if is_newest && let Some((offset, size)) = end.last {
            settle(disk.as_ref(), &file, offset, size)?;
        }
        let matters = end.frames > 0 && next > applied + 1;
        if matters { needed.push(number) } else { obsolete.push(number) }
    }
    let number = newest.map_or(1, |newest| newest + 1);
    let mut log = Log::begin(env, disk, options.log_extend_bytes, number, next, needed)?;
    log.remove(&obsolete)?;
    Ok(log)
}

/// Reads what [`recover`] would, and changes nothing. Gives the number of the last frame.
pub(super) fn inspect(disk: &dyn Disk, applied: u64, state: &mut State) -> Result<u64, StoreError> {
    let numbers = segment_numbers(disk)?;
    let mut next = applied + 1;
    for &number in &numbers {
        let file = SegmentFile::read(disk, number)?;
        replay(&file, numbers.last() == Some(&number), &mut next, state)?;
    }
    Ok(next - 1)
}

fn segment_numbers(disk: &dyn Disk) -> Result<Vec<u64>, StoreError> {
    let names = disk.list("").map_err(io_error("listing the data directory"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

struct SegmentFile {
    name: String,
    content: Vec<u8>,
}

/// Where a segment's whole frames end.
#[derive(Default)]
struct End {
    frames: u64,
    /// Offset and size of the last one.
    last: Option<(usize, usize)>,
}

impl SegmentFile {
    fn read(disk: &dyn Disk, number: u64) -> Result<Self, StoreError> {
        let name = file_name(number);
        let wrap = |error| io_error(format!("reading {name}"))(error);
        let file = disk.open(&name, OpenMode::Existing).map_err(wrap)?;
        let mut content = vec![0; file.size().map_err(wrap)? as usize];
        file.read_at(0, &mut content).map_err(wrap)?;
        Ok(Self { name, content })
    }

    /// The header; `None` for a segment that was being created when everything ended. Such a one may have
    /// younger ones behind it, if a later crash has undone its removal.
    fn header(&self) -> Result<Option<Segment>, StoreError> {
        if let Some(segment) = Segment::decode(&self.content) {
            return Ok(Some(segment));
        }
        // Frames come only after the header is safe.
        let has_frames = self.content.iter().skip(SEGMENT_HEADER).any(|&byte| byte != 0);
        if !has_frames {
            return Ok(None);
        }
        Err(StoreError::corrupt(&self.name, "its header is damaged"))
    }
}

fn replay(file: &SegmentFile, is_newest: bool, next: &mut u64, state: &mut State) -> Result<End, StoreError> {
    let Some(segment) = file.header()? else { return Ok(End::default()) };
    let missing = |from: u64, to: u64| {
        StoreError::corrupt(&file.name, format!("the log's frames {from} to {to} are missing before it"))
    };
    if segment.first > *next {
        return Err(missing(*next, segment.first - 1));
    }
    let (mut offset, mut expected, mut end) = (SEGMENT_HEADER, segment.first, End::default());
    while let Some(frame) = file.content.get(offset..).and_then(|bytes| Frame::decode(segment.salt, bytes)) {
        if frame.sequence != expected {
            return Err(missing(expected, frame.sequence.saturating_sub(1)));
        }
        if frame.sequence >= *next {
            let (version, changes) = frame.changes()?;
            for (key, value) in changes {
                let hides = value.is_none() && state.is_below(&key)?;
                state.set(key, value, hides);
            }
            state.version = state.version.max(version);
            *next = frame.sequence + 1;
        }
        expected += 1;
        end = End { frames: end.frames + 1, last: Some((offset, frame.size)) };
        offset += frame.size;
    }
    // In an older segment the next one's header tells whether frames are missing.
    if is_newest && let Some(at) = whole_frame_after(&file.content, offset, segment.salt) {
        let detail =
            format!("frame {expected} at byte {offset} is damaged, but a whole one follows at byte {at}");
        return Err(StoreError::corrupt(&file.name, detail));
    }
    Ok(end)
}

fn whole_frame_after(content: &[u8], offset: usize, salt: u64) -> Option<usize> {
    let last = content.len().checked_sub(FRAME_HEADER)?;
    (offset + ALIGN..=last).step_by(ALIGN).find(|&at| Frame::decode(salt, &content[at..]).is_some())
}

/// Makes the last frame safe before anyone reads what it holds: its sync may never have happened, or may have
/// failed and left pages that the system takes for written. So it is written again, and synced.
fn settle(disk: &dyn Disk, file: &SegmentFile, offset: usize, size: usize) -> Result<(), StoreError> {
    let wrap = |error| io_error(format!("settling {}", file.name))(error);
    let end = file.content.len().min(offset + size);
    let handle = disk.open(&file.name, OpenMode::Existing).map_err(wrap)?;
    handle.write_at(offset as u64, &file.content[offset..end]).map_err(wrap)?;
    handle.sync(SyncPoint::LogRecover).map_err(wrap)
}
