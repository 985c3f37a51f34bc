//! Accepting messages: what a topic's type asks of them, what it has seen before, and the one record that each leaves.

use apus_store::Tx;

use crate::Sns;
use crate::errors::{Failure, ParameterError};
use crate::fan_out;
use crate::message::Message;
use crate::store::{MessageRecord, Place, TopicRecord};
use crate::topic::{ThroughputScope, TopicAttributes, TopicId};

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

/// Accepts a message, or answers as to the one that it repeats.
pub(crate) async fn accept(
    sns: &Sns,
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
    fan_out::leave(sns, tx, id, topic.number, message_id, message.group.as_deref());
    Ok(Published { message_id: message_id.to_owned(), sequence_number })
}
