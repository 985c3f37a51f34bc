//! The group committer: the one place where versions are made.
//!
//! It takes all commits that wait, checks each against what was written since its snapshot, makes those that
//! hold durable together with one write and one sync, publishes the new version, and only then answers.
//! It knows nothing of files: that is the journal's part.

mod recent;
mod resolve;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::limits::{BATCH_BYTES_SOFT_MAX, LIVE_VERSIONS_SORTED_AT};
use crate::shared::{Held, Shared};
use crate::state::{Base, Change, State};
use crate::tx::Finished;
use recent::Recent;
use resolve::Resolving;

/// Where versions become durable.
pub(crate) trait Journal: Send {
    /// Makes a version durable. [`StoreError::Full`] means that nothing of it was kept and that the next may
    /// succeed; after every other error the outcome is unknown and nothing may be written any more.
    fn persist(&mut self, version: u64, changes: &[Change]) -> Result<(), StoreError>;

    /// Whether commits must wait for [`Control`] news before the journal takes more.
    fn is_full(&self, _state: &State) -> bool {
        false
    }

    /// Whether it is time to freeze the overlay: asked after every version; `now`: whatever is there.
    fn wants_freeze(&self, _state: &State, _now: bool) -> bool {
        false
    }

    /// Freezes the overlay and begins to move it into the base.
    fn freeze(&mut self, _state: &mut State) -> Result<(), StoreError> {
        Ok(())
    }

    /// The frozen overlay has become part of the base.
    fn frozen_moved(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How long to wait without commits before a freeze; `None`: not at all.
    fn idle_after(&self) -> Option<Duration> {
        None
    }

    /// What a simulated disk takes for a write; a real one takes its time by itself.
    fn latency(&self) -> Option<Duration> {
        None
    }
}

/// A journal that keeps nothing: for stores in memory.
pub(crate) struct NoJournal;

impl Journal for NoJournal {
    fn persist(&mut self, _version: u64, _changes: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A transaction that wants to commit.
pub(crate) struct Commit {
    pub(crate) finished: Finished,
    pub(crate) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Conflict,
}

/// News for the committer from elsewhere than transactions.
pub(crate) enum Control {
    /// The frozen overlay was moved into the base, which now reads like this; or it could not be.
    Checkpointed(Result<Arc<dyn Base>, StoreError>),
    /// Finish what waits, then end; answered when all is let go.
    Close(oneshot::Sender<()>),
    /// Move everything into the base; answered when there is nothing left above it.
    Checkpoint(oneshot::Sender<Result<(), StoreError>>),
}

pub(crate) struct Committer {
    shared: Arc<Shared>,
    commits: mpsc::Receiver<Commit>,
    control: mpsc::UnboundedReceiver<Control>,
    journal: Box<dyn Journal>,
    recent: Recent,
    /// Published versions that someone may still commit from, oldest first.
    live: VecDeque<(u64, Weak<Held>)>,
    checkpoint_waiters: Vec<oneshot::Sender<Result<(), StoreError>>>,
    closing: Vec<oneshot::Sender<()>>,
}

enum Event {
    Batch(Vec<Commit>),
    Control(Control),
    Idle,
    Closed,
}

impl Committer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        commits: mpsc::Receiver<Commit>,
        control: mpsc::UnboundedReceiver<Control>,
        journal: Box<dyn Journal>,
    ) -> Self {
        let held = shared.current().map_or_else(|| Arc::new(Held { version: 0 }), |current| current.held);
        Self {
            recent: Recent::new(held.version),
            live: VecDeque::from([(held.version, Arc::downgrade(&held))]),
            closing: Vec::new(),
            shared,
            commits,
            control,
            journal,
            checkpoint_waiters: Vec::new(),
        }
    }

    /// Commits until every handle on the store is gone or it is closed.
    pub(crate) async fn run(mut self) {
        loop {
            match self.next_event().await {
                Event::Batch(batch) => self.commit(batch).await,
                Event::Control(Control::Close(waiter)) => {
                    self.closing.push(waiter);
                    self.commits.close();
                }
                Event::Control(Control::Checkpointed(moved)) => self.checkpointed(moved),
                Event::Control(Control::Checkpoint(waiter)) => {
                    self.checkpoint_waiters.push(waiter);
                    self.tidy(true);
                }
                Event::Idle => self.tidy(true),
                Event::Closed => break,
            }
        }
        self.end().await;
    }

    /// Lets go of everything, after a checkpoint under way has come to its end.
    async fn end(mut self) {
        while self.state().frozen.is_some() && !self.shared.has_failed() {
            match poll_fn(|cx| self.control.poll_recv(cx)).await {
                Some(Control::Checkpointed(moved)) => self.checkpointed(moved),
                Some(Control::Close(waiter)) => self.closing.push(waiter),
                Some(Control::Checkpoint(waiter)) => self.checkpoint_waiters.push(waiter),
                None => break,
            }
        }
        self.shared.close();
        let closing = std::mem::take(&mut self.closing);
        drop(self);
        for waiter in closing {
            let _ = waiter.send(());
        }
    }

    async fn next_event(&mut self) -> Event {
        let state = self.state();
        let has_changes = !state.active.is_empty() && state.frozen.is_none();
        let idle_after = self.journal.idle_after().filter(|_| has_changes && !self.shared.has_failed());
        let mut idle = idle_after.map(|span| {
            let env = self.shared.env().clone();
            Box::pin(async move { env.sleep(span).await }) as Pin<Box<dyn Future<Output = ()> + Send>>
        });
        let takes_commits = !self.journal.is_full(&state) || self.shared.has_failed();
        drop(state);
        let first = poll_fn(|cx| {
            if let Poll::Ready(Some(control)) = self.control.poll_recv(cx) {
                return Poll::Ready(Event::Control(control));
            }
            if takes_commits && let Poll::Ready(commit) = self.commits.poll_recv(cx) {
                return Poll::Ready(commit.map_or(Event::Closed, |commit| Event::Batch(vec![commit])));
            }
            match idle.as_mut().map(|sleep| sleep.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => Poll::Ready(Event::Idle),
                _ => Poll::Pending,
            }
        })
        .await;
        match first {
            Event::Batch(mut batch) => {
                let mut bytes = batch[0].finished.writes.bytes();
                while bytes < BATCH_BYTES_SOFT_MAX
                    && let Ok(commit) = self.commits.try_recv()
                {
                    bytes += commit.finished.writes.bytes();
                    batch.push(commit);
                }
                Event::Batch(batch)
            }
            other => other,
        }
    }

    async fn commit(&mut self, batch: Vec<Commit>) {
        if let Some(failure) = self.shared.failure() {
            return answer(batch.into_iter().map(|commit| commit.reply), &Err(failure));
        }
        let state = self.state();
        let version = state.version + 1;
        let mut resolving = Resolving::new(&state);
        let (mut accepted, mut conflicted) = (Vec::new(), Vec::new());
        for Commit { finished, reply } in batch {
            let (at, reads) = (finished.held.version, &finished.reads);
            if self.shared.checks_conflicts() && self.recent.conflicts(reads, at) {
                conflicted.push(reply);
                continue;
            }
            match resolving.add(finished.writes) {
                Ok(resolved) => {
                    let written = resolving.changes()[resolved.first_change..].iter();
                    self.recent.note(version, written.map(|change| change.key.clone()));
                    accepted.push((reply, resolved.positions));
                }
                // A transaction's own fault is its own answer.
                Err(error) => answer([reply], &Err(error)),
            }
        }
        let changes = resolving.into_changes();
        drop(state);
        let persisted = if accepted.is_empty() { Ok(()) } else { self.persist(version, &changes).await };
        match persisted {
            Ok(()) if accepted.is_empty() => {}
            Ok(()) => {
                self.shared.metrics().committed(accepted.len(), &changes);
                let held = self.shared.publish_changes(changes);
                self.published(&held);
            }
            Err(StoreError::Full { .. }) => {
                // The version passes without changes, so that nobody conflicts with what never was.
                let held = self.shared.publish_changes(Vec::new());
                self.published(&held);
            }
            Err(ref error) => self.shared.fail(error),
        }
        let answered = match &persisted {
            Ok(()) => Ok(Outcome::Committed),
            Err(full @ StoreError::Full { .. }) => Err(full.clone()),
            Err(_) => Err(self.shared.failure().unwrap_or(StoreError::Closed)),
        };
        for (reply, positions) in accepted {
            for (cell, position) in positions {
                let _ = cell.set(position);
            }
            answer([reply], &answered);
        }
        self.shared.metrics().conflicted(conflicted.len());
        // After publishing, so that the next attempt sees what it conflicted with.
        answer(conflicted, &Ok(Outcome::Conflict));
        if answered.is_ok() {
            self.tidy(false);
        }
    }

    async fn persist(&mut self, version: u64, changes: &[Change]) -> Result<(), StoreError> {
        if let Some(latency) = self.journal.latency() {
            self.shared.env().sleep(latency).await;
        }
        self.journal.persist(version, changes)
    }

    fn state(&self) -> Arc<State> {
        self.shared.current().map(|current| current.state).unwrap_or_default()
    }

    /// A version is there for all to see.
    fn published(&mut self, held: &Arc<Held>) {
        self.shared.watchers().notify(self.recent.latest().iter().map(AsRef::as_ref));
        self.live.push_back((held.version, Arc::downgrade(held)));
        if self.live.len() > LIVE_VERSIONS_SORTED_AT {
            self.live.retain(|(_, held)| held.strong_count() > 0);
        }
        while self.live.front().is_some_and(|(_, held)| held.strong_count() == 0) {
            self.live.pop_front();
        }
        let oldest = self.live.front().map_or(held.version, |(version, _)| *version);
        self.recent.forget_up_to(oldest);
    }

    /// Freezes the overlay if it is time; `now`: whatever is there.
    fn tidy(&mut self, now: bool) {
        let state = self.state();
        if self.journal.wants_freeze(&state, now) {
            let mut frozen = (*state).clone();
            drop(state);
            match self.journal.freeze(&mut frozen) {
                Ok(()) => drop(self.shared.publish(frozen)),
                Err(error) => self.shared.fail(&error),
            }
        }
        self.answer_checkpoint_waiters();
    }

    fn checkpointed(&mut self, moved: Result<Arc<dyn Base>, StoreError>) {
        let done = moved.and_then(|base| {
            let mut state = (*self.state()).clone();
            state.base = Some(base);
            state.frozen = None;
            self.shared.publish(state);
            self.journal.frozen_moved()
        });
        if let Err(error) = done {
            self.shared.fail(&error);
        }
        self.tidy(!self.checkpoint_waiters.is_empty());
    }

    fn answer_checkpoint_waiters(&mut self) {
        if self.checkpoint_waiters.is_empty() {
            return;
        }
        let (failure, state) = (self.shared.failure(), self.state());
        if failure.is_some() || (state.frozen.is_none() && state.active.is_empty()) {
            answer(self.checkpoint_waiters.drain(..), &failure.map_or(Ok(()), Err));
        }
    }
}

/// A committer that panics must not leave the impression that commits only take long.
impl Drop for Committer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared
                .fail(&StoreError::corrupt("the store", "its committer panicked; see the message above"));
        }
    }
}

/// Answers those who wait; who has gone away needs no answer.
fn answer<T: Clone>(
    replies: impl IntoIterator<Item = oneshot::Sender<Result<T, StoreError>>>,
    with: &Result<T, StoreError>,
) {
    for reply in replies {
        let _ = reply.send(with.clone());
    }
}
