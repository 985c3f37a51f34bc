//! Every key and index of SNS.
//!
//! ```text
//! account region "sns" "topic"        name                   → TopicRecord
//! account region "sns" "subscription" topic id               → SubscriptionRecord
//! account region "sns" "endpoint"     topic protocol endpoint → the subscription's id
//! account region "sns" "count"        number what            → how many subscriptions (counters)
//! account region "sns" "total"        type                   → how many topics of that type (counters)
//! account region "sns" "message"      number message         → MessageRecord, written once
//! account region "sns" "fan"          number message         → FanRecord, until every subscription was looked at
//! account region "sns" "pending"      number message subscription → how often it failed: a delivery before its end
//! account region "sns" "backlog"      number subscription → how many of those (a counter)
//! account region "sns" "sequence"     number                 → a FIFO topic's counter
//! account region "sns" "seen"         number scope id        → SeenRecord, what a FIFO topic took in five minutes
//! account region "sns" "forget"       number when scope id   → when that is forgotten
//! ```
//!
//! instance       "sns" "signing-key"                     → what notifications are signed with
//!
//! A topic's number is its own for ever: a topic made anew sees none of the old one's messages.
//! Invariant: a message is there as long as it has a fan record or a pending delivery, and no longer.

use std::time::Duration;

use apus_kernel::{AccountId, Region};
use apus_store::record::decode;
use apus_store::{Direction, DueCursor, DueIndex, Key, Keyspace, StoreError, Table, Tx};
use apus_time::Timestamp;
use minicbor::{Decode, Encode};

use crate::message::Message;
use crate::subscription::{Protocol, SubscriptionAttributes};
use crate::tags::Tags;
use crate::topic::{TopicAttributes, TopicId, TopicName};

const SERVICE: &str = "sns";
/// What is forgotten at once, at most: more than one publication brings.
const FORGOTTEN_MAX: usize = 20;
/// How long a FIFO topic knows what it took.
const DEDUPLICATION: Duration = Duration::from_mins(5);

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct TopicRecord {
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) attributes: TopicAttributes,
    #[n(2)]
    pub(crate) tags: Tags,
    #[n(3)]
    pub(crate) created_at_micros: i64,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SubscriptionRecord {
    #[n(0)]
    pub(crate) protocol: Protocol,
    #[n(1)]
    pub(crate) endpoint: String,
    #[n(2)]
    pub(crate) owner: String,
    /// Who subscribed.
    #[n(3)]
    pub(crate) principal: String,
    #[n(4)]
    pub(crate) attributes: SubscriptionAttributes,
    /// What confirms it; nothing once it is confirmed.
    #[n(5)]
    pub(crate) token: Option<String>,
    #[n(6)]
    pub(crate) created_at_micros: i64,
    #[n(7)]
    pub(crate) was_authenticated: bool,
    /// Only who is authenticated may end it.
    #[n(8)]
    pub(crate) guarded: bool,
}

/// A message as it was accepted. Never rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct MessageRecord {
    #[n(0)]
    pub(crate) message: Message,
    #[n(1)]
    pub(crate) published_at_micros: i64,
    #[n(2)]
    pub(crate) sequence_number: Option<String>,
    /// What a FIFO queue finds repetitions by.
    #[n(3)]
    pub(crate) deduplication_id: Option<String>,
}

impl MessageRecord {
    pub(crate) fn published_at(&self) -> Timestamp {
        Timestamp::from_micros(self.published_at_micros)
    }
}

/// How far a message has come on its way to the subscriptions: the cursor over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct FanRecord {
    /// The last subscription that was looked at.
    #[n(0)]
    pub(crate) after: Option<String>,
}

/// What a FIFO topic answered, and answers again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SeenRecord {
    #[n(0)]
    pub(crate) message_id: String,
    #[n(1)]
    pub(crate) sequence_number: String,
    #[n(2)]
    pub(crate) until_micros: i64,
}

/// Which of a topic's subscriptions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Confirmed,
    Pending,
    Deleted,
    /// Those with a filter policy.
    Filtered,
}

impl Counted {
    pub(crate) fn of(subscription: &SubscriptionRecord) -> Self {
        if subscription.token.is_some() { Self::Pending } else { Self::Confirmed }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Pending => "pending",
            Self::Deleted => "deleted",
            Self::Filtered => "filtered",
        }
    }
}

/// SNS in one account and region.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    space: Keyspace,
}

impl Place {
    pub(crate) fn new(account: AccountId, region: &Region) -> Self {
        Self { space: Keyspace::new(account.as_str(), region.as_str(), SERVICE) }
    }

    pub(crate) fn of(topic: &TopicId) -> Self {
        Self::new(topic.account, &topic.region)
    }

    fn topics(&self) -> Table<TopicRecord> {
        Table::new(self.space.sub(("topic",)))
    }

    fn subscriptions(&self) -> Table<SubscriptionRecord> {
        Table::new(self.space.sub(("subscription",)))
    }

    pub(crate) async fn topic(&self, tx: &Tx, name: &str) -> Result<Option<TopicRecord>, StoreError> {
        self.topics().get(tx, (name,)).await
    }

    pub(crate) fn put_topic(&self, tx: &Tx, name: &str, record: &TopicRecord) {
        self.topics().put(tx, (name,), record);
    }

    /// The names after `after`.
    pub(crate) async fn topic_names(
        &self,
        tx: &Tx,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let space = self.space.sub(("topic",));
        let range = match after {
            Some(after) => space.all().after(&space.key((after,))),
            None => space.all(),
        };
        let rows = tx.range(&range, limit, Direction::Forward).await?;
        rows.iter().map(|(key, _)| Ok(space.unpack::<(String,)>(key)?.0)).collect()
    }

    /// How many topics there are, of those like that one.
    pub(crate) async fn topics_like(&self, tx: &Tx, name: &TopicName) -> Result<i64, StoreError> {
        tx.counter(&self.total_key(name)).await
    }

    /// Notes that there are more topics like that one, or fewer.
    pub(crate) fn count_topics(&self, tx: &Tx, name: &TopicName, more: i64) {
        tx.add(&self.total_key(name), more);
    }

    fn total_key(&self, name: &TopicName) -> Key {
        self.space.key(("total", if name.is_fifo() { "fifo" } else { "standard" }))
    }

    /// Deletes a topic with its subscriptions. Its messages go as their deliveries end.
    pub(crate) fn delete_topic(&self, tx: &Tx, name: &str, number: u64) {
        self.topics().delete(tx, (name,));
        for range in [
            self.space.range(("subscription", name)),
            self.space.range(("endpoint", name)),
            self.space.range(("count", number)),
            self.space.range(("backlog", number)),
            self.space.range(("sequence", number)),
            self.space.range(("seen", number)),
            self.space.range(("forget", number)),
        ] {
            tx.delete_range(&range);
        }
    }

    pub(crate) async fn subscription(
        &self,
        tx: &Tx,
        topic: &str,
        id: &str,
    ) -> Result<Option<SubscriptionRecord>, StoreError> {
        self.subscriptions().get(tx, (topic, id)).await
    }

    pub(crate) fn put_subscription(&self, tx: &Tx, topic: &str, id: &str, record: &SubscriptionRecord) {
        self.subscriptions().put(tx, (topic, id), record);
        let endpoint = self.endpoint_key(topic, record.protocol, &record.endpoint);
        tx.put(&endpoint, id.as_bytes().to_vec());
    }

    /// Deletes a subscription. What is under way to it ends as it comes up.
    pub(crate) fn delete_subscription(
        &self,
        tx: &Tx,
        (topic, number): (&str, u64),
        id: &str,
        record: &SubscriptionRecord,
    ) {
        self.subscriptions().delete(tx, (topic, id));
        tx.delete(&self.backlog_key(number, id));
        tx.delete(&self.endpoint_key(topic, record.protocol, &record.endpoint));
    }

    fn endpoint_key(&self, topic: &str, protocol: Protocol, endpoint: &str) -> Key {
        self.space.key(("endpoint", topic, protocol.as_str(), endpoint))
    }

    /// The topic's subscription of that endpoint.
    pub(crate) async fn subscription_of(
        &self,
        tx: &Tx,
        topic: &str,
        protocol: Protocol,
        endpoint: &str,
    ) -> Result<Option<String>, StoreError> {
        let id = tx.get(&self.endpoint_key(topic, protocol, endpoint)).await?;
        Ok(id.map(|id| String::from_utf8_lossy(&id).into_owned()))
    }

    /// Subscriptions with their topics and ids: of one topic or of all, after one of them.
    pub(crate) async fn list_subscriptions(
        &self,
        tx: &Tx,
        topic: Option<&str>,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<(String, String, SubscriptionRecord)>, StoreError> {
        let table = self.subscriptions();
        let mut range = match topic {
            Some(topic) => table.range((topic,)),
            None => table.range(()),
        };
        if let Some(after) = after {
            range = range.after(&table.space().key(after));
        }
        let rows = table.list(tx, &range, limit).await?;
        let read = |(key, record)| {
            let (topic, id) = table.space().unpack::<(String, String)>(&key)?;
            Ok((topic, id, record))
        };
        rows.into_iter().map(read).collect()
    }

    fn count_key(&self, number: u64, what: Counted) -> Key {
        self.space.key(("count", number, what.as_str()))
    }

    pub(crate) fn count(&self, tx: &Tx, number: u64, what: Counted, more: i64) {
        tx.add(&self.count_key(number, what), more);
    }

    pub(crate) async fn counted(&self, tx: &Tx, number: u64, what: Counted) -> Result<i64, StoreError> {
        tx.counter(&self.count_key(number, what)).await
    }

    /// The next number of a FIFO topic's sequence.
    pub(crate) async fn next_sequence(&self, tx: &Tx, number: u64) -> Result<String, StoreError> {
        let key = self.space.key(("sequence", number));
        let next = tx.counter(&key).await?;
        tx.add(&key, 1);
        Ok(format!("1{next:019}"))
    }

    fn seen_table(&self, number: u64) -> Table<SeenRecord> {
        Table::new(self.space.sub(("seen", number)))
    }

    fn forget_index(&self, number: u64) -> DueIndex {
        DueIndex::new(self.space.sub(("forget", number)))
    }

    /// What the topic answered to that id within the last five minutes.
    pub(crate) async fn seen(
        &self,
        tx: &Tx,
        number: u64,
        scope: &str,
        id: &str,
    ) -> Result<Option<SeenRecord>, StoreError> {
        let seen = self.seen_table(number).get(tx, (scope, id)).await?;
        Ok(seen.filter(|seen| seen.until_micros > tx.now().as_micros()))
    }

    /// Remembers an answer, and forgets what is older than five minutes.
    pub(crate) async fn see(
        &self,
        tx: &Tx,
        number: u64,
        (scope, id): (&str, &str),
        message_id: &str,
        sequence_number: &str,
    ) -> Result<(), StoreError> {
        let (table, forget) = (self.seen_table(number), self.forget_index(number));
        for item in forget.due(tx, tx.now(), FORGOTTEN_MAX, &mut DueCursor::default()).await? {
            let (scope, id) = forget.item::<(String, String)>(&item)?;
            forget.remove(tx, &item);
            table.delete(tx, (scope, id));
        }
        let until = tx.now() + DEDUPLICATION;
        let record = SeenRecord {
            message_id: message_id.to_owned(),
            sequence_number: sequence_number.to_owned(),
            until_micros: until.as_micros(),
        };
        table.put(tx, (scope, id), &record);
        forget.put(tx, until, (scope, id), Vec::new());
        Ok(())
    }

    fn messages(&self, number: u64) -> Table<MessageRecord> {
        Table::new(self.space.sub(("message", number)))
    }

    fn fans(&self, number: u64) -> Table<FanRecord> {
        Table::new(self.space.sub(("fan", number)))
    }

    fn pending_key(&self, number: u64, message: &str, subscription: &str) -> Key {
        self.space.key(("pending", number, message, subscription))
    }

    /// Accepts a message: one record, and a cursor that no subscription was looked at yet.
    pub(crate) fn accept(&self, tx: &Tx, number: u64, id: &str, record: &MessageRecord) {
        self.messages(number).put(tx, (id,), record);
        self.fans(number).put(tx, (id,), &FanRecord::default());
    }

    pub(crate) async fn message(
        &self,
        tx: &Tx,
        number: u64,
        id: &str,
    ) -> Result<Option<MessageRecord>, StoreError> {
        self.messages(number).get(tx, (id,)).await
    }

    pub(crate) async fn fan(&self, tx: &Tx, number: u64, id: &str) -> Result<Option<FanRecord>, StoreError> {
        self.fans(number).get(tx, (id,)).await
    }

    /// Moves the cursor on; nothing is past the last subscription.
    pub(crate) async fn put_fan(
        &self,
        tx: &Tx,
        number: u64,
        id: &str,
        fan: Option<&FanRecord>,
    ) -> Result<(), StoreError> {
        if let Some(fan) = fan {
            self.fans(number).put(tx, (id,), fan);
        } else {
            self.fans(number).delete(tx, (id,));
            self.collect(tx, number, id).await?;
        }
        Ok(())
    }

    /// How many deliveries to a subscription are not at their end.
    pub(crate) async fn backlog(&self, tx: &Tx, number: u64, subscription: &str) -> Result<i64, StoreError> {
        tx.counter(&self.backlog_key(number, subscription)).await
    }

    fn backlog_key(&self, number: u64, subscription: &str) -> Key {
        self.space.key(("backlog", number, subscription))
    }

    /// Notes a delivery that is not at its end.
    pub(crate) fn begin(&self, tx: &Tx, number: u64, message: &str, subscription: &str) {
        self.put_failures(tx, number, message, subscription, 0);
        tx.add(&self.backlog_key(number, subscription), 1);
    }

    /// Notes how often a delivery has failed.
    pub(crate) fn put_failures(
        &self,
        tx: &Tx,
        number: u64,
        message: &str,
        subscription: &str,
        failures: u32,
    ) {
        tx.put(&self.pending_key(number, message, subscription), failures.to_be_bytes().to_vec());
    }

    /// How often a delivery has failed; nothing if it is at its end.
    pub(crate) async fn failures(
        &self,
        tx: &Tx,
        number: u64,
        message: &str,
        subscription: &str,
    ) -> Result<Option<u32>, StoreError> {
        let value = tx.get(&self.pending_key(number, message, subscription)).await?;
        Ok(value.map(|bytes| bytes.as_ref().try_into().map_or(0, u32::from_be_bytes)))
    }

    /// A delivery is at its end.
    pub(crate) async fn end(
        &self,
        tx: &Tx,
        topic: &str,
        number: u64,
        message: &str,
        subscription: &str,
    ) -> Result<(), StoreError> {
        if self.failures(tx, number, message, subscription).await?.is_some() {
            tx.delete(&self.pending_key(number, message, subscription));
            // Of a subscription that has ended the count is gone.
            if self.subscription(tx, topic, subscription).await?.is_some() {
                tx.add(&self.backlog_key(number, subscription), -1);
            }
        }
        if self.fan(tx, number, message).await?.is_none() {
            self.collect(tx, number, message).await?;
        }
        Ok(())
    }

    /// Deletes the message if nobody waits for it.
    async fn collect(&self, tx: &Tx, number: u64, message: &str) -> Result<(), StoreError> {
        let pending = self.space.range(("pending", number, message));
        if tx.range(&pending, 1, Direction::Forward).await?.is_empty() {
            self.messages(number).delete(tx, (message,));
        }
        Ok(())
    }
}

/// What a step reads of what was left for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct StepPayload {
    #[n(0)]
    pub(crate) topic: String,
    #[n(1)]
    pub(crate) number: u64,
    /// The message's id; of a confirmation, its own.
    #[n(2)]
    pub(crate) message: String,
    #[n(3)]
    pub(crate) subscription: Option<String>,
    /// How often the delivery had failed when this was left; a FIFO topic's attempts are counted by the outbox.
    #[n(4)]
    pub(crate) failures: u32,
    /// The subscriber has too much before it: this goes to its dead letters at once.
    #[n(5)]
    pub(crate) gives_up: bool,
}

impl StepPayload {
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, TopicId), String> {
        let place = Keyspace::global("instance", "outbox");
        let payload: Self = decode(place.prefix(), bytes).map_err(|error| error.to_string())?;
        let topic = TopicId::parse(&payload.topic, "TopicArn")
            .map_err(|_| format!("{} is no topic", payload.topic))?;
        Ok((payload, topic))
    }
}
