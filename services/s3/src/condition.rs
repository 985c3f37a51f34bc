//! Conditions on an object's tag and time, for reads and for writes.
//!
//! Their order is that of RFC 9110, section 13.2.2, as S3 documents it for `GetObject`.

use apus_time::Timestamp;

/// The conditions of a read, by their headers' names.
#[expect(clippy::struct_field_names, reason = "the names are the headers'")]
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// How conditions came out for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Holds,
    /// The reader has it already.
    NotModified,
    /// It does not hold: the header's name.
    Failed(&'static str),
}

impl ReadConditions {
    /// Whether they hold for an object with that tag (without quotes), last changed then.
    pub(crate) fn check(&self, etag: &str, modified_at: Timestamp) -> Verdict {
        // HTTP's dates have no fractions of a second.
        let modified_at = modified_at.as_secs();
        match (&self.if_match, self.if_unmodified_since) {
            (Some(tags), _) if !names(tags, etag) => return Verdict::Failed("If-Match"),
            (None, Some(since)) if modified_at > since.as_secs() => {
                return Verdict::Failed("If-Unmodified-Since");
            }
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(tags), _) if names(tags, etag) => Verdict::NotModified,
            (None, Some(since)) if modified_at <= since.as_secs() => Verdict::NotModified,
            _ => Verdict::Holds,
        }
    }
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteCondition {
    /// No object may be there: `If-None-Match: *`.
    Absent,
    /// An object with one of these tags must be there: `If-Match`.
    Matches(String),
}

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteRefusal {
    /// The condition does not hold: the header's name.
    Failed(&'static str),
    /// No object is there that could match.
    NoSuchKey,
}

impl WriteCondition {
    /// Whether it holds over an object with that tag (without quotes), or over none.
    pub(crate) fn check(&self, etag: Option<&str>) -> Result<(), WriteRefusal> {
        match (self, etag) {
            (Self::Absent, None) => Ok(()),
            (Self::Absent, Some(_)) => Err(WriteRefusal::Failed("If-None-Match")),
            (Self::Matches(_), None) => Err(WriteRefusal::NoSuchKey),
            (Self::Matches(tags), Some(etag)) if names(tags, etag) => Ok(()),
            (Self::Matches(_), Some(_)) => Err(WriteRefusal::Failed("If-Match")),
        }
    }
}

/// Whether a header's list of tags names this one. SDKs send tags with and without their quotes.
fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.trim_matches('"') == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Timestamp = Timestamp::from_micros(1_000_500_000);

    fn read(set: impl FnOnce(&mut ReadConditions)) -> Verdict {
        let mut conditions = ReadConditions::default();
        set(&mut conditions);
        conditions.check("abc", THEN)
    }

    #[test]
    fn reads_follow_the_order_of_the_conditions() {
        let (before, same, after) =
            (Timestamp::from_secs(999), Timestamp::from_secs(1_000), Timestamp::from_secs(1_001));
        assert_eq!(read(|_| {}), Verdict::Holds);
        for tags in ["abc", "\"abc\"", "*", "\"x\", \"abc\"", "W/\"abc\""] {
            assert_eq!(read(|c| c.if_match = Some(tags.into())), Verdict::Holds, "{tags}");
            assert_eq!(read(|c| c.if_none_match = Some(tags.into())), Verdict::NotModified, "{tags}");
        }
        for tags in ["ABC", "\"ab\"", "", "\"abcd\""] {
            assert_eq!(read(|c| c.if_match = Some(tags.into())), Verdict::Failed("If-Match"), "{tags}");
            assert_eq!(read(|c| c.if_none_match = Some(tags.into())), Verdict::Holds, "{tags}");
        }
        assert_eq!(read(|c| c.if_modified_since = Some(before)), Verdict::Holds);
        assert_eq!(
            read(|c| c.if_modified_since = Some(same)),
            Verdict::NotModified,
            "fractions do not count"
        );
        assert_eq!(read(|c| c.if_modified_since = Some(after)), Verdict::NotModified);
        assert_eq!(read(|c| c.if_unmodified_since = Some(before)), Verdict::Failed("If-Unmodified-Since"));
        assert_eq!(read(|c| c.if_unmodified_since = Some(same)), Verdict::Holds);
        let tag_wins_over_time = read(|c| {
            c.if_match = Some("abc".into());
            c.if_unmodified_since = Some(before);
        });
        assert_eq!(tag_wins_over_time, Verdict::Holds);
        let tag_wins_over_time = read(|c| {
            c.if_none_match = Some("other".into());
            c.if_modified_since = Some(after);
        });
        assert_eq!(tag_wins_over_time, Verdict::Holds);
    }

    #[test]
    fn writes_are_refused_as_documented() {
        let matches = |tags: &str| WriteCondition::Matches(tags.into());
        assert_eq!(WriteCondition::Absent.check(None), Ok(()));
        assert_eq!(WriteCondition::Absent.check(Some("a")), Err(WriteRefusal::Failed("If-None-Match")));
        assert_eq!(matches("\"a\"").check(Some("a")), Ok(()));
        assert_eq!(matches("*").check(Some("a")), Ok(()));
        assert_eq!(matches("\"b\"").check(Some("a")), Err(WriteRefusal::Failed("If-Match")));
        assert_eq!(matches("*").check(None), Err(WriteRefusal::NoSuchKey));
    }
}
