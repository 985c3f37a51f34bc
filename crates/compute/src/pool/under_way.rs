//! Invocations that wait or are served, counted: of each function, and of those that share what they may have.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rules::Call;

/// How many are under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    functions: BTreeMap<Arc<str>, u32>,
    shares: BTreeMap<Arc<str>, u32>,
}

/// What an invocation is counted for, for as long as it is under way.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    function: Arc<str>,
    share: Option<Arc<str>>,
}

impl Counted {
    fn of(call: &Call) -> Self {
        let share = call.share.as_ref().map(|share| Arc::clone(&share.name));
        Self { function: Arc::clone(&call.function), share }
    }
}

impl UnderWay {
    /// Of that function.
    pub(super) fn of_function(&self, function: &str) -> u32 {
        self.functions.get(function).copied().unwrap_or(0)
    }

    /// Of those that share under that name.
    pub(super) fn of_share(&self, share: &str) -> u32 {
        self.shares.get(share).copied().unwrap_or(0)
    }

    /// One more.
    pub(super) fn begin(&mut self, call: &Call) {
        *self.functions.entry(Arc::clone(&call.function)).or_default() += 1;
        if let Some(share) = &call.share {
            *self.shares.entry(Arc::clone(&share.name)).or_default() += 1;
        }
    }

    /// One that has begun is served, and counts for its share no more if what serves it is kept for its function.
    pub(super) fn serve(&mut self, call: &Call, by_kept: bool) -> Counted {
        let mut counted = Counted::of(call);
        if by_kept && let Some(share) = counted.share.take() {
            take_one(&mut self.shares, &share);
        }
        counted
    }

    /// One that waited will not be served.
    pub(super) fn give_up(&mut self, call: &Call) {
        self.end(&Counted::of(call));
    }

    /// One is over.
    pub(super) fn end(&mut self, counted: &Counted) {
        take_one(&mut self.functions, &counted.function);
        if let Some(share) = &counted.share {
            take_one(&mut self.shares, share);
        }
    }
}

/// One less of what is counted; nothing is not kept.
fn take_one(counts: &mut BTreeMap<Arc<str>, u32>, of: &Arc<str>) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}
