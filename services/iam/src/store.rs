//! Every key of IAM: a role with its policies is one record, under its account and its name in lower case.

mod check;

use std::collections::BTreeMap;

use apus_kernel::AccountId;
use apus_store::{Direction, Key, Keyspace, Store, StoreError, Tx, record};
use apus_time::Timestamp;
use bytes::Bytes;
use minicbor::{Decode, Encode};

pub(crate) use self::check::Contradictions;
use crate::errors::IamError;
use crate::role::{ROLES_MAX, Role, RoleError};

const SERVICE: &str = "iam";

/// A role as it is stored.
#[derive(Encode, Decode)]
#[cbor(map)]
struct RoleRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    path: String,
    #[n(2)]
    name: String,
    #[n(3)]
    trust_policy: String,
    #[n(4)]
    description: Option<String>,
    #[n(5)]
    session_seconds_max: i32,
    #[n(6)]
    created_at_micros: i64,
    #[n(7)]
    tags: Vec<(String, String)>,
    #[n(8)]
    inline_policies: BTreeMap<String, String>,
    #[n(9)]
    revision: u64,
}

/// Reads a role.
pub(crate) async fn read(store: &Store, account: AccountId, name: &str) -> Result<Option<Role>, StoreError> {
    store.read(|tx| async move { role(&tx, account, name).await }).await
}

/// Reads every role of an account, by name: there are never more than [`ROLES_MAX`].
pub(crate) async fn read_all(store: &Store, account: AccountId) -> Result<Vec<Role>, StoreError> {
    let rows = store.read(|tx| async move { rows(&tx, account).await }).await?;
    rows.iter().map(|(key, value)| decoded(key, value)).collect()
}

/// Changes a role, if it still is the one of that id.
pub(crate) async fn change(
    store: &Store,
    account: AccountId,
    Role { id, name, .. }: &Role,
    change: impl Fn(&mut Role) -> Result<(), RoleError> + Sync,
) -> Result<(), IamError> {
    let change = &change;
    let changed = store.transact(|tx| async move {
        let mut role = existing(&tx, account, name, id).await?;
        change(&mut role)?;
        put(&tx, account, &role);
        Ok::<_, IamError>(())
    });
    changed.await
}

/// Deletes a role, if it still is the one of that id and its rules allow it.
pub(crate) async fn remove(
    store: &Store,
    account: AccountId,
    Role { id, name, .. }: &Role,
) -> Result<(), IamError> {
    let removed = store.transact(|tx| async move {
        existing(&tx, account, name, id).await?.check_deletable()?;
        tx.delete(&key(account, name));
        Ok::<_, IamError>(())
    });
    removed.await
}

/// Adds a role, if its name is free and the account has room.
pub(crate) async fn create(store: &Store, account: AccountId, new: &Role) -> Result<(), IamError> {
    let created = store.transact(|tx| async move {
        if role(&tx, account, &new.name).await?.is_some() {
            return Err(IamError::from(RoleError::AlreadyExists { role: new.name.clone() }));
        }
        if rows(&tx, account).await?.len() >= ROLES_MAX {
            return Err(RoleError::TooManyRoles.into());
        }
        put(&tx, account, new);
        Ok(())
    });
    created.await
}

async fn role(tx: &Tx, account: AccountId, name: &str) -> Result<Option<Role>, StoreError> {
    let key = key(account, name);
    let value = tx.get(&key).await?;
    value.map(|value| decoded(&key, &value)).transpose()
}

async fn existing(tx: &Tx, account: AccountId, name: &str, id: &str) -> Result<Role, IamError> {
    let role = role(tx, account, name).await?.filter(|role| role.id == id);
    role.ok_or_else(|| RoleError::NotFound { role: name.to_owned() }.into())
}

async fn rows(tx: &Tx, account: AccountId) -> Result<Vec<(Key, Bytes)>, StoreError> {
    tx.range(&roles(account).all(), ROLES_MAX, Direction::Forward).await
}

fn put(tx: &Tx, account: AccountId, role: &Role) {
    tx.put(&key(account, &role.name), encoded(role));
}

fn roles(account: AccountId) -> Keyspace {
    Keyspace::global(account.as_str(), SERVICE).sub(("role",))
}

fn key(account: AccountId, name: &str) -> Key {
    roles(account).key((Role::key(name),))
}

fn encoded(role: &Role) -> Bytes {
    let Role { id, path, name, trust_policy, description, tags, inline_policies, .. } = role.clone();
    let record = RoleRecord {
        id,
        path,
        name,
        trust_policy,
        description,
        session_seconds_max: role.session_seconds_max,
        created_at_micros: role.created_at.as_micros(),
        tags,
        inline_policies,
        revision: role.revision,
    };
    record::encode(&record)
}

fn decoded(key: &Key, value: &[u8]) -> Result<Role, StoreError> {
    let record: RoleRecord = record::decode(key, value)?;
    let RoleRecord { id, path, name, trust_policy, description, tags, inline_policies, .. } = record;
    Ok(Role {
        id,
        path,
        name,
        trust_policy,
        description,
        session_seconds_max: record.session_seconds_max,
        created_at: Timestamp::from_micros(record.created_at_micros),
        tags,
        inline_policies,
        revision: record.revision,
    })
}
