//! The extensions' side of the exchange: who registers, who is told what, and when all have done their part.

use std::sync::Arc;

use apus_time::Timestamp;

use super::{Exchange, Invocation, Misuse};

/// Extensions of one environment: AWS's number.
pub const EXTENSIONS_MAX: usize = 10;
/// The longest name of an extension, which may be that of its file.
pub const EXTENSION_NAME_BYTES_MAX: usize = 255;

/// What extensions register for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// To be told of each invocation.
    Invoke,
    /// To be told that the environment ends.
    Shutdown,
}

impl Lifecycle {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invoke => "INVOKE",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// Where an extension runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionKind {
    /// In a process of its own, which the platform started.
    External,
    /// In the runtime's process, or one that this started.
    Internal,
}

/// Why an environment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownReason {
    /// It is not needed any more.
    Spindown,
    /// The runtime or an extension took too long.
    Timeout,
    /// The runtime or an extension failed.
    Failure,
}

impl ShutdownReason {
    /// AWS's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spindown => "spindown",
            Self::Timeout => "timeout",
            Self::Failure => "failure",
        }
    }
}

/// What an extension is told.
#[derive(Clone, Debug)]
pub enum ExtensionEvent {
    /// An invocation has begun.
    Invoke(Arc<Invocation>),
    /// The environment ends.
    Shutdown {
        /// Why.
        reason: ShutdownReason,
        /// When what is left of it is killed.
        deadline: Timestamp,
    },
}

/// Why somebody does not become an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// The start is over.
    Closed,
    /// There are [`EXTENSIONS_MAX`].
    TooMany,
    /// Somebody has this name.
    NameTaken,
    /// Internal extensions are not told that the environment ends.
    ShutdownOfInternal,
}

/// An extension, for who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub kind: ExtensionKind,
    /// What it registered for.
    pub wants: Vec<Lifecycle>,
    /// AWS's word for how it stands.
    pub state: &'static str,
}

/// An extension says that it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionFault {
    /// Its name.
    pub name: String,
    /// Whether it could not initialise; otherwise it cannot go on.
    pub in_init: bool,
    /// What it calls the error, if anything.
    pub error_type: Option<String>,
}

/// How far an extension has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its process was started.
    Started,
    Registered,
    /// It has asked for an event, and has got none since.
    Waiting,
    /// It has got an event.
    Running,
    Failed,
}

#[derive(Debug)]
pub(super) struct Extension {
    name: String,
    kind: ExtensionKind,
    /// By which it is known once it has registered.
    id: String,
    wants: Vec<Lifecycle>,
    stage: Stage,
    offered: Option<ExtensionEvent>,
}

impl Extension {
    fn new(name: String, kind: ExtensionKind) -> Self {
        Self { name, kind, id: String::new(), wants: Vec::new(), stage: Stage::Started, offered: None }
    }

    fn register(&mut self, id: String, wants: Vec<Lifecycle>) {
        (self.id, self.wants, self.stage) = (id, wants, Stage::Registered);
    }

    /// Whether it has done its part.
    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Waiting && self.offered.is_none()
    }

    pub(super) fn offer_invocation(&mut self, invocation: &Arc<Invocation>) {
        if self.wants.contains(&Lifecycle::Invoke) {
            self.offered = Some(ExtensionEvent::Invoke(Arc::clone(invocation)));
        }
    }

    fn describe(&self) -> Registered {
        let state = match self.stage {
            Stage::Started => "Started",
            Stage::Registered => "Registered",
            Stage::Waiting => "Ready",
            Stage::Running => "Running",
            Stage::Failed => "Failed",
        };
        Registered { name: self.name.clone(), kind: self.kind, wants: self.wants.clone(), state }
    }
}

impl Exchange {
    /// One for a new environment in which these external extensions are started, [`EXTENSIONS_MAX`] at most.
    pub fn with_extensions(names: &[String]) -> Arc<Self> {
        assert!(names.len() <= EXTENSIONS_MAX, "no more are started");
        let exchange = Self::new();
        let started = names.iter().map(|name| Extension::new(name.clone(), ExtensionKind::External));
        exchange.lock().extensions.extend(started);
        exchange
    }

    /// For an extension: registers by this name, to be known by this identifier. A name by which none was started is an
    /// internal extension's.
    pub fn register(&self, name: &str, wants: Vec<Lifecycle>, id: String) -> Result<(), RegisterError> {
        {
            let mut state = self.lock();
            if state.sealed || state.closed {
                return Err(RegisterError::Closed);
            }
            let is_full = state.extensions.len() >= EXTENSIONS_MAX;
            match state.extensions.iter_mut().find(|extension| extension.name == name) {
                Some(extension) if extension.stage == Stage::Started => extension.register(id, wants),
                Some(_) => return Err(RegisterError::NameTaken),
                None if wants.contains(&Lifecycle::Shutdown) => {
                    return Err(RegisterError::ShutdownOfInternal);
                }
                None if is_full => return Err(RegisterError::TooMany),
                None => {
                    let mut extension = Extension::new(name.to_owned(), ExtensionKind::Internal);
                    extension.register(id, wants);
                    state.extensions.push(extension);
                }
            }
        }
        self.to_pool.notify_waiters();
        Ok(())
    }

    /// For an extension: waits for the next event. Dropping the future loses none.
    pub async fn next_event(&self, id: &str) -> Result<ExtensionEvent, Misuse> {
        {
            let mut state = self.lock();
            let extension = known(&mut state.extensions, id)?;
            if extension.stage == Stage::Failed {
                return Err(Misuse::InvalidStateTransition);
            }
            extension.stage = Stage::Waiting;
        }
        self.to_pool.notify_waiters();
        self.await_runtime_side(|state| {
            if state.closed {
                return Some(Err(Misuse::Closed));
            }
            let extension = match known(&mut state.extensions, id) {
                Ok(extension) => extension,
                Err(misuse) => return Some(Err(misuse)),
            };
            let event = extension.offered.take()?;
            extension.stage = Stage::Running;
            Some(Ok(event))
        })
        .await
    }

    /// For an extension: says that it failed, which ends the environment.
    pub fn fail_extension(&self, id: &str, in_init: bool, error_type: Option<String>) -> Result<(), Misuse> {
        {
            let mut state = self.lock();
            let extension = known(&mut state.extensions, id)?;
            if extension.stage == Stage::Failed || in_init && extension.stage != Stage::Registered {
                return Err(Misuse::InvalidStateTransition);
            }
            extension.stage = Stage::Failed;
            let fault = ExtensionFault { name: extension.name.clone(), in_init, error_type };
            state.extension_fault.get_or_insert(fault);
        }
        self.to_pool.notify_waiters();
        Ok(())
    }

    /// For an extension: its name.
    pub fn extension(&self, id: &str) -> Result<String, Misuse> {
        known(&mut self.lock().extensions, id).map(|extension| extension.name.clone())
    }

    /// For the pool: waits until those whose processes were started have registered.
    pub async fn registered(&self) {
        self.await_pool_side(|state| {
            state.extensions.iter().all(|extension| extension.stage != Stage::Started).then_some(())
        })
        .await;
    }

    /// For the pool: waits until an extension says that it failed.
    pub async fn extension_failed(&self) -> ExtensionFault {
        self.await_pool_side(|state| state.extension_fault.clone()).await
    }

    /// For the pool: the extensions, in the order in which they came.
    pub fn extensions(&self) -> Vec<Registered> {
        self.lock().extensions.iter().map(Extension::describe).collect()
    }

    /// For the pool: tells the extensions that want to know that the environment ends. Names them.
    pub fn announce_shutdown(&self, reason: ShutdownReason, deadline: Timestamp) -> Vec<String> {
        let mut told = Vec::new();
        for extension in &mut self.lock().extensions {
            if extension.wants.contains(&Lifecycle::Shutdown) {
                extension.offered = Some(ExtensionEvent::Shutdown { reason, deadline });
                told.push(extension.name.clone());
            }
        }
        self.to_runtime.notify_waiters();
        told
    }
}

fn known<'a>(extensions: &'a mut [Extension], id: &str) -> Result<&'a mut Extension, Misuse> {
    let registered = extensions.iter_mut().filter(|extension| extension.stage != Stage::Started);
    registered.into_iter().find(|extension| extension.id == id).ok_or(Misuse::UnknownExtension)
}
