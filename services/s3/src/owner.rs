//! The owner in listings: an account's canonical user id.

use std::fmt::Write as _;

use apus_kernel::AccountId;
use apus_model_s3::Owner;
use sha2::{Digest as _, Sha256};

/// An account as an owner. The id is 64 hexadecimal digits, always the same for the same account.
pub(crate) fn of(account: AccountId) -> Owner {
    let digest = Sha256::digest(format!("canonical user of {account}"));
    let id = digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    });
    Owner { id: Some(id), ..Owner::default() }
}
