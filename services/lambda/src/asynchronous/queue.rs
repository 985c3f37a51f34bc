//! The way into the queue: an event is accepted when it, and the step that will try it, are durable.

use apus_kernel::{Context, StepDelivery};
use apus_schema::ServiceError;
use apus_store::record::encode;
use apus_time::Timestamp;
use bytes::Bytes;

use crate::Lambda;
use crate::errors::{self, Failure};
use crate::function_name::FunctionReference;
use crate::limits::EVENT_BYTES_MAX;
use crate::store::event::{self, EventKey, EventRecord};

/// The name of the step that tries an event. It stays in stores: it is for ever.
pub(crate) const STEP: &str = "event";

impl Lambda {
    /// Accepts an event for a function that is there and may be invoked. A request that is repeated under its own id
    /// while its event is in the queue is one event.
    pub(crate) async fn accept(
        &self,
        context: &Context,
        function: &FunctionReference,
        payload: &Bytes,
        client_context: Option<String>,
    ) -> Result<(), ServiceError> {
        if payload.len() > EVENT_BYTES_MAX {
            return Err(errors::event_too_large(payload.len()));
        }
        let key = EventKey::new(&function.id, &context.request_id);
        let event = EventRecord {
            function: function.id.name.clone(),
            qualifier: function.qualifier.clone(),
            payload: payload.to_vec(),
            client_context,
            accepted_at_micros: context.now.as_micros(),
            by: context.caller.principal.to_string(),
            trace: context.origin.trace.clone(),
        };
        let kept = self.store.transact(|tx| {
            let (key, event) = (&key, &event);
            async move {
                if !event::is_open(&tx, key).await? {
                    event::put(&tx, &self.outbox, key, event);
                }
                Ok::<_, Failure>(())
            }
        });
        Ok(kept.await?)
    }
}

/// The step that tries an event. Each event has a lane of its own: none waits for another.
pub(crate) fn step(key: &EventKey, due: Timestamp) -> StepDelivery {
    StepDelivery {
        lane: format!("lambda/event/{}/{}/{}", key.account, key.region, key.request_id),
        service: apus_model_lambda::SERVICE.name,
        step: STEP,
        payload: encode(key).to_vec(),
        due,
    }
}
