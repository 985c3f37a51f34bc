//! What the platform says to the process of the way out: one CBOR value per packet of a Unix socket. Nothing is
//! answered; that the process is gone is seen by the socket.

use minicbor::{Decode, Encode};

use super::rules::EgressRules;

/// The longest packet: all rules that there may be.
pub(super) const PACKET_BYTES_MAX: usize = 64 * 1024;

/// The first packet.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct Hello {
    /// The user and group that the process becomes, if it may choose.
    #[n(0)]
    pub user: Option<u32>,
    /// Ports on which the platform listens: they are open on none of the host's addresses.
    #[n(1)]
    pub platform_ports: Vec<u16>,
}

/// Every other packet.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) enum Request {
    /// Serve a sandbox. Beside it: its TUN device.
    #[n(0)]
    Open {
        /// The name that the end uses; never used twice.
        #[n(0)]
        id: u32,
        /// Where it may connect to.
        #[n(1)]
        rules: EgressRules,
    },
    /// A sandbox has ended.
    #[n(1)]
    Close {
        /// Which.
        #[n(0)]
        id: u32,
    },
}
