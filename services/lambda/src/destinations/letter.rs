//! A record or a dead letter on its way.

use apus_kernel::{Arn, Outbox, StepDelivery};
use apus_store::Tx;
use apus_store::record::encode;
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::function_name::FunctionId;
use crate::store::execution::ExecutionKey;

/// The name of the step that sends a letter. It stays in stores: it is for ever.
pub(crate) const STEP: &str = "tell";

/// A letter, as the outbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct LetterRecord {
    /// The ARN of who is to have it.
    #[n(0)]
    pub(crate) target: String,
    #[n(1)]
    pub(crate) body: String,
    /// Name, type and value.
    #[n(2)]
    pub(crate) attributes: Vec<(String, String, String)>,
    /// The role that sends it.
    #[n(3)]
    pub(crate) role: String,
    /// The function whose event ended.
    #[n(4)]
    pub(crate) account: String,
    #[n(5)]
    pub(crate) region: String,
    #[n(6)]
    pub(crate) function: String,
    /// When it ended.
    #[n(7)]
    pub(crate) ended_at_micros: i64,
    /// The execution that it ended with.
    #[n(8)]
    pub(crate) execution: ExecutionKey,
    /// The trace that the function's own requests had.
    #[n(9)]
    pub(crate) trace: Option<String>,
}

/// A letter, read.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) target: Arn,
    pub(crate) body: String,
    pub(crate) attributes: Vec<(String, String, String)>,
    /// The name that it would have as an object.
    pub(crate) object_key: String,
}

/// Leaves a letter, in the transaction that ends its event.
pub(crate) fn put(tx: &Tx, outbox: &Outbox, number: usize, letter: &LetterRecord) {
    let LetterRecord { account, region, execution, .. } = letter;
    outbox.put_step(
        tx,
        StepDelivery {
            // Each has a lane of its own: a destination that is gone holds up no other.
            lane: format!("lambda/tell/{account}/{region}/{}/{number}", execution.request_id),
            service: apus_model_lambda::SERVICE.name,
            step: STEP,
            payload: encode(letter).to_vec(),
            due: Timestamp::from_micros(letter.ended_at_micros),
        },
    );
}

impl LetterRecord {
    pub(crate) fn function(&self) -> Option<FunctionId> {
        let (account, region) = (self.account.parse().ok()?, self.region.parse().ok()?);
        Some(FunctionId { account, region, name: self.function.clone() })
    }

    /// The letter, under the name that its delivery has at every attempt. Nothing if its target is none.
    pub(crate) fn read(self, id: &str) -> Option<Letter> {
        let at = Timestamp::from_micros(self.ended_at_micros);
        Some(Letter {
            target: self.target.parse().ok()?,
            body: self.body,
            attributes: self.attributes,
            object_key: object_key(&self.function, at, id),
        })
    }
}

/// `aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<UUID>`.
fn object_key(function: &str, at: Timestamp, id: &str) -> String {
    let at = at.to_iso8601();
    let (day, clock) = at.split_once('T').unwrap_or((&at, ""));
    let clock = clock.get(..8).unwrap_or(clock).replace(':', ".");
    format!("aws/lambda/async/{function}/{}/{day}T{clock}-{id}", day.replace('-', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_by_function_and_time() {
        let at = Timestamp::from_millis(1_573_755_365_568);
        assert_eq!(object_key("f", at, "id"), "aws/lambda/async/f/2019/11/14/2019-11-14T18.16.05-id");
    }
}
