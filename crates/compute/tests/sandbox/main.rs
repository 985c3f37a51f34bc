//! Functions in real sandboxes. Needs root, namespaces and control groups; says so loudly where they lack.
//!
//! This program is also its own spawner, and the platform that a test kills.

mod api;
mod egress;
mod isolation;
mod leftovers;
mod life;
mod nodejs;
mod rig;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    apus_compute::spawner_main(std::env::args());
    leftovers::platform_main(std::env::args());
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(life::trials());
    trials.extend(isolation::trials());
    trials.extend(api::trials());
    trials.extend(egress::trials());
    trials.extend(nodejs::trials());
    trials.extend(leftovers::trials());
    if let Err(why) = apus_compute::probe().accept(apus_compute::Level::Full) {
        eprintln!("\n*** SKIPPED: no test of real sandboxes runs here: {why} ***\n");
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
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
