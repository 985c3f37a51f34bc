//! The services that can be told of the end of an event: a line of [`KINDS`] each.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>

use std::collections::BTreeMap;

use apus_kernel::{Arn, BoxFuture, Caller, Context};
use apus_model_lambda::{InvocationRequest, InvocationType, Invoke};
use apus_model_s3::{PutObject, PutObjectRequest};
use apus_model_sns::{Publish, PublishInput};
use apus_model_sqs::{SendMessage, SendMessageRequest};
use apus_schema::{Body, ServiceError};

use super::letter::Letter;

/// A service that can be told.
pub(crate) struct Kind {
    /// As ARNs name it.
    pub(crate) service: &'static str,
    /// As people call it.
    pub(crate) title: &'static str,
    /// What is called to tell it, in the words of AWS's messages.
    pub(crate) call: &'static str,
    /// It can hear of success.
    pub(crate) on_success: bool,
    /// It can be a dead-letter queue.
    pub(crate) dead_letters: bool,
    /// What the function's role must be allowed: actions, and what of the resource they are asked about.
    pub(crate) needs: &'static [(&'static str, Part)],
    pub(crate) deliver: Deliver,
}

/// Which part of a destination an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// What is in a bucket.
    Content,
}

type Deliver = for<'a> fn(&'a Context, Caller, &'a Letter) -> BoxFuture<'a, Result<(), ServiceError>>;

/// The table.
pub(crate) static KINDS: [Kind; 4] = [
    Kind {
        service: "sqs",
        title: "SQS",
        call: "SendMessage",
        on_success: true,
        dead_letters: true,
        needs: &[("sqs:SendMessage", Part::Whole)],
        deliver: |context, caller, letter| Box::pin(send(context, caller, letter)),
    },
    Kind {
        service: "sns",
        title: "SNS",
        call: "Publish",
        on_success: true,
        dead_letters: true,
        needs: &[("sns:Publish", Part::Whole)],
        deliver: |context, caller, letter| Box::pin(publish(context, caller, letter)),
    },
    Kind {
        service: "lambda",
        title: "Lambda",
        call: "InvokeFunction",
        on_success: true,
        dead_letters: false,
        needs: &[("lambda:InvokeFunction", Part::Whole)],
        deliver: |context, caller, letter| Box::pin(invoke(context, caller, letter)),
    },
    Kind {
        service: "s3",
        title: "S3",
        call: "PutObject",
        on_success: false,
        dead_letters: false,
        needs: &[("s3:PutObject", Part::Content), ("s3:ListBucket", Part::Whole)],
        deliver: |context, caller, letter| Box::pin(put(context, caller, letter)),
    },
];

/// What Lambda can tell and Apus cannot yet: refused by name.
pub(crate) const UNSUPPORTED: [(&str, &str); 1] = [("events", "EventBridge")];

/// The line of the table for that service.
pub(crate) fn of(service: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.service == service)
}

async fn send(context: &Context, caller: Caller, letter: &Letter) -> Result<(), ServiceError> {
    let Arn { region, account, resource, .. } = &letter.target;
    let attribute = |(name, kind, value): &(String, String, String)| {
        let value = apus_model_sqs::MessageAttributeValue {
            string_value: Some(value.clone()),
            data_type: kind.clone(),
            ..apus_model_sqs::MessageAttributeValue::default()
        };
        (name.clone(), value)
    };
    let attributes: BTreeMap<_, _> = letter.attributes.iter().map(attribute).collect();
    let request = SendMessageRequest {
        queue_url: format!("https://sqs.{region}.amazonaws.com/{account}/{resource}"),
        message_body: letter.body.clone(),
        message_attributes: Some(attributes).filter(|attributes| !attributes.is_empty()),
        ..SendMessageRequest::default()
    };
    context.call_as::<SendMessage>(caller, request).await.map(|_| ())
}

async fn publish(context: &Context, caller: Caller, letter: &Letter) -> Result<(), ServiceError> {
    let attribute = |(name, kind, value): &(String, String, String)| {
        let value = apus_model_sns::MessageAttributeValue {
            data_type: kind.clone(),
            string_value: Some(value.clone()),
            binary_value: None,
        };
        (name.clone(), value)
    };
    let attributes: BTreeMap<_, _> = letter.attributes.iter().map(attribute).collect();
    let request = PublishInput {
        topic_arn: Some(letter.target.to_string()),
        message: letter.body.clone(),
        message_attributes: Some(attributes).filter(|attributes| !attributes.is_empty()),
        ..PublishInput::default()
    };
    context.call_as::<Publish>(caller, request).await.map(|_| ())
}

async fn invoke(context: &Context, caller: Caller, letter: &Letter) -> Result<(), ServiceError> {
    let request = InvocationRequest {
        function_name: letter.target.to_string(),
        invocation_type: Some(InvocationType::Event),
        payload: Some(letter.body.clone().into()),
        ..InvocationRequest::default()
    };
    context.call_as::<Invoke>(caller, request).await.map(|_| ())
}

async fn put(context: &Context, caller: Caller, letter: &Letter) -> Result<(), ServiceError> {
    let request = PutObjectRequest {
        bucket: letter.target.resource.clone(),
        key: letter.object_key.clone(),
        content_type: Some("application/json".into()),
        content_length: Some(letter.body.len() as i64),
        body: Some(Body::full(letter.body.clone())),
        ..PutObjectRequest::default()
    };
    context.call_as::<PutObject>(caller, request).await.map(|_| ())
}
