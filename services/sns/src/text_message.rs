//! Text messages to a number, without a topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apus_kernel::{Attempt, StepDelivery, StepEnd};
use apus_model_sns::{MessageAttributeValue, PublishResponse, SERVICE};
use apus_schema::ServiceError;
use apus_store::Keyspace;
use apus_store::record::{decode, encode};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::endpoint::{Carrier, Letter};
use crate::errors::{Failure, ParameterError};
use crate::message::Message;
use crate::subscription::is_phone_number;
use crate::{Sns, targets};

/// The step's name, which stays in stores.
pub(crate) const SEND: &str = "text-message";
/// The longest text message, in characters.
const CHARS_MAX: usize = 1_600;
/// After a failure.
const PAUSE: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct TextRecord {
    #[n(0)]
    id: String,
    #[n(1)]
    number: String,
    #[n(2)]
    text: String,
    #[n(3)]
    published_at_micros: i64,
}

/// Accepts one.
pub(crate) async fn publish(
    sns: &Sns,
    number: String,
    text: String,
    attributes: Option<BTreeMap<String, MessageAttributeValue>>,
) -> Result<PublishResponse, ServiceError> {
    if !is_phone_number(&number) {
        let reason = format!("{number} is not valid to publish to");
        return Err(ParameterError::because("PhoneNumber", reason).into());
    }
    let message = Message::new(text, None, None, attributes.unwrap_or_default(), None, None)?;
    if message.text.chars().count() > CHARS_MAX {
        return Err(ParameterError::plain("Message too long").into());
    }
    let id = sns.env.uuid_v4();
    let record = TextRecord {
        id: id.clone(),
        number,
        text: message.text,
        published_at_micros: sns.env.now().as_micros(),
    };
    let record = &record;
    let accepted = sns.store.transact(|tx| async move {
        sns.lease.fence(&tx).await?;
        let lane = format!("sns number {}", record.number);
        let payload = encode(record).to_vec();
        sns.outbox
            .put_step(&tx, StepDelivery { lane, service: SERVICE.name, step: SEND, payload, due: tx.now() });
        Ok::<_, Failure>(())
    });
    accepted.await?;
    Ok(PublishResponse { message_id: Some(id), sequence_number: None })
}

/// The step.
pub(crate) async fn send(sns: Arc<Sns>, attempt: Attempt) -> StepEnd {
    let place = Keyspace::global("instance", "outbox");
    let TextRecord { id, number, text, published_at_micros } = match decode(place.prefix(), &attempt.payload)
    {
        Ok(record) => record,
        Err(error) => return StepEnd::Dead { reason: error.to_string() },
    };
    let letter = Letter {
        carrier: Carrier::Sms,
        id,
        to: number,
        from: String::new(),
        subject: None,
        text,
        at: Timestamp::from_micros(published_at_micros),
    };
    match targets::keep(&sns, letter).await {
        Ok(()) => StepEnd::Done,
        Err(missed) => StepEnd::Again { after: PAUSE, reason: missed.text },
    }
}
