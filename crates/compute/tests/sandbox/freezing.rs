//! Between invocations nothing of a function runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::Trial;

use crate::leftovers::{wait_for, watch};
use crate::rig::{Rig, text};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("what_a_function_leaves_running_stands_still_between_invocations", frozen),
        trial("a_frozen_environment_can_be_ended", ended),
        trial("a_frozen_environment_dies_with_its_spawner", orphaned),
    ]
}

/// A thread that counts, and is never joined.
const COUNTING: &str = "\
import threading, time
count = 0
def run():
    global count
    while True:
        count += 1
        time.sleep(0.0005)
threading.Thread(target=run, daemon=True).start()
def handler(event, context):
    return count
";

/// Whether an environment of this rig is frozen; nothing where the host cannot freeze.
fn is_frozen(rig: &Rig) -> Option<bool> {
    let name = apus_compute::driver::namespaces::cgroup_name(&rig.directory.join("run")).ok()?;
    let slots = |root: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(Path::new(root).join(&name)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let read = |path: PathBuf| std::fs::read_to_string(path).ok();
    let older = slots("/sys/fs/cgroup/freezer").into_iter();
    let newer = slots("/sys/fs/cgroup").into_iter();
    let states: Vec<bool> = older
        .filter_map(|slot| Some(read(slot.join("freezer.state"))?.trim() == "FROZEN"))
        .chain(newer.filter_map(|slot| Some(read(slot.join("cgroup.events"))?.contains("frozen 1"))))
        .collect();
    (!states.is_empty()).then(|| states.contains(&true))
}

/// Waits until an environment is frozen; false where none can be.
pub(crate) async fn until_frozen(rig: &Rig) -> bool {
    loop {
        match is_frozen(rig) {
            Some(true) => return true,
            Some(false) => rig.env.sleep(Duration::from_millis(1)).await,
            None => {
                eprintln!("*** SKIPPED: this user has no control group that freezes ***");
                return false;
            }
        }
    }
}

async fn frozen() {
    let rig = Rig::start("frozen");
    let counting = rig.python("counting", COUNTING);
    rig.invoke(&counting, "0").await;
    if until_frozen(&rig).await {
        let number = |outcome: &apus_compute::InvokeOutcome| text(outcome).parse::<u64>().expect("a number");
        let before = number(&rig.invoke(&counting, "0").await);
        until_frozen(&rig).await;
        // Far longer than the thread takes for as many rounds as the test allows it.
        rig.env.sleep(Duration::from_millis(500)).await;
        assert_eq!(is_frozen(&rig), Some(true), "it stays frozen");
        let outcome = rig.invoke(&counting, "0").await;
        assert_eq!(outcome.cold, None, "it serves on");
        let rounds = number(&outcome) - before;
        // The half second alone would have been a thousand; before it is frozen it may run for some time.
        assert!(rounds < 500, "it counted {rounds} times while nothing should run");
    }
    rig.stop().await;
}

async fn ended() {
    let rig = Rig::start("frozen_ended");
    let counting = rig.python("counting", COUNTING);
    rig.invoke(&counting, "0").await;
    if until_frozen(&rig).await {
        rig.compute.retire(&counting.0.key);
        rig.until_idle().await;
    }
    // The next one is ended with the platform, frozen again.
    rig.invoke(&counting, "0").await;
    until_frozen(&rig).await;
    rig.stop().await;
}

async fn orphaned() {
    let rig = Rig::start("orphaned");
    let counting = rig.python("counting", COUNTING);
    rig.invoke(&counting, "0").await;
    if until_frozen(&rig).await {
        let inside = watch(&rig.processes());
        let spawner = watch(&[rig.spawner()]);
        rustix::process::pidfd_send_signal(&spawner[0], rustix::process::Signal::KILL).expect("it lives");
        wait_for(&inside);
        while rig.invoke(&counting, "0").await.cold.is_none() {}
    }
    rig.stop().await;
}
