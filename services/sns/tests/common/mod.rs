//! SNS on a store under the simulator, with queues, a function and endpoints that write down what arrives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use apus_env::Env;
use apus_kernel::{
    Access, AccessRequest, AccountId, Authorizer, BoxFuture, Caller, Context, Lease, Origin, Outbox,
    Platform, Region, Service,
};
use apus_model_lambda::{InvocationRequest, InvocationResponse, InvocationType, Invoke};
use apus_model_sns::{CreateTopic, CreateTopicInput, Publish, PublishInput, Subscribe, SubscribeInput};
use apus_model_sqs::{SendMessage, SendMessageRequest, SendMessageResult};
use apus_schema::{Common, Operation, ServiceError};
use apus_service_sns::{Endpoints, Foundation, Letter, Letters, Post};
use apus_store::{Keyspace, Store, StoreError};

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// How a target answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// So many times not, and then well.
    Fails(u32),
    /// A client's mistake.
    Refuses,
    /// Never answers.
    Hangs,
}

/// What arrived where, in order.
#[derive(Clone, Default)]
pub(crate) struct Targets(Arc<Mutex<Arrivals>>);

#[derive(Default)]
pub(crate) struct Arrivals {
    pub(crate) sent: BTreeMap<String, Vec<SendMessageRequest>>,
    pub(crate) events: Vec<String>,
    pub(crate) posts: Vec<Post>,
    pub(crate) letters: Vec<Letter>,
    pub(crate) attempts: BTreeMap<String, u32>,
    /// On whose behalf the last call was made.
    pub(crate) source: Option<String>,
    moods: BTreeMap<String, Mood>,
}

impl Targets {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Arrivals> {
        self.0.lock().expect("no target panics")
    }

    pub(crate) fn mood(&self, target: &str, mood: Mood) {
        self.lock().moods.insert(target.into(), mood);
    }

    /// The bodies that a queue got.
    pub(crate) fn bodies(&self, queue: &str) -> Vec<String> {
        self.lock().sent.get(queue).into_iter().flatten().map(|one| one.message_body.clone()).collect()
    }

    /// An attempt at a target: how it ends.
    fn attempt(&self, target: &str) -> Mood {
        let mut arrivals = self.lock();
        *arrivals.attempts.entry(target.into()).or_default() += 1;
        match arrivals.moods.get_mut(target) {
            Some(Mood::Fails(0)) | None => Mood::Well,
            Some(Mood::Fails(left)) => {
                *left -= 1;
                Mood::Fails(*left)
            }
            Some(other) => *other,
        }
    }
}

async fn send(
    targets: Arc<Targets>,
    context: Context,
    input: SendMessageRequest,
) -> Result<SendMessageResult, ServiceError> {
    let queue = input.queue_url.clone();
    match targets.attempt(&queue) {
        Mood::Fails(_) => return Err(ServiceError::common(Common::Unavailable, "not today")),
        Mood::Refuses => return Err(apus_model_sqs::errors::queue_does_not_exist("no such queue")),
        Mood::Hangs => std::future::pending().await,
        Mood::Well => {}
    }
    let mut arrivals = targets.lock();
    arrivals.source = context.origin.source.map(|source| source.to_string());
    arrivals.sent.entry(queue).or_default().push(input);
    Ok(SendMessageResult::default())
}

async fn invoke(
    targets: Arc<Targets>,
    _context: Context,
    input: InvocationRequest,
) -> Result<InvocationResponse, ServiceError> {
    assert_eq!(input.invocation_type, Some(InvocationType::Event), "nobody waits for a function");
    if targets.attempt(&input.function_name) != Mood::Well {
        return Err(ServiceError::common(Common::Unavailable, "not today"));
    }
    let payload = input.payload.unwrap_or_default();
    targets.lock().events.push(String::from_utf8_lossy(&payload).into_owned());
    Ok(InvocationResponse { status_code: Some(202), ..InvocationResponse::default() })
}

impl Endpoints for Targets {
    fn post(&self, post: Post) -> BoxFuture<'static, Result<u16, String>> {
        let targets = self.clone();
        Box::pin(async move {
            match targets.attempt(&post.url) {
                Mood::Fails(_) => return Ok(503),
                Mood::Refuses => return Ok(403),
                Mood::Hangs => std::future::pending().await,
                Mood::Well => {}
            }
            targets.lock().posts.push(post);
            Ok(200)
        })
    }
}

impl Letters for Targets {
    fn keep(&self, letter: Letter) -> BoxFuture<'static, Result<(), String>> {
        let targets = self.clone();
        Box::pin(async move {
            match targets.attempt(&letter.to) {
                Mood::Well => targets.lock().letters.push(letter),
                _ => return Err("the disk is full".into()),
            }
            Ok(())
        })
    }
}

/// An instance with SNS and its targets.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) platform: Platform,
    pub(crate) outbox: Outbox,
    pub(crate) targets: Targets,
}

impl World {
    pub(crate) async fn new(env: &Env) -> Self {
        Self::on(env, &Store::memory(env), Targets::default()).await.expect("it boots")
    }

    pub(crate) async fn on(env: &Env, store: &Store, targets: Targets) -> Result<Self, StoreError> {
        let lease = Lease::acquire(store, Keyspace::global("instance", "lease").key(("lanes",))).await?;
        let outbox = Outbox::new(env.clone(), store.clone(), lease.clone());
        let sns = apus_service_sns::service(Foundation {
            env: env.clone(),
            store: store.clone(),
            lease,
            outbox: outbox.clone(),
            endpoints: Arc::new(targets.clone()),
            letters: Arc::new(targets.clone()),
            base_url: "http://127.0.0.1:4566".into(),
        });
        let sqs = Service::of(&apus_model_sqs::SERVICE, targets.clone())
            .operation(Access::<SendMessage>::free("sqs:SendMessage"), send)
            .build();
        let lambda = Service::of(&apus_model_lambda::SERVICE, targets.clone())
            .operation(Access::<Invoke>::free("lambda:InvokeFunction"), invoke)
            .build();
        let platform = Platform::start(env.clone(), vec![sns, sqs, lambda], Vec::new(), AllowAll);
        platform.spawn_worker("outbox", outbox.clone().dispatch(platform.clone()));
        Ok(Self { env: env.clone(), platform, outbox, targets })
    }

    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let caller = Caller::root(AccountId::DEVELOPMENT, Region::default());
        self.platform.call::<O>(self.platform.context(caller, Origin::default(), None), input).await
    }

    pub(crate) async fn topic(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        let input = CreateTopicInput {
            name: name.into(),
            attributes: Some(owned(attributes)),
            ..CreateTopicInput::default()
        };
        let made = self.call::<CreateTopic>(input).await.expect("the topic is made");
        made.topic_arn.expect("it has a name")
    }

    pub(crate) async fn subscribe(
        &self,
        topic: &str,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> String {
        let input = SubscribeInput {
            topic_arn: topic.into(),
            protocol: protocol.into(),
            endpoint: Some(endpoint.into()),
            attributes: Some(owned(attributes)),
            return_subscription_arn: Some(true),
        };
        let made = self.call::<Subscribe>(input).await.expect("it is subscribed");
        made.subscription_arn.expect("it has a name")
    }

    pub(crate) async fn publish(&self, topic: &str, text: &str) -> String {
        self.publish_in(topic, text, None).await.expect("it is published")
    }

    pub(crate) async fn publish_in(
        &self,
        topic: &str,
        text: &str,
        group: Option<&str>,
    ) -> Result<String, ServiceError> {
        let input = PublishInput {
            topic_arn: Some(topic.into()),
            message: text.into(),
            message_group_id: group.map(Into::into),
            ..PublishInput::default()
        };
        Ok(self.call::<Publish>(input).await?.message_id.expect("it has an id"))
    }

    pub(crate) async fn pass(&self, secs: u64) {
        self.env.sleep(Duration::from_secs(secs)).await;
    }
}

pub(crate) fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A queue's ARN.
pub(crate) fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

/// Rows of messages, cursors and pending deliveries.
pub(crate) async fn left(store: &Store) -> usize {
    let space = apus_store::Keyspace::new("000000000000", "us-east-1", "sns");
    let read = store.read(|tx| async move {
        let mut rows = 0;
        for kind in ["message", "fan", "pending"] {
            let range = space.range((kind,));
            rows += tx.range(&range, 1_000, apus_store::Direction::Forward).await?.len();
        }
        Ok::<_, apus_store::StoreError>(rows)
    });
    read.await.expect("it is read")
}
