//! One execution environment: its start, and one invocation at a time. Knows neither the pool's other
//! environments nor what drives the sandbox.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_env::Env;
use apus_time::Timestamp;
use bytes::Bytes;

use super::cold::ColdReason;
use super::failure::Failure;
use crate::driver::{Driver, Sandbox, SandboxSpec, StartError, Wiring};
use crate::exchange::{Answer, Exchange, Invocation, RESPONSE_BYTES_MAX};
use crate::invoke::{FunctionError, InvokeError, InvokeOutcome, InvokeRequest};
use crate::output::EnvironmentLog;
use crate::platform_event::{
    End, Fault, InitPhase, InitReport, InitRuntimeDone, InitStart, InitializationType, PlatformRecord,
    Report, RuntimeDone, Start, Status,
};
use crate::response_stream::STREAM_BYTES_MAX;
use crate::spec::FunctionSpec;
use crate::standing::Started;

/// How long a runtime may take to initialise before it gets a second chance under the function's timeout.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What an environment is started from.
pub(crate) struct Blueprint {
    pub(crate) spec: FunctionSpec,
    pub(crate) sandbox: SandboxSpec,
    /// Why there is nothing to start in the sandbox, if the function brings nothing.
    pub(crate) entrypoint_fault: Option<String>,
    pub(crate) log: Arc<EnvironmentLog>,
    /// A name of the environment, of no meaning.
    pub(crate) instance_id: String,
    pub(crate) notes: Vec<String>,
    /// Why it is started for an invocation; nothing, if it is started ahead of all.
    pub(crate) reason: Option<ColdReason>,
}

impl Blueprint {
    fn initialization_type(&self) -> InitializationType {
        if self.reason.is_some() {
            InitializationType::OnDemand
        } else {
            InitializationType::ProvisionedConcurrency
        }
    }

    fn init_start(&self, phase: InitPhase) -> PlatformRecord {
        PlatformRecord::InitStart(InitStart {
            initialization_type: self.initialization_type(),
            phase,
            function_name: self.spec.name.clone(),
            function_version: self.spec.version.clone(),
            instance_id: self.instance_id.clone(),
            instance_memory_mb: self.spec.memory_mb,
        })
    }
}

/// A start that came to nothing.
#[derive(Clone)]
pub(crate) enum StartFailure {
    /// The function's fault, which is its answer to the invocation that waited.
    Function(FailedInit),
    /// Not the function's.
    Platform(InvokeError),
}

#[derive(Clone)]
pub(crate) struct FailedInit {
    failure: Failure,
    /// Of the try before the invocation.
    init_duration: Duration,
    /// Of the one that was part of it.
    duration: Duration,
    log: Arc<EnvironmentLog>,
    notes: Vec<String>,
    reason: Option<ColdReason>,
    memory_max_bytes: u64,
}

/// An environment that has initialised.
pub(crate) struct Environment {
    env: Env,
    spec: FunctionSpec,
    exchange: Arc<Exchange>,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    log: Arc<EnvironmentLog>,
    /// For the first invocation, which was cold unless the environment was started ahead.
    birth: Mutex<Option<Birth>>,
    since: Timestamp,
    /// Why it was started, if not ahead of invocations.
    reason: Option<ColdReason>,
    init_duration: Duration,
    invocations: AtomicU64,
}

struct Birth {
    /// How long the start took, and why it was made; absent if no invocation waited for it.
    init_duration: Option<Duration>,
    reason: Option<ColdReason>,
    notes: Vec<String>,
}

impl Environment {
    /// Starts a sandbox and waits until its runtime asks for work.
    pub(crate) async fn start(
        env: Env,
        driver: &dyn Driver,
        blueprint: Blueprint,
    ) -> Result<Self, StartFailure> {
        let begun = env.monotonic();
        let mut limit = INIT_LIMIT;
        let mut again = false;
        let mut tried = begun;
        loop {
            let phase = if again { InitPhase::Invoke } else { InitPhase::Init };
            let initialization_type = blueprint.initialization_type();
            blueprint.log.platform(blueprint.init_start(phase));
            let exchange = Exchange::new();
            let ports = blueprint.spec.ports.clone();
            let wiring = Wiring {
                exchange: exchange.clone(),
                output: blueprint.log.clone(),
                serve_endpoint: Box::new(move |inside| ports.serve_endpoint(inside)),
            };
            let started = match &blueprint.entrypoint_fault {
                Some(why) => Err(StartError::Entrypoint(why.clone())),
                None => driver.start(blueprint.sandbox.clone(), wiring).await,
            };
            let runtime_done = |status| {
                PlatformRecord::InitRuntimeDone(InitRuntimeDone { initialization_type, phase, status })
            };
            let report = |status, duration| {
                PlatformRecord::InitReport(InitReport { initialization_type, phase, status, duration })
            };
            let (failure, sandbox) = match started {
                Err(StartError::Host(why)) => return Err(StartFailure::Platform(InvokeError::Host(why))),
                Err(StartError::Entrypoint(why)) => (Failure::Entrypoint(why), None),
                Ok(sandbox) => match initialise(&env, &exchange, &*sandbox, limit).await {
                    Ok(()) => {
                        sandbox.initialised();
                        let took = env.monotonic().saturating_sub(tried);
                        blueprint.log.platform(runtime_done(Status::Success));
                        blueprint.log.platform(report(Status::Success, took));
                        if blueprint.reason.is_none() {
                            // What it printed is no invocation's.
                            blueprint.log.end();
                        }
                        let (reason, init_duration) =
                            (blueprint.reason, env.monotonic().saturating_sub(begun));
                        let birth = Birth {
                            init_duration: reason.map(|_| init_duration),
                            reason,
                            notes: blueprint.notes,
                        };
                        return Ok(Self {
                            since: env.now(),
                            reason,
                            init_duration,
                            invocations: AtomicU64::new(0),
                            env,
                            spec: blueprint.spec,
                            exchange,
                            sandbox,
                            log: blueprint.log,
                            birth: Mutex::new(Some(birth)),
                        });
                    }
                    Err(failure) => (failure, Some(sandbox)),
                },
            };
            let mut memory_max_bytes = 0;
            if let Some(sandbox) = sandbox {
                memory_max_bytes = sandbox.memory_peak_bytes().unwrap_or(0);
                sandbox.kill();
                sandbox.ended().await;
            }
            let took = env.monotonic().saturating_sub(tried);
            blueprint.log.platform(runtime_done(failure.status()));
            blueprint.log.platform(report(failure.status(), took));
            // Whatever the reason was, a runtime gets a second chance, and with it the time of an invocation.
            if !again {
                again = true;
                limit = blueprint.spec.timeout;
                tried = env.monotonic();
                continue;
            }
            return Err(StartFailure::Function(FailedInit {
                failure,
                init_duration: tried.saturating_sub(begun),
                duration: took,
                log: blueprint.log,
                notes: blueprint.notes,
                reason: blueprint.reason,
                memory_max_bytes,
            }));
        }
    }

    /// What it tells who looks.
    pub(crate) fn started(&self) -> Started {
        Started {
            since: self.since,
            reason: self.reason,
            init_duration: self.init_duration,
            memory_mb: self.spec.memory_mb,
            memory_peak_bytes: self.sandbox.memory_peak_bytes(),
            invocations: self.invocations.load(Ordering::Relaxed),
        }
    }

    /// Runs one invocation. The environment is of no further use unless it is alive afterwards.
    pub(crate) async fn invoke(&self, request: InvokeRequest) -> (InvokeOutcome, Alive) {
        let begun = self.env.monotonic();
        self.invocations.fetch_add(1, Ordering::Relaxed);
        let (request_id, stream) = (request.request_id.clone(), request.response_stream);
        self.log.begin(&request_id);
        let trace_id = request.trace_id.clone();
        self.log.platform(start_record(&request_id, &self.spec, trace_id.clone()));
        let invocation = Arc::new(Invocation {
            request_id: request.request_id,
            deadline: self.env.now() + self.spec.timeout,
            function_arn: request.invoked_arn.unwrap_or_else(|| self.spec.arn.clone()),
            trace_id: request.trace_id,
            client_context: request.client_context,
            cognito_identity: request.cognito_identity,
            payload: request.payload,
        });
        let answered = async {
            tokio::select! {
                biased;
                // What broke off a response may be the end of the runtime, which is soon known, or not.
                answer = self.exchange.invoke(invocation, stream) => match answer {
                    Answer::Truncated => tokio::select! {
                        biased;
                        exit = self.sandbox.ended() => Err(exit),
                        () = self.exchange.ready() => Ok(answer),
                    },
                    answer => Ok(answer),
                },
                exit = self.sandbox.ended() => Err(exit),
            }
        };
        let result = self.env.timeout(self.spec.timeout, answered).await;
        let duration = self.env.monotonic().saturating_sub(begun);
        self.sandbox.drain_output();
        let result = match result {
            Ok(Ok(Answer::Response(payload))) => Ok(payload),
            Ok(Ok(Answer::Fault(fault))) => Err(Failure::Fault(fault)),
            Ok(Ok(Answer::TooLarge)) => Err(Failure::TooLarge(RESPONSE_BYTES_MAX as u64)),
            Ok(Ok(Answer::Streamed)) => Ok(Bytes::new()),
            Ok(Ok(Answer::StreamTooLarge)) => Err(Failure::TooLarge(STREAM_BYTES_MAX)),
            Ok(Ok(Answer::Truncated)) => Err(Failure::Truncated),
            Ok(Err(exit)) => Err(Failure::Exited(exit)),
            Err(_elapsed) => Err(Failure::TimedOut),
        };
        let alive = match &result {
            Ok(_) | Err(Failure::Fault(_) | Failure::TooLarge(_) | Failure::Truncated) => Alive::Yes,
            Err(_) => Alive::No,
        };
        let memory_max_bytes = self.sandbox.memory_peak_bytes().unwrap_or(0);
        if alive == Alive::No {
            self.sandbox.kill();
        }
        let birth = self.birth.lock().expect("no code panics while it holds this lock").take();
        let (init_duration, reason, notes) = match birth {
            Some(birth) => (birth.init_duration, birth.reason, birth.notes),
            None => (None, None, Vec::new()),
        };
        let outcome = conclude(
            &self.spec,
            &self.log,
            &request_id,
            self.env.now(),
            Conclusion {
                result,
                initialised: true,
                trace_id,
                duration,
                init_duration,
                reason,
                notes,
                memory_max_bytes,
            },
        );
        (outcome, alive)
    }

    /// Waits until it can take another invocation. One that does not come back within the function's timeout
    /// is ended.
    pub(crate) async fn ready(&self) -> Alive {
        let ready = async {
            tokio::select! {
                biased;
                () = self.exchange.ready() => Alive::Yes,
                _ = self.sandbox.ended() => Alive::No,
            }
        };
        self.env.timeout(self.spec.timeout, ready).await.unwrap_or_else(|_elapsed| {
            self.sandbox.kill();
            Alive::No
        })
    }
}

/// Whether an environment can serve on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alive {
    Yes,
    No,
}

async fn initialise(
    env: &Env,
    exchange: &Exchange,
    sandbox: &dyn Sandbox,
    limit: Duration,
) -> Result<(), Failure> {
    let initialised = async {
        tokio::select! {
            biased;
            result = exchange.initialised() => result.map_err(Failure::Fault),
            exit = sandbox.ended() => Err(Failure::Exited(exit)),
        }
    };
    let result = env.timeout(limit, initialised).await.unwrap_or(Err(Failure::TimedOut));
    sandbox.drain_output();
    result
}

impl FailedInit {
    /// The outcome of the invocation for which the environment was started.
    pub(crate) fn outcome(self, env: &Env, spec: &FunctionSpec, request_id: &str) -> InvokeOutcome {
        self.log.begin(request_id);
        self.log.platform(start_record(request_id, spec, None));
        let conclusion = Conclusion {
            result: Err(self.failure),
            initialised: false,
            trace_id: None,
            duration: self.duration,
            init_duration: Some(self.init_duration),
            reason: self.reason,
            notes: self.notes,
            memory_max_bytes: self.memory_max_bytes,
        };
        conclude(spec, &self.log, request_id, env.now(), conclusion)
    }
}

struct Conclusion {
    result: Result<Bytes, Failure>,
    /// Whether the runtime came as far as asking for the invocation.
    initialised: bool,
    trace_id: Option<String>,
    duration: Duration,
    init_duration: Option<Duration>,
    reason: Option<ColdReason>,
    notes: Vec<String>,
    memory_max_bytes: u64,
}

/// Writes the last lines of an invocation and makes its outcome.
fn conclude(
    spec: &FunctionSpec,
    log: &EnvironmentLog,
    request_id: &str,
    now: apus_time::Timestamp,
    conclusion: Conclusion,
) -> InvokeOutcome {
    let Conclusion {
        result,
        initialised,
        trace_id,
        duration,
        init_duration,
        reason,
        notes,
        memory_max_bytes,
    } = conclusion;
    let (payload, function_error) = match &result {
        Ok(payload) => (payload.clone(), None),
        Err(failure) => {
            let error_type = failure.error_type();
            if let Some(text) = failure.log_line(request_id, now, spec.timeout) {
                log.platform(PlatformRecord::Fault(Fault { text }));
            }
            let payload = failure.payload(request_id, spec.timeout);
            (payload, Some(FunctionError { kind: "Unhandled", error_type }))
        }
    };
    let status = result.as_ref().err().map_or(Status::Success, Failure::status);
    if initialised {
        log.platform(PlatformRecord::RuntimeDone(RuntimeDone {
            request_id: request_id.to_owned(),
            status: status.clone(),
            duration,
            produced_bytes: result.as_ref().ok().map(|payload| payload.len() as u64),
            trace_id: trace_id.clone(),
            spans: Vec::new(),
        }));
    }
    let status = match &result {
        // The environment is well.
        Err(Failure::Fault(_) | Failure::TooLarge(_) | Failure::Truncated) if initialised => Status::Success,
        _ => status,
    };
    let billed_ms = billed_ms(duration + init_duration.unwrap_or_default());
    log.platform(PlatformRecord::End(End { request_id: request_id.to_owned() }));
    log.platform(PlatformRecord::Report(Report {
        request_id: request_id.to_owned(),
        status,
        duration,
        init_duration: init_duration.filter(|_| initialised),
        billed_ms,
        memory_mb: spec.memory_mb,
        memory_max_bytes,
        trace_id,
        spans: Vec::new(),
    }));
    InvokeOutcome {
        payload,
        function_error,
        log: log.end(),
        cold: reason,
        init_duration,
        duration,
        billed_ms,
        memory_max_bytes,
        notes,
    }
}

fn start_record(request_id: &str, spec: &FunctionSpec, trace_id: Option<String>) -> PlatformRecord {
    let (request_id, version) = (request_id.to_owned(), spec.version.clone());
    PlatformRecord::Start(Start { request_id, version, trace_id })
}

/// Every begun millisecond is billed.
fn billed_ms(duration: Duration) -> u64 {
    duration.as_nanos().div_ceil(1_000_000) as u64
}
