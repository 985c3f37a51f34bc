//! What contradicts what among roles: names that are not their keys, ids that are given twice, policies that nobody can read.
//!
//! In memory are the ids of one account's roles, of which there are at most [`ROLES_MAX`](crate::role::ROLES_MAX).

use std::collections::BTreeSet;

use apus_store::fsck::{Check, Checked, Look, Space};
use apus_store::{StoreError, Table};

use super::{RoleRecord, SERVICE};
use crate::documents;
use crate::role::Role;

/// The check of IAM.
pub(crate) struct Contradictions;

impl Check for Contradictions {
    fn name(&self) -> &'static str {
        SERVICE
    }

    fn check<'a>(&'a self, look: &'a mut Look) -> Checked<'a> {
        Box::pin(async move {
            for space in look.spaces(SERVICE).await? {
                check_account(look, &space).await?;
            }
            Ok(())
        })
    }
}

async fn check_account(look: &mut Look, space: &Space) -> Result<(), StoreError> {
    let mut ids = BTreeSet::new();
    let mut records = look.records(Table::<RoleRecord>::new(space.keys.sub(("role",))));
    while let Some(((key,), role)) = records.next::<(String,)>(look).await? {
        let place = format!("role {} of {}", role.name, space.account);
        if Role::key(&role.name) != key {
            look.finding(&place, format!("it lies under another name, {key}"));
        }
        if !ids.insert(role.id.clone()) {
            look.finding(&place, format!("its id {} is another role's too", role.id));
        }
        if documents::trust_policy(&role.trust_policy).is_err() {
            look.finding(&place, "its trust policy cannot be read: nobody becomes it");
        }
        for (name, document) in &role.inline_policies {
            if documents::identity_policy(document).is_err() {
                look.finding(
                    &place,
                    format!("its policy {name} cannot be read: every call of its sessions fails"),
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use apus_env::sim::Simulator;
    use apus_store::Store;
    use apus_store::fsck::examine;
    use apus_store::record::encode;

    use super::*;
    use crate::store::roles;

    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"AWS":"arn:aws:iam::000000000000:root"}}]}"#;
    const POLICY: &str =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

    fn role(name: &str) -> RoleRecord {
        RoleRecord {
            id: format!("AROA{name}"),
            path: "/".into(),
            name: name.into(),
            trust_policy: TRUST.into(),
            description: None,
            session_seconds_max: 3_600,
            created_at_micros: 0,
            tags: vec![],
            inline_policies: BTreeMap::from([("own".into(), POLICY.into())]),
            revision: 1,
        }
    }

    /// What is found among a sound role and one that `change` was done to, which lies at `key`.
    fn found(key: &str, change: impl Fn(&mut RoleRecord) + Sync) -> Vec<String> {
        let mut simulator = Simulator::new(1);
        let env = simulator.env();
        simulator.run(async {
            let store = Store::memory(&env);
            let roles = roles("000000000000".parse().expect("an account"));
            let written = store.transact(|tx| {
                let (roles, mut changed) = (roles.clone(), role("Worker"));
                change(&mut changed);
                async move {
                    tx.put(&roles.key(("sound",)), encode(&role("Sound")));
                    tx.put(&roles.key((key,)), encode(&changed));
                    Ok::<_, StoreError>(())
                }
            });
            written.await.expect("it is written");
            let examined = examine(&store, &[&Contradictions]).await.expect("it looks");
            examined.findings.iter().map(ToString::to_string).collect()
        })
    }

    #[test]
    fn each_contradiction_is_found_and_a_sound_role_has_none() {
        assert_eq!(found("worker", |_| {}), Vec::<String>::new());
        let check = |found: Vec<String>, expected: &str| {
            assert!(matches!(&found[..], [one] if one.contains(expected)), "{expected}: {found:?}");
        };
        check(found("Worker", |_| {}), "role Worker of 000000000000: it lies under another name, Worker");
        check(found("worker", |role| role.id = "AROASound".into()), "its id AROASound is another role's too");
        check(found("worker", |role| role.trust_policy = POLICY.into()), "its trust policy cannot be read");
        let broken = |role: &mut RoleRecord| drop(role.inline_policies.insert("own".into(), "{".into()));
        check(found("worker", broken), "its policy own cannot be read");
    }
}
