//! Each contradiction, planted in a sound store, is found and named.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_env::sim::Simulator;
use apus_store::fsck::examine;
use apus_store::{Key, Store, StoreError, Tx, encode};
use apus_time::Timestamp;

use super::super::groups::GroupRecord;
use super::super::messages::write_wait;
use super::super::recall::{ATTEMPT, AttemptRecord, DEDUP, DedupRecord, REMEMBERED};
use super::super::schedule::encoded;
use super::super::tail::TailRecord;
use super::super::{
    Arrival, Contradictions, Cursors, DeliveryRecord, Inbox, MessageRecord, Messages, MoveRecord, MoveStatus,
    Moves, Phase, QueueRecord, Recall, Schedule, Task, delete_queue, generation, own, put_queue, queues,
    space,
};
use crate::attributes::{Attributes, FifoAttributes};
use crate::queue::NAME_RESTS;
use crate::queue_id::QueueId;
use crate::redrive::RedrivePolicy;

/// Nobody's number.
const STRANGER: u64 = 99;
const DELAY: Duration = Duration::from_mins(1);

/// What a contradiction is planted among.
struct Parts {
    jobs: Messages,
    jobs_record: QueueRecord,
    ordered: Messages,
    ordered_record: QueueRecord,
    recall: Recall,
    moves: Moves,
    now: Timestamp,
}

impl Parts {
    fn jobs_id(&self) -> &QueueId {
        &self.jobs.id
    }

    /// A position of a message that was never sent.
    fn beyond(&self) -> (u64,) {
        (self.jobs.tail.now.next + 5,)
    }

    fn line(&self, group: &str, position: u64) -> Key {
        self.ordered.groups.as_ref().expect("it is a FIFO queue").line.key((group, position))
    }

    /// Writes a message of the standard queue as it would be, but for what `change` does.
    fn rewrite(&self, tx: &Tx, position: u64, change: impl Fn(&mut MessageRecord)) {
        let mut record = message(self.now, None);
        change(&mut record);
        self.jobs.bodies.put(tx, (position,), &record);
    }

    /// Writes the tail of the standard queue.
    fn tail(&self, tx: &Tx, change: impl Fn(&mut TailRecord)) {
        let mut record = self.jobs.tail.now.clone();
        change(&mut record);
        tx.put(&own(self.jobs_id(), self.jobs_record.number).key(("tail",)), encode(&record));
    }

    fn task(&self, tx: &Tx, change: impl Fn(&mut MoveRecord)) {
        let mut task = task(self.now);
        change(&mut task);
        self.moves.put(tx, 0, &task);
    }
}

fn id(name: &str) -> QueueId {
    QueueId::from_arn(&format!("arn:aws:sqs:us-east-1:000000000000:{name}")).expect("a queue")
}

fn record(number: u64, attributes: Attributes) -> QueueRecord {
    QueueRecord {
        number,
        attributes,
        created_at_micros: 0,
        modified_at_micros: 0,
        generation: 0,
        tags: BTreeMap::new(),
        purged_at_micros: None,
    }
}

fn message(at: Timestamp, group: Option<&str>) -> MessageRecord {
    MessageRecord {
        id: "id".into(),
        body: "body".into(),
        attributes: BTreeMap::new(),
        sender: "somebody".into(),
        sent_at_micros: at.as_micros(),
        visible_at_micros: at.as_micros(),
        trace_header: None,
        group: group.map(str::to_owned),
        deduplication_id: None,
        dead_letter_source: None,
    }
}

fn delayed(at: Timestamp, group: Option<&str>) -> MessageRecord {
    MessageRecord { visible_at_micros: (at + DELAY).as_micros(), ..message(at, group) }
}

fn task(now: Timestamp) -> MoveRecord {
    MoveRecord {
        id: "task".into(),
        destination: None,
        per_second_max: None,
        started_at_micros: now.as_micros(),
        status: MoveStatus::Running,
        moved: 0,
        to_move: 1,
        failure: None,
        resumes_at_micros: now.as_micros(),
    }
}

async fn receive(tx: &Tx, messages: &mut Messages) -> Result<(), StoreError> {
    let candidate = messages.receivable(tx, 1).await?.pop().expect("one is ready");
    let group = candidate.group.clone();
    let state = DeliveryRecord::next(None, group, tx.now(), DELAY, 1);
    messages.deliver(tx, &candidate, &state).await
}

/// A store with something of everything.
async fn something(tx: &Tx) -> Result<Parts, StoreError> {
    let now = tx.now();
    let dead = record(1, Attributes::default());
    put_queue(tx, &id("dead"), None, &dead);
    Inbox::of(&id("dead"), &dead).leave(tx, &Arrival { message: message(now, None) });

    // In flight, ready, delayed and aged: messages 0 to 3.
    let redrive = Some(RedrivePolicy { target_arn: id("dead").arn().to_string(), max_receive_count: 2 });
    let jobs_record = record(2, Attributes { redrive, ..Attributes::default() });
    put_queue(tx, &id("jobs"), None, &jobs_record);
    let mut jobs = Messages::load(tx, &id("jobs"), &jobs_record, Cursors::default()).await?;
    jobs.put(tx, &message(now, None).into()).await?;
    receive(tx, &mut jobs).await?;
    jobs.put(tx, &message(now, None).into()).await?;
    jobs.put(tx, &delayed(now, None).into()).await?;
    jobs.put_aged(tx, message(now, None)).await?;
    let moves = Moves::of(&jobs.id, &jobs_record);
    moves.begin(tx, &task(now)).await?;
    jobs.need_upkeep(tx, now);
    jobs.save(tx);

    // One group in flight, one ready, one delayed.
    let ordered_record =
        record(3, Attributes { fifo: Some(FifoAttributes::default()), ..Attributes::default() });
    put_queue(tx, &id("ordered.fifo"), None, &ordered_record);
    let mut ordered = Messages::load(tx, &id("ordered.fifo"), &ordered_record, Cursors::default()).await?;
    ordered.put(tx, &message(now, Some("flying")).into()).await?;
    receive(tx, &mut ordered).await?;
    ordered.put(tx, &message(now, Some("flying")).into()).await?;
    ordered.put(tx, &message(now, Some("ready")).into()).await?;
    ordered.put(tx, &delayed(now, Some("delayed")).into()).await?;
    let recall = Recall::of(&ordered.id, &ordered_record);
    let until = recall.remember_sent(tx, "", "dedup", "id".into(), 0);
    ordered.need_upkeep(tx, until.min(recall.remember_received(tx, "attempt", vec![(0, 1)])));
    ordered.save(tx);

    // A queue that was deleted, and is being emptied.
    let gone = record(4, Attributes::default());
    put_queue(tx, &id("gone"), None, &gone);
    let mut messages = Messages::load(tx, &id("gone"), &gone, Cursors::default()).await?;
    messages.put(tx, &message(now, None).into()).await?;
    messages.plan_upkeep(tx, None);
    messages.save(tx);
    let empty = Task::Empty { id: id("gone"), number: 4, generation: 0, whole: true };
    Schedule::new().put(tx, now, &empty);
    Schedule::new().put(tx, now + NAME_RESTS, &Task::ForgetDeleted(id("gone")));
    delete_queue(tx, &id("gone"), &gone, now);
    Ok(Parts { jobs, jobs_record, ordered, ordered_record, recall, moves, now })
}

/// What is found in that store once something was planted in it.
fn found(plant: impl Fn(&Tx, &Parts) + Sync) -> Vec<String> {
    let mut simulator = Simulator::new(1);
    let env = simulator.env();
    simulator.run(async {
        let store = Store::memory(&env);
        let planted = store.transact(|tx| {
            let plant = &plant;
            async move {
                let parts = something(&tx).await?;
                plant(&tx, &parts);
                Ok::<_, StoreError>(())
            }
        });
        planted.await.expect("it is written");
        let examined = examine(&store, &[&Contradictions]).await.expect("it looks");
        examined.findings.iter().map(ToString::to_string).collect()
    })
}

type Plant = (&'static str, fn(&Tx, &Parts));

/// Plants each, and looks for what it names.
fn check(plants: &[Plant]) {
    for (expected, plant) in plants {
        let findings = found(plant);
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:#?}");
    }
}

#[test]
fn a_sound_store_has_no_contradictions() {
    assert_eq!(found(|_, _| {}), Vec::<String>::new());
}

#[test]
fn a_message_with_two_places_or_none_or_the_wrong_one_is_found() {
    check(&[
        (
            "message 1 of queue arn:aws:sqs:us-east-1:000000000000:jobs: it is neither due nor ready",
            |tx, parts| {
                parts.jobs.ready.delete(tx, parts.now, (1_u64,));
            },
        ),
        (
            "message 2 of queue arn:aws:sqs:us-east-1:000000000000:jobs: it is neither due nor ready",
            |tx, parts| {
                parts.jobs.due.delete(tx, parts.now + DELAY, (2_u64,));
            },
        ),
        (
            "message 0 of queue arn:aws:sqs:us-east-1:000000000000:jobs: it is both due and ready",
            |tx, parts| {
                parts.jobs.ready.put(tx, parts.now + DELAY, (0_u64,), "");
            },
        ),
        ("it is ready from 1970-01-01T00:00:07Z on, and visible from", |tx, parts| {
            parts.jobs.ready.put(tx, Timestamp::from_secs(7), (1_u64,), "");
        }),
        ("it is due from 1970-01-01T00:00:07Z on, and visible from", |tx, parts| {
            parts.jobs.due.put(tx, Timestamp::from_secs(7), (2_u64,), vec![0]);
        }),
        (
            "message 1 of queue arn:aws:sqs:us-east-1:000000000000:jobs: it is ready, and has no body",
            |tx, parts| {
                parts.jobs.bodies.delete(tx, (1_u64,));
            },
        ),
        (
            "message 2 of queue arn:aws:sqs:us-east-1:000000000000:jobs: it is due, and has no body",
            |tx, parts| {
                parts.jobs.bodies.delete(tx, (2_u64,));
            },
        ),
        ("it was received, and has no body", |tx, parts| parts.jobs.bodies.delete(tx, (0_u64,))),
        ("it is due as Delayed, and its state says InFlight", |tx, parts| {
            parts.jobs.due.put(tx, parts.now + DELAY, (0_u64,), vec![0]);
        }),
        ("it is due as InFlight, and its state says Delayed", |tx, parts| {
            parts.jobs.deliveries.delete(tx, (0_u64,));
            parts.rewrite(tx, 0, |message| message.visible_at_micros += DELAY.as_micros() as i64);
        }),
        ("the next to be sent is 4, and would be put over it", |tx, parts| {
            parts.jobs.bodies.put(tx, parts.beyond(), &message(parts.now, None));
        }),
        ("it is no `", |tx, parts| tx.put(&parts.jobs.bodies.space().key((1_u64,)), "rubbish")),
    ]);
}

#[test]
fn counts_that_are_not_those_of_the_rows_are_found() {
    check(&[
        ("its tail counts", |tx, parts| parts.tail(tx, |tail| tail.counts.ready += 1)),
        ("its tail counts", |tx, parts| parts.tail(tx, |tail| tail.counts.in_flight += 1)),
        ("its tail counts", |tx, parts| parts.tail(tx, |tail| tail.counts.delayed -= 1)),
        ("it is aged, and the next to be sent is 4", |tx, parts| {
            parts.jobs.aged.put(tx, parts.now, parts.beyond(), "");
        }),
        ("it is aged as sent at", |tx, parts| parts.jobs.aged.put(tx, Timestamp::from_secs(7), (3_u64,), "")),
        ("what arrived at 7 is behind the end of its inbox, 0", |tx, parts| {
            let inbox = generation(parts.jobs_id(), parts.jobs_record.number, 0);
            tx.put(&inbox.key(("inbox", 7_u64)), encode(&Arrival { message: message(parts.now, None) }));
        }),
    ]);
}

#[test]
fn a_group_that_is_not_what_its_messages_are_is_found() {
    check(&[
        (
            "message 1 of queue arn:aws:sqs:us-east-1:000000000000:ordered.fifo: it is not in the line",
            |tx, parts| {
                tx.delete(&parts.line("flying", 1));
            },
        ),
        ("it counts 2 messages, 1 in flight, and there are 1 and 1", |tx, parts| {
            tx.delete(&parts.line("flying", 1));
        }),
        ("in the line of its group delayed it is not delayed", |tx, parts| {
            tx.put(&parts.line("delayed", 3), vec![0]);
        }),
        ("in the line of its group ready it is delayed", |tx, parts| {
            tx.put(&parts.line("ready", 2), vec![1]);
        }),
        ("it is in the line of ready, and has no body", |tx, parts| tx.put(&parts.line("ready", 8), vec![0])),
        ("it is in the line of ready, which is not its group", |tx, parts| {
            tx.put(&parts.line("ready", 1), vec![0]);
        }),
        (
            "group strange of queue arn:aws:sqs:us-east-1:000000000000:ordered.fifo: it has messages in line",
            |tx, parts| {
                tx.put(&parts.line("strange", 8), vec![0]);
            },
        ),
        ("it says that it is ready, and is not among the ready ones", |tx, parts| {
            parts.ordered.ready.delete(tx, parts.now, (2_u64,));
        }),
        ("it is ready since 1970-01-01T00:00:07Z at 1, and does not say so", |tx, parts| {
            parts.ordered.ready.put(tx, Timestamp::from_secs(7), (1_u64,), "flying");
        }),
        ("it is ready at None, and may be at Some(2)", |tx, parts| {
            let groups = parts.ordered.groups.as_ref().expect("it is a FIFO queue");
            let mut record = GroupRecord::default();
            record.messages = 1;
            groups.records.put(tx, ("ready",), &record);
        }),
        ("it is ready at Some(2), and may be at None", |tx, parts| tx.put(&parts.line("ready", 2), vec![1])),
        ("it is due for another group than its own", |tx, parts| {
            let flying = write_wait(Phase::InFlight, Some("ready"));
            parts.ordered.due.put(tx, parts.now + DELAY, (0_u64,), flying);
        }),
        ("it was received of another group than its own", |tx, parts| {
            let state = DeliveryRecord::next(None, Some("ready".into()), parts.now, DELAY, 1);
            parts.ordered.deliveries.put(tx, (0_u64,), &state);
        }),
        ("it has no group, and the queue is a FIFO queue", |tx, parts| {
            parts.ordered.bodies.put(tx, (2_u64,), &message(parts.now, None));
        }),
        ("it is a standard queue, and has rows under \"line\"", |tx, parts| {
            let space = generation(parts.jobs_id(), parts.jobs_record.number, 0);
            tx.put(&space.key(("line", "group", 0_u64)), vec![0]);
        }),
    ]);
}

#[test]
fn what_is_remembered_for_ever_or_not_long_enough_is_found() {
    check(&[
        ("it remembers the deduplication id dedup for ever", |tx, parts| {
            let until = parts.now + REMEMBERED;
            parts.recall.forget.delete(tx, until, (DEDUP, "", "dedup"));
        }),
        ("it remembers the receive attempt attempt for ever", |tx, parts| {
            let until = parts.now + REMEMBERED;
            parts.recall.forget.delete(tx, until, (ATTEMPT, "", "attempt"));
        }),
        ("dedup is to be forgotten at", |tx, parts| {
            let record = DedupRecord { message_id: "id".into(), position: 0, until_micros: 7 };
            parts.recall.dedups.put(tx, ("", "dedup"), &record);
        }),
        ("attempt is to be forgotten at", |tx, parts| {
            let record = AttemptRecord { messages: vec![], until_micros: 7 };
            parts.recall.attempts.put(tx, ("attempt",), &record);
        }),
        ("the deduplication id dedup is of it, and the next to be sent is 4", |tx, parts| {
            let until_micros = (parts.now + REMEMBERED).as_micros();
            let record = DedupRecord { message_id: "id".into(), position: 9, until_micros };
            parts.recall.dedups.put(tx, ("", "dedup"), &record);
        }),
        ("the receive attempt attempt is of it, and the next to be sent is 4", |tx, parts| {
            let until_micros = (parts.now + REMEMBERED).as_micros();
            let record = AttemptRecord { messages: vec![(9, 9)], until_micros };
            parts.recall.attempts.put(tx, ("attempt",), &record);
        }),
    ]);
}

#[test]
fn upkeep_that_comes_never_twice_or_too_late_is_found() {
    check(&[
        ("it is to be looked after at", |tx, parts| {
            Schedule::new().done(tx, parts.now, &Task::Tend(parts.jobs_id().clone()));
        }),
        ("the schedule has it looked after at 1970-01-01T00:00:07Z, and its tail says", |tx, parts| {
            Schedule::new().put(tx, Timestamp::from_secs(7), &Task::Tend(parts.jobs_id().clone()));
        }),
        ("it has messages, and nobody will look when they expire", |tx, parts| {
            parts.tail(tx, |tail| tail.upkeep_at_micros = None);
        }),
        ("message move task 0 goes on at", |tx, parts| parts.tail(tx, |tail| tail.upkeep_at_micros = None)),
        ("message move task 0 goes on at", |tx, parts| parts.task(tx, |task| task.resumes_at_micros -= 1)),
        ("message move task 0 is under way, and not the last", |tx, parts| {
            parts.moves.put(tx, 1, &task(parts.now));
        }),
        ("it keeps more than 10 message move tasks", |tx, parts| {
            (0..11).for_each(|number| parts.moves.put(tx, number, &task(parts.now)));
        }),
        ("what it remembers is to be forgotten at", |tx, parts| {
            let at = parts.ordered.upkeep_at().expect("it is planned");
            let mut tail = parts.ordered.tail.now.clone();
            tail.upkeep_at_micros = Some(at.as_micros() + 1);
            tx.put(&own(&parts.ordered.id, parts.ordered_record.number).key(("tail",)), encode(&tail));
        }),
        ("queue arn:aws:sqs:us-east-1:000000000000:nobody: it is to be looked after at", |tx, parts| {
            Schedule::new().put(tx, parts.now, &Task::Tend(id("nobody")));
        }),
        ("its key and its content differ", |tx, parts| {
            let entry = Schedule::new().entries;
            let own = (0_u8, "000000000000", "us-east-1", "dead", 0_u64, 0_u32);
            entry.put(tx, parts.now, own, encoded(&Task::Tend(parts.jobs_id().clone())));
        }),
    ]);
}

#[test]
fn names_that_do_not_agree_are_found() {
    check(&[
        (
            "it sends its dead to arn:aws:sqs:us-east-1:000000000000:dead, and is not among the sources",
            |tx, parts| {
                tx.delete(&space(parts.jobs_id()).key(("source", "dead", "jobs")));
            },
        ),
        ("ordered.fifo is among its sources, and does not send its dead to it", |tx, parts| {
            tx.put(&space(parts.jobs_id()).key(("source", "dead", "ordered.fifo")), "");
        }),
        ("nobody is among its sources, and does not send its dead to it", |tx, parts| {
            tx.put(&space(parts.jobs_id()).key(("source", "dead", "nobody")), "");
        }),
        ("its name and its record differ in whether it is a FIFO queue", |tx, parts| {
            queues(parts.jobs_id()).put(tx, ("jobs.fifo",), &record(7, Attributes::default()));
        }),
        ("its number 2 is another queue's too", |tx, parts| {
            queues(parts.jobs_id()).put(tx, ("twin",), &record(2, Attributes::default()));
        }),
        ("queue no name: its name is none", |tx, parts| {
            queues(parts.jobs_id()).put(tx, ("no name",), &record(7, Attributes::default()));
        }),
        ("gone: its name rests until", |tx, parts| {
            Schedule::new().done(tx, parts.now + NAME_RESTS, &Task::ForgetDeleted(id("gone")));
        }),
        ("jobs: the schedule has its name rest until", |tx, parts| {
            Schedule::new().put(tx, parts.now, &Task::ForgetDeleted(parts.jobs_id().clone()));
        }),
    ]);
}

#[test]
fn what_is_left_behind_and_what_must_stay_is_found() {
    check(&[
        ("queue number 4 in 000000000000 us-east-1: generation 0 has messages for nobody", |tx, parts| {
            let empty = Task::Empty { id: id("gone"), number: 4, generation: 0, whole: true };
            Schedule::new().done(tx, parts.now, &empty);
        }),
        ("queue number 4 in 000000000000 us-east-1: it has rows of its own, is no queue's", |tx, parts| {
            let task = |whole| Task::Empty { id: id("gone"), number: 4, generation: 0, whole };
            Schedule::new().done(tx, parts.now, &task(true));
            Schedule::new().put(tx, parts.now, &task(false));
        }),
        ("queue number 99 in 000000000000 us-east-1: generation 3 has messages for nobody", |tx, parts| {
            tx.put(&generation(parts.jobs_id(), STRANGER, 3).key(("ready",)), "");
        }),
        ("queue number 2 in 000000000000 us-east-1: generation 1 has messages for nobody", |tx, parts| {
            tx.put(&generation(parts.jobs_id(), 2, 1).key(("ready",)), "");
        }),
        ("generation 0 is to be emptied, and it is in use", |tx, parts| {
            let empty = Task::Empty { id: parts.jobs_id().clone(), number: 2, generation: 0, whole: false };
            Schedule::new().put(tx, parts.now, &empty);
        }),
    ]);
}
