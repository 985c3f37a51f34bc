//! Each contradiction, planted in a sound store, is found and named.

use std::collections::{BTreeMap, BTreeSet};

use apus_env::sim::Simulator;
use apus_store::fsck::examine;
use apus_store::{BlobId, Store, StoreError, Tx};
use apus_time::Timestamp;
use bytes::Bytes;

use super::Contradictions;
use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Digests};
use crate::object::{Headers, Object, ObjectKey, Place};
use crate::record::ObjectRecord;
use crate::store::{blobs, buckets, content, delete_bucket, objects, owned, put_bucket, put_object};

const SMALL: &[u8] = b"a few bytes";
const LARGE: &[u8] = b"bytes in a blob";
const STRANGER: [u8; 16] = [7; 16];

/// What a contradiction is planted among.
struct Parts {
    bucket: Bucket,
    small: Object,
    large: Object,
    blob: BlobId,
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text.to_owned()).expect("a key")
}

fn bucket() -> Bucket {
    Bucket {
        name: "books".parse().expect("a name"),
        owner: "000000000000".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        created_at: Timestamp::from_secs(1),
    }
}

fn object(bytes: &[u8], place: Place) -> Object {
    let mut digests = Digests::new(&BTreeSet::from([Algorithm::DEFAULT]));
    digests.update(bytes);
    let (md5, mut checksums) = digests.finish();
    Object {
        size_bytes: bytes.len() as u64,
        md5,
        modified_at: Timestamp::from_secs(2),
        checksum: checksums.pop().expect("one was asked for"),
        headers: Headers::default(),
        metadata: BTreeMap::new(),
        place,
    }
}

impl Parts {
    fn put(&self, tx: &Tx, name: &str, object: &Object) {
        objects(&self.bucket).put(tx, (name.as_bytes(),), &ObjectRecord::of(object));
    }
}

/// What is found in a sound store once something was planted in it.
fn found(plant: impl Fn(&Tx, &Parts) + Sync, bytes_of_blob: &'static [u8]) -> Vec<String> {
    let mut simulator = Simulator::new(1);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let blob = store.blobs().put(Bytes::from_static(bytes_of_blob)).await.expect("it is written");
        let (small, large) = (object(SMALL, Place::Store), object(LARGE, Place::Blob(blob)));
        let parts = &Parts { bucket: bucket(), small, large, blob };
        let planted = store.transact(|tx| {
            let plant = &plant;
            async move {
                put_bucket(&tx, &parts.bucket);
                put_object(&tx, &parts.bucket, &key("small"), None, &parts.small, &Bytes::from_static(SMALL));
                put_object(&tx, &parts.bucket, &key("large"), None, &parts.large, &Bytes::new());
                let empty = object(b"", Place::Store);
                put_object(&tx, &parts.bucket, &key("empty"), None, &empty, &Bytes::new());
                plant(&tx, parts);
                Ok::<_, StoreError>(())
            }
        });
        planted.await.expect("it is written");
        let examined = examine(&store, &[&Contradictions]).await.expect("it looks");
        examined.findings.iter().map(ToString::to_string).collect()
    })
}

#[test]
fn a_sound_store_has_no_contradictions() {
    assert_eq!(found(|_, _| {}, LARGE), Vec::<String>::new());
}

#[test]
fn bytes_of_a_blob_that_are_not_the_objects_are_found() {
    for (bytes, expected) in [
        (&b"bytes in A blob"[..], &["do not have the MD5", "do not have the CRC64NVME checksum"][..]),
        (b"bytes", &["object large of bucket books: it says 15 bytes, and there are 5"]),
    ] {
        let findings = found(|_, _| {}, bytes);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        assert!(
            findings.iter().zip(expected).all(|(found, expected)| found.contains(expected)),
            "{findings:?}"
        );
    }
}

type Plant = (&'static str, fn(&Tx, &Parts));

#[test]
fn rows_that_contradict_each_other_are_found() {
    let plants: [Plant; 15] = [
        ("bucket books: it is not among the buckets of its owner 000000000000", |tx, parts| {
            tx.delete(&owned(parts.bucket.owner).key(("books",)));
        }),
        ("bucket books: 000000000000 has it, and it is not there", |tx, _| buckets().delete(tx, ("books",))),
        ("bucket books: 111122223333 has it, and it is not there, or another's", |tx, _| {
            tx.put(&owned("111122223333".parse().expect("an account")).key(("books",)), "");
        }),
        ("there are rows under \"object\" in 000000000000 us-east-1", |tx, parts| {
            delete_bucket(tx, &parts.bucket);
        }),
        ("there are rows under \"content\" in 000000000000 us-east-1", |tx, parts| {
            delete_bucket(tx, &parts.bucket);
        }),
        ("object small of bucket books: it says 11 bytes, and there are 0", |tx, parts| {
            tx.delete(&content(&parts.bucket, &key("small")));
        }),
        ("object small of bucket books: its bytes do not have the MD5", |tx, parts| {
            tx.put(&content(&parts.bucket, &key("small")), "A few bytes");
        }),
        ("object empty of bucket books: it says 0 bytes, and there are 1", |tx, parts| {
            tx.put(&content(&parts.bucket, &key("empty")), "x");
        }),
        ("object nothing of bucket books: there are bytes in the store", |tx, parts| {
            tx.put(&content(&parts.bucket, &key("nothing")), "x");
        }),
        ("object large of bucket books: there are bytes in the store", |tx, parts| {
            tx.put(&content(&parts.bucket, &key("large")), "x");
        }),
        ("large2 of bucket books: blob", |tx, parts| parts.put(tx, "large2", &parts.large)),
        ("is not among those that objects are in", |tx, parts| {
            tx.delete(&blobs().key((parts.blob.as_bytes(),)));
        }),
        ("is not there", |tx, parts| {
            let gone = Object { place: Place::Blob(BlobId::from(STRANGER)), ..parts.large.clone() };
            parts.put(tx, "large", &gone);
        }),
        ("an object is said to be in it, and none is", |tx, _| tx.put(&blobs().key((&STRANGER[..],)), "")),
        ("an object has a key that is none", |tx, parts| parts.put(tx, "", &parts.small)),
    ];
    for (expected, plant) in plants {
        let findings = found(plant, LARGE);
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:#?}");
    }
}
