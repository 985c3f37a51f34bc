//! Serializability: concurrent transactions leave what some order of them, one by one, would leave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use apus_env::Env;
use apus_store::{Direction, Key, Range, Store, StoreError};

type Done<T = ()> = Result<T, StoreError>;

/// Two doctors on call; each may leave only while the other stays. True if both have left.
pub(crate) async fn both_doctors_leave(store: Store, env: Env) -> bool {
    let on_call = |doctor: u64| Key::of(("on call", doctor));
    for doctor in 0..2 {
        super::transactions::put(&store, &on_call(doctor), "yes").await;
    }
    let leave = |doctor: u64| {
        let (store, env) = (store.clone(), env.clone());
        async move {
            let done: Done = store
                .transact(|tx| {
                    let env = env.clone();
                    async move {
                        let others = tx.get(&on_call(1 - doctor)).await?;
                        env.sleep(std::time::Duration::from_micros(env.random_below(100))).await;
                        if others.is_some() {
                            tx.delete(&on_call(doctor));
                        }
                        Ok(())
                    }
                })
                .await;
            done.expect("commits");
        }
    };
    super::all(&env, [leave(0), leave(1)]).await;
    let left: Done<Vec<_>> =
        store.read(|tx| async move { tx.range(&Range::all(), 9, Direction::Forward).await }).await;
    left.expect("reads").is_empty()
}

pub(crate) async fn write_skew_does_not_happen(store: Store, env: Env) {
    assert!(!both_doctors_leave(store, env).await, "both doctors have left");
}

pub(crate) async fn transfers_keep_the_sum(store: Store, env: Env) {
    const ACCOUNTS: u64 = 5;
    let account = |number: u64| Key::of(("account", number));
    let open: Done = store
        .transact(|tx| {
            (0..ACCOUNTS).for_each(|number| tx.add(&account(number), 100));
            async { Ok(()) }
        })
        .await;
    open.expect("commits");
    let tellers = (0..8).map(|_| {
        let (store, env) = (store.clone(), env.clone());
        async move {
            for _ in 0..6 {
                let (from, to) = (env.random_below(ACCOUNTS), env.random_below(ACCOUNTS));
                let amount = env.random_below(120) as i64;
                let done: Done = store
                    .transact(|tx| async move {
                        let has = tx.counter(&account(from)).await?;
                        let gets = tx.counter(&account(to)).await?;
                        apus_env::yield_now().await;
                        if has >= amount && from != to {
                            tx.put(&account(from), (has - amount).to_be_bytes().to_vec());
                            tx.put(&account(to), (gets + amount).to_be_bytes().to_vec());
                        }
                        Ok(())
                    })
                    .await;
                done.expect("commits");
            }
        }
    });
    super::all(&env, tellers).await;
    let balances: Done<Vec<i64>> = store
        .read(|tx| async move {
            let mut balances = Vec::new();
            for number in 0..ACCOUNTS {
                balances.push(tx.counter(&account(number)).await?);
            }
            Ok(balances)
        })
        .await;
    let balances = balances.expect("reads");
    assert!(balances.iter().all(|&balance| balance >= 0), "{balances:?}");
    assert_eq!(balances.iter().sum::<i64>(), 100 * ACCOUNTS as i64);
}

/// One committed transaction of a random history: which write of each key it saw, and which keys it wrote.
#[derive(Clone, Debug, Default)]
struct Event {
    saw: BTreeMap<u64, u64>,
    wrote: BTreeSet<u64>,
}

/// Random transactions over a few keys, each writing its own number; true if what they saw fits into no order.
pub(crate) async fn a_history_has_a_cycle(store: Store, env: Env) -> bool {
    const KEYS: u64 = 4;
    let history = Arc::new(Mutex::new(BTreeMap::from([(0u64, Event::default())])));
    let tasks = (1..=24u64).map(|number| {
        let (store, env, history) = (store.clone(), env.clone(), history.clone());
        async move {
            let plan: Vec<_> =
                (0..=env.random_below(4)).map(|_| (env.random_below(3), env.random_below(KEYS))).collect();
            let event: Done<Event> = store
                .transact(|tx| {
                    let (plan, env) = (plan.clone(), env.clone());
                    async move {
                        let mut event = Event::default();
                        for (action, key) in plan {
                            env.sleep(std::time::Duration::from_micros(env.random_below(50))).await;
                            if action == 0 {
                                event.wrote.insert(key);
                            } else if action == 1 {
                                let value = tx.get(&Key::of((key,))).await?;
                                event.saw.insert(key, value.map_or(0, |value| number_of(&value)));
                            } else {
                                // All keys, by a range; what is absent was written by nobody.
                                let all_keys = Range::between(&Key::of((0u64,)), &Key::of((KEYS,)));
                                event.saw.extend((0..KEYS).map(|key| (key, 0)));
                                for (key, value) in tx.range(&all_keys, 100, Direction::Forward).await? {
                                    let (key,) = apus_store::tuple::unpack(key.as_ref())?;
                                    event.saw.insert(key, number_of(&value));
                                }
                            }
                        }
                        for key in &event.wrote {
                            tx.put(&Key::of((*key,)), number.to_be_bytes().to_vec());
                        }
                        // What was written is kept with its order: each key's writers append to its list.
                        for key in &event.wrote {
                            tx.append_at_commit(
                                &Key::of((KEYS + key, "writers")),
                                number.to_be_bytes().to_vec(),
                            );
                        }
                        Ok(event)
                    }
                })
                .await;
            history.lock().expect("not poisoned").insert(number, event.expect("commits"));
        }
    });
    super::all(&env, tasks).await;
    let mut writers: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for key in 0..KEYS {
        let log = apus_store::Log::new(Key::of((KEYS + key, "writers")));
        let entries: Done<Vec<_>> = store.read(|tx| async move { log.read(&tx, 0, 1_000).await }).await;
        let entries = entries.expect("reads").into_iter().map(|(_, value)| number_of(&value));
        writers.insert(key, std::iter::once(0).chain(entries).collect());
    }
    let history = history.lock().expect("not poisoned").clone();
    has_cycle(&precedences(&history, &writers))
}

fn number_of(value: &[u8]) -> u64 {
    u64::from_be_bytes(value.try_into().expect("eight bytes"))
}

/// Who must come before whom: writers of a key in their order, a reader after the write it saw and before the next.
fn precedences(
    history: &BTreeMap<u64, Event>,
    writers: &BTreeMap<u64, Vec<u64>>,
) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut after: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for order in writers.values() {
        for pair in order.windows(2) {
            after.entry(pair[0]).or_default().insert(pair[1]);
        }
    }
    for (&number, event) in history {
        for (key, seen) in event.saw.iter().filter(|(key, _)| writers.contains_key(key)) {
            let order = &writers[key];
            let at = order.iter().position(|writer| writer == seen).expect("what was seen was committed");
            after.entry(*seen).or_default().insert(number);
            if let Some(&next) = order.get(at + 1) {
                after.entry(number).or_default().insert(next);
            }
        }
    }
    for (number, later) in &mut after {
        later.remove(number);
    }
    after
}

fn has_cycle(after: &BTreeMap<u64, BTreeSet<u64>>) -> bool {
    let mut before: BTreeMap<u64, usize> = after.keys().map(|&number| (number, 0)).collect();
    for later in after.values().flatten() {
        *before.entry(*later).or_default() += 1;
    }
    let mut free: Vec<u64> = before.iter().filter(|(_, count)| **count == 0).map(|(&n, _)| n).collect();
    let mut placed = 0;
    while let Some(number) = free.pop() {
        placed += 1;
        for later in after.get(&number).into_iter().flatten() {
            let count = before.get_mut(later).expect("every number is counted");
            *count -= 1;
            if *count == 0 {
                free.push(*later);
            }
        }
    }
    placed < before.len()
}

pub(crate) async fn histories_have_no_cycles(store: Store, env: Env) {
    assert!(!a_history_has_a_cycle(store, env).await, "no order explains what the transactions saw");
}
