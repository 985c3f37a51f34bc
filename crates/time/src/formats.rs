//! The written forms: ISO 8601, RFC 7231 dates, epoch seconds, and Signature Version 4's compact form.

use std::fmt;

use crate::Timestamp;
use crate::civil::Date;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const SECS_PER_DAY: i64 = 86_400;

/// A text that is no instant in the form asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTimestampError {
    text: String,
    expected: &'static str,
}

impl fmt::Display for ParseTimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a time in the form {}", self.text, self.expected)
    }
}

impl std::error::Error for ParseTimestampError {}

/// The parts of an instant, as calendars and clocks show them.
struct Parts {
    date: Date,
    weekday: &'static str,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Timestamp {
    /// `2015-08-30T12:36:00Z`, with milliseconds or microseconds only where they are not zero.
    pub fn to_iso8601(self) -> String {
        let base = self.civil_and_clock();
        match self.subsec_micros() {
            0 => format!("{base}Z"),
            micros if micros % 1_000 == 0 => format!("{base}.{:03}Z", micros / 1_000),
            micros => format!("{base}.{micros:06}Z"),
        }
    }

    /// `2015-08-30T12:36:00.000Z`: always three digits, as S3 lists objects and Lambda shows `LastModified`.
    pub fn to_iso8601_millis(self) -> String {
        format!("{}.{:03}Z", self.civil_and_clock(), self.subsec_micros() / 1_000)
    }

    /// `20150830T123600Z`: the form of `X-Amz-Date`.
    pub fn to_compact(self) -> String {
        let p = self.parts();
        let d = p.date;
        if !(0..=9_999).contains(&d.year) {
            return format!(
                "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
                d.year, d.month, d.day, p.hour, p.minute, p.second
            );
        }
        // Every signature has two of these: digit by digit takes a tenth of what formatting takes.
        let mut text = String::with_capacity(16);
        two_digits(&mut text, d.year / 100);
        for field in [d.year % 100, d.month.into(), d.day.into()] {
            two_digits(&mut text, field);
        }
        text.push('T');
        for field in [p.hour, p.minute, p.second] {
            two_digits(&mut text, field);
        }
        text.push('Z');
        text
    }

    /// `Sun, 30 Aug 2015 12:36:00 GMT` (RFC 7231's preferred form), with milliseconds where not zero.
    pub fn to_http_date(self) -> String {
        let p = self.parts();
        let month = MONTHS[p.date.month as usize - 1];
        let fraction = match self.subsec_micros() / 1_000 {
            0 => String::new(),
            millis => format!(".{millis:03}"),
        };
        format!(
            "{}, {:02} {month} {:04} {:02}:{:02}:{:02}{fraction} GMT",
            p.weekday, p.date.day, p.date.year, p.hour, p.minute, p.second
        )
    }

    /// Seconds since the epoch, with a fraction only where it is not zero: `1440938160` or `1440938160.5`.
    pub fn to_epoch_seconds(self) -> String {
        let sign = if self.as_micros() < 0 { "-" } else { "" };
        let micros = self.as_micros().unsigned_abs();
        let (secs, fraction) = (micros / 1_000_000, micros % 1_000_000);
        if fraction == 0 {
            return format!("{sign}{secs}");
        }
        format!("{sign}{secs}.{}", format!("{fraction:06}").trim_end_matches('0'))
    }

    /// Reads ISO 8601: a `T`, optional fraction, and `Z` or an offset.
    pub fn parse_iso8601(text: &str) -> Result<Self, ParseTimestampError> {
        let error = || ParseTimestampError { text: text.into(), expected: "2015-08-30T12:36:00Z" };
        parse_iso8601(text).ok_or_else(error)
    }

    /// Reads `20150830T123600Z`.
    pub fn parse_compact(text: &str) -> Result<Self, ParseTimestampError> {
        let error = || ParseTimestampError { text: text.into(), expected: "20150830T123600Z" };
        parse_compact(text).ok_or_else(error)
    }

    /// Reads `Sun, 30 Aug 2015 12:36:00 GMT`, fraction allowed; the weekday is not checked.
    pub fn parse_http_date(text: &str) -> Result<Self, ParseTimestampError> {
        let error = || ParseTimestampError { text: text.into(), expected: "Sun, 30 Aug 2015 12:36:00 GMT" };
        parse_http_date(text).ok_or_else(error)
    }

    /// Reads seconds since the epoch, with an optional fraction or exponent, as JSON numbers have them.
    pub fn parse_epoch_seconds(text: &str) -> Result<Self, ParseTimestampError> {
        let error = || ParseTimestampError { text: text.into(), expected: "1440938160.5" };
        if let Ok(secs) = text.parse::<i64>() {
            return Ok(Self::from_secs(secs));
        }
        match text.parse::<f64>() {
            Ok(secs) if secs.is_finite() => Ok(Self::from_epoch_seconds(secs)),
            _ => Err(error()),
        }
    }

    /// The instant so many seconds after the epoch, rounded to the microsecond.
    pub fn from_epoch_seconds(secs: f64) -> Self {
        Self::from_micros((secs * 1e6).round() as i64)
    }

    fn parts(self) -> Parts {
        let secs = self.as_secs();
        let days = secs.div_euclid(SECS_PER_DAY);
        let clock = secs.rem_euclid(SECS_PER_DAY);
        Parts {
            date: Date::from_epoch_days(days),
            // The epoch was a Thursday, the fourth day of the list.
            weekday: WEEKDAYS[(days + 3).rem_euclid(7) as usize],
            hour: clock / 3_600,
            minute: clock / 60 % 60,
            second: clock % 60,
        }
    }

    fn civil_and_clock(self) -> String {
        let p = self.parts();
        let d = p.date;
        format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", d.year, d.month, d.day, p.hour, p.minute, p.second)
    }
}

fn two_digits(text: &mut String, number: i64) {
    for digit in [number / 10, number % 10] {
        text.push(char::from(b'0' + digit as u8));
    }
}

fn from_parts(date: Date, hour: i64, minute: i64, second: i64, micros: i64) -> Option<Timestamp> {
    // Second 60 is a leap second; it counts as the first of the next minute, as POSIX does.
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    let secs = date.to_epoch_days() * SECS_PER_DAY + hour * 3_600 + minute * 60 + second;
    valid.then(|| Timestamp::from_micros(secs * 1_000_000 + micros))
}

fn parse_iso8601(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_once(['T', 't'])?;
    let mut fields = date.splitn(3, '-');
    let date = Date::new(
        digits(fields.next()?, 4)?,
        digits(fields.next()?, 2)? as u32,
        digits(fields.next()?, 2)? as u32,
    )?;
    let (clock, offset_secs) = split_offset(clock)?;
    let (clock, micros) = split_fraction(clock)?;
    let mut fields = clock.splitn(3, ':');
    let (hour, minute) = (digits(fields.next()?, 2)?, digits(fields.next()?, 2)?);
    let second = digits(fields.next()?, 2)?;
    let local = from_parts(date, hour, minute, second, micros)?;
    Some(Timestamp::from_micros(local.as_micros() - offset_secs * 1_000_000))
}

fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = clock.rfind(['+', '-'])?;
    let (clock, offset) = clock.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some((clock, sign * (hours * 3_600 + minutes * 60)))
}

/// Splits `00.123` into the whole and microseconds; digits beyond the sixth are cut.
fn split_fraction(clock: &str) -> Option<(&str, i64)> {
    let Some((whole, fraction)) = clock.split_once('.') else { return Some((clock, 0)) };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    Some((whole, micros.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'))))
}

fn parse_compact(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || !text.is_ascii() || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let date =
        Date::new(digits(&text[..4], 4)?, digits(&text[4..6], 2)? as u32, digits(&text[6..8], 2)? as u32)?;
    from_parts(date, digits(&text[9..11], 2)?, digits(&text[11..13], 2)?, digits(&text[13..15], 2)?, 0)
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    let (_weekday, rest) = text.split_once(", ")?;
    let mut fields = rest.split(' ');
    let day = digits(fields.next()?, 2)? as u32;
    let month = fields.next()?;
    let month = MONTHS.iter().position(|&name| name == month)? as u32 + 1;
    let date = Date::new(digits(fields.next()?, 4)?, month, day)?;
    let (clock, micros) = split_fraction(fields.next()?)?;
    if fields.next()? != "GMT" || fields.next().is_some() {
        return None;
    }
    let mut fields = clock.splitn(3, ':');
    from_parts(
        date,
        digits(fields.next()?, 2)?,
        digits(fields.next()?, 2)?,
        digits(fields.next()?, 2)?,
        micros,
    )
}

/// Exactly `count` ASCII digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let valid = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_are_written_and_read_back() {
        #[rustfmt::skip]
        let known = [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT", "0"),
            (1_440_938_160_000_000, "2015-08-30T12:36:00Z", "Sun, 30 Aug 2015 12:36:00 GMT", "1440938160"),
            (946_845_296_123_000, "2000-01-02T20:34:56.123Z", "Sun, 02 Jan 2000 20:34:56.123 GMT", "946845296.123"),
            (-1_500_000, "1969-12-31T23:59:58.500Z", "Wed, 31 Dec 1969 23:59:58.500 GMT", "-1.5"),
        ];
        for (micros, iso, http, epoch) in known {
            let at = Timestamp::from_micros(micros);
            assert_eq!(at.to_iso8601(), iso);
            assert_eq!(at.to_http_date(), http);
            assert_eq!(at.to_epoch_seconds(), epoch);
            assert_eq!(Timestamp::parse_iso8601(iso), Ok(at));
            assert_eq!(Timestamp::parse_http_date(http), Ok(at));
            assert_eq!(Timestamp::parse_epoch_seconds(epoch), Ok(at));
        }
        let signed = Timestamp::from_secs(1_440_938_160);
        assert_eq!(signed.to_compact(), "20150830T123600Z");
        assert_eq!(Timestamp::parse_compact("20150830T123600Z"), Ok(signed));
    }

    #[test]
    fn offsets_are_taken_off() {
        let at = Timestamp::parse_iso8601("2019-12-16T22:48:18-01:00");
        assert_eq!(at, Timestamp::parse_iso8601("2019-12-16T23:48:18Z"));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "Z",
            "2015-08-30",
            "2015-8-30T12:36:00Z",
            "2015-08-30T24:00:00Z",
            "2015-08-30T12:36:00",
            "2015-02-30T12:36:00Z",
            "2015-08-30T12:36:00.Z",
            "2015-08-30T12:36:00+9:00",
            "２015-08-30T12:36:00Z",
        ] {
            assert!(Timestamp::parse_iso8601(text).is_err(), "{text}");
        }
        for text in ["20150830", "20150830T123600", "20150830 123600Z", "2015083éT12360Z", "20151330T123600Z"]
        {
            assert!(Timestamp::parse_compact(text).is_err(), "{text}");
        }
        for text in ["", "NaN", "inf", "1,5", "yesterday"] {
            assert!(Timestamp::parse_epoch_seconds(text).is_err(), "{text}");
        }
    }
}
