//! Values of conditions: numbers, dates, addresses, booleans and bytes, read exactly or not at all.

use std::net::{IpAddr, Ipv6Addr};

use apus_time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Digits after the point that a number may have.
const FRACTION_DIGITS: usize = 15;
/// Digits before it.
const WHOLE_DIGITS: usize = 20;

/// A decimal number, in units of 10^-15.
pub(crate) fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > WHOLE_DIGITS || fraction.len() > FRACTION_DIGITS {
        return None;
    }
    let value = format!("{whole}{fraction:0<FRACTION_DIGITS$}").parse::<i128>().ok()?;
    Some(if negative { -value } else { value })
}

/// A date as ISO 8601 (to the day, the minute, the second or finer), or as seconds since the epoch.
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    if let Ok(at) = Timestamp::parse_iso8601(text) {
        return Some(at);
    }
    if !text.is_ascii() {
        return None;
    }
    if text.len() == 10 && text.as_bytes()[4] == b'-' {
        return Timestamp::parse_iso8601(&format!("{text}T00:00:00Z")).ok();
    }
    if text.len() == 17 && text.ends_with('Z') {
        return Timestamp::parse_iso8601(&format!("{}:00Z", &text[..16])).ok();
    }
    text.parse::<i64>().ok().filter(|seconds| seconds.abs() < 1 << 40).map(Timestamp::from_secs)
}

/// `true` or `false`, in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case("false").then_some(false)
    }
}

/// Bytes in base 64.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// An address; an IPv4 address inside IPv6 counts as itself.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `203.0.113.0/24`, or an address alone.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.len() <= 3 && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok()?
            }
            Some(_) => return None,
        };
        (bits <= most).then_some(Self { address, bits })
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => self.contains_v6(network, address),
            (IpAddr::V6(network), IpAddr::V4(address)) => self.contains_v6(network, address.to_ipv6_mapped()),
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }

    fn contains_v6(self, network: Ipv6Addr, address: Ipv6Addr) -> bool {
        let differ = network.to_bits() ^ address.to_bits();
        differ.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
    }
}
