//! A service as the platform sees it: its model, and the operations that it implements.

use std::future::Future;
use std::sync::Arc;

use apus_schema::{Fields, Mismatch, Operation, OperationSchema, ServiceError, ServiceSchema, Structure};

use crate::access::{BoxFuture, ResourcePolicies};
use crate::step::{Bound, BoundStep, Step};
use crate::{Access, Caller, Context, HttpFront, Platform, Resource};

/// A service's registration table.
pub struct Service {
    pub(crate) schema: &'static ServiceSchema,
    pub(crate) implementations: Vec<Implementation>,
    pub(crate) fronts: Vec<Arc<dyn HttpFront>>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) policies: Option<Arc<dyn ResourcePolicies>>,
    pub(crate) steps: Vec<(&'static str, Arc<dyn BoundStep>)>,
}

/// A background step of a service, started with the platform.
pub(crate) struct Worker {
    pub(crate) name: &'static str,
    pub(crate) start: Box<dyn FnOnce(Platform) -> BoxFuture<'static, ()> + Send>,
}

/// One implemented operation.
pub(crate) struct Implementation {
    pub(crate) schema: &'static OperationSchema,
    pub(crate) action: &'static str,
    pub(crate) handler: Arc<dyn Erased>,
}

impl Service {
    /// A service with that model and that state, which every handler is passed.
    pub fn of<S: Send + Sync + 'static>(schema: &'static ServiceSchema, state: S) -> Builder<S> {
        let (implementations, fronts, workers) = (Vec::new(), Vec::new(), Vec::new());
        let service = Self { schema, implementations, fronts, workers, policies: None, steps: Vec::new() };
        Builder { service, state: Arc::new(state) }
    }

    /// The model.
    pub fn schema(&self) -> &'static ServiceSchema {
        self.schema
    }

    /// The operations that are implemented, with their IAM actions, sorted by name.
    pub fn implemented(&self) -> Vec<(&'static OperationSchema, &'static str)> {
        let mut list: Vec<_> = self.implementations.iter().map(|one| (one.schema, one.action)).collect();
        list.sort_by_key(|(schema, _)| schema.name);
        list
    }
}

/// Fills a [`Service`].
pub struct Builder<S> {
    service: Service,
    state: Arc<S>,
}

impl<S: Send + Sync + 'static> Builder<S> {
    /// Implements an operation.
    #[must_use]
    pub fn operation<O: Operation>(mut self, access: Access<O>, handler: impl Handler<S, O>) -> Self {
        assert!(
            std::ptr::eq(O::SCHEMA.service, self.service.schema),
            "{} is an operation of another service",
            O::SCHEMA.name
        );
        let repeated = self.service.implementations.iter().any(|one| one.schema.name == O::SCHEMA.name);
        assert!(!repeated, "{} is registered twice", O::SCHEMA.name);
        self.service.implementations.push(Implementation {
            schema: O::SCHEMA,
            action: access.action,
            handler: Arc::new(Arc::new(Typed { state: Arc::clone(&self.state), access, handler })),
        });
        self
    }

    /// Adds a front: requests that are no API operation.
    #[must_use]
    pub fn front(mut self, front: impl HttpFront) -> Self {
        self.service.fronts.push(Arc::new(front));
        self
    }

    /// Adds a background step, started with the platform and ended with it.
    #[must_use]
    pub fn worker<F: Future<Output = ()> + Send + 'static>(
        mut self,
        name: &'static str,
        start: impl FnOnce(Arc<S>, Platform) -> F + Send + 'static,
    ) -> Self {
        let state = Arc::clone(&self.state);
        let start = Box::new(move |platform| Box::pin(start(state, platform)) as BoxFuture<'static, ()>);
        self.service.workers.push(Worker { name, start });
        self
    }

    /// Names a step that the service leaves in the outbox. The name stays in stores: it is for ever.
    #[must_use]
    pub fn step(mut self, name: &'static str, handler: impl Step<S>) -> Self {
        let repeated = self.service.steps.iter().any(|(other, _)| *other == name);
        assert!(!repeated, "the step {name} is registered twice");
        self.service.steps.push((name, Arc::new(Bound { state: Arc::clone(&self.state), handler })));
        self
    }

    /// Has the policies of the service's resources decide about calls that touch them.
    #[must_use]
    pub fn resource_policies(mut self) -> Self
    where
        S: ResourcePolicies,
    {
        self.service.policies = Some(Arc::clone(&self.state) as Arc<_>);
        self
    }

    /// The registration table.
    pub fn build(self) -> Service {
        self.service
    }
}

/// An operation's handler: `async fn send_message(sqs: Arc<Sqs>, context: Context, input: SendMessageRequest) -> …`.
pub trait Handler<S, O: Operation>: Send + Sync + 'static {
    /// What it is doing.
    type Answer: Future<Output = Result<O::Output, ServiceError>> + Send + 'static;
    /// Does it.
    fn handle(&self, state: Arc<S>, context: Context, input: O::Input) -> Self::Answer;
}

impl<S, O, F, Answer> Handler<S, O> for F
where
    O: Operation,
    F: Fn(Arc<S>, Context, O::Input) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<O::Output, ServiceError>> + Send + 'static,
{
    type Answer = Answer;
    fn handle(&self, state: Arc<S>, context: Context, input: O::Input) -> Answer {
        self(state, context, input)
    }
}

/// A handler without its types, as the door holds it.
pub(crate) trait Erased: Send + Sync {
    /// Types the input, and says what the call touches and how to run it.
    fn prepare(&self, caller: &Caller, input: Fields) -> Result<Prepared, Mismatch>;
}

/// A call that waits for its permission.
pub(crate) struct Prepared {
    pub(crate) resources: Vec<Resource>,
    pub(crate) run: Box<dyn FnOnce(Context) -> BoxFuture<'static, Result<Fields, ServiceError>> + Send>,
}

struct Typed<S, O: Operation, H> {
    state: Arc<S>,
    access: Access<O>,
    handler: H,
}

impl<S, O, H> Erased for Arc<Typed<S, O, H>>
where
    S: Send + Sync + 'static,
    O: Operation,
    H: Handler<S, O>,
{
    fn prepare(&self, caller: &Caller, input: Fields) -> Result<Prepared, Mismatch> {
        let input = O::Input::from_fields(input)?;
        let resources = (self.access.resources)(&input, caller);
        let typed = Arc::clone(self);
        let run = Box::new(move |context| {
            let answer = typed.handler.handle(Arc::clone(&typed.state), context, input);
            Box::pin(async move { Ok(answer.await?.into_fields()) }) as BoxFuture<'static, _>
        });
        Ok(Prepared { resources, run })
    }
}
