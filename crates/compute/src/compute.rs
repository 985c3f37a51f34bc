//! Runs functions: asks the pool's rules what to do about each event, and does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use apus_env::Env;
use apus_time::Timestamp;
use tokio::sync::{Notify, oneshot};

use crate::config::ComputeConfig;
use crate::driver::{Companion, Driver, Level, SandboxSpec};
use crate::exchange::{EXTENSIONS_MAX, ShutdownReason};
use crate::extension_programs;
use crate::host_root::HostRoot;
use crate::invoke::{InvokeError, InvokeOutcome, InvokeRequest, REQUEST_BYTES_MAX};
use crate::output::EnvironmentLog;
use crate::pool::environment::{Alive, Environment};
use crate::pool::init::{Blueprint, StartFailure};
use crate::pool::rules::{
    Action, Call, ColdReason, Condition, EnvironmentId, Event, InvokeId, Pool, PoolLimits,
};
use crate::provision::Wishes;
use crate::runtimes::{self, PlanFailure, RuntimeContext, RuntimePlan};
use crate::sdk::Fetcher;
use crate::spec::{Egress, FunctionKey, FunctionSpec};
use crate::standing::Standing;
use crate::variables::{VariableContext, of_extensions, variables};

/// The memory that buys one processor, in MB: AWS's number.
const MEMORY_MB_PER_CPU: u64 = 1769;
/// Processes and threads in one environment: AWS's number.
const PROCESSES_MAX: u32 = 1024;
const MIB: u64 = 1024 * 1024;

/// Functions can be invoked.
#[derive(Clone)]
pub struct Compute {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    env: Env,
    driver: Arc<dyn Driver>,
    /// What this host gives to sandboxes; absent for drivers that need nothing of a host.
    host: Option<Host>,
    state: Mutex<State>,
    /// Rung when there may be an idle environment to reap.
    reaper: Notify,
    /// Rung when an environment is gone.
    gone: Notify,
    /// Rung when something may have changed about the environments that are kept.
    pub(crate) provisioning: Notify,
}

struct Host {
    root: HostRoot,
    /// Absent where functions bring their SDKs.
    sdks: Option<Arc<Fetcher>>,
    config: ComputeConfig,
}

pub(crate) struct State {
    pub(crate) pool: Pool,
    next_invoke: InvokeId,
    waiting: BTreeMap<InvokeId, Waiting>,
    environments: BTreeMap<EnvironmentId, Arc<Environment>>,
    /// The functions of which environments are kept.
    pub(crate) wishes: Wishes,
    /// Until when the reaper sleeps; forever, if there is nothing to do in time.
    reaper_sleeps_until: Option<Timestamp>,
    stopped: bool,
}

struct Waiting {
    spec: Arc<FunctionSpec>,
    assigned: oneshot::Sender<Result<(EnvironmentId, Arc<Environment>), StartFailure>>,
}

impl Compute {
    /// Starts the driver that this host allows. Must be called within a tokio runtime.
    #[cfg(target_os = "linux")]
    pub fn new(env: Env, mut config: ComputeConfig) -> Result<Self, crate::driver::StartError> {
        use crate::driver::StartError;
        use crate::driver::namespaces::{
            NamespaceConfig, NamespaceDriver, UID_BASE, first_user, is_open_to_others, may_choose_users,
        };

        let possible = crate::probe().accept(config.accept_isolation).map_err(StartError::Host)?;
        let level = config.isolation_max.map_or(possible, |most| most.min(possible));
        if !level.has_namespaces() && may_choose_users() {
            // Where a file system is not arranged for functions, their users must reach what they run on.
            config.interpreters.directories.retain(|directory| is_open_to_others(directory));
        }
        let prepared =
            HostRoot::prepare(&config.run_dir.join("base"), config.trusted_certificates.as_deref());
        let root = prepared
            .map_err(|error| StartError::Host(format!("prepare {}: {error}", config.run_dir.display())))?;
        let driver = NamespaceDriver::start(
            env.clone(),
            NamespaceConfig {
                spawner_program: config.spawner_program.clone(),
                uid_base: if level.has_namespaces() { UID_BASE } else { first_user(config.environments_max) },
                level,
                hard_cpu_limits: config.hard_cpu_limits,
                platform_ports: config.platform_ports.clone(),
                names: config.endpoint_names.clone(),
                public_address: config.endpoint_address,
                egress: config.egress.clone(),
                ..NamespaceConfig::new(&config.run_dir, config.environments_max, config.endpoint_port)
            },
        )?;
        let limits = config.limits();
        let sdks = config.sdk.clone().map(|sdk| Fetcher::new(env.clone(), sdk, config.interpreters.clone()));
        Ok(Self::assemble(env, Arc::new(driver), Some(Host { root, sdks, config }), limits))
    }

    /// Runs on a driver that needs no root file systems, such as [`crate::driver::fake`].
    pub fn with_driver(env: Env, driver: Arc<dyn Driver>, limits: PoolLimits) -> Self {
        Self::assemble(env, driver, None, limits)
    }

    fn assemble(env: Env, driver: Arc<dyn Driver>, host: Option<Host>, limits: PoolLimits) -> Self {
        let inner = Arc::new(Inner {
            env,
            driver,
            host,
            state: Mutex::new(State {
                pool: Pool::new(limits),
                next_invoke: 1,
                waiting: BTreeMap::new(),
                environments: BTreeMap::new(),
                wishes: Wishes::default(),
                reaper_sleeps_until: None,
                stopped: false,
            }),
            reaper: Notify::new(),
            gone: Notify::new(),
            provisioning: Notify::new(),
        });
        inner.env.spawn("environment reaper", reap(inner.clone()));
        Self { inner }
    }

    /// How functions are told from others who connect to this host's listeners.
    #[cfg(target_os = "linux")]
    pub fn guests(&self) -> crate::Guests {
        use crate::Guests;
        use crate::driver::namespaces::{first_user, may_choose_users};

        let most = self.inner.host.as_ref().map_or(0, |host| host.config.environments_max);
        match self.level() {
            Level::Full | Level::Rootless => Guests::Apart,
            Level::Container | Level::None if may_choose_users() => {
                let first = first_user(most);
                Guests::Users(first..first.saturating_add(most))
            }
            Level::Container | Level::None => Guests::Indistinct,
        }
    }

    /// The environments that stand, the oldest first.
    pub fn environments(&self) -> Vec<Standing> {
        let state = self.inner.state();
        let standing = |(id, key, condition): (EnvironmentId, &FunctionKey, Condition)| {
            let started = state.environments.get(&id).map(|environment| environment.started());
            Standing { id, key: key.clone(), condition, started }
        };
        state.pool.conditions().map(standing).collect()
    }

    /// The isolation that functions get.
    pub fn level(&self) -> Level {
        self.inner.driver.level()
    }

    /// Fails if no function of that runtime can run here. Returns what whoever makes one should know.
    pub fn check(&self, runtime: &str) -> Result<Option<String>, InvokeError> {
        Ok(self.plan(runtime)?.and_then(|plan| plan.note))
    }

    /// Makes ready what functions of a runtime need, before one is invoked: fails if none can run here. Returns what
    /// whoever makes one should know.
    pub async fn prepare(&self, runtime: &str) -> Result<Vec<String>, InvokeError> {
        let Some(plan) = self.plan(runtime)? else { return Ok(Vec::new()) };
        let mut notes = Vec::from_iter(plan.note);
        let fetcher = self.inner.host.as_ref().and_then(|host| host.sdks.clone());
        if let Some((sdk, fetcher)) = plan.sdk.zip(fetcher) {
            notes.extend(fetcher.provide(sdk).await.err());
        }
        Ok(notes)
    }

    /// How functions of a runtime are started, without any; nothing where they bring all that there is.
    fn plan(&self, runtime: &str) -> Result<Option<RuntimePlan>, InvokeError> {
        let Some(host) = &self.inner.host else { return Ok(None) };
        let context = RuntimeContext {
            search: &host.config.interpreters,
            files: host.root.runtime_files(),
            sdks: None,
            code: Path::new(""),
            layers: &[],
            handler: "",
            memory_mb: 0,
        };
        match runtimes::plan(runtime, &context) {
            Ok(plan) => Ok(Some(plan)),
            Err(PlanFailure::Entrypoint(_)) => Ok(None),
            Err(PlanFailure::Unsupported(why)) => Err(InvokeError::Unsupported(why)),
        }
    }

    /// Runs a function once, in an environment of its own revision. The invocation goes on if the future is
    /// dropped after it has begun.
    pub async fn invoke(
        &self,
        spec: FunctionSpec,
        request: InvokeRequest,
    ) -> Result<InvokeOutcome, InvokeError> {
        if request.payload.len() > REQUEST_BYTES_MAX {
            return Err(InvokeError::TooLarge(request.payload.len()));
        }
        let inner = &self.inner;
        let (assigned, assignment) = oneshot::channel();
        let spec = Arc::new(spec);
        let invoke = {
            let mut state = inner.state();
            let invoke = state.next_invoke;
            state.next_invoke += 1;
            state.waiting.insert(invoke, Waiting { spec: Arc::clone(&spec), assigned });
            invoke
        };
        let abandoned = Abandoned { inner, invoke, armed: true };
        let call = Call {
            invoke,
            key: spec.key.clone(),
            function: spec.arn.as_str().into(),
            concurrency_max: spec.concurrency_max,
            share: spec.share.clone(),
        };
        inner.clone().step(Event::Invoked(call), None);
        let assignment = assignment.await;
        abandoned.disarm();
        match assignment {
            Ok(Ok((id, environment))) => {
                let served = serve_one(inner.clone(), id, environment, request);
                Ok(inner.env.see_through("invocation", served).await)
            }
            Ok(Err(StartFailure::Function(failed))) => {
                Ok(failed.outcome(&inner.env, &spec, &request.request_id))
            }
            Ok(Err(StartFailure::Platform(error))) => Err(error),
            Err(_) => Err(InvokeError::Stopping),
        }
    }

    /// A function was changed or deleted: its environments end, busy ones when they are done, and none is kept.
    pub fn retire(&self, key: &FunctionKey) {
        let mut state = self.inner.state();
        state.wishes.remove(key);
        self.inner.step_in(state, Event::Retired(key.clone()), None);
        self.inner.provisioning.notify_waiters();
    }

    /// Whether it is ending: what fails from now on may have failed for that.
    pub fn is_stopping(&self) -> bool {
        self.inner.state().stopped
    }

    /// Ends all environments and the driver, and returns when nothing is left.
    pub async fn stop(&self) {
        let inner = &self.inner;
        let leaving: Vec<_> = {
            let mut state = inner.state();
            state.stopped = true;
            let told = state.environments.values().filter(|environment| environment.living.has_extensions());
            told.cloned().collect()
        };
        inner.reaper.notify_one();
        inner.clone().step(Event::Stopping, None);
        inner.provisioning.notify_waiters();
        for environment in leaving {
            environment.living.shut_down(ShutdownReason::Spindown).await;
        }
        inner.driver.stop().await;
        loop {
            let gone = inner.gone.notified();
            if inner.state().pool.environments() == 0 {
                return;
            }
            gone.await;
        }
    }
}

/// Takes an invocation off the books whose caller went away while it waited.
struct Abandoned<'a> {
    inner: &'a Arc<Inner>,
    invoke: InvokeId,
    armed: bool,
}

impl Abandoned<'_> {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.inner.state().waiting.remove(&self.invoke);
            self.inner.clone().step(Event::Abandoned(self.invoke), None);
        }
    }
}

impl Inner {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    /// Asks the rules and acts. `failure` says why, if the event is a failed start.
    fn step(self: Arc<Self>, event: Event, failure: Option<&StartFailure>) {
        self.step_in(self.state(), event, failure);
    }

    /// The same, with what the caller changed under the lock.
    pub(crate) fn step_in(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        event: Event,
        failure: Option<&StartFailure>,
    ) {
        let actions = state.pool.step(self.env.now(), event);
        if let Some(next) = state.pool.next_tick()
            && state.reaper_sleeps_until.is_none_or(|until| next < until)
        {
            state.reaper_sleeps_until = Some(next);
            self.reaper.notify_one();
        }
        let mut following = Vec::new();
        for action in actions {
            following.extend(self.act(&mut state, &action, failure));
        }
        drop(state);
        for event in following {
            self.clone().step(event, None);
        }
    }

    /// Does one thing. Returns what the rules must know of it.
    ///
    /// Freezing and thawing happen here, under the lock, so that they happen in the order in which they were decided.
    fn act(
        self: &Arc<Self>,
        state: &mut State,
        action: &Action,
        failure: Option<&StartFailure>,
    ) -> Option<Event> {
        let answer = |state: &mut State, invoke, error| {
            if let Some(waiting) = state.waiting.remove(&invoke) {
                let _ = waiting.assigned.send(Err(StartFailure::Platform(error)));
            }
        };
        match *action {
            Action::Start(id, invoke, reason) => {
                if let Some(waiting) = state.waiting.get(&invoke) {
                    let spec = FunctionSpec::clone(&waiting.spec);
                    self.env.spawn("environment start", start(self.clone(), id, spec, Some(reason)));
                }
                return self.driver.is_short_of_memory().then_some(Event::MemoryShort);
            }
            Action::Provision(id, ref key) => {
                let Some(spec) = state.wishes.spec(key) else { return Some(Event::StartFailed(id)) };
                let spec = FunctionSpec::clone(&spec);
                self.env.spawn("environment start", start(self.clone(), id, spec, None));
                return self.driver.is_short_of_memory().then_some(Event::MemoryShort);
            }
            Action::Assign(id, invoke) => {
                let environment = state.environments.get(&id).cloned()?;
                // Its caller may have gone away between the decision and here.
                let Some(waiting) = state.waiting.remove(&invoke) else { return Some(Event::Ready(id)) };
                return waiting.assigned.send(Ok((id, environment))).err().map(|_| Event::Ready(id));
            }
            Action::Freeze(id) => {
                if let Some(environment) = state.environments.get(&id) {
                    environment.living.set_frozen(true);
                }
            }
            Action::Thaw(id) => {
                if let Some(environment) = state.environments.get(&id) {
                    environment.living.set_frozen(false);
                }
            }
            Action::Stop(id) => {
                if let Some(environment) = state.environments.get(&id) {
                    self.end(environment, ShutdownReason::Spindown);
                }
            }
            Action::Fail(invoke, _) => {
                if let Some(waiting) = state.waiting.remove(&invoke) {
                    let failure = failure.cloned().unwrap_or(StartFailure::Platform(InvokeError::Stopping));
                    let _ = waiting.assigned.send(Err(failure));
                }
            }
            Action::Throttle(invoke, why) => answer(state, invoke, InvokeError::Throttled(why)),
            Action::Refuse(invoke) => answer(state, invoke, InvokeError::Stopping),
        }
        None
    }

    /// An environment is of no further use.
    fn give_up(self: &Arc<Self>, id: EnvironmentId, environment: &Arc<Environment>, reason: ShutdownReason) {
        self.clone().step(Event::Failed(id), None);
        self.end(environment, reason);
    }

    /// Ends an environment, at once if nobody in it wants to know.
    fn end(&self, environment: &Arc<Environment>, reason: ShutdownReason) {
        if environment.living.has_extensions() {
            let environment = Arc::clone(environment);
            self.env.spawn("environment shutdown", async move {
                environment.living.shut_down(reason).await;
            });
        } else {
            environment.living.kill();
        }
    }

    fn blueprint(&self, spec: FunctionSpec, reason: Option<ColdReason>) -> Result<Blueprint, InvokeError> {
        let log_stream = spec.ports.log_stream();
        let log = EnvironmentLog::new(self.env.clone(), spec.ports.log(&log_stream), spec.log_format);
        let credentials = spec.ports.credentials();
        let mut root = Vec::new();
        let mut command = Vec::new();
        let mut runtime_variables = Vec::new();
        let mut notes = Vec::new();
        let mut entrypoint_fault = None;
        if let Some(host) = &self.host {
            let unsupported = InvokeError::Unsupported;
            root = host.root.entries(&spec.code_dir, &spec.layer_dirs, spec.tmp_mb).map_err(unsupported)?;
            let context = RuntimeContext {
                search: &host.config.interpreters,
                files: host.root.runtime_files(),
                sdks: host.config.sdk.as_ref().map(|sdk| &*sdk.directory),
                code: &spec.code_dir,
                layers: &spec.layer_dirs,
                handler: &spec.handler,
                memory_mb: spec.memory_mb,
            };
            match runtimes::plan(&spec.runtime, &context) {
                Ok(plan) => {
                    root.extend(plan.root);
                    command.extend(runtimes::wrapper(&spec));
                    command.extend(plan.command);
                    runtime_variables = plan.variables;
                    notes.extend(plan.note);
                }
                Err(PlanFailure::Entrypoint(why)) => entrypoint_fault = Some(why),
                Err(PlanFailure::Unsupported(why)) => return Err(unsupported(why)),
            }
        }
        let context = VariableContext {
            credentials: credentials.as_ref(),
            log_stream: &log_stream,
            runtime: &runtime_variables,
            ahead: reason.is_none(),
            runtime_api: "127.0.0.1:9001",
        };
        let extensions = extension_programs::names(&spec.layer_dirs);
        let variables = variables(&spec, &context);
        let companion = |name: &String| Companion {
            command: vec![format!("{}/{name}", extension_programs::DIRECTORY)],
            variables: of_extensions(&variables),
            directory: "/".into(),
        };
        let sandbox = SandboxSpec {
            root,
            command,
            companions: extensions.iter().take(EXTENSIONS_MAX).map(companion).collect(),
            variables,
            directory: "/var/task".into(),
            memory_bytes: u64::from(spec.memory_mb) * MIB,
            cpu_milli: (u64::from(spec.memory_mb) * 1000 / MEMORY_MB_PER_CPU).max(1) as u32,
            processes_max: PROCESSES_MAX,
            egress: spec.egress == Egress::AsConfigured,
            host_ports: Vec::new(),
        };
        let instance_id = log_stream.rsplit(']').next().unwrap_or_default().to_owned();
        Ok(Blueprint { spec, sandbox, entrypoint_fault, log, instance_id, extensions, notes, reason })
    }
}

/// Starts an environment and keeps it on the books until it is gone.
async fn start(inner: Arc<Inner>, id: EnvironmentId, spec: FunctionSpec, reason: Option<ColdReason>) {
    let key = spec.key.clone();
    let started = match inner.blueprint(spec, reason) {
        Ok(blueprint) => Environment::start(inner.env.clone(), &*inner.driver, blueprint).await,
        Err(error) => Err(StartFailure::Platform(error)),
    };
    match started {
        Ok(environment) => {
            let environment = Arc::new(environment);
            inner.state().environments.insert(id, Arc::clone(&environment));
            inner.clone().step(Event::Ready(id), None);
            inner.provisioning.notify_waiters();
            if environment.living.broken_while_standing().await {
                // Between invocations too.
                inner.clone().step(Event::Failed(id), None);
                environment.living.shut_down(ShutdownReason::Failure).await;
            }
            environment.living.ended().await;
            inner.state().environments.remove(&id);
            inner.clone().step(Event::Ended(id), None);
        }
        Err(failure) => {
            if reason.is_none() {
                inner.state().wishes.failed(&key, &failure);
            }
            inner.clone().step(Event::StartFailed(id), Some(&failure));
        }
    }
    inner.provisioning.notify_waiters();
    inner.gone.notify_waiters();
}

async fn serve_one(
    inner: Arc<Inner>,
    id: EnvironmentId,
    environment: Arc<Environment>,
    request: InvokeRequest,
) -> InvokeOutcome {
    let (outcome, alive) = environment.invoke(request).await;
    match alive {
        Alive::Yes => {
            // Before the caller knows: its next invocation is then kept for this environment.
            inner.clone().step(Event::Answered(id), None);
            let env = inner.env.clone();
            env.spawn("environment return", async move {
                match environment.finish().await {
                    Alive::Yes => inner.step(Event::Ready(id), None),
                    Alive::No(reason) => inner.give_up(id, &environment, reason),
                }
            });
        }
        Alive::No(reason) => inner.give_up(id, &environment, reason),
    }
    outcome
}

/// Freezes environments that nobody uses, and ends those that nobody has used for long.
async fn reap(inner: Arc<Inner>) {
    loop {
        let next = {
            let mut state = inner.state();
            if state.stopped {
                return;
            }
            let next = state.pool.next_tick();
            state.reaper_sleeps_until = next;
            next
        };
        match next {
            Some(at) => tokio::select! {
                biased;
                () = inner.env.sleep_until(at) => inner.clone().step(Event::Tick, None),
                () = inner.reaper.notified() => {}
            },
            None => inner.reaper.notified().await,
        }
    }
}
