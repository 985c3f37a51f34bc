//! The step that asks a subscriber whether it wants to be one.

use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Attempt, StepEnd};
use apus_model_sqs::SendMessageRequest;

use crate::Sns;
use crate::deliver::pause;
use crate::endpoint::{Carrier, Letter, Post};
use crate::errors::Failure;
use crate::notification::Confirmation;
use crate::store::{Place, StepPayload, SubscriptionRecord, TopicRecord};
use crate::subscription::Protocol;
use crate::targets::{CONTENT_TYPE, Missed, Repeat, headers, keep, post, send_to_queue};
use crate::topic::{TopicId, is_fifo};

/// After the store failed, or while the host has no turn to give.
const PAUSE: Duration = Duration::from_secs(1);
/// What a letter is headed.
const SUBJECT: &str = "AWS Notification - Subscription Confirmation";

/// The step.
pub(crate) async fn confirm(sns: Arc<Sns>, attempt: Attempt) -> StepEnd {
    let (payload, topic) = match StepPayload::read(&attempt.payload) {
        Ok(read) => read,
        Err(reason) => return StepEnd::Dead { reason },
    };
    let (topic_record, subscription) = match find(&sns, &payload, &topic).await {
        Ok(Some(found)) => found,
        Ok(None) => return StepEnd::Done,
        Err(failure) => return StepEnd::Again { after: PAUSE, reason: failure.to_string() },
    };
    let Some(token) = subscription.token.as_deref() else { return StepEnd::Done };
    let question = Confirmation {
        topic: &topic,
        message_id: &payload.message,
        token,
        base_url: &sns.base_url,
        at: attempt.since,
    };
    let Err(missed) = ask(&sns, &attempt, &question, &topic_record, &subscription).await else {
        return StepEnd::Done;
    };
    let reason = format!("{}: {}", missed.code, missed.text);
    let after = match missed.repeat {
        Repeat::Soon => Some(PAUSE),
        Repeat::Later => pause(&topic_record, &subscription, attempt.failures + 1),
        Repeat::Never => None,
    };
    match after {
        Some(after) => StepEnd::Again { after, reason },
        None => StepEnd::Dead { reason },
    }
}

async fn find(
    sns: &Sns,
    payload: &StepPayload,
    topic: &TopicId,
) -> Result<Option<(TopicRecord, SubscriptionRecord)>, Failure> {
    let place = Place::of(topic);
    let (place, name) = (&place, topic.name.as_str());
    let id = payload.subscription.as_deref().unwrap_or_default();
    sns.store
        .read(|tx| async move {
            let topic = place.topic(&tx, name).await?.filter(|topic| topic.number == payload.number);
            Ok::<_, Failure>(topic.zip(place.subscription(&tx, name, id).await?))
        })
        .await
}

async fn ask(
    sns: &Sns,
    attempt: &Attempt,
    question: &Confirmation<'_>,
    topic: &TopicRecord,
    subscription: &SubscriptionRecord,
) -> Result<(), Missed> {
    let version = topic.attributes.effective_signature_version();
    let signed = sns.signer.sign(version, &question.to_sign()).await?;
    let endpoint = subscription.endpoint.clone();
    let letter = |text| Letter {
        carrier: Carrier::Email,
        id: question.message_id.to_owned(),
        to: endpoint.clone(),
        from: topic.attributes.sender(question.topic),
        subject: Some(SUBJECT.into()),
        text,
        at: question.at,
    };
    match subscription.protocol {
        Protocol::Http | Protocol::Https => {
            let mut headers = headers("SubscriptionConfirmation", question.message_id, question.topic);
            headers.push(("content-type", CONTENT_TYPE.into()));
            post(sns, Post { url: endpoint, headers, body: question.document(&signed) }).await
        }
        Protocol::Sqs => {
            let is_fifo = is_fifo(&endpoint);
            let id = |()| question.message_id.to_owned();
            let input = SendMessageRequest {
                message_body: question.document(&signed),
                message_group_id: Some(()).filter(|()| is_fifo).map(id),
                message_deduplication_id: Some(()).filter(|()| is_fifo).map(id),
                queue_url: endpoint,
                ..SendMessageRequest::default()
            };
            send_to_queue(attempt, (question.topic, None), input).await
        }
        Protocol::Email => keep(sns, letter(question.letter())).await,
        Protocol::EmailJson => keep(sns, letter(question.document(&signed))).await,
        // A function of another account is asked by its owner calling ConfirmSubscription with the token, and text
        // messages are not asked for at all.
        Protocol::Lambda | Protocol::Sms => Ok(()),
    }
}
