//! What one request may cost to read: nesting and memory, shared by every reader.

/// How deep documents, structures, lists and maps may nest. Far above what any model needs.
pub const MAX_DEPTH: usize = 100;
/// How many places of 32 bytes one request may fill: 64 MiB of memory, which a small body reaches only if it
/// is made of empty structures. Readers charge what they allocate: a value one place, a structure one for
/// each member, a list or a map its first block.
pub const MAX_PLACES: usize = 1 << 21;
/// How many characters of a number are read: a double needs 17 digits, and no exponent needs more than this.
pub(crate) const MAX_NUMBER_CHARS: usize = 128;

/// Why bytes cannot be read in their protocol; the text is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

pub(crate) type Read<T> = Result<T, Unreadable>;

pub(crate) fn unreadable<T>(message: impl Into<String>) -> Read<T> {
    Err(Unreadable(message.into()))
}

/// The first block of a list that is not empty: four values.
pub(crate) const LIST_PLACES: usize = 4;
/// The first block of a map that is not empty: four pairs.
pub(crate) const MAP_PLACES: usize = 8;

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct Budget {
    depth: usize,
    places: usize,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { depth: MAX_DEPTH, places: MAX_PLACES }
    }

    /// One level deeper; [`Self::leave`] on the way back.
    pub(crate) fn enter(&mut self) -> Read<()> {
        match self.depth.checked_sub(1) {
            Some(depth) => self.depth = depth,
            None => return unreadable(format!("The request nests deeper than {MAX_DEPTH} levels.")),
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth += 1;
    }

    /// So many values more.
    pub(crate) fn spend(&mut self, places: usize) -> Read<()> {
        match self.places.checked_sub(places) {
            Some(left) => self.places = left,
            None => return unreadable(format!("The request holds more than {MAX_PLACES} values.")),
        }
        Ok(())
    }
}
