//! One execution environment: its start, and one invocation at a time. Knows neither the pool's other
//! environments nor what drives the sandbox.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_env::Env;
use bytes::Bytes;

use super::cold::ColdReason;
use super::failure::Failure;
use crate::driver::{Driver, Sandbox, SandboxSpec, StartError, Wiring};
use crate::exchange::{Answer, Exchange, Invocation};
use crate::invoke::{FunctionError, InvokeError, InvokeOutcome, InvokeRequest};
use crate::output::EnvironmentLog;
use crate::report::{self, Status};
use crate::spec::FunctionSpec;

/// How long a runtime may take to initialise before it gets a second chance under the function's timeout.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What an environment is started from.
pub(crate) struct Blueprint {
    pub(crate) spec: FunctionSpec,
    pub(crate) sandbox: SandboxSpec,
    /// Why there is nothing to start in the sandbox, if the function brings nothing.
    pub(crate) entrypoint_fault: Option<String>,
    pub(crate) log: Arc<EnvironmentLog>,
    pub(crate) notes: Vec<String>,
    /// Why it is started.
    pub(crate) reason: ColdReason,
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
    init_duration: Duration,
    log: Arc<EnvironmentLog>,
    notes: Vec<String>,
    reason: ColdReason,
    memory_max_bytes: u64,
}

/// An environment that has initialised.
pub(crate) struct Environment {
    env: Env,
    spec: FunctionSpec,
    exchange: Arc<Exchange>,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    log: Arc<EnvironmentLog>,
    /// For the first invocation, which was cold.
    birth: Mutex<Option<Birth>>,
}

struct Birth {
    init_duration: Duration,
    reason: ColdReason,
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
        loop {
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
            let (failure, sandbox) = match started {
                Err(StartError::Host(why)) => return Err(StartFailure::Platform(InvokeError::Host(why))),
                Err(StartError::Entrypoint(why)) => (Failure::Entrypoint(why), None),
                Ok(sandbox) => match initialise(&env, &exchange, &*sandbox, limit).await {
                    Ok(()) => {
                        sandbox.initialised();
                        let birth = Birth {
                            init_duration: env.monotonic().saturating_sub(begun),
                            reason: blueprint.reason,
                            notes: blueprint.notes,
                        };
                        return Ok(Self {
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
            if matches!(failure, Failure::TimedOut) && !again {
                again = true;
                limit = blueprint.spec.timeout;
                continue;
            }
            return Err(StartFailure::Function(FailedInit {
                failure,
                init_duration: env.monotonic().saturating_sub(begun),
                log: blueprint.log,
                notes: blueprint.notes,
                reason: blueprint.reason,
                memory_max_bytes,
            }));
        }
    }

    /// Runs one invocation. The environment is of no further use unless it is alive afterwards.
    pub(crate) async fn invoke(&self, request: InvokeRequest) -> (InvokeOutcome, Alive) {
        let begun = self.env.monotonic();
        let request_id = request.request_id.clone();
        self.log.begin(&request_id);
        self.log.platform_line(&report::start(&request_id, &self.spec.version));
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
                answer = self.exchange.invoke(invocation) => Ok(answer),
                exit = self.sandbox.ended() => Err(exit),
            }
        };
        let result = self.env.timeout(self.spec.timeout, answered).await;
        let duration = self.env.monotonic().saturating_sub(begun);
        self.sandbox.drain_output();
        let result = match result {
            Ok(Ok(Answer::Response(payload))) => Ok(payload),
            Ok(Ok(Answer::Fault(fault))) => Err(Failure::Fault(fault)),
            Ok(Ok(Answer::TooLarge)) => Err(Failure::TooLarge),
            Ok(Err(exit)) => Err(Failure::Exited(exit)),
            Err(_elapsed) => Err(Failure::TimedOut),
        };
        let alive = match &result {
            Ok(_) | Err(Failure::Fault(_) | Failure::TooLarge) => Alive::Yes,
            Err(_) => Alive::No,
        };
        let memory_max_bytes = self.sandbox.memory_peak_bytes().unwrap_or(0);
        if alive == Alive::No {
            self.sandbox.kill();
        }
        let birth = self.birth.lock().expect("no code panics while it holds this lock").take();
        let (init_duration, reason, notes) = match birth {
            Some(birth) => (Some(birth.init_duration), Some(birth.reason), birth.notes),
            None => (None, None, Vec::new()),
        };
        let outcome = conclude(
            &self.spec,
            &self.log,
            &request_id,
            self.env.now(),
            Conclusion { result, duration, init_duration, reason, notes, memory_max_bytes },
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
        let error_type = self.failure.error_type();
        let status = if matches!(self.failure, Failure::TimedOut) {
            Status::Timeout
        } else {
            Status::Error(&error_type)
        };
        self.log.platform_line(&report::init_report(self.init_duration, status));
        self.log.begin(request_id);
        self.log.platform_line(&report::start(request_id, &spec.version));
        let conclusion = Conclusion {
            result: Err(self.failure),
            duration: Duration::ZERO,
            init_duration: Some(self.init_duration),
            reason: Some(self.reason),
            notes: self.notes,
            memory_max_bytes: self.memory_max_bytes,
        };
        conclude(spec, &self.log, request_id, env.now(), conclusion)
    }
}

struct Conclusion {
    result: Result<Bytes, Failure>,
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
    let Conclusion { result, duration, init_duration, reason, notes, memory_max_bytes } = conclusion;
    let (payload, function_error) = match &result {
        Ok(payload) => (payload.clone(), None),
        Err(failure) => {
            let error_type = failure.error_type();
            if let Some(line) = failure.log_line(request_id, now, spec.timeout) {
                log.platform_line(&line);
            }
            let payload = failure.payload(request_id, spec.timeout);
            (payload, Some(FunctionError { kind: "Unhandled", error_type }))
        }
    };
    let status = match (&result, &function_error) {
        (Err(Failure::TimedOut), _) => Status::Timeout,
        (Err(Failure::Exited(_) | Failure::Entrypoint(_)), Some(error)) => Status::Error(&error.error_type),
        _ => Status::Success,
    };
    let billed_ms = report::billed_ms(duration + init_duration.unwrap_or_default());
    log.platform_line(&format!("END RequestId: {request_id}"));
    log.platform_line(&report::report(&report::Figures {
        request_id,
        duration,
        init_duration,
        billed_ms,
        memory_mb: spec.memory_mb,
        memory_max_bytes,
        status,
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
