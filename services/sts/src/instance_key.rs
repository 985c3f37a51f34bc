//! The instance's key: what session tokens are sealed under.

use std::fmt;

use apus_env::Env;
use apus_store::{Key, Keyspace, Store, StoreError};

use crate::seal::{KEY_BYTES, Sealer};

/// 32 random bytes, made at an instance's first start and kept with its data. Who has them can be any role.
#[derive(Clone)]
pub struct InstanceKey([u8; KEY_BYTES]);

impl InstanceKey {
    /// A key from these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key in the store; made there at the first start.
    pub async fn load_or_create(store: &Store, env: &Env) -> Result<Self, StoreError> {
        let mut fresh = [0; KEY_BYTES];
        env.random_bytes(&mut fresh);
        let at = stored_at();
        let at = &at;
        let kept = store.transact(|tx| async move {
            if let Some(kept) = tx.get(at).await? {
                return Ok(kept.to_vec());
            }
            tx.put(at, fresh.to_vec());
            Ok::<_, StoreError>(fresh.to_vec())
        });
        let bytes = kept.await?.try_into().map_err(|found: Vec<u8>| StoreError::Corrupt {
            place: "the instance's key".into(),
            detail: format!("it has {} bytes instead of {KEY_BYTES}", found.len()),
        })?;
        Ok(Self(bytes))
    }

    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::new(&self.0)
    }
}

/// Of no account: the instance's own.
fn stored_at() -> Key {
    Keyspace::global("instance", "sts").key(("key",))
}

impl fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstanceKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use apus_env::sim::Simulator;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let mut simulator = Simulator::new(3);
        let env = simulator.env();
        simulator.run(async {
            let store = Store::memory(&env);
            let first = InstanceKey::load_or_create(&store, &env).await.expect("a new key");
            let again = InstanceKey::load_or_create(&store, &env).await.expect("the kept key");
            assert_eq!(first.0, again.0);
            let other = InstanceKey::load_or_create(&Store::memory(&env), &env).await.expect("another's key");
            assert_ne!(first.0, other.0);
            assert_eq!(format!("{first:?}"), "InstanceKey(…)");
        });
    }

    #[test]
    fn a_key_of_another_length_is_damage_and_no_key() {
        let mut simulator = Simulator::new(3);
        let env = simulator.env();
        simulator.run(async {
            let store = Store::memory(&env);
            let cut = store.transact(|tx| async move {
                tx.put(&stored_at(), &b"short"[..]);
                Ok::<_, StoreError>(())
            });
            cut.await.expect("stored");
            let error = InstanceKey::load_or_create(&store, &env).await.expect_err("damaged");
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        });
    }
}
