//! The instance's key: what session tokens are sealed under.

use std::fmt;

use crate::seal::{KEY_BYTES, Sealer};

/// 32 random bytes, made at an instance's first start and kept with its data. Who has them can be any role.
#[derive(Clone)]
pub struct InstanceKey([u8; KEY_BYTES]);

impl InstanceKey {
    /// A key from these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(&self.0)
    }
}

impl fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstanceKey(…)")
    }
}
