//! Random transactions against a map: what the store answers is what the map holds.

use std::collections::BTreeMap;

use apus_env::Env;
use apus_env::sim::Rng;
use apus_store::{Direction, Key, Range, Store, StoreError};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const TRANSACTIONS: usize = 60;

pub(crate) async fn random_operations_agree_with_a_model(store: Store, env: Env) {
    let seed = env.random_u64();
    let mut model = Model::new();
    for step in 0..TRANSACTIONS {
        let before = model.clone();
        let commits = Rng::new(seed ^ step as u64).chance(9, 10);
        let done: Result<Model, Refusal> = store
            .transact(|tx| {
                let (mut model, mut dice) = (before.clone(), Rng::new(seed ^ step as u64));
                async move {
                    let _ = dice.next_u64();
                    for _ in 0..dice.below(12) {
                        operation(&tx, &mut model, &mut dice).await?;
                    }
                    if commits { Ok(model) } else { Err(Refusal::Meant) }
                }
            })
            .await;
        match done {
            Ok(after) => model = after,
            Err(Refusal::Meant) => assert!(!commits),
            Err(Refusal::Store(error)) => panic!("{error}"),
        }
        assert_same(&store, &model).await;
    }
}

#[derive(Debug)]
enum Refusal {
    Meant,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// All of the store is all of the model.
pub(crate) async fn assert_same(store: &Store, model: &Model) {
    let rows = store.read(|tx| async move { tx.range(&Range::all(), 100_000, Direction::Forward).await });
    let rows: Model = rows.await.expect("reads").into_iter().map(row).collect();
    assert!(rows == *model, "the store and the model differ");
}

fn row((key, value): (Key, bytes::Bytes)) -> (Vec<u8>, Vec<u8>) {
    (key.as_ref().to_vec(), value.to_vec())
}

/// Keys from a small set, so that operations meet.
fn key(dice: &mut Rng) -> Vec<u8> {
    let alphabet = b"ab\x00\xff";
    (0..=dice.below(3)).map(|_| alphabet[dice.below(4) as usize]).collect()
}

fn value(dice: &mut Rng) -> Vec<u8> {
    let length = if dice.chance(1, 40) { 200_000 + dice.below(300_000) } else { dice.below(20) };
    vec![dice.next_u64() as u8; length as usize]
}

fn range(dice: &mut Rng) -> Range {
    match dice.below(4) {
        0 => Range::all(),
        1 => Range::prefix(&Key::from(key(dice))),
        2 => Range::between(&Key::from(key(dice)), &Key::from(key(dice))),
        _ => Range::all().after(&Key::from(key(dice))),
    }
}

async fn operation(tx: &apus_store::Tx, model: &mut Model, dice: &mut Rng) -> Result<(), StoreError> {
    let name = key(dice);
    let at = Key::from(name.clone());
    match dice.below(12) {
        0..4 => {
            let value = value(dice);
            tx.put(&at, value.clone());
            model.insert(name, value);
        }
        4..6 => {
            tx.delete(&at);
            model.remove(&name);
        }
        6 => {
            let range = range(dice);
            tx.delete_range(&range);
            model.retain(|key, _| !range.contains(key));
        }
        7 => {
            let counts = |model: &Model| model.get(&name).is_none_or(|value| value.len() == 8);
            if counts(model) {
                let old = model.get(&name).map(|v| i64::from_be_bytes(v.as_slice().try_into().expect("8")));
                let operand = dice.next_u64() as i64 >> dice.below(63);
                let new = match dice.below(3) {
                    0 => {
                        tx.add(&at, operand);
                        old.unwrap_or(0).saturating_add(operand)
                    }
                    1 => {
                        tx.min(&at, operand);
                        old.unwrap_or(operand).min(operand)
                    }
                    _ => {
                        tx.max(&at, operand);
                        old.unwrap_or(operand).max(operand)
                    }
                };
                model.insert(name, new.to_be_bytes().to_vec());
            }
        }
        8 | 9 => {
            assert_eq!(tx.get(&at).await?.as_deref(), model.get(&name).map(Vec::as_slice));
            assert_eq!(tx.get_snapshot(&at).await?.as_deref(), model.get(&name).map(Vec::as_slice));
        }
        _ => {
            let (range, limit) = (range(dice), 1 + dice.below(10) as usize);
            let backward = dice.chance(1, 2);
            let direction = if backward { Direction::Backward } else { Direction::Forward };
            let found: Vec<_> = tx.range(&range, limit, direction).await?.into_iter().map(row).collect();
            let mut expect: Vec<_> = model.iter().filter(|(key, _)| range.contains(key)).collect();
            if backward {
                expect.reverse();
            }
            expect.truncate(limit);
            let expect: Vec<_> = expect.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            assert!(found == expect, "a range differs from the model's");
        }
    }
    Ok(())
}
