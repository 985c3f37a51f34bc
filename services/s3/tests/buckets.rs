//! Buckets: made, found, listed, deleted, refused.

mod common;

use apus_model_s3::{
    BucketCannedACL, CreateBucket, CreateBucketConfiguration, CreateBucketRequest, DeleteBucket,
    DeleteBucketRequest, DeleteObject, DeleteObjectRequest, HeadBucket, HeadBucketRequest, ListBuckets,
    ListBucketsRequest, PutObject,
};
use common::{World, assert_refused, run};

fn create(name: &str) -> CreateBucketRequest {
    CreateBucketRequest { bucket: name.into(), ..CreateBucketRequest::default() }
}

fn create_in(name: &str, region: &str) -> CreateBucketRequest {
    let configuration = CreateBucketConfiguration {
        location_constraint: Some(region.into()),
        ..CreateBucketConfiguration::default()
    };
    CreateBucketRequest { create_bucket_configuration: Some(configuration), ..create(name) }
}

fn delete(name: &str) -> DeleteBucketRequest {
    DeleteBucketRequest { bucket: name.into(), ..DeleteBucketRequest::default() }
}

fn head(name: &str) -> HeadBucketRequest {
    HeadBucketRequest { bucket: name.into(), ..HeadBucketRequest::default() }
}

async fn names(world: &World, input: ListBucketsRequest) -> (Vec<String>, Option<String>) {
    let output = world.call::<ListBuckets>(input).await.expect("buckets are listed");
    let names = output.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name).collect();
    (names, output.continuation_token)
}

#[test]
fn names_are_shared_by_all_accounts_and_regions() {
    run(1, |world| async move {
        let (neighbour, abroad) =
            (world.of("111111111111", "us-east-1"), world.of("000000000000", "eu-west-1"));
        let made = world.call::<CreateBucket>(create("one")).await.expect("made");
        assert_eq!(made.location.as_deref(), Some("/one"));
        let made = world.call::<CreateBucket>(create_in("two", "eu-west-1")).await.expect("made");
        assert_eq!(made.location.as_deref(), Some("http://two.s3.amazonaws.com/"));

        world
            .call::<CreateBucket>(create("one"))
            .await
            .expect("the oldest region lets its owner make it again");
        let refused = world.call::<CreateBucket>(create_in("two", "eu-west-2")).await;
        assert_refused(refused, "BucketAlreadyOwnedByYou", Some(("BucketName", "two")));
        let refused = abroad.call::<CreateBucket>(create_in("one", "eu-west-1")).await;
        assert_refused(refused, "BucketAlreadyOwnedByYou", Some(("BucketName", "one")));
        let refused = neighbour.call::<CreateBucket>(create("one")).await;
        assert_refused(refused, "BucketAlreadyExists", Some(("BucketName", "one")));

        let found =
            abroad.call::<HeadBucket>(head("one")).await.expect("a bucket is reached from every region");
        assert_eq!(found.bucket_region.as_deref(), Some("us-east-1"));
        assert_refused(neighbour.call::<HeadBucket>(head("one")).await, "AccessDenied", None);
        assert_refused(neighbour.call::<DeleteBucket>(delete("one")).await, "AccessDenied", None);
        assert_refused(
            world.call::<HeadBucket>(head("none")).await,
            "NoSuchBucket",
            Some(("BucketName", "none")),
        );
        assert_eq!(names(&neighbour, ListBucketsRequest::default()).await, (vec![], None));
    });
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    run(2, |world| async move {
        for name in ["ab", "A-bucket", "192.168.1.1", "xn--x", "a..b"] {
            let refused = world.call::<CreateBucket>(create(name)).await;
            assert_refused(refused, "InvalidBucketName", Some(("BucketName", name)));
        }
        let abroad = world.of("000000000000", "eu-west-1");
        let refused = abroad.call::<CreateBucket>(create("abc")).await;
        assert_refused(refused, "IllegalLocationConstraintException", None);
        let refused = abroad.call::<CreateBucket>(create_in("abc", "us-west-2")).await;
        assert_refused(refused, "IllegalLocationConstraintException", None);
        let refused = world.call::<CreateBucket>(create_in("abc", "us-east-1")).await;
        assert_refused(refused, "InvalidLocationConstraint", Some(("LocationConstraint", "us-east-1")));
        let public = CreateBucketRequest { acl: Some(BucketCannedACL::PublicRead), ..create("abc") };
        assert_refused(world.call::<CreateBucket>(public).await, "InvalidBucketAclWithObjectOwnership", None);
        let locked = CreateBucketRequest { object_lock_enabled_for_bucket: Some(true), ..create("abc") };
        let header = Some(("Header", "x-amz-bucket-object-lock-enabled"));
        assert_refused(world.call::<CreateBucket>(locked).await, "NotImplemented", header);
        assert_refused(world.call::<HeadBucket>(head("abc")).await, "NoSuchBucket", None);
    });
}

#[test]
fn a_bucket_goes_only_when_it_is_empty() {
    run(3, |world| async move {
        world.make_bucket("abc").await;
        world.put("abc", "key", "x").await;
        let refused = world.call::<DeleteBucket>(delete("abc")).await;
        assert_refused(refused, "BucketNotEmpty", Some(("BucketName", "abc")));
        let input =
            DeleteObjectRequest { bucket: "abc".into(), key: "key".into(), ..DeleteObjectRequest::default() };
        world.call::<DeleteObject>(input).await.expect("deleted");
        let strangers =
            DeleteBucketRequest { expected_bucket_owner: Some("111111111111".into()), ..delete("abc") };
        assert_refused(world.call::<DeleteBucket>(strangers).await, "AccessDenied", None);
        world.call::<DeleteBucket>(delete("abc")).await.expect("deleted");
        assert_refused(world.call::<DeleteBucket>(delete("abc")).await, "NoSuchBucket", None);
        assert_refused(world.get("abc", "key").await, "NoSuchBucket", None);
        world.of("111111111111", "us-east-1").make_bucket("abc").await;
    });
}

/// Of a delete and a put at once, whichever comes first, no object is left without its bucket.
#[test]
fn an_object_never_outlives_its_bucket() {
    let mut kept = 0;
    for seed in 0..40 {
        let outcome = std::cell::Cell::new(None);
        run(seed, |world| async {
            let world = world;
            world.make_bucket("abc").await;
            let dawdle = async || {
                for _ in 0..world.platform.env().random_below(6) {
                    apus_env::yield_now().await;
                }
            };
            let (deleted, put) = futures_util::future::join(
                async {
                    dawdle().await;
                    world.call::<DeleteBucket>(delete("abc")).await
                },
                async {
                    dawdle().await;
                    world.call::<PutObject>(common::put("abc", "key", "x")).await
                },
            )
            .await;
            assert!(deleted.is_ok() != put.is_ok(), "exactly one of them succeeds");
            assert_eq!(world.get("abc", "key").await.is_ok(), put.is_ok());
            outcome.set(Some(put.is_ok()));
        });
        kept += usize::from(outcome.get() == Some(true));
    }
    assert!((1..40).contains(&kept), "both orders are met: the object was kept {kept} times of 40");
}

#[test]
fn buckets_are_listed_in_pages() {
    run(4, |world| async move {
        for name in ["b-2", "a-1", "b-1", "c-1"] {
            world.make_bucket(name).await;
        }
        world.call::<CreateBucket>(create_in("b-3", "eu-west-1")).await.expect("made");
        let all = names(&world, ListBucketsRequest::default()).await;
        assert_eq!(all, (vec!["a-1".into(), "b-1".into(), "b-2".into(), "b-3".into(), "c-1".into()], None));
        let page = |token: Option<String>| ListBucketsRequest {
            max_buckets: Some(2),
            prefix: Some("b-".into()),
            continuation_token: token,
            ..ListBucketsRequest::default()
        };
        let (first, token) = names(&world, page(None)).await;
        assert_eq!(first, ["b-1", "b-2"]);
        assert_eq!(names(&world, page(token)).await, (vec!["b-3".into()], None));
        let there =
            ListBucketsRequest { bucket_region: Some("eu-west-1".into()), ..ListBucketsRequest::default() };
        assert_eq!(names(&world, there).await.0, ["b-3"]);
        for max in [0, -1, 10_001] {
            let input = ListBucketsRequest { max_buckets: Some(max), ..ListBucketsRequest::default() };
            assert_refused(
                world.call::<ListBuckets>(input).await,
                "InvalidArgument",
                Some(("ArgumentName", "max-buckets")),
            );
        }
        let input =
            ListBucketsRequest { continuation_token: Some("junk".into()), ..ListBucketsRequest::default() };
        assert_refused(world.call::<ListBuckets>(input).await, "InvalidArgument", None);
    });
}
