//! Functions in real sandboxes, as root or as an ordinary user. Says loudly where the host does not allow them.
//!
//! This program is also its own spawner, and the platform that a test kills.

mod api;
mod cycles;
mod egress;
mod extension_errors;
mod extensions;
mod freezing;
mod hostile;
mod hostile_table;
mod isolation;
mod leftovers;
mod life;
mod nodejs;
mod provided;
mod rig;
mod rootless;
mod shared;
mod streaming;
mod telemetry;

use libtest_mimic::{Arguments, Failed, Trial};

/// What cannot be without control groups: figures, limits of a whole function, and what is left of groups.
const NEED_GROUPS: [&str; 5] = [
    "a_handler_answers_and_its_prints_are_logged",
    "memory_is_bounded",
    "hard_processor_limits_hold_on_an_idle_host",
    "processor_weight_follows_memory_after_the_start",
    "a_killed_spawner_leaves_no_process_and_is_swept",
];

fn main() {
    apus_compute::spawner_main(std::env::args());
    leftovers::platform_main(std::env::args());
    cycles::cycles_main(std::env::args());
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(life::trials());
    trials.extend(isolation::trials());
    trials.extend(hostile::trials());
    trials.extend(api::trials());
    trials.extend(egress::trials());
    trials.extend(nodejs::trials());
    trials.extend(provided::trials());
    trials.extend(streaming::trials());
    trials.extend(leftovers::trials());
    trials.extend(cycles::trials());
    trials.extend(freezing::trials());
    trials.extend(extensions::trials());
    trials.extend(extension_errors::trials());
    trials.extend(telemetry::trials());
    trials.extend(rootless::trials());
    trials.extend(shared::trials());
    if let Err(why) = apus_compute::probe().accept(apus_compute::Level::Rootless) {
        eprintln!("\n*** SKIPPED: no test of real sandboxes runs here: {why} ***\n");
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    if !rig::has_groups() {
        for name in NEED_GROUPS {
            eprintln!("*** SKIPPED: {name}: this user has no control groups ***");
        }
        let skipped = |trial: &Trial| NEED_GROUPS.contains(&trial.name());
        trials = trials
            .into_iter()
            .map(|trial| if skipped(&trial) { trial.with_ignored_flag(true) } else { trial })
            .collect();
    }
    libtest_mimic::run(&arguments, trials).exit()
}

/// A test with an asynchronous body.
fn trial<F: Future<Output = ()>>(name: &'static str, body: impl FnOnce() -> F + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Failed::from)?;
        runtime.block_on(body());
        Ok(())
    })
}
