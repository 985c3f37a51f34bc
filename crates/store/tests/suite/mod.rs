//! What every engine must do. Each test runs under the simulator, with many seeds; a failure names its seed.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod blobs;
pub(crate) mod layers;
pub(crate) mod model;
pub(crate) mod serializable;
pub(crate) mod transactions;

use std::future::Future;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_store::Store;

/// Runs a story on a fresh store for each seed.
pub(crate) fn check<O, S>(seeds: std::ops::Range<u64>, open: O, story: S)
where
    O: AsyncFn(Env) -> Store,
    S: AsyncFn(Store, Env),
{
    for seed in seeds {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut sim = Simulator::new(seed);
            let env = sim.env();
            sim.run(async { story(open(env.clone()).await, env.clone()).await });
        }));
        if let Err(cause) = result {
            eprintln!("failed with seed {seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

/// Runs all futures at once, as tasks, and waits for them.
pub(crate) async fn all(
    env: &Env,
    futures: impl IntoIterator<Item = impl Future<Output = ()> + Send + 'static>,
) {
    let tasks: Vec<_> = futures.into_iter().map(|future| env.spawn("one of many", future)).collect();
    for task in tasks {
        task.join().await.expect("the task finishes");
    }
}

/// The tests of the suite, for the engine that `$open` opens.
#[allow(unused_macros, reason = "likewise")]
macro_rules! for_engine {
    ($open:expr) => {
        suite::for_engine!(@tests $open;
            model: random_operations_agree_with_a_model, 60;
            transactions: a_transaction_sees_its_own_changes, 5;
            transactions: errors_change_nothing, 5;
            transactions: bounds_are_told, 1;
            transactions: conflict_free_changes_do_not_conflict, 20;
            transactions: only_what_was_read_conflicts, 20;
            transactions: a_reader_keeps_its_version, 20;
            transactions: a_watch_wakes_after_the_change_is_visible, 20;
            serializable: write_skew_does_not_happen, 50;
            serializable: transfers_keep_the_sum, 20;
            serializable: histories_have_no_cycles, 40;
            layers: tables_and_indexes_agree, 5;
            layers: queues_and_logs_keep_the_order_of_commits, 20;
            layers: due_items_come_in_time, 10;
            blobs: blobs_are_written_read_and_deleted, 5;
        );
    };
    (@tests $open:expr; $($module:ident: $test:ident, $seeds:literal;)*) => {$(
        #[test]
        fn $test() {
            suite::check(0..$seeds, $open, suite::$module::$test);
        }
    )*};
}
#[allow(unused_imports, reason = "likewise")]
pub(crate) use for_engine;
