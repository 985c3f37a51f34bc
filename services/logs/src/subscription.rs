//! Subscriptions: events that a filter means go to a function, by the outbox, in the transaction that keeps them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apus_kernel::{Arn, Attempt, Caller, Origin, Outbox, Platform, Region, StepDelivery, StepEnd};
use apus_model_lambda::{InvocationRequest, InvocationType, Invoke};
use apus_schema::{Common, ServiceError};
use apus_store::{Tx, decode, encode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use minicbor::{Decode, Encode};
use serde_json::{Value, json};

use crate::Logs;
use crate::batch::{EVENT_OVERHEAD_BYTES, Given};
use crate::names::GroupId;
use crate::pattern::Pattern;
use crate::position::Position;
use crate::store::GroupRecord;

/// The name of the step in the outbox, for ever.
pub(crate) const STEP: &str = "subscription";
/// Subscriptions of a group.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 2;
/// Messages of one invocation, before they are compressed: what is left fits into an event of Lambda.
const INVOCATION_BYTES_MAX: usize = 512 * 1024;
/// How long a delivery is tried, as AWS does.
const TRIED_MAX: Duration = Duration::from_hours(24);
/// The first pause between attempts, doubled up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// The name under which functions' policies know the service, in every region.
const PRINCIPAL: &str = "logs.amazonaws.com";
/// Regions whose own principal is remembered.
const REGIONS_MAX: usize = 256;

/// A delivery, as the outbox keeps it.
#[derive(Encode, Decode)]
#[cbor(map)]
struct DeliveryRecord {
    #[n(0)]
    account: String,
    #[n(1)]
    region: String,
    #[n(2)]
    group: String,
    #[n(3)]
    function: String,
    #[cbor(n(4), with = "minicbor::bytes")]
    event: Vec<u8>,
}

/// Who has subscribed to a group's events.
pub(crate) struct Subscribers<'a> {
    id: &'a GroupId,
    filters: Vec<(&'a str, &'a str, Pattern)>,
}

impl<'a> Subscribers<'a> {
    pub(crate) fn of(id: &'a GroupId, record: &'a GroupRecord) -> Self {
        let filters = record.subscriptions.iter().flatten().filter_map(|(name, filter)| {
            // A pattern was read before it was kept.
            let pattern = Pattern::parse(&filter.pattern).ok()?;
            Some((name.as_str(), filter.destination.as_str(), pattern))
        });
        Self { id, filters: filters.collect() }
    }

    /// Leaves the events that are meant in the outbox.
    pub(crate) fn leave(
        &self,
        tx: &Tx,
        outbox: &Outbox,
        stream: &str,
        events: &[Given],
        places: &[Position],
    ) {
        for (name, destination, pattern) in &self.filters {
            let meant = events.iter().zip(places).filter(|(event, _)| pattern.matches(&event.message));
            for part in parts(meant.collect()) {
                let payload = encode(&DeliveryRecord {
                    account: self.id.account.to_string(),
                    region: self.id.region.to_string(),
                    group: self.id.name.clone(),
                    function: (*destination).to_owned(),
                    event: event(self.id, stream, name, &part),
                });
                outbox.put_step(
                    tx,
                    StepDelivery {
                        lane: format!("logs/{}/{}/{}/{name}", self.id.account, self.id.region, self.id.name),
                        service: "logs",
                        step: STEP,
                        payload: payload.to_vec(),
                        due: tx.now(),
                    },
                );
            }
        }
    }
}

/// Events cut so that each part fits into an invocation.
fn parts<'e>(events: Vec<(&'e Given, &'e Position)>) -> Vec<Vec<(&'e Given, &'e Position)>> {
    let (mut parts, mut bytes) = (Vec::<Vec<_>>::new(), 0);
    for event in events {
        let own = event.0.message.len() + EVENT_OVERHEAD_BYTES;
        match parts.last_mut() {
            Some(part) if bytes + own <= INVOCATION_BYTES_MAX => {
                bytes += own;
                part.push(event);
            }
            _ => {
                bytes = own;
                parts.push(vec![event]);
            }
        }
    }
    parts
}

/// What the function gets: `{"awslogs":{"data":"…"}}`, compressed and in base64.
fn event(id: &GroupId, stream: &str, filter: &str, events: &[(&Given, &Position)]) -> Vec<u8> {
    let events: Vec<Value> = events
        .iter()
        .map(|(event, place)| json!({"id": place.id(), "timestamp": event.time_ms, "message": event.message}))
        .collect();
    let data = json!({
        "messageType": "DATA_MESSAGE",
        "owner": id.account.to_string(),
        "logGroup": id.name,
        "logStream": stream,
        "subscriptionFilters": [filter],
        "logEvents": events,
    });
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let packed = gzip.write_all(data.to_string().as_bytes()).and_then(|()| gzip.finish());
    let Ok(packed) = packed else { unreachable!("writing to memory does not fail") };
    json!({"awslogs": {"data": STANDARD.encode(packed)}}).to_string().into_bytes()
}

/// Hands events to a function.
pub(crate) async fn deliver(_logs: Arc<Logs>, attempt: Attempt) -> StepEnd {
    let key = apus_store::Key::from("a delivery of logs");
    let Ok(record) = decode::<DeliveryRecord>(&key, &attempt.payload) else {
        return StepEnd::Dead { reason: "the delivery cannot be read".into() };
    };
    let (Ok(account), Ok(region)) = (record.account.parse(), record.region.parse()) else {
        return StepEnd::Dead { reason: "the delivery names no place".into() };
    };
    let id = GroupId { account, region, name: record.group };
    let event = Some(Bytes::from(record.event));
    match invoke(&attempt.platform, &id, &record.function, InvocationType::Event, event).await {
        Ok(()) => StepEnd::Done,
        Err(error) if !error.is_retryable() => StepEnd::Dead { reason: error.to_string() },
        Err(error) => {
            let age = attempt.platform.env().now().since(attempt.since);
            if age > TRIED_MAX {
                return StepEnd::Dead { reason: error.to_string() };
            }
            let after = PAUSE.saturating_mul(1 << attempt.failures.min(16)).min(PAUSE_MAX);
            StepEnd::Again { after, reason: error.to_string() }
        }
    }
}

/// Calls a function in the service's name: as it is called everywhere, and else as it is called in its region.
pub(crate) async fn invoke(
    platform: &Platform,
    id: &GroupId,
    function: &str,
    kind: InvocationType,
    payload: Option<Bytes>,
) -> Result<(), ServiceError> {
    let call = async |principal| {
        let caller = Caller::service(principal, id.account, id.region.clone());
        let source = Some(Box::new(Arn { resource: format!("{}:*", id.arn().resource), ..id.arn() }));
        let context = platform.context(caller, Origin { source, ..Origin::default() }, None);
        let input = InvocationRequest {
            function_name: function.to_owned(),
            invocation_type: Some(kind.clone()),
            payload: payload.clone(),
            ..InvocationRequest::default()
        };
        platform.call::<Invoke>(context, input).await.map(drop)
    };
    match call(PRINCIPAL).await {
        Err(denied) if denied.is_common(Common::AccessDenied) => match regional(&id.region) {
            Some(principal) => call(principal).await,
            None => Err(denied),
        },
        answer => answer,
    }
}

/// `logs.us-east-1.amazonaws.com`: one static copy for each region.
fn regional(region: &Region) -> Option<&'static str> {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let name = format!("logs.{region}.amazonaws.com");
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return Some(known);
    }
    if names.len() >= REGIONS_MAX {
        return None;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    Some(name)
}
