//! Blocks of addresses: `10.0.0.0/24`, `2001:db8::/32`.

use std::net::IpAddr;

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Its first address's bits, those beyond the mask cleared.
    network: u128,
    mask: u128,
    is_v6: bool,
}

impl Block {
    /// Reads a block; why not, in a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if !bits.contains('/') => (address, bits),
            _ => return Err(format!("Malformed CIDR, one '/' required: {text}")),
        };
        let address: IpAddr =
            address.parse().map_err(|_| format!("Malformed CIDR, no address before the '/': {text}"))?;
        // A sign is no digit, whatever the number parser thinks.
        let bits: u32 = Some(bits)
            .filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|bits| bits.parse().ok())
            .ok_or_else(|| format!("Malformed CIDR, mask bits must be an integer: {text}"))?;
        let width = if address.is_ipv6() { 128 } else { 32 };
        if bits > width {
            return Err(format!("Malformed CIDR, mask bits must be at most {width}: {text}"));
        }
        let free = width - bits;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        Ok(Self { network: number(address) & mask, mask, is_v6: address.is_ipv6() })
    }

    /// Whether the text is an address of the block.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let Ok(address) = text.parse::<IpAddr>() else { return false };
        address.is_ipv6() == self.is_v6 && number(address) & self.mask == self.network
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}
