//! Each contradiction, planted in a sound store, is found and named.

use std::collections::BTreeMap;

use apus_env::sim::Simulator;
use apus_store::fsck::examine;
use apus_store::{BlobId, Counter, Keyspace, Store, StoreError, Tx};
use bytes::Bytes;

use super::super::alias::{self, AliasRecord};
use super::super::blob::{hold, holders, references};
use super::super::code_signing::{self, CodeSigningRecord};
use super::super::execution::{self, ExecutionRecord, executions, ids};
use super::super::layer::{self, LayerContent, LayerRecord};
use super::super::mapping::{self, MappingRecord};
use super::super::provisioned::{self, ProvisionedRecord};
use super::super::stage::{self, Stage, Unready};
use super::super::version::{self, Publication};
use super::super::{Contradictions, FunctionRecord, function, running};
use crate::code::package::CodeHash;
use crate::code_signing::SigningId;
use crate::function_name::FunctionId;
use crate::layer_name::LayerId;
use crate::mapping::id::MappingId;

const CODE: &[u8] = b"a package";
const LAYER: &[u8] = b"a layer";
const STRANGER: [u8; 16] = [7; 16];
const ONE: &str = "arn:aws:lambda:us-east-1:000000000000:function:one";

/// What a contradiction is planted among.
struct Parts {
    /// Being updated, with a version, an alias, a mapping, provisioned concurrency, a layer and code signing.
    one: FunctionId,
    latest: FunctionRecord,
    code: BlobId,
    layer: BlobId,
    mapping: MappingId,
    mapped: MappingRecord,
    signing: SigningId,
    execution: ExecutionRecord,
}

impl Parts {
    fn id(name: &str) -> FunctionId {
        let (account, region) = ("000000000000".parse().expect("one"), "us-east-1".parse().expect("one"));
        FunctionId { account, region, name: name.to_owned() }
    }

    fn new(code: BlobId, layer: BlobId) -> Self {
        let one = Self::id("one");
        let (account, region) = (one.account, one.region.clone());
        let signing = SigningId { account, region: region.clone(), id: "csc-1".into() };
        let mapping = MappingId { account, region, uuid: "uuid".into() };
        let mapped = MappingRecord {
            source: "arn:aws:sqs:us-east-1:000000000000:jobs".into(),
            function: "one".into(),
            ..MappingRecord::default()
        };
        let execution = ExecutionRecord {
            request_id: "request".into(),
            started_at_micros: 5,
            attempt: 1,
            ..ExecutionRecord::default()
        };
        let latest = latest(code, layer);
        Self { one, latest, code, layer, mapping, mapped, signing, execution }
    }

    /// Writes a function and all that goes with it.
    async fn write(&mut self, tx: &Tx) -> Result<(), StoreError> {
        let id = &self.one;
        let layer = LayerId { account: id.account, region: id.region.clone(), name: "tools".into() };
        let number = layer::next_number(tx, &layer).await?;
        layer::create(tx, &layer, number, &layer_record(self.layer));
        let config = CodeSigningRecord {
            description: None,
            publishers: vec![],
            untrusted: "Warn".into(),
            modified_at_micros: 0,
        };
        code_signing::put(tx, &self.signing, &config);
        function::set_code_signing(tx, id, &mut self.latest, Some(&self.signing));
        function::create(tx, id, &self.latest);
        let revisions = ["two".to_owned(), "three".to_owned()];
        let publication = Publication { description: None, revisions, now: tx.now() };
        version::publish(tx, id, &mut self.latest, publication).await?;
        function::begin_update(tx, id, &mut self.latest);
        function::put(tx, id, &self.latest);
        let alias = AliasRecord {
            version: "1".into(),
            description: String::new(),
            weights: BTreeMap::new(),
            revision: "four".into(),
        };
        alias::put(tx, id, "live", &alias);
        provisioned::put(tx, id, "live", &ProvisionedRecord { requested: 3, modified_at_micros: 0 });
        function::reserved(id).add(tx, 3);
        mapping::put(tx, &self.mapping, None, &self.mapped);
        execution::put(tx, &self.execution);
        Ok(())
    }

    fn rewrite(&self, tx: &Tx, change: impl Fn(&mut FunctionRecord)) {
        let mut record = self.latest.clone();
        change(&mut record);
        function::put(tx, &self.one, &record);
    }
}

fn layer_content(blob: BlobId) -> LayerContent {
    LayerContent {
        arn: "arn:aws:lambda:us-east-1:000000000000:layer:tools:1".into(),
        sha256: CodeHash::of(LAYER).as_bytes().to_vec(),
        bytes: LAYER.len() as u64,
        unpacked_bytes: 1,
        blob: *blob.as_bytes(),
    }
}

fn layer_record(blob: BlobId) -> LayerRecord {
    LayerRecord {
        description: String::new(),
        created_at_micros: 0,
        content: layer_content(blob),
        runtimes: None,
        architectures: None,
        license: None,
        statements: vec![],
        policy_revision: String::new(),
    }
}

fn latest(code: BlobId, layer: BlobId) -> FunctionRecord {
    FunctionRecord {
        runtime: "python3.12".into(),
        role: "role".into(),
        handler: "a.b".into(),
        description: String::new(),
        timeout_secs: 3,
        memory_mb: 128,
        tmp_mb: 512,
        variables: None,
        architecture: "x86_64".into(),
        log_group: "group".into(),
        tags: BTreeMap::new(),
        revision: "one".into(),
        modified_at_micros: 7,
        code_sha256: CodeHash::of(CODE).as_bytes().to_vec(),
        code_bytes: CODE.len() as u64,
        code_blob: *code.as_bytes(),
        reserved_concurrency: None,
        content_revision: None,
        published: None,
        recursive_loop: None,
        update_runtime_on: None,
        layers: Some(vec![layer_content(layer)]),
        dead_letters: None,
        state: Some(Stage::Pending),
        update: None,
        json_log: None,
        code_signing: None,
    }
}

/// What is found in a sound store once something was planted in it.
fn found(plant: impl Fn(&Tx, &Parts) + Sync, code: &'static [u8]) -> Vec<String> {
    let mut simulator = Simulator::new(1);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let code = store.blobs().put(Bytes::from_static(code)).await.expect("it is written");
        let layer = store.blobs().put(Bytes::from_static(LAYER)).await.expect("it is written");
        let planted = store.transact(|tx| {
            let plant = &plant;
            async move {
                let mut parts = Parts::new(code, layer);
                parts.write(&tx).await?;
                plant(&tx, &parts);
                Ok::<_, StoreError>(())
            }
        });
        planted.await.expect("it is written");
        let examined = examine(&store, &[&Contradictions]).await.expect("it looks");
        examined.findings.iter().map(ToString::to_string).collect()
    })
}

type Plant = (&'static str, fn(&Tx, &Parts));

/// Plants each, and looks for what it names.
fn check(plants: &[Plant]) {
    for (expected, plant) in plants {
        let findings = found(plant, CODE);
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:#?}");
    }
}

#[test]
fn a_sound_store_has_no_contradictions() {
    assert_eq!(found(|_, _| {}, CODE), Vec::<String>::new());
}

#[test]
fn packages_that_are_not_what_was_uploaded_are_found() {
    for (code, expected) in [
        (&b"A package"[..], "does not have the SHA-256 that was stored"),
        (b"pack", "is said to have 9 bytes, and has 4"),
    ] {
        let findings = found(|_, _| {}, code);
        let of = |holder: &str| findings.iter().any(|one| one.contains(holder) && one.contains(expected));
        assert!(of(&format!("{ONE}:$LATEST: ")) && of(&format!("{ONE}:1: ")), "{findings:#?}");
        assert!(of(&format!("{ONE}:$RUNNING: ")), "{findings:#?}");
    }
}

#[test]
fn blobs_that_are_missing_or_kept_wrongly_are_found() {
    check(&[
        ("layer:tools:1: its code is in blob 0707", |tx, parts| {
            let (account, region) = (parts.one.account, parts.one.region.clone());
            let id = LayerId { account, region, name: "tools".into() };
            layer::put(tx, &id, 1, &layer_record(BlobId::from(STRANGER)));
        }),
        ("function:one:$LATEST: its code is in blob 0707", |tx, parts| {
            parts.rewrite(tx, |record| record.code_blob = STRANGER);
        }),
        ("is not among those that code is in: it will be swept", |tx, parts| {
            tx.delete(&references().key((parts.code.as_bytes().to_vec(),)));
        }),
        ("function:one:1: it needs blob", |tx, parts| {
            let holder = parts.one.qualified_arn("1").to_string();
            tx.delete(&holders().key((parts.layer.as_bytes().to_vec(), holder)));
        }),
        ("blob 07070707070707070707070707070707: code is said to be in it", |tx, _| {
            tx.put(&references().key((STRANGER.to_vec(),)), "");
        }),
        ("it is kept for stranger, which does not need it", |tx, parts| hold(tx, parts.code, "stranger")),
    ]);
}

#[test]
fn functions_that_never_get_ready_or_have_no_owner_are_found() {
    check(&[
        ("one:$LATEST: it is pending, and nobody will make it ready", |tx, parts| {
            stage::delete(tx, &Unready::latest(&parts.one));
        }),
        ("one:1: it is pending, and nobody will make it ready", |tx, parts| {
            stage::delete(tx, &Unready::version(&parts.one, 1));
        }),
        ("one:9: it is to be made ready, and is not there", |tx, parts| {
            stage::put(tx, &Unready::version(&parts.one, 9));
        }),
        ("one:$LATEST: it is to be made ready, and is not there or not pending", |tx, parts| {
            parts.rewrite(tx, |record| (record.state, record.update) = (None, None));
        }),
        ("one:$RUNNING: it runs in place of an update, and there is none", |tx, parts| {
            parts.rewrite(tx, |record| record.update = None);
        }),
        ("one:$LATEST: its update is not what runs", |tx, parts| {
            running::contents(&parts.one).delete(tx, ("one",));
        }),
        ("one:7: the last number that was given is 1", |tx, parts| {
            version::put(tx, &parts.one, 7, &parts.latest);
        }),
        ("function:one: it has versions, and is not there", |tx, parts| {
            function::functions(&parts.one).delete(tx, ("one",));
        }),
        ("function:one: it has aliases, and is not there", |tx, parts| {
            function::functions(&parts.one).delete(tx, ("one",));
        }),
        ("and is not among those that have it", |tx, parts| code_signing::detach(tx, &parts.signing, "one")),
        ("which is not there", |tx, parts| code_signing::delete(tx, &parts.signing)),
        ("csc-1: two is said to have it, and does not", |tx, parts| {
            code_signing::attach(tx, &parts.signing, "two");
        }),
    ]);
}

#[test]
fn lists_and_sums_that_do_not_agree_are_found() {
    check(&[
        ("7 of the concurrency are counted as their own, and they have 3", |tx, parts| {
            function::reserved(&parts.one).add(tx, 4);
        }),
        ("3 of the concurrency are counted as their own, and they have 5", |tx, parts| {
            parts.rewrite(tx, |record| record.reserved_concurrency = Some(5));
        }),
        ("function:one: it has provisioned concurrency, and nobody provides it", |tx, _| {
            tx.delete(&provisioned::all().key(("000000000000", "us-east-1", "one")));
        }),
        ("function:two: it is listed with provisioned concurrency, and has none", |tx, _| {
            tx.put(&provisioned::all().key(("000000000000", "us-east-1", "two")), "");
        }),
        ("function:one: it has provisioned concurrency, and is not there", |tx, parts| {
            function::functions(&parts.one).delete(tx, ("one",));
        }),
        ("it is not the mapping of its source and function", |tx, parts| {
            let function = parts.one.arn().to_string();
            tx.delete(&mapping::pairs(&parts.mapping).key((parts.mapped.source.as_str(), function)));
        }),
        ("it is said to be that of other and", |tx, parts| {
            let pair = mapping::pairs(&parts.mapping).key(("other", parts.one.arn().to_string()));
            tx.put(&pair, "uuid");
        }),
        ("it is not among all mappings: nobody polls for it", |tx, _| {
            tx.delete(&mapping::all().key(("000000000000", "us-east-1", "uuid")));
        }),
        ("it is among all mappings, and is not there", |tx, _| {
            tx.put(&mapping::all().key(("000000000000", "us-east-1", "other")), "");
        }),
        ("attempt 1 of request request: it is not found by its request", |tx, _| {
            tx.delete(&ids().key(("request", 5_i64, 1_u32)));
        }),
        ("attempt 1 of request request: it is found by its request, and is not there", |tx, _| {
            executions().delete(tx, (5_i64, "request", 1_u32));
        }),
        ("the records of executions: 2 are counted, and there are 1", |tx, _| {
            Counter::new(Keyspace::new("", "", "lambda").key(("executions",))).add(tx, 1);
        }),
    ]);
}
