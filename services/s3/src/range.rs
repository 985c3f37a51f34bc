//! The `Range` header: which bytes of an object are asked for.

use std::fmt;

/// The bytes from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// No byte of the object is in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSatisfiable;

impl ByteRange {
    /// The bytes that a header asks of an object of `size` bytes. A header that is no single range of
    /// bytes is ignored, as RFC 9110 has it and S3 does.
    pub(crate) fn parse(header: &str, size: u64) -> Result<Option<Self>, NotSatisfiable> {
        let Some((first, last)) = split(header) else { return Ok(None) };
        match (first, last) {
            (Some(first), Some(last)) if first > last => Ok(None),
            (Some(first), _) if first >= size => Err(NotSatisfiable),
            (Some(first), last) => {
                let end = size - 1;
                Ok(Some(Self { first, last: last.map_or(end, |last| last.min(end)) }))
            }
            (None, Some(0)) => Err(NotSatisfiable),
            (None, Some(_)) if size == 0 => Err(NotSatisfiable),
            (None, Some(suffix)) => Ok(Some(Self { first: size - suffix.min(size), last: size - 1 })),
            (None, None) => Ok(None),
        }
    }

    /// How many bytes these are.
    pub(crate) fn length(self) -> u64 {
        self.last - self.first + 1
    }

    /// `bytes 0-9/100`.
    pub(crate) fn content_range(self, size: u64) -> String {
        format!("{self}/{size}")
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {}-{}", self.first, self.last)
    }
}

/// `bytes=0-9`, `bytes=5-` and `bytes=-5` as their two numbers; nothing for any other text.
fn split(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = header.trim().split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    Some((number(first).ok()?, number(last).ok()?))
}

/// Neither a number nor nothing.
struct NoNumber;

/// A number, or its absence. What exceeds 64 bits is the largest number.
fn number(text: &str) -> Result<Option<u64>, NoNumber> {
    let text = text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NoNumber);
    }
    Ok((!text.is_empty()).then(|| text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_ask_for_the_bytes_that_are_there() {
        let check = |header: &str, size: u64, expected: Result<Option<(u64, u64)>, NotSatisfiable>| {
            let found =
                ByteRange::parse(header, size).map(|range| range.map(|range| (range.first, range.last)));
            assert_eq!(found, expected, "{header} of {size}");
        };
        check("bytes=0-0", 10, Ok(Some((0, 0))));
        check("bytes=0-9", 10, Ok(Some((0, 9))));
        check("bytes=0-99", 10, Ok(Some((0, 9))));
        check("bytes=9-", 10, Ok(Some((9, 9))));
        check("bytes=-1", 10, Ok(Some((9, 9))));
        check("bytes=-99", 10, Ok(Some((0, 9))));
        check("Bytes = 2 - 3", 10, Ok(Some((2, 3))));
        check("bytes=0-99999999999999999999999", 10, Ok(Some((0, 9))));
        check("bytes=10-", 10, Err(NotSatisfiable));
        check("bytes=99999999999999999999999-", 10, Err(NotSatisfiable));
        check("bytes=-0", 10, Err(NotSatisfiable));
        check("bytes=0-0", 0, Err(NotSatisfiable));
        check("bytes=0-", 0, Err(NotSatisfiable));
        check("bytes=-5", 0, Err(NotSatisfiable));
        for ignored in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-1,3-4", "items=0-1"]
        {
            check(ignored, 10, Ok(None));
        }
    }

    #[test]
    fn ranges_are_written_as_content_range() {
        let range = ByteRange { first: 2, last: 5 };
        assert_eq!(range.content_range(10), "bytes 2-5/10");
        assert_eq!(range.length(), 4);
    }
}
