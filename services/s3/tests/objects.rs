//! Objects: put, read, deleted, and every way to be refused.

mod common;

use std::collections::BTreeMap;

use apus_kernel::Caller;
use apus_model_s3::{
    ChecksumAlgorithm, ChecksumMode, DeleteObject, DeleteObjectRequest, GetObject, GetObjectRequest,
    HeadObject, HeadObjectRequest, ObjectCannedACL, PutObject, PutObjectRequest, ServerSideEncryption,
    StorageClass,
};
use apus_schema::{Body, BodyError, ServiceError, Trailers};
use apus_time::Timestamp;
use bytes::Bytes;
use common::{World, assert_refused, contradictions_after, flowing, get, pattern, put, run};

const BUCKET: &str = "bucket";
const INLINE_MAX: usize = 64 * 1024;

fn delete(key: &str) -> DeleteObjectRequest {
    DeleteObjectRequest { bucket: BUCKET.into(), key: key.into(), ..DeleteObjectRequest::default() }
}

async fn put_with(world: &World, set: impl FnOnce(&mut PutObjectRequest)) -> Result<(), ServiceError> {
    let mut input = put(BUCKET, "key", "123456789");
    set(&mut input);
    world.call::<PutObject>(input).await.map(|_| ())
}

#[test]
fn bytes_come_back_as_they_were_put() {
    run(1, |world| async move {
        world.make_bucket(BUCKET).await;
        for length in [0, 1, INLINE_MAX - 1, INLINE_MAX, INLINE_MAX + 1, 10 * 1024 * 1024] {
            let bytes = pattern(length);
            world.put(BUCKET, "key", bytes.clone()).await;
            assert!(world.get(BUCKET, "key").await.expect("there") == bytes, "{length} bytes");
        }
        let pieces = |size: usize| {
            pattern(200_000).chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
        };
        for size in [7_000, 65_536, 65_537, 199_999] {
            let body = Some(flowing(pieces(size), 200_000));
            world
                .call::<PutObject>(PutObjectRequest { body, ..put(BUCKET, "flowing", "") })
                .await
                .expect("put");
            assert!(
                world.get(BUCKET, "flowing").await.expect("there") == pattern(200_000),
                "pieces of {size}"
            );
        }
    });
}

#[test]
fn keys_mean_nothing_but_themselves() {
    run(2, |world| async move {
        world.make_bucket(BUCKET).await;
        let long = "x".repeat(1_024);
        let keys = [
            "../x",
            "a//b",
            "a/b",
            "/",
            "%2F",
            "+",
            " ",
            "a\u{1}b",
            "ä€😀",
            "a\0b",
            "a\0",
            ".",
            long.as_str(),
        ];
        for key in keys {
            world.put(BUCKET, key, key.to_owned()).await;
        }
        for key in keys {
            assert_eq!(world.get(BUCKET, key).await.expect("there"), key);
        }
        let (mut listed, _) = world.list(common::list(BUCKET)).await;
        let mut expected = keys.map(str::to_owned);
        expected.sort();
        listed.sort();
        assert_eq!(listed, expected);
        let refused = world.call::<PutObject>(put(BUCKET, &"x".repeat(1_025), "")).await;
        assert_refused(refused, "KeyTooLongError", Some(("Size", "1025")));
        assert_refused(world.get(BUCKET, "none").await, "NoSuchKey", Some(("Key", "none")));
        assert_refused(
            world.get("no-bucket", "key").await,
            "NoSuchBucket",
            Some(("BucketName", "no-bucket")),
        );
    });
}

#[test]
fn headers_and_metadata_come_back() {
    run(3, |world| async move {
        world.make_bucket(BUCKET).await;
        let metadata =
            BTreeMap::from([("Colour".to_owned(), "grün".to_owned()), ("empty".to_owned(), String::new())]);
        let put_all = put_with(&world, |input| {
            input.content_type = Some("text/plain".into());
            input.cache_control = Some("no-store".into());
            input.content_disposition = Some("inline".into());
            input.content_encoding = Some("aws-chunked,gzip".into());
            input.content_language = Some("de".into());
            input.expires = Some("whenever".into());
            input.metadata = Some(metadata.clone());
        });
        put_all.await.expect("put");
        let got = world.call::<GetObject>(get(BUCKET, "key")).await.expect("there");
        assert_eq!(got.content_type.as_deref(), Some("text/plain"));
        assert_eq!(got.cache_control.as_deref(), Some("no-store"));
        assert_eq!(got.content_disposition.as_deref(), Some("inline"));
        assert_eq!(got.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(got.content_language.as_deref(), Some("de"));
        assert_eq!(got.expires.as_deref(), Some("whenever"));
        assert_eq!(got.e_tag.as_deref(), Some("\"25f9e794323b453885f5181f1b624d0b\""));
        assert_eq!(got.content_length, Some(9));
        assert_eq!(got.checksum_type, None, "checksums come when they are asked for");
        let lower =
            BTreeMap::from([("colour".to_owned(), "grün".to_owned()), ("empty".to_owned(), String::new())]);
        assert_eq!(got.metadata, Some(lower));
        let overridden = GetObjectRequest {
            response_content_type: Some("x/y".into()),
            response_expires: Some(Timestamp::EPOCH),
            ..get(BUCKET, "key")
        };
        let got = world.call::<GetObject>(overridden).await.expect("there");
        assert_eq!(got.content_type.as_deref(), Some("x/y"));
        assert_eq!(got.expires.as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(got.cache_control.as_deref(), Some("no-store"));
        put_with(&world, |_| {}).await.expect("put");
        let input =
            HeadObjectRequest { bucket: BUCKET.into(), key: "key".into(), ..HeadObjectRequest::default() };
        let head = world.call::<HeadObject>(input).await.expect("there");
        assert_eq!(head.content_type.as_deref(), Some("binary/octet-stream"));
        assert_eq!(
            (head.content_length, head.cache_control),
            (Some(9), None),
            "nothing of the old object is left"
        );
        let large = BTreeMap::from([("k".to_owned(), "v".repeat(2_048))]);
        let refused = put_with(&world, |input| input.metadata = Some(large)).await;
        assert_refused(refused, "MetadataTooLarge", Some(("Size", "2049")));
    });
}

#[test]
fn ranges_of_small_and_large_objects() {
    run(4, |world| async move {
        world.make_bucket(BUCKET).await;
        for length in [10, 100_000] {
            let bytes = pattern(length);
            world.put(BUCKET, "key", bytes.clone()).await;
            let last = length - 1;
            for (header, first, end) in [
                ("bytes=0-0".to_owned(), 0, 1),
                ("bytes=2-5".to_owned(), 2, 6),
                ("bytes=-3".to_owned(), length - 3, length),
                (format!("bytes={last}-"), last, length),
                ("bytes=0-9999999999".to_owned(), 0, length),
            ] {
                let input = GetObjectRequest { range: Some(header.clone()), ..get(BUCKET, "key") };
                let got = world.call::<GetObject>(input).await.expect("there");
                let body = got.body.expect("a body").collect(length).await.expect("it flows");
                assert!(body == bytes[first..end], "{header} of {length}");
                assert_eq!(got.content_range, Some(format!("bytes {first}-{}/{length}", end - 1)));
                assert_eq!(got.content_length, Some((end - first) as i64));
            }
            let beyond = GetObjectRequest { range: Some(format!("bytes={length}-")), ..get(BUCKET, "key") };
            let size = length.to_string();
            let refused = world.call::<GetObject>(beyond).await;
            assert_refused(refused, "InvalidRange", Some(("ActualObjectSize", &size)));
            let several = GetObjectRequest { range: Some("bytes=0-1,3-4".into()), ..get(BUCKET, "key") };
            let got = world.call::<GetObject>(several).await.expect("there");
            assert_eq!((got.content_length, got.content_range), (Some(length as i64), None));
        }
        world.put(BUCKET, "empty", "").await;
        let input = GetObjectRequest { range: Some("bytes=0-".into()), ..get(BUCKET, "empty") };
        assert_refused(world.call::<GetObject>(input).await, "InvalidRange", None);
        let input = GetObjectRequest { part_number: Some(1), ..get(BUCKET, "key") };
        let got = world.call::<GetObject>(input).await.expect("the only part");
        assert_eq!(got.content_range.as_deref(), Some("bytes 0-99999/100000"));
        let input = GetObjectRequest { part_number: Some(2), ..get(BUCKET, "key") };
        assert_refused(world.call::<GetObject>(input).await, "InvalidPartNumber", None);
    });
}

#[test]
fn conditions_hold_for_reads_and_writes() {
    run(5, |world| async move {
        world.make_bucket(BUCKET).await;
        let absent = |input: &mut PutObjectRequest| input.if_none_match = Some("*".into());
        let matching = |tag: &str| {
            let tag = tag.to_owned();
            move |input: &mut PutObjectRequest| input.if_match = Some(tag)
        };
        assert_refused(put_with(&world, matching("*")).await, "NoSuchKey", None);
        put_with(&world, absent).await.expect("nothing was there");
        assert_refused(
            put_with(&world, absent).await,
            "PreconditionFailed",
            Some(("Condition", "If-None-Match")),
        );
        assert_refused(
            put_with(&world, matching("\"x\"")).await,
            "PreconditionFailed",
            Some(("Condition", "If-Match")),
        );
        let tag = world.put(BUCKET, "key", "new").await;
        put_with(&world, matching(&tag)).await.expect("it matches");
        let refused = put_with(&world, |input| input.if_none_match = Some(tag.clone())).await;
        assert_refused(refused, "NotSupported", Some(("Header", "If-None-Match")));

        let tag = world.put(BUCKET, "key", "newer").await;
        let read = GetObjectRequest { if_none_match: Some(tag.clone()), ..get(BUCKET, "key") };
        assert_refused(world.call::<GetObject>(read).await, "NotModified", None);
        let read = GetObjectRequest { if_match: Some("\"x\"".into()), ..get(BUCKET, "key") };
        assert_refused(
            world.call::<GetObject>(read).await,
            "PreconditionFailed",
            Some(("Condition", "If-Match")),
        );
        let read = GetObjectRequest { if_unmodified_since: Some(Timestamp::EPOCH), ..get(BUCKET, "key") };
        assert_refused(world.call::<GetObject>(read).await, "PreconditionFailed", None);

        let input = DeleteObjectRequest { if_match: Some("\"x\"".into()), ..delete("key") };
        assert_refused(world.call::<DeleteObject>(input).await, "PreconditionFailed", None);
        let input = DeleteObjectRequest { if_match: Some(tag), ..delete("key") };
        world.call::<DeleteObject>(input).await.expect("it matches");
        world.call::<DeleteObject>(delete("key")).await.expect("that there is none is a success");
        assert_refused(world.get(BUCKET, "key").await, "NoSuchKey", None);
    });
}

/// How many of twenty that put only where nothing is succeed; the others are refused as they must be.
async fn race(world: &World) -> usize {
    world.make_bucket(BUCKET).await;
    let puts = (0..20).map(|number| {
        let bytes = pattern(INLINE_MAX + 1 + number);
        let input = PutObjectRequest { if_none_match: Some("*".into()), ..put(BUCKET, "key", bytes) };
        world.call::<PutObject>(input)
    });
    let answers = futures_util::future::join_all(puts).await;
    let winners = answers.iter().filter(|answer| answer.is_ok()).count();
    for refused in answers.into_iter().filter(Result::is_err) {
        assert_refused(refused, "PreconditionFailed", None);
    }
    winners
}

#[test]
fn one_of_many_creates() {
    for seed in 0..20 {
        run(seed, |world| async move {
            assert_eq!(race(&world).await, 1, "seed {seed}");
            assert_eq!(world.blobs().await, 1, "the losers left no blob");
        });
    }
}

/// The negative control: on a store that looks for no conflicts, the race has several winners.
#[test]
fn a_store_without_conflicts_is_found_out() {
    let (found, mut contradictory) = (std::cell::Cell::new(0), 0);
    for seed in 0..20 {
        let contradictions = contradictions_after(seed, |world| async {
            let world = world;
            world.store.plant_skipped_conflict_checks();
            found.set(found.get() + usize::from(race(&world).await > 1));
        });
        contradictory += usize::from(!contradictions.is_empty());
    }
    assert!(found.get() > 0, "no seed of 20 found the planted bug");
    assert!(contradictory > 0, "no seed of 20 left rows that contradict each other");
}

#[test]
fn checksums_are_compared_kept_and_shown() {
    run(6, |world| async move {
        world.make_bucket(BUCKET).await;
        let asked = || GetObjectRequest { checksum_mode: Some(ChecksumMode::Enabled), ..get(BUCKET, "key") };
        put_with(&world, |input| input.checksum_sha1 = Some("98O8HYCOBHMq32eZZczDTKeuNEE=".into()))
            .await
            .expect("fits");
        let got = world.call::<GetObject>(asked()).await.expect("there");
        assert_eq!(got.checksum_sha1.as_deref(), Some("98O8HYCOBHMq32eZZczDTKeuNEE="));
        assert_eq!(got.checksum_crc64nvme, None);
        put_with(&world, |_| {}).await.expect("no checksum is one as well");
        let got = world.call::<GetObject>(asked()).await.expect("there");
        assert_eq!(got.checksum_crc64nvme.as_deref(), Some("rosUhgp5mIg="));
        let part = GetObjectRequest { range: Some("bytes=0-1".into()), ..asked() };
        assert_eq!(world.call::<GetObject>(part).await.expect("there").checksum_crc64nvme, None);

        let refused = put_with(&world, |input| input.checksum_crc32 = Some("AAAAAA==".into())).await;
        assert_refused(refused, "BadDigest", None);
        let refused = put_with(&world, |input| input.checksum_crc32 = Some("AAAA".into())).await;
        assert_refused(refused, "InvalidRequest", None);
        let refused =
            put_with(&world, |input| input.content_md5 = Some("1B2M2Y8AsgTpgAmY7PhCfg==".into())).await;
        assert_refused(refused, "BadDigest", Some(("CalculatedDigest", "JfnnlDI7RTiF9RgfG2JNCw==")));
        let refused = put_with(&world, |input| input.content_md5 = Some("junk".into())).await;
        assert_refused(refused, "InvalidDigest", None);
        put_with(&world, |input| input.content_md5 = Some("JfnnlDI7RTiF9RgfG2JNCw==".into()))
            .await
            .expect("fits");
        let refused = put_with(&world, |input| {
            input.checksum_crc32 = Some("y/Q5Jg==".into());
            input.checksum_crc32c = Some("4waSgw==".into());
        });
        assert_refused(refused.await, "InvalidRequest", None);
        let refused =
            put_with(&world, |input| input.checksum_algorithm = Some(ChecksumAlgorithm::Crc32)).await;
        assert_refused(refused, "InvalidRequest", None);
    });
}

#[test]
fn trailing_checksums_are_compared() {
    let chunked = |trailer: &str, value: &str| {
        let trailers = Trailers::default();
        trailers.set(vec![(trailer.to_owned(), value.to_owned())]);
        let bytes =
            futures_util::stream::iter([Ok(Bytes::from_static(b"12345")), Ok(Bytes::from_static(b"6789"))]);
        Some(Body::with_trailers(Box::pin(bytes), Some(9), trailers))
    };
    run(7, |world| async move {
        world.make_bucket(BUCKET).await;
        let sent = async |algorithm: Option<ChecksumAlgorithm>, trailer: &str, value: &str| {
            let body = chunked(trailer, value);
            put_with(&world, |input| {
                input.body = body;
                input.checksum_algorithm = algorithm;
            })
            .await
        };
        sent(Some(ChecksumAlgorithm::Crc32), "x-amz-checksum-crc32", "y/Q5Jg==").await.expect("it fits");
        let asked = GetObjectRequest { checksum_mode: Some(ChecksumMode::Enabled), ..get(BUCKET, "key") };
        let got = world.call::<GetObject>(asked).await.expect("there");
        assert_eq!(got.checksum_crc32.as_deref(), Some("y/Q5Jg=="));
        sent(None, "x-amz-checksum-crc64nvme", "rosUhgp5mIg=")
            .await
            .expect("what is computed anyway needs no notice");
        let refused = sent(Some(ChecksumAlgorithm::Crc32), "x-amz-checksum-crc32", "AAAAAA==").await;
        assert_refused(refused, "BadDigest", None);
        let refused = sent(Some(ChecksumAlgorithm::Crc32), "x-amz-checksum-crc32", "zzz").await;
        assert_refused(refused, "InvalidRequest", None);
        let refused = sent(Some(ChecksumAlgorithm::Crc32), "x-amz-other", "1").await;
        assert_refused(refused, "InvalidRequest", None);
    });
}

#[test]
fn a_body_that_breaks_off_leaves_the_old_object_and_no_blob() {
    run(8, |world| async move {
        world.make_bucket(BUCKET).await;
        let old = pattern(100_000);
        world.put(BUCKET, "key", old.clone()).await;
        let piece = || Ok(Bytes::from(pattern(90_000)));
        for (pieces, length, code) in [
            (vec![piece(), Err(BodyError::Incomplete("gone".into()))], 180_000, "IncompleteBody"),
            (vec![piece()], 180_000, "IncompleteBody"),
            (vec![piece(), piece(), piece()], 180_000, "IncompleteBody"),
            (vec![piece(), Err(BodyError::Untrusted("hash".into()))], 180_000, "XAmzContentSHA256Mismatch"),
            (vec![], 6 * 1024 * 1024 * 1024, "EntityTooLarge"),
        ] {
            let refused = put_with(&world, |input| input.body = Some(flowing(pieces, length))).await;
            assert_refused(refused, code, None);
            assert!(world.get(BUCKET, "key").await.expect("still there") == old);
            assert_eq!(world.blobs().await, 1, "{code}");
        }
        let unknown = Body::streaming(Box::pin(futures_util::stream::empty()), None);
        let refused = put_with(&world, |input| input.body = Some(unknown)).await;
        assert_refused(refused, "MissingContentLength", None);
        let refused = put_with(&world, |input| {
            input.body = Some(Body::full(pattern(100_000)));
            input.checksum_crc32 = Some("AAAAAA==".into());
        });
        assert_refused(refused.await, "BadDigest", None);
        assert_eq!(world.blobs().await, 1);
        world.put(BUCKET, "key", "small").await;
        assert_eq!(world.blobs().await, 0, "what was replaced is gone");
        world.put(BUCKET, "key", pattern(100_000)).await;
        world.call::<DeleteObject>(delete("key")).await.expect("deleted");
        assert_eq!(world.blobs().await, 0);
    });
}

#[test]
fn readers_see_one_object_whole_while_it_is_replaced() {
    for seed in 0..20 {
        run(seed, |world| async move {
            world.make_bucket(BUCKET).await;
            world.put(BUCKET, "key", vec![0; 70_000]).await;
            let writes =
                (1..6_u8).map(|number| world.put(BUCKET, "key", vec![number; 70_000 + usize::from(number)]));
            let reads = (0..10).map(|_| async {
                let bytes = world.get(BUCKET, "key").await.expect("there is always one");
                assert_eq!(bytes.len(), 70_000 + usize::from(bytes[0]));
                assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            });
            let (_, _) = futures_util::future::join(
                futures_util::future::join_all(writes),
                futures_util::future::join_all(reads),
            )
            .await;
            assert_eq!(world.blobs().await, 1);
        });
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    type Set = fn(&mut PutObjectRequest);
    let refusals: [(Set, &str, Option<&str>); 8] = [
        (
            |i| i.server_side_encryption = Some(ServerSideEncryption::AwsKms),
            "NotSupported",
            Some("x-amz-server-side-encryption"),
        ),
        (|i| i.tagging = Some("a=b".into()), "NotSupported", Some("x-amz-tagging")),
        (
            |i| i.website_redirect_location = Some("/".into()),
            "NotSupported",
            Some("x-amz-website-redirect-location"),
        ),
        (|i| i.checksum_xxhash3 = Some("x".into()), "NotSupported", Some("x-amz-checksum-xxhash3")),
        (|i| i.storage_class = Some(StorageClass::Glacier), "NotSupported", Some("x-amz-storage-class")),
        (|i| i.storage_class = Some("COLD".into()), "InvalidStorageClass", None),
        (|i| i.acl = Some(ObjectCannedACL::PublicRead), "AccessControlListNotSupported", None),
        (|i| i.grant_read = Some("id=1".into()), "AccessControlListNotSupported", None),
    ];
    run(9, |world| async move {
        world.make_bucket(BUCKET).await;
        for (set, code, header) in refusals {
            assert_refused(put_with(&world, set).await, code, header.map(|header| ("Header", header)));
        }
        put_with(&world, |input| {
            input.acl = Some(ObjectCannedACL::Private);
            input.storage_class = Some(StorageClass::Standard);
        })
        .await
        .expect("what is the case anyway may be said");
        let input = GetObjectRequest { version_id: Some("1".into()), ..get(BUCKET, "key") };
        assert_refused(
            world.call::<GetObject>(input).await,
            "InvalidArgument",
            Some(("ArgumentName", "versionId")),
        );
        let input = DeleteObjectRequest { mfa: Some("1 2".into()), ..delete("key") };
        assert_refused(
            world.call::<DeleteObject>(input).await,
            "NotSupported",
            Some(("Header", "x-amz-mfa")),
        );
    });
}

#[test]
fn only_those_who_may_list_learn_what_is_missing() {
    run(10, |world| async move {
        world.make_bucket(BUCKET).await;
        world.put(BUCKET, "key", "x").await;
        world.denied.deny("s3:ListBucket");
        assert_refused(world.get(BUCKET, "none").await, "AccessDenied", None);
        world.get(BUCKET, "key").await.expect("what is there may be read");
        let neighbour = world.of("111111111111", "us-east-1");
        assert_refused(neighbour.get(BUCKET, "key").await, "AccessDenied", None);
        assert_refused(neighbour.call::<PutObject>(put(BUCKET, "key", "y")).await, "AccessDenied", None);
        assert_refused(neighbour.call::<DeleteObject>(delete("key")).await, "AccessDenied", None);
        let input =
            GetObjectRequest { expected_bucket_owner: Some("111111111111".into()), ..get(BUCKET, "key") };
        assert_refused(world.call::<GetObject>(input).await, "AccessDenied", None);
        let nobody =
            World { caller: Caller::anonymous("us-east-1".parse().expect("a region")), ..world.clone() };
        assert_refused(nobody.get(BUCKET, "key").await, "AccessDenied", None);
        assert_refused(nobody.call::<PutObject>(put(BUCKET, "key", "z")).await, "AccessDenied", None);
        let buckets =
            nobody.call::<apus_model_s3::ListBuckets>(apus_model_s3::ListBucketsRequest::default()).await;
        assert_refused(buckets, "AccessDenied", None);
        assert_eq!(world.get(BUCKET, "key").await.expect("there"), "x");
    });
}
