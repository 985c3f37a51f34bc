//! The runtime's side of the exchange.

use std::sync::Arc;

use super::{Answer, Exchange, Fault, Invocation, Misuse};
use crate::response_stream::ResponseWriter;

impl Exchange {
    /// For the runtime: waits for the next invocation. Dropping the future loses none.
    pub async fn next(&self) -> Result<Arc<Invocation>, Misuse> {
        {
            let mut state = self.lock();
            if state.running.is_some() || matches!(state.initialised, Some(Err(_))) {
                return Err(Misuse::InvalidStateTransition);
            }
            state.initialised = Some(Ok(()));
            state.waiting = true;
        }
        self.to_pool.notify_waiters();
        loop {
            let notified = self.to_runtime.notified();
            {
                let mut state = self.lock();
                if state.closed {
                    return Err(Misuse::Closed);
                }
                if let Some(invocation) = state.offered.take() {
                    state.waiting = false;
                    state.running = Some(invocation.request_id.clone());
                    return Ok(invocation);
                }
            }
            notified.await;
        }
    }

    /// For the runtime: answers the invocation under way.
    pub fn answer(&self, request_id: &str, answer: Answer) -> Result<(), Misuse> {
        {
            let mut state = self.lock();
            if state.running.as_deref() != Some(request_id) {
                return Err(Misuse::InvalidRequestId);
            }
            if state.streaming {
                return Err(Misuse::InvalidStateTransition);
            }
            state.running = None;
            state.stream = None;
            state.answer = Some(answer);
        }
        self.to_pool.notify_waiters();
        Ok(())
    }

    /// For the runtime: begins to answer the invocation under way piece by piece, until [`Self::end_stream`]. Nothing if
    /// whoever invoked wants the response whole: then it is gathered, and answered as any other.
    pub fn begin_stream(&self, request_id: &str) -> Result<Option<ResponseWriter>, Misuse> {
        let mut state = self.lock();
        if state.running.as_deref() != Some(request_id) {
            return Err(Misuse::InvalidRequestId);
        }
        if state.streaming {
            return Err(Misuse::InvalidStateTransition);
        }
        let stream = state.stream.take();
        state.streaming = stream.is_some();
        Ok(stream)
    }

    /// For the runtime: answers the invocation whose stream was begun.
    pub fn end_stream(&self, answer: Answer) {
        {
            let mut state = self.lock();
            assert!(state.streaming, "a stream ends once, after its beginning");
            state.streaming = false;
            state.running = None;
            state.answer = Some(answer);
        }
        self.to_pool.notify_waiters();
    }

    /// For the runtime: says that it cannot initialise.
    pub fn fail_init(&self, fault: Fault) -> Result<(), Misuse> {
        {
            let mut state = self.lock();
            if state.initialised.is_some() {
                return Err(Misuse::InvalidStateTransition);
            }
            state.initialised = Some(Err(fault));
        }
        self.to_pool.notify_waiters();
        Ok(())
    }
}
