//! Listings against a map: random puts and deletes, every prefix, delimiter and page size.

mod common;

use std::collections::BTreeSet;

use apus_model_s3::{DeleteObject, DeleteObjectRequest, ListObjectsV2, ListObjectsV2Request};
use common::{World, assert_refused, list, run};
use proptest::prelude::*;

const BUCKET: &str = "bucket";

/// A step of a story.
#[derive(Clone, Debug)]
enum Step {
    Put(String),
    Delete(String),
    List { prefix: String, delimiter: String, start_after: String, page_max: i32 },
}

/// Few letters, so that keys meet; among them a delimiter, the bytes around it, a zero, and letters of several bytes.
fn key() -> impl Strategy<Value = String> {
    "[ab/.0\u{0}ä\u{10ffff}]{1,5}"
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => key().prop_map(Step::Put),
        1 => key().prop_map(Step::Delete),
        2 => ("[ab/ä]{0,2}", prop_oneof![Just(String::new()), Just("/".into()), Just("a/".into()), Just("ä".into())],
              prop_oneof![Just(String::new()), key()], 1..6_i32)
            .prop_map(|(prefix, delimiter, start_after, page_max)| Step::List { prefix, delimiter, start_after, page_max }),
    ]
}

/// What a listing shows, all pages together, in words that the service does not use.
fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, start_after: &str) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix) && key.as_str() > start_after) {
        let rest = &key[prefix.len()..];
        let cut = if delimiter.is_empty() { None } else { rest.find(delimiter) };
        lines.insert(
            cut.map_or_else(|| key.clone(), |at| format!("{prefix}{}", &rest[..at + delimiter.len()])),
        );
    }
    lines.into_iter().collect()
}

async fn play(world: World, steps: Vec<Step>) {
    world.make_bucket(BUCKET).await;
    let mut keys = BTreeSet::new();
    for step in steps {
        match step {
            Step::Put(key) => {
                world.put(BUCKET, &key, key.clone()).await;
                keys.insert(key);
            }
            Step::Delete(key) => {
                keys.remove(&key);
                let input =
                    DeleteObjectRequest { bucket: BUCKET.into(), key, ..DeleteObjectRequest::default() };
                world.call::<DeleteObject>(input).await.expect("deleted");
            }
            Step::List { prefix, delimiter, start_after, page_max } => {
                let expected = expected(&keys, &prefix, &delimiter, &start_after);
                let mut pages = expected.chunks(page_max as usize);
                let mut token = None;
                loop {
                    let input = ListObjectsV2Request {
                        prefix: Some(prefix.clone()),
                        delimiter: Some(delimiter.clone()),
                        start_after: Some(start_after.clone()),
                        max_keys: Some(page_max),
                        continuation_token: token,
                        ..list(BUCKET)
                    };
                    let (lines, next) = world.list(input).await;
                    assert_eq!(
                        lines,
                        pages.next().unwrap_or_default(),
                        "{prefix:?} {delimiter:?} {start_after:?}"
                    );
                    token = next;
                    if token.is_none() {
                        break;
                    }
                }
                assert_eq!(pages.next(), None, "the last page is the last one");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn listings_are_those_of_a_map(steps in prop::collection::vec(step(), 1..80), seed in any::<u64>()) {
        run(seed, |world| play(world, steps));
    }
}

/// Steps end within prefixes, at their ends and between them; what is shown does not depend on it.
#[test]
fn many_objects_under_one_prefix_are_stepped_over() {
    run(1, |world| async move {
        world.make_bucket(BUCKET).await;
        for folder in ["a", "b", "c"] {
            for number in 0..700 {
                world.put(BUCKET, &format!("{folder}/{number:04}"), "").await;
            }
        }
        for number in 0..1_100 {
            world.put(BUCKET, &format!("d{number:04}"), "").await;
        }
        let folders = ListObjectsV2Request { delimiter: Some("/".into()), ..list(BUCKET) };
        let (lines, token) = world.list(folders.clone()).await;
        assert_eq!(lines[..4], ["a/", "b/", "c/", "d0000"]);
        assert_eq!(lines.len(), 1_000);
        let (rest, token) = world.list(ListObjectsV2Request { continuation_token: token, ..folders }).await;
        assert_eq!((rest.len(), token), (103, None));
    });
}

#[test]
fn what_a_request_says_is_said_again() {
    run(2, |world| async move {
        world.make_bucket(BUCKET).await;
        world.put(BUCKET, "a b/ä+", "xyz").await;
        let input = ListObjectsV2Request {
            prefix: Some("a ".into()),
            start_after: Some("a".into()),
            encoding_type: Some("url".into()),
            fetch_owner: Some(true),
            max_keys: Some(5_000),
            ..list(BUCKET)
        };
        let output = world.call::<ListObjectsV2>(input).await.expect("listed");
        assert_eq!(output.name.as_deref(), Some(BUCKET));
        assert_eq!(output.prefix.as_deref(), Some("a+"));
        assert_eq!(output.start_after.as_deref(), Some("a"));
        assert_eq!(output.max_keys, Some(1_000));
        assert_eq!(output.delimiter, None);
        let object = &output.contents.expect("one object")[0];
        assert_eq!(object.key.as_deref(), Some("a+b/%C3%A4%2B"));
        assert_eq!(object.size, Some(3));
        assert_eq!(object.owner.as_ref().and_then(|owner| owner.id.as_ref()).map(String::len), Some(64));

        let nothing = ListObjectsV2Request { max_keys: Some(0), ..list(BUCKET) };
        assert_eq!(world.list(nothing).await, (vec![], None));
        let negative = ListObjectsV2Request { max_keys: Some(-1), ..list(BUCKET) };
        assert_refused(
            world.call::<ListObjectsV2>(negative).await,
            "InvalidArgument",
            Some(("ArgumentName", "maxKeys")),
        );
        for token in ["", "junk", "YQ"] {
            let input = ListObjectsV2Request { continuation_token: Some(token.into()), ..list(BUCKET) };
            assert_refused(world.call::<ListObjectsV2>(input).await, "InvalidArgument", None);
        }
        let encoding = ListObjectsV2Request { encoding_type: Some("xml".into()), ..list(BUCKET) };
        assert_refused(world.call::<ListObjectsV2>(encoding).await, "InvalidArgument", None);
    });
}
