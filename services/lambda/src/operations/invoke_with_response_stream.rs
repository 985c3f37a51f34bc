//! `InvokeWithResponseStream`: runs a function and hands on what it answers while it is made, framed as events. A
//! function that answers whole is one piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use apus_compute::response_stream::{ResponsePart, ResponseReader, response_stream};
use apus_env::{Env, SeenThrough};
use apus_kernel::{Access, Context};
use apus_model_lambda::{
    InvokeWithResponseStream, InvokeWithResponseStreamCompleteEvent, InvokeWithResponseStreamRequest,
    InvokeWithResponseStreamResponse, LogType, ResponseStreamingInvocationType,
};
use apus_schema::{Body, BodyError, ServiceError};
use apus_wire::event_stream::Message;
use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::invoke::{ACTION, Asked, Event, log_tail};
use crate::run::Ran;
use crate::{Lambda, errors, resolve};

pub(crate) const ACCESS: Access<InvokeWithResponseStream> = resolve::asked_inside(ACTION);

/// Messages that wait for the client, beside the pieces that wait to become such.
const WAITING_MAX: usize = 2;

/// An invocation under way, which goes on without anybody who waits.
type Running = SeenThrough<Result<Ran, ServiceError>>;

pub(crate) async fn invoke_with_response_stream(
    lambda: Arc<Lambda>,
    context: Context,
    input: InvokeWithResponseStreamRequest,
) -> Result<InvokeWithResponseStreamResponse, ServiceError> {
    let qualifier = input.qualifier.as_deref();
    let asked = Asked::find(&lambda, &context, &input.function_name, qualifier).await?;
    let kind = input.invocation_type.unwrap_or(ResponseStreamingInvocationType::RequestResponse);
    if let ResponseStreamingInvocationType::Unknown(other) = &kind {
        return Err(errors::not_supported(&format!("InvocationType {other}")));
    }
    let with_log = input.log_type == Some(LogType::Tail);
    let event = Event::parse(input.payload, input.client_context, input.tenant_id.as_deref())?;
    asked.count(&lambda)?;
    let version = asked.found.version.clone();
    if kind == ResponseStreamingInvocationType::DryRun {
        return Ok(InvokeWithResponseStreamResponse {
            status_code: Some(204),
            executed_version: Some(version),
            event_stream: Some(Body::empty()),
            ..InvokeWithResponseStreamResponse::default()
        });
    }
    let (writer, mut parts) = response_stream();
    let env = lambda.env.clone();
    let mut running = env.see_through("streamed invocation", async move {
        lambda.run(&context, asked.run(&context, event, Some(writer))).await
    });
    // Until something is answered it may turn out that the function cannot run.
    let ended = tokio::select! {
        biased;
        Some(_begun) = parts.next() => None,
        ended = &mut running => Some(ended?),
    };
    let version = ended.as_ref().map_or(version, |ran| ran.version.clone());
    let body = stream(&env, parts, running, ended, with_log);
    Ok(InvokeWithResponseStreamResponse {
        status_code: Some(200),
        executed_version: Some(version),
        event_stream: Some(body),
        ..InvokeWithResponseStreamResponse::default()
    })
}

/// The events of the response.
fn stream(env: &Env, parts: ResponseReader, running: Running, ended: Option<Ran>, with_log: bool) -> Body {
    let (client, messages) = mpsc::channel(WAITING_MAX);
    // The task ends with the invocation, or with the client.
    let _detached = env.spawn("streamed response", async move {
        tokio::select! {
            biased;
            () = client.closed() => {}
            () = hand_on(&client, parts, running, ended, with_log) => {}
        }
    });
    Body::streaming(Box::pin(Messages(messages)), None)
}

async fn hand_on(
    client: &mpsc::Sender<Bytes>,
    mut parts: ResponseReader,
    running: Running,
    ended: Option<Ran>,
    with_log: bool,
) {
    let mut running = std::pin::pin!(running);
    let ended = match ended {
        Some(ran) => Ok(ran),
        None => loop {
            tokio::select! {
                biased;
                Some(part) = parts.next() => send(client, part).await,
                ended = &mut running => break ended,
            }
        },
    };
    // An invocation that was cut short leaves pieces behind.
    while let Some(part) = parts.take_ready() {
        send(client, part).await;
    }
    let ended = match ended {
        Ok(ran) if with_log => Ok(ran.finished().await),
        other => other,
    };
    for message in last(ended, with_log) {
        // Nobody may be there any more.
        let _gone = client.send(message.encode()).await;
    }
}

async fn send(client: &mpsc::Sender<Bytes>, part: ResponsePart) {
    if let ResponsePart::Bytes(bytes) = part {
        let _gone = client.send(piece(bytes).encode()).await;
    }
}

fn piece(bytes: Bytes) -> Message {
    Message::bytes("PayloadChunk", bytes)
}

/// What a stream ends with.
fn last(ended: Result<Ran, ServiceError>, with_log: bool) -> Vec<Message> {
    let mut complete = InvokeWithResponseStreamCompleteEvent::default();
    let mut messages = Vec::new();
    match ended {
        Ok(Ran { outcome, .. }) => {
            complete.log_result = with_log.then(|| log_tail(&outcome.log));
            match outcome.function_error {
                Some(error) => {
                    complete.error_code = Some(error.kind.to_owned());
                    complete.error_details = Some(String::from_utf8_lossy(&outcome.payload).into_owned());
                }
                None if outcome.payload.is_empty() => {}
                None => messages.push(piece(outcome.payload)),
            }
        }
        Err(error) => {
            complete.error_code = Some(error.name());
            complete.error_details = Some(error.message().to_owned());
        }
    }
    messages.push(Message::event("InvokeComplete", complete));
    messages
}

/// Messages as a body.
struct Messages(mpsc::Receiver<Bytes>);

impl Stream for Messages {
    type Item = Result<Bytes, BodyError>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|message| message.map(Ok))
    }
}
