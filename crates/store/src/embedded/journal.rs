//! The embedded engine's side of the committer: when to checkpoint, and what goes after it.

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use tokio::sync::mpsc::WeakUnboundedSender;

use super::Options;
use super::base::BaseStore;
use super::log::Log;
use crate::commit::{Control, Journal};
use crate::disk::Disk;
use crate::error::StoreError;
use crate::state::{Change, Overlay, State};

pub(super) struct EmbeddedJournal {
    env: Env,
    disk: Arc<dyn Disk>,
    options: Options,
    log: Log,
    base: Arc<BaseStore>,
    control: WeakUnboundedSender<Control>,
    /// The segments that go once the checkpoint under way is done.
    leaving: Option<Vec<u64>>,
}

impl EmbeddedJournal {
    pub(super) fn new(
        env: Env,
        disk: Arc<dyn Disk>,
        options: Options,
        log: Log,
        base: Arc<BaseStore>,
        control: WeakUnboundedSender<Control>,
    ) -> Self {
        Self { env, disk, options, log, base, control, leaving: None }
    }

    /// Hands the overlay over to a checkpoint in the background.
    fn checkpoint(&mut self, state: &mut State) -> Result<(), StoreError> {
        let applied = self.log.last();
        self.log.rotate()?;
        self.leaving = Some(self.log.closed().to_vec());
        let frozen = state.freeze();
        let (env, base, control) = (self.env.clone(), self.base.clone(), self.control.clone());
        let latency = self.disk.latency();
        // Joined by its message; if nobody is there to hear it, the next start reads the log.
        let _detached = self.env.spawn_thread("store-checkpoint", async move {
            let pause = || async {
                if let Some(latency) = latency {
                    env.sleep(latency * 8).await;
                }
            };
            pause().await;
            let moved = move_into_base(&base, &frozen, applied);
            pause().await;
            if let Some(control) = control.upgrade() {
                let _ = control.send(Control::Checkpointed(moved));
            }
        });
        Ok(())
    }
}

fn move_into_base(
    base: &Arc<BaseStore>,
    frozen: &Overlay,
    applied: u64,
) -> Result<Arc<dyn crate::state::Base>, StoreError> {
    base.apply(frozen, applied)?;
    base.view()
}

impl Journal for EmbeddedJournal {
    fn persist(&mut self, version: u64, changes: &[Change]) -> Result<(), StoreError> {
        self.log.append(version, changes)
    }

    fn is_full(&self, state: &State) -> bool {
        self.leaving.is_some() && self.wants_checkpoint(state)
    }

    fn wants_freeze(&self, state: &State, now: bool) -> bool {
        let anything = !state.active.is_empty() || self.log.has_frames();
        self.leaving.is_none() && anything && (now || self.wants_checkpoint(state))
    }

    fn freeze(&mut self, state: &mut State) -> Result<(), StoreError> {
        self.checkpoint(state)
    }

    fn frozen_moved(&mut self) -> Result<(), StoreError> {
        let leaving = self.leaving.take().unwrap_or_default();
        self.log.remove(&leaving)
    }

    fn idle_after(&self) -> Option<Duration> {
        Some(self.options.checkpoint_idle)
    }

    fn latency(&self) -> Option<Duration> {
        self.disk.latency()
    }
}

impl EmbeddedJournal {
    fn wants_checkpoint(&self, state: &State) -> bool {
        self.log.bytes().max(state.active_bytes) >= self.options.checkpoint_bytes
    }
}
