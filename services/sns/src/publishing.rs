//! Accepting messages: what a topic's type asks of them, what it has seen before, and the one record that each leaves.

use apus_env::Env;
use apus_kernel::{Lanes, Lease, Outbox};
use apus_schema::{Common, ServiceError};
use apus_store::{Store, Tx};
use tokio::sync::oneshot;

use crate::Sns;
use crate::errors::{self, Failure, ParameterError};
use crate::fan_out;
use crate::message::Message;
use crate::store::{MessageRecord, Place, TopicRecord};
use crate::topic::{ThroughputScope, TopicAttributes, TopicId};

/// The most bytes of messages of one transaction, but for what a request brings beyond.
const JOBS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the publisher is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) message_id: String,
    pub(crate) sequence_number: Option<String>,
}

/// Where a FIFO topic looks for repetitions, and by what.
struct Identity {
    scope: String,
    id: String,
}

fn identity(topic: &TopicAttributes, message: &Message) -> Result<Option<Identity>, ParameterError> {
    let Some(fifo) = &topic.fifo else {
        if message.deduplication_id.is_some() {
            return Err(ParameterError::because(
                "MessageDeduplicationId",
                "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
            ));
        }
        return Ok(None);
    };
    let Some(group) = &message.group else {
        return Err(ParameterError::plain("The MessageGroupId parameter is required for FIFO topics"));
    };
    let id = match &message.deduplication_id {
        Some(id) => id.clone(),
        None if fifo.content_based => message.content_id(),
        None => {
            return Err(ParameterError::plain(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly",
            ));
        }
    };
    let scope = match fifo.scope {
        ThroughputScope::Topic => String::new(),
        ThroughputScope::MessageGroup => group.clone(),
    };
    Ok(Some(Identity { scope, id }))
}

/// Whether the topic takes the message at all.
pub(crate) fn check(topic: &TopicAttributes, message: &Message) -> Result<(), ParameterError> {
    identity(topic, message).map(|_| ())
}

/// Messages of one request, each with the id that it gets.
pub(crate) type Messages = Vec<(Message, String)>;

type Answer = Result<Vec<Published>, ServiceError>;

/// Messages for a FIFO topic, and who waits for what came of them.
pub(crate) struct Job {
    messages: Messages,
    reply: oneshot::Sender<Answer>,
}

/// What is published to a FIFO topic, one batch after another: its messages share a counter and what is remembered.
pub(crate) type FifoLanes = Lanes<TopicId, Job>;

/// What accepting writes with.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) lease: Lease,
    pub(crate) outbox: Outbox,
}

/// The lanes of all FIFO topics.
pub(crate) fn fifo_lanes(env: Env, desk: Desk) -> FifoLanes {
    Lanes::new(env, "sns topic", move |_lanes, id, jobs| {
        let desk = desk.clone();
        async move { desk.take_jobs(&id, jobs).await }
    })
}

/// Accepts the messages of one request: all of them, or none and why.
pub(crate) async fn publish(sns: &Sns, id: &TopicId, messages: Messages) -> Answer {
    if !id.name.is_fifo() {
        // Nothing is shared: the store commits them side by side.
        let requests = [messages];
        let mut answers = sns.desk().accept(id, &requests).await?;
        return answers.pop().unwrap_or_else(|| Ok(Vec::new()));
    }
    let answered = sns.fifo_lanes.call(id.clone(), |reply| Job { messages, reply }).await;
    answered.unwrap_or_else(|error| Err(ServiceError::common(Common::Unavailable, error.to_string())))
}

impl Desk {
    async fn take_jobs(&self, id: &TopicId, jobs: Vec<Job>) {
        let mut jobs = jobs.into_iter().peekable();
        while jobs.peek().is_some() {
            let (mut requests, mut replies, mut bytes) = (Vec::new(), Vec::new(), 0);
            while let Some(job) = jobs.next_if(|_| bytes < JOBS_BYTES_MAX) {
                bytes += job.messages.iter().map(|(message, _)| message.bytes()).sum::<usize>();
                requests.push(job.messages);
                replies.push(job.reply);
            }
            match self.accept(id, &requests).await {
                Ok(answers) => {
                    for (reply, answer) in replies.into_iter().zip(answers) {
                        // Who waited may be gone.
                        let _gone = reply.send(answer);
                    }
                }
                Err(failure) => {
                    for reply in replies {
                        let again = ServiceError::internal(failure.to_string());
                        let _gone = reply.send(Err(again));
                    }
                }
            }
        }
    }

    /// Accepts the messages of some requests in one transaction; an answer for each request.
    async fn accept(&self, id: &TopicId, requests: &[Messages]) -> Result<Vec<Answer>, Failure> {
        let place = Place::of(id);
        let place = &place;
        self.store
            .transact(|tx| async move {
                self.lease.fence(&tx).await?;
                let topic = place.topic(&tx, id.name.as_str()).await?;
                let mut answers = Vec::with_capacity(requests.len());
                for messages in requests {
                    let Some(topic) = &topic else {
                        answers.push(Err(errors::no_topic()));
                        continue;
                    };
                    // The topic may have changed since the request was looked at.
                    let refused =
                        messages.iter().find_map(|(message, _)| check(&topic.attributes, message).err());
                    if let Some(refused) = refused {
                        answers.push(Err(refused.into()));
                        continue;
                    }
                    let mut published = Vec::with_capacity(messages.len());
                    for (message, message_id) in messages {
                        published.push(self.accept_one(&tx, id, topic, message, message_id).await?);
                    }
                    answers.push(Ok(published));
                }
                Ok(answers)
            })
            .await
    }

    /// Accepts a message, or answers as to the one that it repeats.
    async fn accept_one(
        &self,
        tx: &Tx,
        id: &TopicId,
        topic: &TopicRecord,
        message: &Message,
        message_id: &str,
    ) -> Result<Published, Failure> {
        let place = Place::of(id);
        let identity = identity(&topic.attributes, message)?;
        let mut sequence_number = None;
        if let Some(Identity { scope, id }) = &identity {
            if let Some(seen) = place.seen(tx, topic.number, scope, id).await? {
                let sequence_number = Some(seen.sequence_number);
                return Ok(Published { message_id: seen.message_id, sequence_number });
            }
            let next = place.next_sequence(tx, topic.number).await?;
            place.see(tx, topic.number, (scope, id), message_id, &next).await?;
            sequence_number = Some(next);
        }
        let record = MessageRecord {
            message: message.clone(),
            published_at_micros: tx.now().as_micros(),
            sequence_number: sequence_number.clone(),
            deduplication_id: identity.map(|identity| identity.id),
        };
        place.accept(tx, topic.number, message_id, &record);
        fan_out::leave(&self.outbox, tx, id, topic.number, message_id, message.group.as_deref());
        Ok(Published { message_id: message_id.to_owned(), sequence_number })
    }
}
