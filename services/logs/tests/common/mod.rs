//! A platform with CloudWatch Logs on a store in memory, under the simulator; and its calls in short.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::{Arc, Mutex};

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{
    Access, AccessRequest, AccountId, Authorizer, BoxFuture, Caller, Context, Lease, Origin, Outbox,
    Platform, Region, Service,
};
use apus_model_lambda::{InvocationRequest, InvocationResponse, InvocationType, Invoke};
use apus_model_logs::{
    CreateLogGroup, CreateLogGroupRequest, CreateLogStream, CreateLogStreamRequest, FilterLogEvents,
    FilterLogEventsRequest, FilterLogEventsResponse, GetLogEvents, GetLogEventsRequest, GetLogEventsResponse,
    InputLogEvent, PutLogEvents, PutLogEventsRequest, PutLogEventsResponse,
};
use apus_schema::{Operation, ServiceError};
use apus_store::{Direction, Keyspace, Range, Store};

pub(crate) const GROUP: &str = "/aws/lambda/f";
pub(crate) const DAY_MS: i64 = 86_400_000;

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What functions were invoked with.
pub(crate) type Invoked = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Stands for Lambda: notes events.
async fn invoke(
    invoked: Arc<Invoked>,
    context: Context,
    input: InvocationRequest,
) -> Result<InvocationResponse, ServiceError> {
    assert_eq!(context.caller.principal.to_string(), "logs.amazonaws.com");
    if input.invocation_type == Some(InvocationType::Event) {
        let payload = input.payload.unwrap_or_default().to_vec();
        invoked.lock().expect("no panic").push((input.function_name, payload));
    }
    Ok(InvocationResponse::default())
}

/// A platform on a store.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) platform: Platform,
    pub(crate) invoked: Invoked,
}

/// Runs a story under the simulator.
pub(crate) fn run<T>(seed: u64, story: impl AsyncFnOnce(Env) -> T) -> T {
    let mut simulator = Simulator::new(seed);
    let env = simulator.env();
    simulator.run(story(env))
}

impl World {
    pub(crate) async fn new(env: &Env) -> Self {
        Self::on(env, Store::memory(env)).await
    }

    /// A platform that takes over a store.
    pub(crate) async fn on(env: &Env, store: Store) -> Self {
        let lease = Lease::acquire(&store, Keyspace::global("instance", "lease").key(("lanes",)));
        let lease = lease.await.expect("the lease is free");
        let outbox = Outbox::new(env.clone(), store.clone(), lease.clone());
        let invoked = Invoked::default();
        let lambda = Service::of(&apus_model_lambda::SERVICE, Arc::clone(&invoked))
            .operation(Access::<Invoke>::on_all("lambda:InvokeFunction"), invoke)
            .build();
        let logs = apus_service_logs::service(env.clone(), store.clone(), lease, outbox.clone());
        let platform = Platform::start(env.clone(), vec![logs, lambda], Vec::new(), AllowAll);
        platform.spawn_worker("outbox", outbox.dispatch(platform.clone()));
        Self { env: env.clone(), store, platform, invoked }
    }

    /// Another platform in the place of this one, which is gone.
    pub(crate) async fn restarted(self) -> Self {
        self.platform.stop();
        Self::on(&self.env, self.store).await
    }

    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let caller = Caller::root(AccountId::DEVELOPMENT, Region::default());
        self.platform.call::<O>(self.platform.context(caller, Origin::default(), None), input).await
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.env.now().as_millis()
    }

    pub(crate) async fn group(&self, name: &str) {
        let input = CreateLogGroupRequest { log_group_name: name.into(), ..CreateLogGroupRequest::default() };
        self.call::<CreateLogGroup>(input).await.expect("the group is made");
    }

    pub(crate) async fn stream(&self, name: &str) {
        let input = CreateLogStreamRequest { log_group_name: GROUP.into(), log_stream_name: name.into() };
        self.call::<CreateLogStream>(input).await.expect("the stream is made");
    }

    pub(crate) async fn put(
        &self,
        stream: &str,
        events: &[(i64, &str)],
    ) -> Result<PutLogEventsResponse, ServiceError> {
        let event = |(timestamp, message): &(i64, &str)| InputLogEvent {
            timestamp: *timestamp,
            message: (*message).into(),
        };
        let input = PutLogEventsRequest {
            log_group_name: GROUP.into(),
            log_stream_name: stream.into(),
            log_events: events.iter().map(event).collect(),
            ..PutLogEventsRequest::default()
        };
        self.call::<PutLogEvents>(input).await
    }

    pub(crate) async fn get(
        &self,
        stream: &str,
        change: impl FnOnce(&mut GetLogEventsRequest),
    ) -> GetLogEventsResponse {
        let mut input = GetLogEventsRequest {
            log_group_name: Some(GROUP.into()),
            log_stream_name: stream.into(),
            ..GetLogEventsRequest::default()
        };
        change(&mut input);
        self.call::<GetLogEvents>(input).await.expect("the stream is there")
    }

    pub(crate) async fn filter(
        &self,
        change: impl FnOnce(&mut FilterLogEventsRequest),
    ) -> FilterLogEventsResponse {
        let mut input = FilterLogEventsRequest {
            log_group_name: Some(GROUP.into()),
            ..FilterLogEventsRequest::default()
        };
        change(&mut input);
        self.call::<FilterLogEvents>(input).await.expect("the group is there")
    }

    /// Rows of the service that are left.
    pub(crate) async fn rows(&self) -> usize {
        let space = Keyspace::new("000000000000", "us-east-1", "logs");
        self.count(&space.all()).await
    }

    async fn count(&self, range: &Range) -> usize {
        let read = self.store.read(|tx| async move { tx.range(range, 200_000, Direction::Forward).await });
        read.await.expect("the store reads").len()
    }
}
