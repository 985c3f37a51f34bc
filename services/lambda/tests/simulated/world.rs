//! Lambda on the memory store, in a simulated world where functions are closures and roles are always there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_compute::driver::SandboxSpec;
use apus_compute::driver::fake::{FakeDriver, FakeReply};
use apus_compute::exchange::Invocation;
use apus_compute::{Compute, InsideListeners, LineSink, PoolLimits};
use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{
    Access, AccessRequest, AccountId, Arn, Authorizer, BoxFuture, Caller, Context, Lease, Origin, Outbox,
    Platform, Region, Service,
};
use apus_model_lambda::{
    CreateFunctionRequest, FunctionCode, InvocationRequest, InvocationResponse, Invoke, Runtime,
};
use apus_model_s3::{PutObject, PutObjectOutput, PutObjectRequest};
use apus_model_sqs::{SendMessageRequest, SendMessageResult};
use apus_model_sts::{AssumeRole, AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser, Credentials};
use apus_schema::{Common, Operation, ServiceError};
use apus_service_lambda::{EndpointServer, Foundation, LambdaConfig, LogSink, LogSource};
use apus_store::fsck::examine;
use apus_store::{Direction, Keyspace, Store};
use bytes::Bytes;

use crate::queue::Queues;

pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/worker";
/// How long an environment takes to start.
const INIT: Duration = Duration::from_millis(100);
const ENVIRONMENTS_MAX: usize = 4;
pub(crate) const WAITING_MAX: usize = 2;

/// What answers before it has come about.
const SETTLING: [&str; 3] = ["CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"];

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Denies roles these actions.
#[derive(Clone, Default)]
pub(crate) struct Denied(pub(crate) Arc<Mutex<BTreeSet<&'static str>>>);

impl Authorizer for Denied {
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        let is_role = request.context.caller.principal.to_string().contains("assumed-role");
        let denied = is_role && self.0.lock().expect("no panic").contains(request.action);
        Box::pin(async move {
            if denied { Err(ServiceError::common(Common::AccessDenied, "denied")) } else { Ok(()) }
        })
    }
}

/// Allows nobody anything, and notes what was asked.
pub(crate) struct DenyAll(pub(crate) Arc<Mutex<Vec<&'static str>>>);

impl Authorizer for DenyAll {
    fn authorize<'a>(&'a self, request: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        self.0.lock().expect("no panic").push(request.action);
        Box::pin(async { Err(ServiceError::common(Common::AccessDenied, "nobody may do anything")) })
    }
}

struct NoSockets;

impl EndpointServer for NoSockets {
    fn serve(&self, _: InsideListeners, _: &str) {}
}

impl LogSink for NoSockets {
    fn open(&self, _: LogSource) -> Arc<dyn LineSink> {
        Arc::new(Self)
    }
}

impl LineSink for NoSockets {
    fn line(&self, _: Option<&str>, _: &str) {}
}

/// Gives out numbered sessions of every role but `role/nobody`.
#[derive(Default)]
struct Roles {
    sessions: AtomicU32,
}

async fn assume_role(
    roles: Arc<Roles>,
    context: Context,
    input: AssumeRoleRequest,
) -> Result<AssumeRoleResponse, ServiceError> {
    assert_eq!(context.caller.principal.to_string(), "lambda.amazonaws.com");
    if input.role_arn.ends_with("role/nobody") {
        return Err(ServiceError::common(Common::AccessDenied, "not trusted"));
    }
    let number = roles.sessions.fetch_add(1, Ordering::Relaxed);
    let life = Duration::from_secs(input.duration_seconds.unwrap_or(3_600) as u64);
    let credentials = Credentials {
        access_key_id: format!("ASIA{number}"),
        secret_access_key: "secret".into(),
        session_token: format!("token of {} as {}", input.role_arn, input.role_session_name),
        expiration: context.now + life,
    };
    let role = input.role_arn.rsplit('/').next().unwrap_or_default();
    let session = &input.role_session_name;
    let user = AssumedRoleUser {
        assumed_role_id: format!("AROA1:{session}"),
        arn: format!("arn:aws:sts::000000000000:assumed-role/{role}/{session}"),
    };
    Ok(AssumeRoleResponse {
        credentials: Some(credentials),
        assumed_role_user: Some(user),
        ..AssumeRoleResponse::default()
    })
}

/// What queues and buckets were sent, and how often they will fail before they take the next.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) letters: Mutex<Vec<Letter>>,
    pub(crate) failures: AtomicU32,
}

/// What a queue or a bucket was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The queue's URL; bucket and key.
    pub(crate) to: String,
    pub(crate) body: String,
    /// Name, type and value.
    pub(crate) attributes: Vec<(String, String, String)>,
    /// The principal that sent it.
    pub(crate) by: String,
}

impl Told {
    /// Takes a letter, or fails as it was told to. What is called `gone` is not there.
    fn take(&self, letter: Letter) -> Result<(), ServiceError> {
        let fails = |left: u32| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
            return Err(ServiceError::internal("planted"));
        }
        if letter.to.contains("gone") {
            return Err(ServiceError::named("NoSuchThing", 400, "it is gone"));
        }
        self.letters.lock().expect("no panic").push(letter);
        Ok(())
    }
}

/// What a bucket notes what it is sent in.
struct Teller(Arc<Told>);

pub(crate) async fn send_message(
    queues: Arc<Queues>,
    context: Context,
    input: SendMessageRequest,
) -> Result<SendMessageResult, ServiceError> {
    let attributes = input.message_attributes.unwrap_or_default().into_iter();
    let attributes =
        attributes.map(|(name, value)| (name, value.data_type, value.string_value.unwrap_or_default()));
    queues.told.take(Letter {
        to: input.queue_url,
        body: input.message_body,
        attributes: attributes.collect(),
        by: context.caller.principal.to_string(),
    })?;
    Ok(SendMessageResult::default())
}

async fn put_object(
    told: Arc<Teller>,
    context: Context,
    input: PutObjectRequest,
) -> Result<PutObjectOutput, ServiceError> {
    let body = input.body.expect("a body").collect(usize::MAX).await.expect("it is held whole");
    told.0.take(Letter {
        to: format!("{}/{}", input.bucket, input.key),
        body: String::from_utf8_lossy(&body).into_owned(),
        attributes: Vec::new(),
        by: context.caller.principal.to_string(),
    })?;
    Ok(PutObjectOutput::default())
}

/// A world with Lambda in it.
pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) store: Store,
    pub(crate) platform: Platform,
    pub(crate) queues: Queues,
    /// The names of all operations.
    pub(crate) implemented: BTreeSet<&'static str>,
    /// What queues and buckets were sent.
    pub(crate) told: Arc<Told>,
    /// What is left to be done.
    pub(crate) outbox: Outbox,
    region: Region,
}

impl World {
    /// A call of an operation, by the root of the development account. What makes or updates a function waits until it
    /// is settled.
    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let answer = self.call_only::<O>(input).await;
        if SETTLING.contains(&O::SCHEMA.name) {
            self.settled().await;
        }
        answer
    }

    /// Until nothing is being made ready.
    pub(crate) async fn settled(&self) {
        let unready = &Keyspace::new("", "", "lambda").sub(("unready",)).all();
        let is_settled = async || {
            let found = self.store.read(|tx| async move { tx.range(unready, 1, Direction::Forward).await });
            found.await.expect("read").is_empty()
        };
        while !is_settled().await {
            apus_env::yield_now().await;
        }
    }

    /// The call alone.
    pub(crate) async fn call_only<O: Operation>(&self, input: O::Input) -> Result<O::Output, ServiceError> {
        let caller = Caller::root(AccountId::DEVELOPMENT, self.region.clone());
        let context = self.platform.context(caller, Origin::default(), None);
        self.platform.call::<O>(context, input).await
    }

    /// The error of a call, as its name and message.
    pub(crate) async fn refused<O: Operation>(&self, input: O::Input) -> (String, String)
    where
        O::Output: std::fmt::Debug,
    {
        let error = self.call::<O>(input).await.expect_err("a refusal");
        (error.name(), error.message().to_owned())
    }

    /// An invocation with that event.
    pub(crate) async fn invoke(&self, name: &str, event: &str) -> Result<InvocationResponse, ServiceError> {
        let payload = Some(Bytes::copy_from_slice(event.as_bytes()));
        let input = InvocationRequest { function_name: name.into(), payload, ..InvocationRequest::default() };
        self.call::<Invoke>(input).await
    }
}

/// Runs a story in a world of its own, where functions do what `responder` says.
pub(crate) fn world(
    test: &str,
    responder: impl Fn(&SandboxSpec, &Invocation) -> FakeReply + Send + Sync + 'static,
    story: impl AsyncFnOnce(&World),
) {
    world_with(test, AllowAll, responder, story);
}

/// The same, under that authorizer.
pub(crate) fn world_with(
    test: &str,
    authorizer: impl Authorizer,
    responder: impl Fn(&SandboxSpec, &Invocation) -> FakeReply + Send + Sync + 'static,
    story: impl AsyncFnOnce(&World),
) {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lambda-{test}"));
    let _ = std::fs::remove_dir_all(&directory);
    let mut simulator = Simulator::new(7);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let limits = PoolLimits {
            environments_max: ENVIRONMENTS_MAX,
            waiting_max: WAITING_MAX,
            idle_max: Duration::from_mins(5),
            freeze_after: None,
        };
        let driver = Arc::new(FakeDriver::new(env.clone(), INIT, responder));
        let compute = Compute::with_driver(env.clone(), driver, limits);
        let config = LambdaConfig {
            // Operations answer before anything is ready: tests see both.
            readiness_wait: Duration::ZERO,
            ..LambdaConfig::new(directory, "http://127.0.0.1:4566")
        };
        let (endpoints, logs) = (Arc::new(NoSockets), Arc::new(NoSockets));
        let lease_key = Keyspace::global("instance", "lease").key(("lanes",));
        let lease = Lease::acquire(&store, lease_key).await.expect("a lease");
        let outbox = Outbox::new(env.clone(), store.clone(), lease);
        let lambda = apus_service_lambda::service(Foundation {
            env: env.clone(),
            store: store.clone(),
            outbox: outbox.clone(),
            compute: compute.clone(),
            endpoints,
            logs,
            config,
        });
        let sts = Service::of(&apus_model_sts::SERVICE, Roles::default())
            .operation(Access::<AssumeRole>::free("sts:AssumeRole"), assume_role)
            .build();
        let lambda = lambda.expect("a directory for code");
        let implemented = lambda.implemented().into_iter().map(|(operation, _)| operation.name).collect();
        let queues = Queues::new(&env);
        let told = Arc::clone(&queues.told);
        let s3 = Service::of(&apus_model_s3::SERVICE, Teller(Arc::clone(&told)))
            .operation(
                Access::<PutObject>::new("s3:PutObject", |input, _| {
                    vec![Arn::unowned("s3", format!("{}/{}", input.bucket, input.key)).into()]
                }),
                put_object,
            )
            .build();
        let services = vec![lambda, sts, queues.service(), s3];
        let platform = Platform::start(env.clone(), services, Vec::new(), authorizer);
        platform.spawn_worker("outbox", outbox.clone().dispatch(platform.clone()));
        let region = Region::default();
        let world = World { env: env.clone(), store, platform, queues, implemented, told, outbox, region };
        story(&world).await;
        compute.stop().await;
        world.platform.stop();
        let examined = examine(&world.store, &[&apus_service_lambda::check()]).await.expect("it looks");
        assert_eq!(examined.findings, [], "what a story leaves is sound");
    });
}

/// A stored archive with one file.
pub(crate) fn zip(name: &str, content: &[u8]) -> Bytes {
    let mut crc = !0_u32;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut fields = vec![0; 4];
    fields.extend([0, 0, 0x21, 0x5b]);
    fields.extend((!crc).to_le_bytes());
    fields.extend((content.len() as u32).to_le_bytes());
    fields.extend((content.len() as u32).to_le_bytes());
    fields.extend((name.len() as u32).to_le_bytes());
    let local = [b"PK\x03\x04\x14\0", &fields[..], name.as_bytes(), content].concat();
    let directory = [b"PK\x01\x02\x14\x03\x14\0", &fields[..], &[0; 14], name.as_bytes()].concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend((directory.len() as u32).to_le_bytes());
    end.extend((local.len() as u32).to_le_bytes());
    end.extend([0, 0]);
    [local, directory, end].concat().into()
}

/// A request for a function that would work.
pub(crate) fn function(name: &str) -> CreateFunctionRequest {
    CreateFunctionRequest {
        function_name: name.into(),
        runtime: Some(Runtime::from("python3.12")),
        role: ROLE.into(),
        handler: Some("handler.handle".into()),
        code: FunctionCode { zip_file: Some(zip("handler.py", b"pass")), ..FunctionCode::default() },
        ..CreateFunctionRequest::default()
    }
}
