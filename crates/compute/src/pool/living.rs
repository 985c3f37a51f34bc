//! A sandbox with those who meet in it: what breaks it, and how it is shut down. Knows no invocations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use apus_env::Env;
use tokio::sync::OnceCell;

use super::failure::{ExtensionFailure, Failure};
use crate::driver::{Ends, Exit, ProgramEnd, Sandbox};
use crate::exchange::{Exchange, ExtensionKind, ShutdownReason};
use crate::telemetry::Telemetry;

/// How long a shutdown may take that external extensions are told of: AWS's number.
const EXTERNAL_LIMIT: Duration = Duration::from_secs(2);
/// The part of it that is the runtime's, which ends first.
const RUNTIME_LIMIT: Duration = Duration::from_millis(600);
/// How long the runtime may take in which internal extensions are, if there are no others: AWS's number.
const INTERNAL_LIMIT: Duration = Duration::from_millis(500);
/// The signal that the kernel kills with, for want of memory too.
const SIGKILL: i32 = 9;

pub(crate) struct Living {
    pub(super) env: Env,
    pub(super) exchange: Arc<Exchange>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) sandbox: Arc<dyn Sandbox>,
    /// The names of its companions.
    companions: Vec<String>,
    /// Whether its program was started.
    begun: AtomicBool,
    ending: AtomicBool,
    broken: OnceCell<Failure>,
}

impl Living {
    pub(super) fn new(
        env: Env,
        exchange: Arc<Exchange>,
        telemetry: Arc<Telemetry>,
        sandbox: Arc<dyn Sandbox>,
        companions: Vec<String>,
    ) -> Self {
        telemetry.attach(&sandbox);
        let begun = AtomicBool::new(companions.is_empty());
        let ending = AtomicBool::new(false);
        Self { env, exchange, telemetry, sandbox, companions, begun, ending, broken: OnceCell::new() }
    }

    /// Starts the program, if that has waited for the companions.
    pub(super) async fn begin(&self) -> Result<(), crate::driver::StartError> {
        self.sandbox.begin().await?;
        self.begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether anybody wants to know when it ends.
    pub(crate) fn has_extensions(&self) -> bool {
        !self.exchange.extensions().is_empty()
    }

    /// Waits until its program or an extension is gone or has failed, and says which was the first.
    pub(super) async fn broken(&self) -> Failure {
        self.broken.get_or_init(|| self.first_failure()).await.clone()
    }

    async fn first_failure(&self) -> Failure {
        let mut ends = self.sandbox.ends();
        let end = async {
            match ends.wait_for(|ends| first_end(ends).is_some()).await {
                Ok(ends) => first_end(&ends),
                Err(_) => None,
            }
        };
        let (companion, exit) = tokio::select! {
            biased;
            fault = self.exchange.extension_failed() => {
                return Failure::Extension(ExtensionFailure::Reported(fault));
            }
            Some(end) = end => end,
            exit = self.sandbox.ended() => return Failure::Exited(exit),
        };
        if exit == Exit::Signal(SIGKILL) {
            // By the kernel, if memory was short, which is known once nothing is left.
            self.sandbox.kill();
            if self.sandbox.ended().await == Exit::OutOfMemory {
                return Failure::Exited(Exit::OutOfMemory);
            }
        }
        match companion.and_then(|at| self.companions.get(at)) {
            Some(name) => Failure::Extension(ExtensionFailure::Crashed(name.clone(), exit)),
            None => Failure::Exited(exit),
        }
    }

    /// The same for one that nobody waits for: whether it stands on without what is gone, which nobody wants.
    pub(crate) async fn broken_while_standing(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.sandbox.ended() => false,
            _ = self.broken() => true,
        }
    }

    /// Waits until nothing of it is left.
    pub(crate) async fn ended(&self) {
        self.sandbox.ended().await;
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.telemetry.close();
        self.sandbox.kill();
    }

    /// Ends it, and returns when nothing is left. Those who want to know are told, and have their time.
    pub(crate) async fn shut_down(&self, reason: ShutdownReason) {
        if !self.ending.swap(true, Ordering::Relaxed) {
            let extensions = self.exchange.extensions();
            if !extensions.is_empty() {
                let external = extensions.iter().any(|one| one.kind == ExtensionKind::External);
                let limit = if external { EXTERNAL_LIMIT } else { INTERNAL_LIMIT };
                let _elapsed = self.env.timeout(limit, self.take_leave(reason, limit)).await;
            }
            self.kill();
        }
        self.sandbox.ended().await;
    }

    /// The runtime goes first, so that extensions see all of it.
    async fn take_leave(&self, reason: ShutdownReason, limit: Duration) {
        let deadline = self.env.now() + limit;
        self.telemetry.flush();
        if self.begun.load(Ordering::Relaxed) {
            self.sandbox.end_program(ProgramEnd::Asked);
            let program = self.until(|ends| ends.program.is_some());
            if self.env.timeout(RUNTIME_LIMIT, program).await.is_err() {
                self.sandbox.end_program(ProgramEnd::Killed);
                self.until(|ends| ends.program.is_some()).await;
            }
        }
        let _elapsed = self.env.timeout(RUNTIME_LIMIT, self.telemetry.flushed()).await;
        let told = self.exchange.announce_shutdown(reason, deadline);
        let told: Vec<usize> =
            (0..self.companions.len()).filter(|at| told.contains(&self.companions[*at])).collect();
        self.until(|ends| told.iter().all(|at| ends.companions.get(*at).is_none_or(Option::is_some))).await;
    }

    /// Waits for a state of its programs, or its end.
    async fn until(&self, is_so: impl Fn(&Ends) -> bool) {
        let mut ends = self.sandbox.ends();
        tokio::select! {
            _ = ends.wait_for(is_so) => {}
            _ = self.sandbox.ended() => {}
        }
    }

    /// Lets nothing in it run until it is thawed.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        if frozen {
            self.telemetry.set_frozen(true);
            self.sandbox.freeze();
        } else {
            self.sandbox.thaw();
            self.telemetry.set_frozen(false);
        }
    }
}

impl Drop for Living {
    /// What ended by itself was told by nobody that nothing can be delivered any more.
    fn drop(&mut self) {
        self.telemetry.close();
    }
}

/// The program's, or a companion's by its number.
fn first_end(ends: &Ends) -> Option<(Option<usize>, Exit)> {
    let companion = || ends.companions.iter().enumerate().find_map(|(at, exit)| Some((Some(at), (*exit)?)));
    ends.program.map(|exit| (None, exit)).or_else(companion)
}
