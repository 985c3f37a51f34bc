//! What was asked and answered, and what contradicts it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use apus_env::Env;
use apus_schema::{Fault, ServiceError};

use crate::fed::Fed;
use crate::messages::{Messages, Receive};
use crate::register::{Registers, Saw, Tick};
use crate::topics::Published;

/// What the clients of one world know. It outlives every crash. Clones are handles to the same one.
#[derive(Clone)]
pub struct History {
    env: Env,
    facts: Arc<Mutex<Facts>>,
}

#[derive(Default)]
struct Facts {
    tick: Tick,
    token: u64,
    tally: Tally,
    /// The last failure, in words.
    failure: Option<String>,
    swept: u64,
    session: Option<Session>,
    registers: Registers,
    messages: Messages,
    published: Published,
    fed: Fed,
    violations: Vec<String>,
}

/// How often each kind of call was done, was refused, and ended in nobody knows what.
pub type Tally = BTreeMap<String, [u64; 3]>;

/// A session of a role: it outlives the platform that gave it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access_key: String,
    pub(crate) token: String,
    pub(crate) given_at: Duration,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is done, and durable.
    Done,
    /// It has no effect.
    Refused,
    /// Nobody knows.
    Unknown,
}

impl Verdict {
    pub(crate) fn of<T>(answer: &Result<T, ServiceError>) -> Self {
        match answer {
            Ok(_) => Self::Done,
            Err(error) if error.fault() == Fault::Sender => Self::Refused,
            Err(_) => Self::Unknown,
        }
    }
}

impl History {
    pub(crate) fn new(env: Env) -> Self {
        Self { env, facts: Arc::default() }
    }

    /// Calls that were answered.
    pub fn operations(&self) -> u64 {
        self.facts().tally.values().flatten().sum()
    }

    /// The same by kind and answer.
    pub fn tally(&self) -> Tally {
        self.facts().tally.clone()
    }

    /// What contradicts the history, in the order in which it was found.
    pub fn violations(&self) -> Vec<String> {
        self.facts().violations.clone()
    }

    /// Messages that are owed for sure.
    pub fn owed(&self) -> usize {
        self.facts().messages.owed()
    }

    /// Notes a contradiction.
    pub(crate) fn violation(&self, what: impl Into<String>) {
        let what = what.into();
        self.env.trace(&what);
        self.facts().violations.push(what);
    }

    fn note(&self, found: Result<(), String>) {
        if let Err(what) = found {
            self.violation(what);
        }
    }

    /// Keeps a session; the one that was kept before.
    pub(crate) fn exchange_session(&self, session: Session) -> Option<Session> {
        self.facts().session.replace(session)
    }

    /// Blobs without a reference were deleted after a start.
    pub(crate) fn swept(&self, blobs: usize) {
        self.facts().swept += blobs as u64;
    }

    /// Blobs without a reference that were deleted after starts.
    pub fn blobs_swept(&self) -> u64 {
        self.facts().swept
    }

    /// How many calls failed, with nobody knowing what came of them, and the last of them.
    pub(crate) fn failures(&self) -> (u64, Option<String>) {
        let facts = self.facts();
        let count = facts.tally.values().map(|counts| counts[Verdict::Unknown as usize]).sum();
        (count, facts.failure.clone())
    }

    /// A number that no value had before.
    pub(crate) fn token(&self) -> u64 {
        let mut facts = self.facts();
        facts.token += 1;
        facts.token
    }

    /// The next moment.
    pub(crate) fn tick(&self) -> Tick {
        let mut facts = self.facts();
        facts.tick += 1;
        facts.tick
    }

    /// A call was answered.
    pub(crate) fn heard<T>(&self, what: &str, answer: &Result<T, ServiceError>) {
        let verdict = Verdict::of(answer);
        self.env.trace(format!("{what} {verdict:?}"));
        let mut facts = self.facts();
        if let (Verdict::Unknown, Err(error)) = (verdict, answer) {
            facts.failure = Some(format!("{what}: {error}"));
        }
        // A new kind is rare, and a look-up that makes no text is not.
        match facts.tally.get_mut(what) {
            Some(counts) => counts[verdict as usize] += 1,
            None => facts.tally.entry(what.to_owned()).or_default()[verdict as usize] = 1,
        }
    }

    /// Writes a name, or deletes it.
    pub(crate) async fn write<T>(
        &self,
        key: &str,
        value: Option<u64>,
        call: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let began = self.tick();
        self.facts().registers.begin(key, value, began);
        let answer = call.await;
        let verdict = Verdict::of(&answer);
        let at = self.tick();
        match verdict {
            Verdict::Done => self.facts().registers.acknowledge(key, began, at),
            Verdict::Refused => self.facts().registers.refuse(key, began),
            Verdict::Unknown => {}
        }
        self.env.trace(key);
        let kind = key.split(' ').next().unwrap_or_default();
        self.heard(&format!("{kind} {}", if value.is_some() { "put" } else { "delete" }), &answer);
        answer
    }

    /// A reader that began then saw this.
    pub(crate) fn saw(&self, key: &str, saw: Saw, began: Tick) {
        let ended = self.tick();
        let found = self.facts().registers.check(key, saw, began, ended);
        self.note(found);
    }

    /// With nothing under way, a reader saw this: so it is from now on.
    pub(crate) fn settle(&self, key: &str, value: Option<u64>, began: Tick) {
        self.saw(key, Saw::Value(value), began);
        let at = self.tick();
        self.facts().registers.pin(key, value, at);
    }

    /// Every name that was ever written and begins like that.
    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        self.facts().registers.keys().into_iter().filter(|key| key.starts_with(prefix)).collect()
    }

    pub(crate) fn sending(&self, token: u64, queue: &str) {
        self.facts().messages.sending(token, queue);
    }

    pub(crate) fn sent(&self, token: u64, answer: Result<&str, Verdict>) {
        let at = self.tick();
        let found = match answer {
            Ok(id) => self.facts().messages.sent(token, id),
            Err(Verdict::Refused) => {
                self.facts().messages.refused(token, at);
                Ok(())
            }
            Err(_) => Ok(()),
        };
        self.note(found);
    }

    pub(crate) fn received(&self, token: u64, queue: &str, id: &str, receive: Receive) {
        let found = self.facts().messages.received(token, queue, id, receive);
        self.note(found);
    }

    pub(crate) fn deleting(&self, token: u64) {
        self.facts().messages.deleting(token);
    }

    pub(crate) fn deleted(&self, token: u64) {
        let at = self.tick();
        self.facts().messages.deleted(token, at);
    }

    pub(crate) fn feeding(&self, token: u64, group: Option<String>) {
        self.facts().fed.sending(token, group);
    }

    pub(crate) fn fed(&self, token: u64) {
        self.facts().fed.sent(token);
    }

    pub(crate) fn handled(&self, token: u64) {
        let found = self.facts().fed.handled(token);
        self.note(found);
    }

    pub(crate) fn all_handled(&self) {
        let found = self.facts().fed.all_handled();
        self.note(found);
    }

    /// How many messages of mapped queues were acknowledged, and how many were handled more than once.
    pub fn fed_counts(&self) -> (u64, u64) {
        self.facts().fed.counts()
    }

    pub(crate) fn drained(&self, queue: &str, seen: &BTreeSet<u64>) {
        let at = self.tick();
        let found = self.facts().messages.drained(queue, seen, at);
        for what in found {
            self.violation(what);
        }
    }

    pub(crate) fn publishing(&self, token: u64, topic: &str, group: Option<&str>) {
        self.facts().published.publishing(token, topic, group);
    }

    pub(crate) fn published(&self, token: u64, answer: Result<Option<String>, Verdict>) {
        match answer {
            Ok(number) => self.facts().published.acknowledged(token, number),
            Err(Verdict::Refused) => self.facts().published.refused(token),
            Err(_) => {}
        }
    }

    pub(crate) fn arrived(&self, token: u64, topic: &str) {
        let found = self.facts().published.arrived(token, topic);
        self.note(found);
    }

    pub(crate) fn owed_by_topic(&self, topic: &str) -> usize {
        self.facts().published.owed(topic)
    }

    pub(crate) fn settled(&self, topic: &str) {
        let found = self.facts().published.settled(topic);
        for what in found {
            self.violation(what);
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
