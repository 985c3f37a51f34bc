//! Signing keys that were derived lately: deriving one costs as much as the rest of a check.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Scope, SigningKey};

/// The most access keys whose signing keys are kept; with one more, all are derived anew.
const ACCESS_KEYS_MAX: usize = 1_024;
/// The most scopes of one access key: its services and regions of today, and of yesterday around midnight.
const SCOPES_MAX: usize = 64;

/// Derives signing keys and keeps them. What is kept is found only with the secret that it was derived from.
#[derive(Default)]
pub struct SigningKeys {
    kept: Mutex<BTreeMap<String, Vec<Kept>>>,
}

struct Kept {
    secret: String,
    scope: Scope,
    key: SigningKey,
}

impl SigningKeys {
    /// The key of that secret for that scope. The access key only says where to look.
    pub fn derive(&self, access_key: &str, secret: &str, scope: &Scope) -> SigningKey {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_key) = all.get(access_key)
            && let Some(found) = of_key.iter().find(|kept| kept.scope == *scope && kept.secret == secret)
        {
            return found.key.clone();
        }
        let key = SigningKey::derive(secret, scope);
        if all.len() >= ACCESS_KEYS_MAX && !all.contains_key(access_key) {
            all.clear();
        }
        let of_key = all.entry(access_key.to_owned()).or_default();
        if of_key.len() >= SCOPES_MAX {
            of_key.clear();
        }
        of_key.push(Kept { secret: secret.to_owned(), scope: scope.clone(), key: key.clone() });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_key_is_the_one_that_would_be_derived() {
        let keys = SigningKeys::default();
        let signature = |key: &SigningKey| key.sign(b"text").to_string();
        for round in 0..3 {
            for number in 0..200 {
                let (access_key, secret) = (format!("AKIA{}", number % 7), format!("secret {}", number % 11));
                let scope = Scope::of(
                    &format!("202601{:02}", number % 28 + 1),
                    &format!("region-{}", number % 5),
                    &format!("service-{}", number % 3),
                );
                let kept = keys.derive(&access_key, &secret, &scope);
                let fresh = SigningKey::derive(&secret, &scope);
                assert_eq!(signature(&kept), signature(&fresh), "round {round}, number {number}");
            }
        }
        let all = keys.kept.lock().expect("no test panics with it");
        assert!(all.values().all(|of_key| of_key.len() <= SCOPES_MAX));
    }

    #[test]
    fn only_so_many_access_keys_are_kept() {
        let keys = SigningKeys::default();
        let scope = Scope::of("20260101", "r", "s");
        for number in 0..=ACCESS_KEYS_MAX {
            keys.derive(&number.to_string(), "secret", &scope);
        }
        assert_eq!(keys.kept.lock().expect("no test panics with it").len(), 1);
    }
}
