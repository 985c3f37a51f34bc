//! A platform with S3 alone, on the memory store under the simulator.

// Each test binary uses its own part of this module.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use apus_env::sim::Simulator;
use apus_kernel::{AccessRequest, Authorizer, BoxFuture, Caller, Origin, Platform};
use apus_model_s3::{
    CreateBucket, CreateBucketRequest, GetObject, GetObjectRequest, ListObjectsV2, ListObjectsV2Request,
    PutObject, PutObjectRequest,
};
use apus_schema::{Body, BodyError, Common, ErrorKind, Operation, ServiceError};
use apus_store::Store;
use apus_store::fsck::{Finding, examine};
use bytes::Bytes;

/// Allows every action but those named.
#[derive(Clone, Default)]
pub(crate) struct Denied(Arc<Mutex<BTreeSet<&'static str>>>);

impl Denied {
    pub(crate) fn deny(&self, action: &'static str) {
        self.0.lock().expect("no test panics with it").insert(action);
    }
}

impl Authorizer for Denied {
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        let denied = self.0.lock().expect("no test panics with it").contains(request.action);
        let answer =
            if denied { Err(ServiceError::common(Common::AccessDenied, request.action)) } else { Ok(()) };
        Box::pin(std::future::ready(answer))
    }
}

/// The platform, seen by one account from one region.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) platform: Platform,
    pub(crate) store: Store,
    pub(crate) denied: Denied,
    pub(crate) caller: Caller,
}

impl World {
    /// The same platform for another account.
    pub(crate) fn of(&self, account: &str, region: &str) -> Self {
        let account = account.parse().expect("an account");
        let region = region.parse().expect("a region");
        Self { caller: Caller::root(account, region), ..self.clone() }
    }

    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let context = self.platform.context(self.caller.clone(), Origin::default(), None);
        self.platform.call::<O>(context, input).await
    }

    /// How many blobs there are, each of which some object must refer to.
    pub(crate) async fn blobs(&self) -> usize {
        let ids = self.store.blobs().list().await.expect("blobs are listed");
        for id in &ids {
            let referred = apus_service_s3::refers_to(&self.store, *id).await.expect("the store answers");
            assert!(referred, "nobody refers to {id}");
        }
        ids.len()
    }

    pub(crate) async fn make_bucket(&self, name: &str) {
        let input = CreateBucketRequest { bucket: name.into(), ..CreateBucketRequest::default() };
        self.call::<CreateBucket>(input).await.expect("the bucket is made");
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        let output = self.call::<PutObject>(put(bucket, key, bytes)).await.expect("the object is put");
        output.e_tag.expect("there is a tag")
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Result<Bytes, ServiceError> {
        let output = self.call::<GetObject>(get(bucket, key)).await?;
        Ok(output.body.expect("there is a body").collect(usize::MAX).await.expect("the body flows"))
    }

    /// One page of keys and common prefixes, in their order, and the next page's token.
    pub(crate) async fn list(&self, input: ListObjectsV2Request) -> (Vec<String>, Option<String>) {
        let output = self.call::<ListObjectsV2>(input).await.expect("the bucket is listed");
        let keys = output.contents.unwrap_or_default().into_iter().filter_map(|object| object.key);
        let prefixes =
            output.common_prefixes.unwrap_or_default().into_iter().filter_map(|common| common.prefix);
        let mut lines: Vec<String> = keys.chain(prefixes).collect();
        lines.sort();
        assert_eq!(output.key_count, Some(lines.len() as i32));
        assert_eq!(output.is_truncated, Some(output.next_continuation_token.is_some()));
        (lines, output.next_continuation_token)
    }
}

/// Runs a story in a new world, which is sound at its end.
pub(crate) fn run<F: Future<Output = ()>>(seed: u64, story: impl FnOnce(World) -> F) {
    assert_eq!(contradictions_after(seed, story), [], "what a story leaves is sound");
}

/// Runs a story in a new world; what contradicts what at its end.
pub(crate) fn contradictions_after<F: Future<Output = ()>>(
    seed: u64,
    story: impl FnOnce(World) -> F,
) -> Vec<Finding> {
    let mut simulator = Simulator::new(seed);
    let env = simulator.env();
    simulator.run(async {
        let (store, denied) = (Store::memory(&env), Denied::default());
        let service = apus_service_s3::service(store.clone());
        let platform = Platform::start(env.clone(), vec![service], Vec::new(), denied.clone());
        let caller =
            Caller::root("000000000000".parse().expect("an account"), "us-east-1".parse().expect("a region"));
        story(World { platform: platform.clone(), store: store.clone(), denied, caller }).await;
        let examined = examine(&store, &[&apus_service_s3::check()]).await.expect("it looks");
        platform.stop();
        examined.findings
    })
}

pub(crate) fn put(bucket: &str, key: &str, bytes: impl Into<Bytes>) -> PutObjectRequest {
    let body = Some(Body::full(bytes));
    PutObjectRequest { bucket: bucket.into(), key: key.into(), body, ..PutObjectRequest::default() }
}

pub(crate) fn get(bucket: &str, key: &str) -> GetObjectRequest {
    GetObjectRequest { bucket: bucket.into(), key: key.into(), ..GetObjectRequest::default() }
}

pub(crate) fn list(bucket: &str) -> ListObjectsV2Request {
    ListObjectsV2Request { bucket: bucket.into(), ..ListObjectsV2Request::default() }
}

/// A body that comes in these pieces, of the length that is announced.
pub(crate) fn flowing(pieces: Vec<Result<Bytes, BodyError>>, length: u64) -> Body {
    Body::streaming(Box::pin(futures_util::stream::iter(pieces)), Some(length))
}

/// Bytes that differ from each other in every place.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Asserts which error it is: code, status, and an element if one is named.
pub(crate) fn assert_refused<T>(answer: Result<T, ServiceError>, code: &str, element: Option<(&str, &str)>) {
    let Err(error) = answer else { panic!("{code} was expected, and it succeeded") };
    let found = match error.kind() {
        ErrorKind::Modelled(schema) => schema.code.to_owned(),
        _ => error.name(),
    };
    assert_eq!(found, code, "{error}");
    assert!(!error.message().is_empty());
    if let Some((name, value)) = element {
        let element = error.elements().iter().find(|(own, _)| *own == name);
        assert_eq!(element.map(|(_, text)| text.as_str()), Some(value), "{error}");
    }
}
