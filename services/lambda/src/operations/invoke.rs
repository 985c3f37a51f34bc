//! `Invoke`: runs a function and waits for what it answers, accepts an event for it, or only says whether it could
//! be run.

use std::sync::Arc;

use apus_compute::InvokeRequest;
use apus_compute::response_stream::ResponseWriter;
use apus_kernel::{Access, Context};
use apus_model_lambda::{InvocationRequest, InvocationResponse, InvocationType, Invoke, LogType};
use apus_schema::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::errors;
use crate::executions::observed;
use crate::function_name::FunctionReference;
use crate::limits::{LOG_TAIL_BYTES, PAYLOAD_BYTES_MAX};
use crate::run::{self, Ran, Run, Trigger};
use crate::store::find::Found;
use crate::{Lambda, client_context, readiness, resolve};

pub(super) const ACTION: &str = "lambda:InvokeFunction";
/// The event of an invocation that sends none.
const EMPTY_EVENT: &[u8] = b"{}";

pub(crate) const ACCESS: Access<Invoke> = resolve::asked_inside(ACTION);

pub(crate) async fn invoke(
    lambda: Arc<Lambda>,
    context: Context,
    input: InvocationRequest,
) -> Result<InvocationResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let asked = Asked::find(&lambda, &context, &input.function_name, qualifier).await?;
    let kind = input.invocation_type.unwrap_or(InvocationType::RequestResponse);
    if let InvocationType::Unknown(other) = &kind {
        return Err(errors::not_supported(&format!("InvocationType {other}")));
    }
    if input.durable_execution_name.is_some() {
        return Err(errors::not_supported("DurableExecutionName"));
    }
    let with_log = input.log_type == Some(LogType::Tail);
    let event = Event::parse(input.payload, input.client_context, input.tenant_id.as_deref())?;
    match kind {
        InvocationType::DryRun => {
            return Ok(InvocationResponse {
                status_code: Some(204),
                executed_version: Some(asked.found.version),
                ..InvocationResponse::default()
            });
        }
        InvocationType::Event => {
            lambda.accept(&context, &asked.function, &event.payload, event.client_context).await?;
            return Ok(InvocationResponse { status_code: Some(202), ..InvocationResponse::default() });
        }
        InvocationType::RequestResponse | InvocationType::Unknown(_) => {}
    }
    asked.count(&lambda)?;
    let mut ran = lambda.run(&context, asked.run(&context, event, None)).await?;
    if with_log {
        ran = ran.finished().await;
    }
    Ok(response(ran, with_log))
}

/// The function that a caller may invoke, and the version that the name leads to this time.
pub(super) struct Asked {
    function: FunctionReference,
    pub(super) found: Found,
    chance: f64,
}

impl Asked {
    pub(super) async fn find(
        lambda: &Lambda,
        context: &Context,
        name: &str,
        qualifier: Option<&str>,
    ) -> Result<Self, ServiceError> {
        let chance = run::chance(lambda.env.random_u64());
        let (function, found) = lambda.found(context, ACTION, name, qualifier, Some(chance)).await?;
        readiness::check_invocable(&found)?;
        Ok(Self { function, found, chance })
    }

    /// Counts the invocation, which somebody waits for, or refuses it.
    pub(super) fn count(&self, lambda: &Lambda) -> Result<(), ServiceError> {
        let reserved = self.found.reserved_concurrency;
        lambda.rates.take(lambda.env.now(), &self.function.id, reserved, lambda.concurrency_max)
    }

    /// The invocation for a caller who waits.
    pub(super) fn run(
        &self,
        context: &Context,
        event: Event,
        response_stream: Option<ResponseWriter>,
    ) -> Run<'_> {
        let request = InvokeRequest {
            request_id: context.request_id.to_string(),
            invoked_arn: Some(self.function.arn().to_string()),
            payload: event.payload,
            trace_id: context.origin.trace.clone(),
            client_context: event.client_context,
            response_stream,
            ..InvokeRequest::default()
        };
        let trigger = Trigger::Sync(context.caller.principal.to_string());
        Run { function: &self.function, found: self.found.clone(), chance: self.chance, trigger, request }
    }
}

/// What a caller sends to a function.
pub(super) struct Event {
    payload: Bytes,
    client_context: Option<String>,
}

impl Event {
    pub(super) fn parse(
        payload: Option<Bytes>,
        client_context: Option<String>,
        tenant: Option<&str>,
    ) -> Result<Self, ServiceError> {
        let payload = event(payload)?;
        let client_context = client_context.map(|text| client_context::decode(&text));
        if client_context == Some(None) {
            return Err(errors::invalid_client_context());
        }
        if tenant.is_some() {
            let message = "The invoked function is not enabled with tenancy configuration.";
            return Err(errors::invalid_parameter(message));
        }
        Ok(Self { payload, client_context: client_context.flatten() })
    }
}

/// The event, which must be JSON.
pub(super) fn event(payload: Option<Bytes>) -> Result<Bytes, ServiceError> {
    let payload = payload.filter(|payload| !payload.is_empty());
    let payload = payload.unwrap_or_else(|| Bytes::from_static(EMPTY_EVENT));
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(errors::payload_too_large());
    }
    // Read without building anything: its depth and size cost no memory.
    let text = std::str::from_utf8(&payload).map_err(errors::invalid_payload)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(errors::invalid_payload)?;
    Ok(payload)
}

fn response(ran: Ran, with_log: bool) -> InvocationResponse {
    let Ran { outcome, version } = ran;
    InvocationResponse {
        status_code: Some(200),
        function_error: outcome.function_error.map(|error| error.kind.to_owned()),
        log_result: with_log.then(|| log_tail(&outcome.log)),
        payload: Some(outcome.payload),
        executed_version: Some(version),
        ..InvocationResponse::default()
    }
}

/// The end of a log, as callers get it.
pub(super) fn log_tail(log: &str) -> String {
    STANDARD.encode(observed::end(log, LOG_TAIL_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_of_any_depth_within_its_bound() {
        let check = |payload: &[u8]| event(Some(Bytes::copy_from_slice(payload)));
        assert_eq!(event(None).expect("none sent"), EMPTY_EVENT);
        assert_eq!(check(b"").expect("none sent"), EMPTY_EVENT);
        let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
        for payload in ["null", "7", "\"x\"", " {\"a\": [1, 2.5e3]} ", "\"\\u00e9 é\"", &deep] {
            assert_eq!(check(payload.as_bytes()).expect("valid"), payload.as_bytes());
        }
        let wide = [b"\"".as_slice(), &vec![b'x'; PAYLOAD_BYTES_MAX - 2], b"\""].concat();
        assert!(check(&wide).is_ok());
        assert!(check(&[wide, b" ".to_vec()].concat()).is_err());
        for payload in [&b"{"[..], b"hello", b"{} {}", b"{'a': 1}", b"\"\xff\"", b"NaN"] {
            let error = check(payload).expect_err("no JSON");
            assert!(error.message().starts_with("Could not parse request body into json: "), "{error}");
        }
    }
}
