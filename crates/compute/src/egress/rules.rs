//! Where a sandbox may connect to: a pure decision from rules and two facts about the host. Knows no packets.
//!
//! In this order: what nobody may open; a deny rule; special ranges, which only a rule that lies within them
//! opens; everything else. So `0.0.0.0/0` opens no metadata service and no neighbour's machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use minicbor::{Decode, Encode};

/// The most rules of either kind.
pub const RULES_MAX: usize = 256;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Range {
    /// Its first address, as the bits of an IPv6 address.
    #[n(0)]
    #[cbor(with = "bits")]
    first: u128,
    /// How many leading bits of those 128 are fixed.
    #[n(1)]
    prefix: u8,
}

/// A range of addresses and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Rule {
    #[n(0)]
    range: Range,
    /// The first and the last port.
    #[n(1)]
    ports: (u16, u16),
}

/// Rules of a sandbox. A deny rule stands above every allow rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct EgressRules {
    /// What is opened beyond the public internet.
    #[n(0)]
    pub allow: Vec<Rule>,
    /// What is closed.
    #[n(1)]
    pub deny: Vec<Rule>,
}

/// What the host says of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// The destination is one of the host's own addresses.
    pub is_own_address: bool,
    /// The ports on which the platform itself listens.
    pub platform_ports: &'a [u16],
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be connected to.
    Open,
    /// It may not, and why.
    Closed(&'static str),
}

/// Ranges that no rule opens.
const NEVER: &[(Range, &str)] = &[
    (v4(0, 0, 0, 0, 8), "no destination"),
    (v4(127, 0, 0, 0, 8), "the host's loopback"),
    (v6(Ipv6Addr::LOCALHOST, 128), "the host's loopback"),
    (v6(Ipv6Addr::UNSPECIFIED, 128), "no destination"),
    (v4(192, 0, 0, 0, 29), "other sandboxes"),
    (v6(super::SANDBOX_V6_RANGE, 64), "other sandboxes"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast"),
    (v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8), "multicast"),
];

/// Ranges that are closed unless a rule within them opens them.
const SPECIAL: &[(Range, &str)] = &[
    (v4(169, 254, 0, 0, 16), "link-local and metadata addresses"),
    (v4(168, 63, 129, 16, 32), "a metadata address"),
    (v4(100, 100, 100, 200, 32), "a metadata address"),
    (v6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0), 32), "metadata addresses"),
    (v6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0), 64), "metadata addresses"),
    (v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10), "link-local addresses"),
    (v4(10, 0, 0, 0, 8), "a private range"),
    (v4(172, 16, 0, 0, 12), "a private range"),
    (v4(192, 168, 0, 0, 16), "a private range"),
    (v4(100, 64, 0, 0, 10), "a private range"),
    (v4(192, 0, 0, 0, 24), "a range of the network itself"),
    (v4(198, 18, 0, 0, 15), "a range of the network itself"),
    (v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7), "a private range"),
    (v6(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10), "a private range"),
];

impl EgressRules {
    /// Whether a sandbox may connect to that destination, over whichever protocol.
    pub fn decide(&self, to: SocketAddr, host: Host<'_>) -> Verdict {
        if host.is_own_address && host.platform_ports.contains(&to.port()) {
            return Verdict::Closed("a port of the platform");
        }
        // What carries another address is judged as both: whoever unpacks it must not lead around a rule.
        for bits in [Some(bits_of(to.ip())), carried(to.ip())].into_iter().flatten() {
            if let verdict @ Verdict::Closed(_) = self.decide_bits(bits, to.port(), host.is_own_address) {
                return verdict;
            }
        }
        Verdict::Open
    }

    fn decide_bits(&self, bits: u128, port: u16, own: bool) -> Verdict {
        if let Some((_, why)) = NEVER.iter().find(|(range, _)| range.contains(bits)) {
            return Verdict::Closed(why);
        }
        if self.deny.iter().any(|rule| rule.matches(bits, port)) {
            return Verdict::Closed("a rule");
        }
        let opened = |within: &Range| {
            self.allow.iter().any(|rule| rule.matches(bits, port) && rule.range.is_within(within))
        };
        if own && !opened(&Range { first: bits, prefix: 128 }) {
            return Verdict::Closed("an address of the host");
        }
        match SPECIAL.iter().find(|(range, _)| range.contains(bits) && !opened(range)) {
            Some((_, why)) => Verdict::Closed(why),
            None => Verdict::Open,
        }
    }
}

impl Range {
    fn contains(&self, bits: u128) -> bool {
        (bits ^ self.first) & mask(self.prefix) == 0
    }

    fn is_within(&self, other: &Self) -> bool {
        self.prefix >= other.prefix && other.contains(self.first)
    }
}

impl Rule {
    fn matches(&self, bits: u128, port: u16) -> bool {
        self.range.contains(bits) && (self.ports.0..=self.ports.1).contains(&port)
    }
}

/// `10.0.0.0/8`, `10.1.2.3:5432`, `10.0.0.0/8:8000-8999`, `fd00::/8`, `[fd00::/8]:443`.
impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = |why| RuleError { text: text.to_owned(), why };
        let (range, ports) = match text.strip_prefix('[') {
            Some(rest) => {
                let (range, after) = rest.split_once(']').ok_or_else(|| wrong("`[` has no `]`"))?;
                match after.strip_prefix(':') {
                    Some(ports) => (range, Some(ports)),
                    None if after.is_empty() => (range, None),
                    None => return Err(wrong("after `]` comes `:` and a port")),
                }
            }
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map_or((text, None), |(range, ports)| (range, Some(ports)))
            }
            None => (text, None),
        };
        let (address, prefix) = match range.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (range, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong("that is no IP address"))?;
        let (extra, most) = if address.is_ipv4() { (96, 32) } else { (0, 128) };
        let prefix = match prefix {
            Some(prefix) => prefix.parse::<u8>().ok().filter(|prefix| *prefix <= most),
            None => Some(most),
        };
        let prefix = extra + prefix.ok_or_else(|| wrong("the prefix is longer than the address"))?;
        let first = bits_of(address);
        if first & !mask(prefix) != 0 {
            return Err(wrong("bits beyond the prefix are set"));
        }
        let port = |text: &str| text.parse::<u16>().map_err(|_| wrong("a port is a number up to 65535"));
        let ports = match ports.map(|ports| ports.split_once('-').unwrap_or((ports, ports))) {
            Some((from, to)) => (port(from)?, port(to)?),
            None => (0, u16::MAX),
        };
        if ports.0 > ports.1 {
            return Err(wrong("the first port is above the last"));
        }
        Ok(Self { range: Range { first, prefix }, ports })
    }
}

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    text: String,
    why: &'static str,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, why } = self;
        write!(f, "`{text}` is no range of addresses: {why}; write it like 10.0.0.0/8:443 or [fd00::/8]:443")
    }
}

impl std::error::Error for RuleError {}

const fn mask(prefix: u8) -> u128 {
    if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
}

/// IPv4 addresses as IPv6 maps them, so that a mapped address is the address that it maps.
fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The IPv4 address that others unpack from an IPv6 address: IPv4-compatible, NAT64, 6to4, Teredo.
fn carried(address: IpAddr) -> Option<u128> {
    let IpAddr::V6(v6) = address else { return None };
    let bits = v6.to_bits();
    let low = bits as u32;
    let v4 = match v6.segments() {
        [0, 0, 0, 0, 0, 0, _, _] if low > 1 => low,
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] | [0x64, 0xff9b, 1, ..] => low,
        [0x2002, ..] => (bits >> 80) as u32,
        [0x2001, 0, ..] => !low,
        _ => return None,
    };
    Some(bits_of(IpAddr::V4(Ipv4Addr::from_bits(v4))))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Range {
    let first = Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().to_bits();
    Range { first, prefix: 96 + prefix }
}

const fn v6(first: Ipv6Addr, prefix: u8) -> Range {
    Range { first: first.to_bits(), prefix }
}

/// CBOR's integers end at 64 bits.
mod bits {
    use minicbor::decode::{Decoder, Error};
    use minicbor::encode::{self, Encoder, Write};

    pub(super) fn encode<C, W: Write>(
        bits: &u128,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&bits.to_be_bytes())?;
        Ok(())
    }

    pub(super) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<u128, Error> {
        let bytes = decoder.bytes()?;
        bytes.try_into().map(u128::from_be_bytes).map_err(|_| Error::message("an address has 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ELSEWHERE: Host<'_> = Host { is_own_address: false, platform_ports: &[4566] };
    const HERE: Host<'_> = Host { is_own_address: true, platform_ports: &[4566] };

    fn rules(allow: &[&str], deny: &[&str]) -> EgressRules {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a rule")).collect();
        EgressRules { allow: parse(allow), deny: parse(deny) }
    }

    fn is_open(rules: &EgressRules, to: &str, host: Host<'_>) -> bool {
        rules.decide(to.parse().expect("an address"), host) == Verdict::Open
    }

    #[test]
    fn the_internet_is_open_and_the_surroundings_are_not() {
        let none = EgressRules::default();
        for open in
            ["1.1.1.1:443", "[2606:4700::1111]:443", "[::ffff:1.1.1.1]:80", "172.32.0.1:1", "11.0.0.1:1"]
        {
            assert!(is_open(&none, open, ELSEWHERE), "{open}");
        }
        for closed in [
            "127.0.0.1:80",
            "127.9.9.9:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "169.254.169.254:80",
            "169.254.170.2:80",
            "100.100.100.200:80",
            "168.63.129.16:80",
            "10.0.0.1:80",
            "172.16.0.1:80",
            "172.31.255.255:80",
            "192.168.1.1:80",
            "100.64.0.1:80",
            "192.0.0.2:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "[::1]:80",
            "[::]:80",
            "[fe80::1]:80",
            "[fd00:ec2::254]:80",
            "[fd20:ce::254]:80",
            "[fc00::1]:80",
            "[ff02::1]:80",
            "[::ffff:127.0.0.1]:80",
            "[::ffff:169.254.169.254]:80",
            "[::127.0.0.1]:80",
            "[::10.0.0.1]:80",
            "[64:ff9b::a9fe:a9fe]:80",
            "[64:ff9b:1::7f00:1]:80",
            "[2002:7f00:1::]:80",
            "[2002:a9fe:a9fe::1]:80",
            "[2001:0:1:2:3:4:5601:5601]:80", // Teredo inverts: 169.254.169.254
        ] {
            assert!(!is_open(&none, closed, ELSEWHERE), "{closed}");
        }
    }

    #[test]
    fn a_special_range_is_opened_by_a_rule_within_it_only() {
        let wide = rules(&["0.0.0.0/0", "::/0"], &[]);
        for to in ["10.0.0.1:80", "169.254.169.254:80", "[fe80::1]:80", "[fd00::1]:80", "127.0.0.1:80"] {
            assert!(!is_open(&wide, to, ELSEWHERE), "{to}");
        }
        let narrow = rules(&["10.0.0.0/8", "169.254.169.254:80", "[fd00:1::/32]:443", "127.0.0.0/8"], &[]);
        for (to, open) in [
            ("10.9.9.9:22", true),
            ("169.254.169.254:80", true),
            ("169.254.169.254:81", false),
            ("169.254.169.253:80", false),
            ("[fd00:1::5]:443", true),
            ("[fd00:1::5]:80", false),
            ("127.0.0.1:80", false),
            ("[::ffff:10.9.9.9]:22", true),
        ] {
            assert_eq!(is_open(&narrow, to, ELSEWHERE), open, "{to}");
        }
    }

    #[test]
    fn the_hosts_own_addresses_want_a_rule_of_their_own_and_the_platform_has_none() {
        let wide = rules(&["10.0.0.0/8", "0.0.0.0/0"], &[]);
        assert!(!is_open(&wide, "10.0.0.5:5432", HERE));
        assert!(!is_open(&wide, "203.0.113.7:22", HERE));
        let exact = rules(&["10.0.0.5", "203.0.113.7:22"], &[]);
        assert!(is_open(&exact, "10.0.0.5:5432", HERE));
        assert!(is_open(&exact, "203.0.113.7:22", HERE));
        assert!(!is_open(&exact, "10.0.0.5:4566", HERE));
        assert!(is_open(&exact, "10.0.0.5:4566", ELSEWHERE));
    }

    #[test]
    fn rules_are_read_and_what_is_none_is_said() {
        for good in
            ["10.0.0.0/8", "1.2.3.4", "1.2.3.4:5", "1.2.3.0/24:5-9", "::/0", "fd00::/8", "[fd00::/8]:443"]
        {
            assert!(good.parse::<Rule>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "ten",
            "1.2.3.4:",
            "1.2.3.4:9-5",
            "1.2.3.4:70000",
            "[::1",
            "[::]x",
            "::/129",
            "1.2.3.4/-1",
        ] {
            let error = bad.parse::<Rule>().expect_err(bad).to_string();
            assert!(error.starts_with(&format!("`{bad}` is no range")), "{error}");
        }
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        let v4 = any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)));
        let v6 = any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)));
        let near = (0..NEVER.len() + SPECIAL.len(), any::<u128>()).prop_map(|(at, bits)| {
            let (range, _) = NEVER.iter().chain(SPECIAL).nth(at).expect("within both");
            IpAddr::V6(Ipv6Addr::from_bits(range.first | bits & !mask(range.prefix)))
        });
        prop_oneof![v4, v6, near]
    }

    fn any_rule() -> impl Strategy<Value = Rule> {
        (any_address(), 0..=128_u8, any::<(u16, u16)>()).prop_map(|(address, prefix, (a, b))| Rule {
            range: Range { first: bits_of(address) & mask(prefix), prefix },
            ports: (a.min(b), a.max(b)),
        })
    }

    fn any_rules() -> impl Strategy<Value = EgressRules> {
        let list = || proptest::collection::vec(any_rule(), 0..4);
        (list(), list()).prop_map(|(allow, deny)| EgressRules { allow, deny })
    }

    proptest! {
        #[test]
        fn no_rules_open_what_is_never_open(rules in any_rules(), at in 0..NEVER.len(), low in any::<u128>(), port: u16, own: bool) {
            let range = NEVER[at].0;
            let to = SocketAddr::new(Ipv6Addr::from_bits(range.first | low & !mask(range.prefix)).into(), port);
            let host = Host { is_own_address: own, platform_ports: &[] };
            prop_assert_ne!(rules.decide(to, host), Verdict::Open);
        }

        #[test]
        fn a_mapped_address_is_the_address_that_it_maps(rules in any_rules(), v4: u32, port: u16, own: bool) {
            let v4 = Ipv4Addr::from_bits(v4);
            let host = Host { is_own_address: own, platform_ports: &[80] };
            let plain = rules.decide(SocketAddr::new(v4.into(), port), host);
            prop_assert_eq!(rules.decide(SocketAddr::new(v4.to_ipv6_mapped().into(), port), host), plain);
        }

        #[test]
        fn one_more_deny_rule_never_opens_and_one_more_allow_rule_never_closes(
            rules in any_rules(), more in any_rule(), to in any_address(), port: u16, own: bool,
        ) {
            let host = Host { is_own_address: own, platform_ports: &[80] };
            let to = SocketAddr::new(to, port);
            let before = rules.decide(to, host) == Verdict::Open;
            let mut stricter = rules.clone();
            stricter.deny.push(more);
            prop_assert!(before || stricter.decide(to, host) != Verdict::Open);
            let mut looser = rules;
            looser.allow.push(more);
            prop_assert!(!before || looser.decide(to, host) == Verdict::Open);
        }

        #[test]
        fn a_deny_rule_closes_what_it_matches(mut rules in any_rules(), more in any_rule(), low: u128, own: bool) {
            let bits = more.range.first | low & !mask(more.range.prefix);
            rules.deny.push(more);
            let host = Host { is_own_address: own, platform_ports: &[] };
            let to = SocketAddr::new(Ipv6Addr::from_bits(bits).into(), more.ports.0);
            prop_assert_ne!(rules.decide(to, host), Verdict::Open);
        }

        #[test]
        fn rules_survive_the_way_to_the_other_process(rules in any_rules()) {
            let bytes = minicbor::to_vec(&rules).expect("rules can be written");
            prop_assert_eq!(minicbor::decode::<EgressRules>(&bytes).expect("and read"), rules);
        }

        #[test]
        fn reading_a_rule_never_panics(text in ".{0,40}") {
            let _ = text.parse::<Rule>();
        }
    }
}
