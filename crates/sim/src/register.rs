//! What one name may hold, after writes of which some were acknowledged and some never answered.
//!
//! A value is possible unless an acknowledged write began after its own had ended. That is less than
//! linearizability asks, and everything that an acknowledgement promises.

use std::collections::BTreeMap;

/// When something happened, counted in events.
pub(crate) type Tick = u64;

/// All names and their writes.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    by_key: BTreeMap<String, BTreeMap<Tick, Write>>,
}

#[derive(Clone, Copy, Debug)]
struct Write {
    /// Nothing: a deletion.
    value: Option<u64>,
    /// When it was acknowledged; it may happen until then, and for ever if it never was.
    acknowledged: Option<Tick>,
}

/// What a reader saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    /// This value, or that there is none.
    Value(Option<u64>),
    /// A value of that size.
    Size(u64),
    /// Some value.
    Something,
}

impl Saw {
    fn fits(self, value: Option<u64>) -> bool {
        match self {
            Self::Value(seen) => seen == value,
            Self::Size(size) => value.is_some_and(|token| crate::value::object_size(token) == size),
            Self::Something => value.is_some(),
        }
    }
}

impl Registers {
    /// A write begins.
    pub(crate) fn begin(&mut self, key: &str, value: Option<u64>, at: Tick) {
        self.by_key.entry(key.to_owned()).or_default().insert(at, Write { value, acknowledged: None });
    }

    /// The write that began then is acknowledged.
    pub(crate) fn acknowledge(&mut self, key: &str, began: Tick, at: Tick) {
        if let Some(write) = self.by_key.get_mut(key).and_then(|writes| writes.get_mut(&began)) {
            write.acknowledged = Some(at);
        }
    }

    /// The write that began then has no effect.
    pub(crate) fn refuse(&mut self, key: &str, began: Tick) {
        self.by_key.get_mut(key).and_then(|writes| writes.remove(&began));
    }

    /// Whether a read between those two moments may have seen that.
    pub(crate) fn check(&self, key: &str, saw: Saw, began: Tick, ended: Tick) -> Result<(), String> {
        let possible = self.possible(key, began, ended);
        if possible.iter().any(|value| saw.fits(*value)) {
            return Ok(());
        }
        Err(format!("{key}: saw {saw:?}, but only {possible:x?} can be there"))
    }

    /// From now on the name holds that value for sure: nothing is under way.
    pub(crate) fn pin(&mut self, key: &str, value: Option<u64>, at: Tick) {
        let writes = BTreeMap::from([(at, Write { value, acknowledged: Some(at) })]);
        self.by_key.insert(key.to_owned(), writes);
    }

    /// Every name that was ever written.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.by_key.keys().cloned().collect()
    }

    fn possible(&self, key: &str, began: Tick, ended: Tick) -> Vec<Option<u64>> {
        let writes = self.by_key.get(key);
        let all = || writes.into_iter().flatten();
        let before = |write: &Write| write.acknowledged.is_some_and(|at| at < began);
        // The youngest write that was in effect before the read began: what had ended before that is gone.
        let floor = all().filter(|(_, write)| before(write)).map(|(at, _)| *at).max();
        let gone = |end: Option<Tick>| end.is_some_and(|end| floor.is_some_and(|floor| end < floor));
        let initially = floor.is_none().then_some(None);
        let written = all()
            .filter(|(at, write)| **at < ended && !gone(write.acknowledged))
            .map(|(_, write)| write.value);
        initially.into_iter().chain(written).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(registers: &Registers, value: Option<u64>, began: Tick, ended: Tick) -> bool {
        registers.check("k", Saw::Value(value), began, ended).is_ok()
    }

    #[test]
    fn what_was_acknowledged_must_be_seen_and_what_was_not_may_be() {
        let mut registers = Registers::default();
        assert!(seen(&registers, None, 0, 1) && !seen(&registers, Some(1), 0, 1));
        registers.begin("k", Some(1), 1);
        assert!(seen(&registers, None, 2, 3) && seen(&registers, Some(1), 2, 3));
        registers.acknowledge("k", 1, 4);
        assert!(!seen(&registers, None, 5, 6) && seen(&registers, Some(1), 5, 6));
        assert!(seen(&registers, None, 3, 6), "a read that began before may have come first");
        registers.begin("k", Some(2), 7);
        registers.begin("k", None, 8);
        registers.acknowledge("k", 8, 9);
        assert!(seen(&registers, Some(2), 10, 11), "the write of 2 is under way");
        assert!(!seen(&registers, Some(1), 10, 11));
        registers.acknowledge("k", 7, 12);
        assert!(seen(&registers, Some(2), 13, 14) && seen(&registers, None, 13, 14), "they overlapped");
        registers.begin("k", Some(3), 15);
        registers.refuse("k", 15);
        assert!(!seen(&registers, Some(3), 16, 17));
        registers.pin("k", None, 18);
        assert!(!seen(&registers, Some(2), 19, 20));
    }
}
