//! A group's lane: appends that wait at the same moment share one transaction and one sync, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use apus_env::Env;
use apus_kernel::{Lanes, Lease, Outbox};
use apus_store::{Store, Tx};
use tokio::sync::oneshot;

use crate::batch::{EVENT_OVERHEAD_BYTES, Given, Rejected, judge};
use crate::errors::Refusal;
use crate::names::GroupId;
use crate::retention;
use crate::store::{self, Group, GroupRecord, StreamRecord};
use crate::subscription::Subscribers;
use crate::tail::{Hub, Told};

/// The most bytes of events that one transaction takes.
const STEP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Events for a stream.
pub(crate) struct Append {
    stream: String,
    events: Arc<[Given]>,
    reply: oneshot::Sender<Result<Rejected, Refusal>>,
}

/// The lanes of all groups.
#[derive(Clone)]
pub(crate) struct GroupLanes(Lanes<GroupId, Append>);

impl GroupLanes {
    pub(crate) fn new(env: Env, store: Store, lease: Lease, outbox: Outbox, hub: Arc<Hub>) -> Self {
        let inner = Arc::new(Inner { store, lease, outbox, hub });
        let step = move |_lanes, id, jobs| Arc::clone(&inner).step(id, jobs);
        Self(Lanes::new(env, "log group", step))
    }

    /// Appends a batch that was checked: which of its events were not taken.
    pub(crate) async fn append(
        &self,
        id: GroupId,
        stream: String,
        events: Vec<Given>,
    ) -> Result<Rejected, Refusal> {
        let events = events.into();
        self.0.call(id, |reply| Append { stream, events, reply }).await?
    }
}

struct Inner {
    store: Store,
    lease: Lease,
    outbox: Outbox,
    hub: Arc<Hub>,
}

impl Inner {
    async fn step(self: Arc<Self>, id: GroupId, jobs: Vec<Append>) {
        let mut rest = jobs;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |job: &&Append| {
                let fits = bytes < STEP_BYTES_MAX;
                bytes +=
                    job.events.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES).sum::<usize>();
                fits
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let later = rest.split_off(count.min(rest.len()));
            self.batch(&id, rest).await;
            rest = later;
        }
    }

    /// One transaction for all of them.
    async fn batch(&self, id: &GroupId, jobs: Vec<Append>) {
        let wanted: Vec<_> = jobs.iter().map(|job| (job.stream.clone(), Arc::clone(&job.events))).collect();
        let done = self.store.transact(|tx| {
            let wanted = &wanted;
            async move { self.append_all(&tx, id, wanted).await }
        });
        match done.await {
            Ok((record, answers)) => {
                let now_ms = self.store.env().now().as_millis();
                for (job, answer) in jobs.into_iter().zip(answers) {
                    if let (Some(record), Ok(rejected)) = (&record, &answer) {
                        let taken = &job.events[rejected.taken(job.events.len())];
                        self.hub.tell(record.number, &Told { stream: &job.stream, events: taken, now_ms });
                    }
                    // Who no longer waits does not mind.
                    let _gone = job.reply.send(answer);
                }
            }
            Err(failed) => {
                let why = format!("{failed:?}");
                for job in jobs {
                    let _gone = job.reply.send(Err(Refusal::Failed(why.clone())));
                }
            }
        }
    }

    async fn append_all(
        &self,
        tx: &Tx,
        id: &GroupId,
        wanted: &[(String, Arc<[Given]>)],
    ) -> Result<(Option<GroupRecord>, Vec<Result<Rejected, Refusal>>), Refusal> {
        self.lease.fence(tx).await?;
        let Some(record) = store::group(tx, id).await? else {
            return Ok((None, wanted.iter().map(|_| Err(Refusal::NoGroup)).collect()));
        };
        let group = Group::of(id, &record);
        let mut tail = group.tail(tx).await?;
        let mut streams = BTreeMap::<&str, (StreamRecord, StreamRecord)>::new();
        let retention = record.retention_days.map(retention::duration);
        let subscribers = Subscribers::of(id, &record);
        let mut answers = Vec::with_capacity(wanted.len());
        for (name, events) in wanted {
            if !streams.contains_key(name.as_str()) {
                let Some(stream) = group.stream(tx, name).await? else {
                    answers.push(Err(Refusal::NoStream));
                    continue;
                };
                streams.insert(name, (stream.clone(), stream));
            }
            let Some((_, stream)) = streams.get_mut(name.as_str()) else { continue };
            answers.push(match judge(events, tx.now(), retention) {
                Ok(rejected) => {
                    let taken = &events[rejected.taken(events.len())];
                    let now_ms = tx.now().as_millis();
                    let places = store::append(tx, &group, &mut tail, stream, taken, now_ms);
                    subscribers.leave(tx, &self.outbox, name, taken, &places);
                    Ok(rejected)
                }
                Err(refusal) => Err(refusal),
            });
        }
        for (name, (before, after)) in &streams {
            group.put_stream(tx, name, before, after);
        }
        group.put_tail(tx, &tail);
        Ok((Some(record), answers))
    }
}
