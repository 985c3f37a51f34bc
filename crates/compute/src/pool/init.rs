//! The start of an environment: tries, until its runtime and its extensions have asked for work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apus_env::Env;

use super::cold::ColdReason;
use super::environment::{Conclusion, Environment, conclude, start_record};
use super::failure::{ExtensionFailure, Failure};
use super::living::Living;
use crate::driver::{Driver, SandboxSpec, StartError, Wiring};
use crate::exchange::{EXTENSIONS_MAX, Exchange, ShutdownReason};
use crate::inside::{FunctionFacts, Inside};
use crate::invoke::{InvokeError, InvokeOutcome};
use crate::output::{EnvironmentLog, ExtensionOutput};
use crate::platform_event::{
    Extension, InitPhase, InitReport, InitRuntimeDone, InitStart, InitializationType, PlatformRecord, Status,
};
use crate::spec::FunctionSpec;
use crate::telemetry::Telemetry;

/// How long a runtime and its extensions may take to initialise before they get a second chance under the function's
/// timeout.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How long at least where nobody waits for it.
const INIT_LIMIT_AHEAD_MIN: Duration = Duration::from_secs(130);
/// How long at most.
const INIT_LIMIT_AHEAD_MAX: Duration = Duration::from_mins(15);

/// What an environment is started from.
pub(crate) struct Blueprint {
    pub(crate) spec: FunctionSpec,
    pub(crate) sandbox: SandboxSpec,
    /// Why there is nothing to start in the sandbox, if the function brings nothing.
    pub(crate) entrypoint_fault: Option<String>,
    pub(crate) log: Arc<EnvironmentLog>,
    /// A name of the environment, of no meaning.
    pub(crate) instance_id: String,
    /// The names of the programs in `/opt/extensions`.
    pub(crate) extensions: Vec<String>,
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

    /// How long a try may take.
    fn limit(&self, phase: InitPhase) -> Duration {
        match (phase, self.reason) {
            (InitPhase::Init, Some(_)) => INIT_LIMIT,
            (InitPhase::Invoke, Some(_)) => self.spec.timeout,
            (_, None) => self.spec.timeout.clamp(INIT_LIMIT_AHEAD_MIN, INIT_LIMIT_AHEAD_MAX),
        }
    }

    fn facts(&self) -> FunctionFacts {
        FunctionFacts {
            name: self.spec.name.clone(),
            version: self.spec.version.clone(),
            handler: self.spec.handler.clone(),
            account: self.spec.arn.split(':').nth(4).unwrap_or_default().to_owned(),
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

/// One try.
struct Try<'a> {
    env: &'a Env,
    driver: &'a dyn Driver,
    blueprint: &'a Blueprint,
    phase: InitPhase,
}

/// What came of it, if not an environment.
struct Failed {
    failure: Failure,
    memory_max_bytes: u64,
}

impl Environment {
    /// Starts a sandbox and waits until its runtime and its extensions ask for work.
    pub(crate) async fn start(
        env: Env,
        driver: &dyn Driver,
        blueprint: Blueprint,
    ) -> Result<Self, StartFailure> {
        let begun = env.monotonic();
        let (mut phase, mut tried) = (InitPhase::Init, begun);
        loop {
            let attempt = Try { env: &env, driver, blueprint: &blueprint, phase };
            let failed = match attempt.make().await? {
                Ok(living) => {
                    let took = env.monotonic().saturating_sub(begun);
                    return Ok(Self::new(living, blueprint, took));
                }
                Err(failed) => failed,
            };
            let took = env.monotonic().saturating_sub(tried);
            // Whatever the reason was, a runtime gets a second chance, and with it the time of an invocation.
            if phase == InitPhase::Init {
                phase = InitPhase::Invoke;
                tried = env.monotonic();
                continue;
            }
            return Err(StartFailure::Function(FailedInit {
                failure: failed.failure,
                init_duration: tried.saturating_sub(begun),
                duration: took,
                log: blueprint.log,
                notes: blueprint.notes,
                reason: blueprint.reason,
                memory_max_bytes: failed.memory_max_bytes,
            }));
        }
    }
}

impl Try<'_> {
    async fn make(&self) -> Result<Result<Living, Failed>, StartFailure> {
        let (env, blueprint) = (self.env, self.blueprint);
        let begun = env.monotonic();
        let telemetry = Telemetry::new(env.clone());
        blueprint.log.attach(telemetry.clone());
        blueprint.log.platform(blueprint.init_start(self.phase));
        let is_runtime_done = AtomicBool::new(false);
        let (failure, living) = match self.start(telemetry).await {
            Err(StartError::Host(why)) => return Err(StartFailure::Platform(InvokeError::Host(why))),
            Err(StartError::Entrypoint(why)) => (Failure::Entrypoint(why), None),
            Err(StartError::Companion(why)) => (Failure::Extension(ExtensionFailure::Launch(why)), None),
            Ok(Err(failure)) => (failure, None),
            Ok(Ok(living)) => {
                let initialised = async {
                    tokio::select! {
                        biased;
                        initialised = self.initialise(&living, &is_runtime_done) => initialised,
                        failure = living.broken() => Err(failure),
                    }
                };
                let result = env.timeout(blueprint.limit(self.phase), initialised).await;
                living.sandbox.drain_output();
                match result.unwrap_or(Err(Failure::TimedOut)) {
                    Ok(()) => {
                        living.telemetry.seal();
                        living.sandbox.initialised();
                        self.report(Status::Success, env.monotonic().saturating_sub(begun));
                        self.tell_extensions(&living, None);
                        // It may be long before the environment runs again.
                        living.telemetry.flush();
                        return Ok(Ok(living));
                    }
                    Err(failure) => (failure, Some(living)),
                }
            }
        };
        let took = env.monotonic().saturating_sub(begun);
        if !is_runtime_done.into_inner() {
            self.runtime_done(failure.status());
        }
        self.report(failure.status(), took);
        let mut memory_max_bytes = 0;
        if let Some(living) = living {
            memory_max_bytes = living.sandbox.memory_peak_bytes().unwrap_or(0);
            if let Failure::Extension(failure) = &failure {
                self.tell_extensions(&living, Some((failure, failure.name())));
            }
            living.shut_down(failure.shutdown_reason().unwrap_or(ShutdownReason::Failure)).await;
        }
        Ok(Err(Failed { failure, memory_max_bytes }))
    }

    async fn start(&self, telemetry: Arc<Telemetry>) -> Result<Result<Living, Failure>, StartError> {
        let blueprint = self.blueprint;
        if let Some(why) = &blueprint.entrypoint_fault {
            return Err(StartError::Entrypoint(why.clone()));
        }
        let names = &blueprint.extensions;
        if names.len() > EXTENSIONS_MAX {
            return Ok(Err(Failure::Extension(ExtensionFailure::TooMany(names.len()))));
        }
        let exchange = Exchange::with_extensions(names);
        let ports = blueprint.spec.ports.clone();
        let inside = Inside {
            env: self.env.clone(),
            exchange: exchange.clone(),
            telemetry: telemetry.clone(),
            log: blueprint.log.clone(),
            function: Arc::new(blueprint.facts()),
        };
        let wiring = Wiring {
            exchange: exchange.clone(),
            inside,
            output: blueprint.log.clone(),
            companion_output: Arc::new(ExtensionOutput(blueprint.log.clone())),
            serve_endpoint: Box::new(move |inside| ports.serve_endpoint(inside)),
        };
        let sandbox = self.driver.start(blueprint.sandbox.clone(), wiring).await?;
        Ok(Ok(Living::new(self.env.clone(), exchange, telemetry, sandbox, names.clone())))
    }

    /// The program is started once its companions have registered, as on AWS. Notes when the runtime has done its part.
    async fn initialise(&self, living: &Living, is_runtime_done: &AtomicBool) -> Result<(), Failure> {
        living.exchange.registered().await;
        living.begin().await.map_err(|error| match error {
            StartError::Entrypoint(why) | StartError::Companion(why) | StartError::Host(why) => {
                Failure::Entrypoint(why)
            }
        })?;
        living.exchange.runtime_initialised().await.map_err(Failure::Fault)?;
        living.sandbox.drain_output();
        self.runtime_done(Status::Success);
        is_runtime_done.store(true, Ordering::Relaxed);
        living.exchange.initialised().await.map_err(Failure::Fault)
    }

    fn runtime_done(&self, status: Status) {
        let (initialization_type, phase) = (self.blueprint.initialization_type(), self.phase);
        let done = InitRuntimeDone { initialization_type, phase, status };
        self.blueprint.log.platform(PlatformRecord::InitRuntimeDone(done));
    }

    fn report(&self, status: Status, duration: Duration) {
        let (initialization_type, phase) = (self.blueprint.initialization_type(), self.phase);
        let report = InitReport { initialization_type, phase, status, duration };
        self.blueprint.log.platform(PlatformRecord::InitReport(report));
    }

    /// How it stands with the extensions, one of which may have failed.
    fn tell_extensions(&self, living: &Living, failed: Option<(&ExtensionFailure, Option<&str>)>) {
        for extension in living.exchange.extensions() {
            let failure = failed.filter(|(_, name)| *name == Some(extension.name.as_str()));
            self.blueprint.log.platform(PlatformRecord::Extension(Extension {
                state: extension.state,
                events: extension.wants.iter().map(|event| event.name()).collect(),
                error_type: failure.map(|(failure, _)| failure.error_type().to_owned()),
                name: extension.name,
            }));
        }
    }
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
            at: (env.now(), env.now()),
            duration: self.duration,
            init_duration: Some(self.init_duration),
            reason: self.reason,
            notes: self.notes,
            memory_max_bytes: self.memory_max_bytes,
        };
        let (mut outcome, close) = conclude(spec, &self.log, request_id, conclusion);
        outcome.log = close.write(&self.log, Vec::new());
        outcome
    }
}
