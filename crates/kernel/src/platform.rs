//! The door: every call of every operation, from a socket or from another service, passes here.
//!
//! One list in [`Platform::run`]: find, type, authorise, handle, meter. Identity was settled by the
//! listener, before the door.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use apus_env::{Env, Task};
use apus_schema::{Common, Fields, Operation, OperationSchema, ServiceError, ServiceSchema, Structure};
use tracing::{debug, error};

use crate::access::{AccessRequest, Authorizer, ResourcePolicies};
use crate::by_address::ByAddress;
use crate::meter::{Count, Meter};
use crate::service::{Implementation, Prepared, Worker};
use crate::step::BoundStep;
use crate::{Caller, Context, HttpFront, Origin, Resource, ResourcePolicy, Service};

/// The platform: the services that are mounted, and the door to them. Clones are handles to the same one.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    env: Env,
    services: BTreeMap<&'static str, &'static ServiceSchema>,
    implementations: BTreeMap<ByAddress, Implementation>,
    /// By the service that the names of their resources begin with.
    policies: BTreeMap<&'static str, Arc<dyn ResourcePolicies>>,
    /// By service and name.
    steps: BTreeMap<(&'static str, &'static str), Arc<dyn BoundStep>>,
    fronts: Vec<Arc<dyn HttpFront>>,
    authorizer: Box<dyn Authorizer>,
    meter: Meter,
    workers: Mutex<Vec<Task>>,
}

impl Platform {
    /// Mounts the services and starts their workers. `fronts` are those of no service. Two services of one name,
    /// or two fronts that claim the same requests, are a defect of the wiring.
    pub fn start(
        env: Env,
        services: Vec<Service>,
        fronts: Vec<Arc<dyn HttpFront>>,
        authorizer: impl Authorizer,
    ) -> Self {
        let mut schemas = BTreeMap::new();
        let mut implementations = BTreeMap::new();
        let mut policies = BTreeMap::new();
        let mut steps = BTreeMap::new();
        let mut mounted: Vec<Arc<dyn HttpFront>> = Vec::new();
        let mut mount = |front: Arc<dyn HttpFront>| {
            let rival = mounted.iter().find(|other| other.claims().overlaps(&front.claims()));
            assert!(rival.is_none(), "{} claims the requests of another front", front.name());
            mounted.push(front);
        };
        fronts.into_iter().for_each(&mut mount);
        let mut workers: Vec<Worker> = Vec::new();
        for service in services {
            let name = service.schema.name;
            assert!(schemas.insert(name, service.schema).is_none(), "{name} is mounted twice");
            for one in service.implementations {
                implementations.insert(ByAddress::of(one.schema), one);
            }
            policies.extend(service.policies.map(|own| (name, own)));
            steps.extend(service.steps.into_iter().map(|(step, own)| ((name, step), own)));
            service.fronts.into_iter().for_each(&mut mount);
            workers.extend(service.workers);
        }
        let inner = Inner {
            env,
            services: schemas,
            implementations,
            policies,
            steps,
            fronts: mounted,
            authorizer: Box::new(authorizer),
            meter: Meter::default(),
            workers: Mutex::default(),
        };
        let platform = Self(Arc::new(inner));
        platform.start_workers(workers);
        platform
    }

    fn start_workers(&self, workers: Vec<Worker>) {
        for worker in workers {
            self.spawn_worker(worker.name, (worker.start)(self.clone()));
        }
    }

    /// Starts a background step, which ends with the platform.
    pub fn spawn_worker(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.env().spawn(name, work);
        self.0.workers.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Ends the workers. Calls under way finish.
    pub fn stop(&self) {
        for task in self.0.workers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }

    /// Time, chance and spawning.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// The models of the mounted services.
    pub fn services(&self) -> impl Iterator<Item = &'static ServiceSchema> {
        self.0.services.values().copied()
    }

    /// The fronts, for the gateway.
    pub fn fronts(&self) -> &[Arc<dyn HttpFront>] {
        &self.0.fronts
    }

    /// A service's step of that name.
    pub(crate) fn step(&self, service: &str, name: &str) -> Option<&dyn BoundStep> {
        let found = self.0.steps.iter().find(|((own, step), _)| *own == service && *step == name);
        found.map(|(_, step)| step.as_ref())
    }

    /// The counts of all operations called since the start: service, operation, count.
    pub fn counts(&self) -> Vec<(&'static str, &'static str, Count)> {
        self.0.meter.read()
    }

    /// A context for a call from that caller. Without a request id of the transport, one is made.
    pub fn context(&self, caller: Caller, origin: Origin, request_id: Option<Arc<str>>) -> Context {
        let request_id = request_id.unwrap_or_else(|| self.env().uuid_v4().into());
        Context::new(self.clone(), caller, origin, request_id)
    }

    /// Calls an operation, typed. Handlers use [`Context::call`].
    pub async fn call<O: Operation>(
        &self,
        context: Context,
        input: O::Input,
    ) -> Result<O::Output, ServiceError> {
        let output = self.dispatch(O::SCHEMA, context, input.into_fields()).await?;
        O::Output::from_fields(output).map_err(ServiceError::internal)
    }

    /// Calls an operation with an input that was read and checked against the model.
    pub async fn dispatch(
        &self,
        operation: &'static OperationSchema,
        context: Context,
        input: Fields,
    ) -> Result<Fields, ServiceError> {
        let started = self.env().monotonic();
        let (service, name) = (operation.service.name, operation.name);
        let request_id = Arc::clone(&context.request_id);
        let answer = self.run(operation, context, input).await;
        let duration = self.env().monotonic().saturating_sub(started);
        match &answer {
            Ok(_) => debug!(service, operation = name, %request_id, ?duration, "answered"),
            Err(refused) if refused.fault() == apus_schema::Fault::Sender => {
                debug!(service, operation = name, %request_id, ?duration, error = %refused, "refused");
            }
            Err(failed) => error!(service, operation = name, %request_id, error = %failed, "failed"),
        }
        self.0.meter.record(operation, answer.as_ref().err().map(ServiceError::fault), duration);
        answer
    }

    /// Find, type, authorise, handle.
    async fn run(
        &self,
        operation: &'static OperationSchema,
        context: Context,
        input: Fields,
    ) -> Result<Fields, ServiceError> {
        let Some(implementation) = self.0.implementations.get(&ByAddress::of(operation)) else {
            return Err(not_supported(operation));
        };
        let prepared = implementation.handler.prepare(&context.caller, input);
        let Prepared { resources, run } = prepared.map_err(ServiceError::internal)?;
        self.authorize(&context, implementation.action, resources).await?;
        run(context).await
    }

    /// Asks for permission on every resource, with the resource's own policy where its service keeps policies. A
    /// handler asks itself for what only it can know.
    pub async fn authorize(
        &self,
        context: &Context,
        action: &'static str,
        resources: impl IntoIterator<Item = Resource>,
    ) -> Result<(), ServiceError> {
        let mut resources = resources.into_iter().collect::<Vec<_>>();
        if resources.len() > 1 {
            let mut asked = BTreeSet::new();
            resources.retain(|resource| match resource {
                Resource::Arn(arn) => asked.insert(arn.clone()),
                Resource::All => true,
            });
        }
        for resource in resources {
            let mut request = AccessRequest::new(context, action, resource);
            let policy = self.resource_policy(&request).await?;
            request.resource_policy =
                policy.as_deref().map(|document| ResourcePolicy { document, must_allow: false });
            self.permit(&request).await?;
        }
        Ok(())
    }

    async fn resource_policy(&self, request: &AccessRequest<'_>) -> Result<Option<Arc<str>>, ServiceError> {
        let Resource::Arn(arn) = &request.resource else { return Ok(None) };
        match self.0.policies.get(&*arn.service) {
            Some(policies) => policies.policy(request).await,
            None => Ok(None),
        }
    }

    /// Asks for permission with what only a handler knows: a resource's policy or owner, the service's condition keys.
    pub async fn permit(&self, request: &AccessRequest<'_>) -> Result<(), ServiceError> {
        self.0.authorizer.authorize(request).await
    }
}

fn not_supported(operation: &OperationSchema) -> ServiceError {
    let (service, name) = (operation.service.name, operation.name);
    ServiceError::common(Common::NotSupported, format!("Apus does not support {service}:{name} yet."))
}
