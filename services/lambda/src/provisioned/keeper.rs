//! The worker that brings provisioned concurrency about: from the start of the platform on, and whenever a
//! configuration or an alias changes. What is new stands before what is old goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_compute::FunctionKey;
use apus_kernel::{Caller, Context, Origin, Platform};
use apus_schema::ServiceError;
use apus_store::StoreError;
use apus_time::Timestamp;
use tokio::sync::Notify;
use tracing::warn;

use super::rules::configured;
use super::wanted::wanted;
use crate::errors::Failure;
use crate::function_name::{FunctionId, FunctionReference};
use crate::mapping::back_off::BackOff;
use crate::role_sessions::{PRINCIPAL, RoleSession};
use crate::store::find::{Found, find};
use crate::store::pages::{self, PAGE};
use crate::store::provisioned;
use crate::{Lambda, environment};

/// The rest after a failure of the store.
const REST: Duration = Duration::from_secs(1);
/// The longest rest after failures of one function.
const REST_MAX: Duration = Duration::from_mins(5);

/// What operations and the worker tell each other.
#[derive(Default)]
pub(crate) struct Provisions {
    changed: Mutex<BTreeSet<FunctionId>>,
    wake: Notify,
    kept: Mutex<BTreeMap<FunctionId, BTreeMap<String, Kept>>>,
}

/// What the pool was told to keep of a version.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// What the pool knows its environments by; absent if it was told nothing yet.
    pub(crate) key: Option<FunctionKey>,
    /// Why the pool could not be told, if so.
    pub(crate) problem: Option<String>,
}

impl Provisions {
    /// A configuration of the function, or what an alias of it leads to, was changed; or the function is gone.
    pub(crate) fn changed(&self, id: &FunctionId) {
        lock(&self.changed).insert(id.clone());
        self.wake.notify_one();
    }

    /// What the pool was told to keep of that version.
    pub(crate) fn kept(&self, id: &FunctionId, version: &str) -> Option<Kept> {
        lock(&self.kept).get(id)?.get(version).cloned()
    }

    fn take_one(&self) -> Option<FunctionId> {
        lock(&self.changed).pop_first()
    }

    fn show(&self, id: &FunctionId, kept: BTreeMap<String, Kept>) {
        if kept.is_empty() {
            lock(&self.kept).remove(id);
        } else {
            lock(&self.kept).insert(id.clone(), kept);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The worker.
pub(crate) async fn keep_provisioned(lambda: Arc<Lambda>, platform: Platform) {
    while let Err(error) = find_all(&lambda).await {
        warn!(%error, "provisioned concurrency cannot be read yet");
        lambda.env.sleep(REST).await;
    }
    let mut keeper = Keeper { lambda: Arc::clone(&lambda), platform, functions: BTreeMap::new() };
    while !lambda.compute.is_stopping() {
        let stands = lambda.compute.provisioning();
        while let Some(id) = lambda.provisions.take_one() {
            keeper.tend(&id).await;
        }
        keeper.conclude();
        let next = keeper.next_due();
        let due = async {
            match next {
                Some(at) => lambda.env.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = lambda.provisions.wake.notified() => {}
            () = stands => {}
            () = due => keeper.call_due(),
        }
    }
}

/// Every function that has a configuration counts as changed.
async fn find_all(lambda: &Lambda) -> Result<(), StoreError> {
    let read = |after: Option<_>| {
        lambda.store.read(move |tx| {
            let after = after.clone();
            async move { provisioned::list_all(&tx, after.as_ref(), PAGE).await }
        })
    };
    pages::every(read, |id| lambda.provisions.changed(id)).await
}

struct Keeper {
    lambda: Arc<Lambda>,
    platform: Platform,
    functions: BTreeMap<FunctionId, Function>,
}

struct Function {
    versions: BTreeMap<String, Version>,
    back_off: BackOff,
    /// When to try again what failed.
    retry_at: Option<Timestamp>,
}

/// A version of which environments are kept, or were and still stand.
#[derive(Default)]
struct Version {
    wanted: bool,
    /// The session that its environments work under.
    session: Option<Arc<RoleSession>>,
    /// When they are to be replaced by others, under a new session.
    renew_at: Option<Timestamp>,
    /// The revision of its content, once invocations are to change to the new session.
    renewed: Option<String>,
    /// The session before, while those of the new one do not stand yet.
    before: Option<Arc<RoleSession>>,
    problem: Option<String>,
}

/// What is to stand of a version.
struct Wish {
    found: Found,
    count: u32,
}

impl Keeper {
    /// Tells the pool what is to stand of the function now.
    async fn tend(&mut self, id: &FunctionId) {
        let wishes = match self.wishes(id).await {
            Ok(wishes) => wishes,
            Err(error) => {
                warn!(function = id.name, %error, "a change of provisioned concurrency waits");
                let rest = self.function(id).back_off.failed();
                self.function(id).retry_at = Some(self.lambda.env.now() + rest);
                return;
            }
        };
        if wishes.is_empty() && !self.functions.contains_key(id) {
            return;
        }
        let mut versions = std::mem::take(&mut self.function(id).versions);
        for (name, version) in &mut versions {
            version.wanted = wishes.iter().any(|wish| wish.found.version == *name);
        }
        let mut failed = false;
        for wish in wishes {
            let name = wish.found.version.clone();
            let version = versions.entry(name.clone()).or_default();
            version.wanted = true;
            let kept = self.keep(id, version, wish).await;
            version.problem = kept.err().map(|error| error.message().to_owned());
            if let Some(problem) = &version.problem {
                warn!(function = id.name, version = name, problem, "environments cannot be provisioned");
                failed = true;
            }
        }
        let now = self.lambda.env.now();
        let function = self.function(id);
        function.versions = versions;
        if failed {
            function.retry_at = Some(now + function.back_off.failed());
        } else {
            function.retry_at = None;
            function.back_off.succeeded();
        }
    }

    fn function(&mut self, id: &FunctionId) -> &mut Function {
        self.functions.entry(id.clone()).or_insert_with(|| Function {
            versions: BTreeMap::new(),
            back_off: BackOff::new(REST, REST_MAX),
            retry_at: None,
        })
    }

    /// What is to stand, of each version that is there.
    async fn wishes(&self, id: &FunctionId) -> Result<Vec<Wish>, ServiceError> {
        let read = self.lambda.store.read(|tx| async move {
            let (configs, aliases) = configured(&tx, id).await?;
            let mut wishes = Vec::new();
            for (version, count) in wanted(&configs, &aliases) {
                let named = FunctionReference { id: id.clone(), qualifier: Some(version) };
                let found = find(&tx, &named, None).await?;
                wishes.extend(found.map(|found| Wish { found, count }));
            }
            Ok::<_, Failure>(wishes)
        });
        Ok(read.await?)
    }

    /// Tells the pool about one version, under a session that lasts.
    async fn keep(&self, id: &FunctionId, version: &mut Version, wish: Wish) -> Result<(), ServiceError> {
        let (lambda, Wish { found, count }) = (&self.lambda, wish);
        let function = FunctionReference { id: id.clone(), qualifier: Some(found.version.clone()) };
        let (code, layers) = lambda.unpacked(&function, &found.record).await?;
        let context = self.context(id);
        let session = match &version.session {
            Some(session) if version.renew_at.is_some_and(|at| context.now < at) => Arc::clone(session),
            Some(_) => {
                let fresh = lambda.sessions.fresh(&context, id, &found.version, &found.record).await?;
                // One renewal at a time: what an unfinished one left is no good any more.
                let before = version.session.replace(Arc::clone(&fresh));
                if let Some(given_up) = std::mem::replace(&mut version.before, before) {
                    lambda.compute.retire(&given_up.key);
                }
                version.renewed = Some(found.record.content_revision().to_owned());
                fresh
            }
            None => {
                let retire = |key: &FunctionKey| lambda.compute.retire(key);
                lambda.sessions.get(&context, id, &found.version, &found.record, retire).await?
            }
        };
        version.renew_at = Some(session.renew_at(context.now));
        version.session = Some(Arc::clone(&session));
        let spec = environment::spec(lambda, id, &found, session, code, layers);
        lambda.compute.provision(spec, count as usize);
        Ok(())
    }

    fn context(&self, id: &FunctionId) -> Context {
        let caller = Caller::service(PRINCIPAL, id.account, id.region.clone());
        self.platform.context(caller, Origin::default(), None)
    }

    /// Lets go of what is not wanted any more, where everything that is wanted stands or cannot.
    fn conclude(&mut self) {
        let lambda = &self.lambda;
        for (id, function) in &mut self.functions {
            let mut settled = true;
            for version in function.versions.values_mut().filter(|version| version.wanted) {
                let Some(session) = &version.session else { continue };
                if let Some(found) = lambda.compute.provisioned(&session.key) {
                    settled &= found.is_settled();
                } else {
                    // The session was given up, and its environments with it.
                    (version.session, version.renewed) = (None, None);
                    lambda.provisions.changed(id);
                    settled = false;
                }
            }
            if settled {
                function.versions.retain(|name, version| {
                    if !version.wanted {
                        for session in version.session.iter().chain(&version.before) {
                            lambda.compute.release(&session.key);
                        }
                        return false;
                    }
                    if let (Some(revision), Some(session)) = (version.renewed.take(), &version.session) {
                        let replaced = lambda.sessions.install(id, name, &revision, Arc::clone(session));
                        if let Some(replaced) = replaced {
                            lambda.compute.retire(&replaced);
                        }
                    }
                    if let Some(before) = version.before.take() {
                        lambda.compute.retire(&before.key);
                    }
                    true
                });
            }
            let shown = function.versions.iter().map(|(name, version)| {
                let session = version.before.as_ref().or(version.session.as_ref());
                let key = session.map(|session| session.key.clone());
                (name.clone(), Kept { key, problem: version.problem.clone() })
            });
            lambda.provisions.show(id, shown.collect());
        }
        self.functions.retain(|_, function| !function.versions.is_empty() || function.retry_at.is_some());
    }

    /// When something is to be tried again, or a session to be renewed.
    fn next_due(&self) -> Option<Timestamp> {
        self.functions.values().filter_map(Function::due_at).min()
    }

    fn call_due(&self) {
        let now = self.lambda.env.now();
        for (id, _) in
            self.functions.iter().filter(|(_, function)| function.due_at().is_some_and(|at| at <= now))
        {
            self.lambda.provisions.changed(id);
        }
    }
}

impl Function {
    fn due_at(&self) -> Option<Timestamp> {
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        let wanted = self.versions.values().filter(|version| version.wanted);
        wanted.filter_map(|version| version.renew_at).min()
    }
}
