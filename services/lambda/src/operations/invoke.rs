//! `Invoke`: runs a function and waits for what it answers, or only says whether it could be run.

use std::sync::Arc;

use apus_compute::{FunctionKey, InvokeOutcome, InvokeRequest};
use apus_kernel::{Access, Context};
use apus_model_lambda::{InvocationRequest, InvocationResponse, InvocationType, Invoke, LogType};
use apus_schema::ServiceError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use tracing::warn;

use crate::errors::{self, Failure};
use crate::function_name::FunctionReference;
use crate::limits::{LOG_TAIL_BYTES, PAYLOAD_BYTES_MAX};
use crate::store::find::{Found, find};
use crate::unpacked::LoadError;
use crate::{Lambda, client_context, environment, resolve};

const ACTION: &str = "lambda:InvokeFunction";
/// Changes of a version that one invocation runs into.
const CHANGES_MAX: usize = 8;
/// The event of an invocation that sends none.
const EMPTY_EVENT: &[u8] = b"{}";

pub(crate) const ACCESS: Access<Invoke> = resolve::asked_inside(ACTION);

pub(crate) async fn invoke(
    lambda: Arc<Lambda>,
    context: Context,
    input: InvocationRequest,
) -> Result<InvocationResponse, ServiceError> {
    let chance = chance(lambda.env.random_u64());
    let qualifier = input.qualifier.as_deref();
    let (function, found) =
        lambda.found(&context, ACTION, &input.function_name, qualifier, Some(chance)).await?;
    let dry_run = match &input.invocation_type {
        None | Some(InvocationType::RequestResponse) => false,
        Some(InvocationType::DryRun) => true,
        Some(other) => return Err(errors::not_supported(&format!("InvocationType {other}"))),
    };
    if input.durable_execution_name.is_some() {
        return Err(errors::not_supported("DurableExecutionName"));
    }
    let with_log = input.log_type == Some(LogType::Tail);
    let (tenant, client_context) = (input.tenant_id, input.client_context);
    let payload = event(input.payload)?;
    let client_context = client_context.map(|text| client_context::decode(&text));
    if client_context == Some(None) {
        return Err(errors::invalid_client_context());
    }
    if tenant.is_some() {
        let message = "The invoked function is not enabled with tenancy configuration.";
        return Err(errors::invalid_parameter(message));
    }
    if dry_run {
        return Ok(InvocationResponse {
            status_code: Some(204),
            executed_version: Some(found.version),
            ..InvocationResponse::default()
        });
    }
    let request = InvokeRequest {
        request_id: context.request_id.clone(),
        invoked_arn: Some(function.arn().to_string()),
        payload,
        client_context: client_context.flatten(),
        ..InvokeRequest::default()
    };
    let (outcome, version) = run(&lambda, &context, &function, found, chance, request).await?;
    for note in &outcome.notes {
        warn!(function = %function.id.name, note, "about this environment");
    }
    Ok(response(outcome, version, with_log))
}

/// The event, which must be JSON.
fn event(payload: Option<Bytes>) -> Result<Bytes, ServiceError> {
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

/// Runs a function for the platform itself, with an event that is JSON: nobody is asked for permission.
pub(crate) async fn run_for_platform(
    lambda: &Lambda,
    context: &Context,
    function: &FunctionReference,
    payload: Bytes,
) -> Result<InvokeOutcome, ServiceError> {
    let chance = chance(lambda.env.random_u64());
    let asked = function.clone();
    let found = lambda.store.read(|tx| async move { find(&tx, &asked, Some(chance)).await });
    let found = found.await.map_err(Failure::from)?.ok_or_else(|| errors::function_not_found(function))?;
    let request = InvokeRequest {
        request_id: context.request_id.clone(),
        invoked_arn: Some(function.arn().to_string()),
        payload,
        ..InvokeRequest::default()
    };
    run(lambda, context, function, found, chance, request).await.map(|(outcome, _)| outcome)
}

/// Runs the version, and says which it was. A version that was changed while its code was looked for is looked up
/// again: no change loses a call.
async fn run(
    lambda: &Lambda,
    context: &Context,
    function: &FunctionReference,
    mut found: Found,
    chance: f64,
    request: InvokeRequest,
) -> Result<(InvokeOutcome, String), ServiceError> {
    let id = &function.id;
    for _ in 0..CHANGES_MAX {
        let Found { version, record, .. } = &found;
        let retire = |key: &FunctionKey| lambda.compute.retire(key);
        match lambda.unpacked_or_gone(function, record).await {
            Ok((code, layers)) => {
                let session = lambda.sessions.get(context, id, version, record, retire).await?;
                let spec = environment::spec(lambda, id, &found, session, code, layers);
                let outcome = lambda.compute.invoke(spec, request).await.map_err(errors::invoke_error)?;
                return Ok((outcome, found.version));
            }
            Err(LoadError::Refused(error)) => return Err(error),
            Err(LoadError::Gone) => {
                let asked = function.clone();
                let again = lambda.store.read(|tx| async move { find(&tx, &asked, Some(chance)).await });
                let again = again.await.map_err(Failure::from)?;
                found = again.ok_or_else(|| errors::function_not_found(function))?;
            }
        }
    }
    Err(errors::function_not_found(function))
}

/// A number from 0 to below 1, in steps that it can hold exactly.
fn chance(random: u64) -> f64 {
    const STEPS: u32 = 53;
    (random >> (u64::BITS - STEPS)) as f64 / (1_u64 << STEPS) as f64
}

fn response(outcome: InvokeOutcome, version: String, with_log: bool) -> InvocationResponse {
    InvocationResponse {
        status_code: Some(200),
        function_error: outcome.function_error.map(|error| error.kind.to_owned()),
        log_result: with_log.then(|| STANDARD.encode(tail(&outcome.log))),
        payload: Some(outcome.payload),
        executed_version: Some(version),
        ..InvocationResponse::default()
    }
}

/// The last part of a log, from the beginning of a character.
fn tail(log: &str) -> &str {
    let mut from = log.len().saturating_sub(LOG_TAIL_BYTES);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    &log[from..]
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

    #[test]
    fn the_tail_of_a_log_begins_with_a_whole_character() {
        assert_eq!(tail("short"), "short");
        let log = format!("a{}", "é".repeat(2_048));
        assert_eq!(tail(&log), "é".repeat(2_048));
        let log = format!("{}b", "é".repeat(2_048));
        assert_eq!(tail(&log), format!("{}b", "é".repeat(2_047)));
    }
}
