//! Environments that come and go leave nothing behind in the platform, its spawner or the kernel.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::rig::{Ports, Rig};

/// How many functions are made, invoked and deleted, unless `APUS_TEST_CYCLES` says otherwise.
const CYCLES: u32 = 60;
/// The first argument with which this program goes through the cycles.
const CYCLES_ARGUMENT: &str = "__cycles";
/// What memory may vary by without growing.
const MEMORY_NOISE_BYTES: u64 = 8 << 20;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("cycles_of_environments_leave_nothing", || {
        // In a process of its own: others hold descriptors and memory too.
        let status = Command::new("/proc/self/exe").arg(CYCLES_ARGUMENT).status()?;
        if status.success() { Ok(()) } else { Err("it holds more than before: see above".into()) }
    })]
}

/// Becomes the process of the cycles, if these are its arguments.
pub(crate) fn cycles_main(mut arguments: impl Iterator<Item = String>) {
    if arguments.nth(1).as_deref() == Some(CYCLES_ARGUMENT) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        runtime.block_on(cycles());
        std::process::exit(0)
    }
}

/// What must not grow.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    spawner_descriptors: usize,
    groups: usize,
    mounts: usize,
    spawner_mounts: usize,
    processes: usize,
}

impl Holdings {
    fn of(rig: &Rig, spawner: i32) -> Self {
        let entries = |path: String| std::fs::read_dir(path).map_or(0, Iterator::count);
        let lines = |path: String| std::fs::read_to_string(path).map_or(0, |text| text.lines().count());
        Self {
            descriptors: entries("/proc/self/fd".into()),
            spawner_descriptors: entries(format!("/proc/{spawner}/fd")),
            groups: rig.slots(),
            mounts: lines("/proc/self/mountinfo".into()),
            spawner_mounts: lines(format!("/proc/{spawner}/mountinfo")),
            processes: rig.processes().len(),
        }
    }
}

impl Holdings {
    fn exceeds(&self, other: &Self) -> bool {
        self.descriptors > other.descriptors
            || self.spawner_descriptors > other.spawner_descriptors
            || self.groups > other.groups
            || self.mounts > other.mounts
            || self.spawner_mounts > other.spawner_mounts
            || self.processes > other.processes
    }
}

/// What is held once nothing moves any more: connections are closed and networks made ready after the fact.
async fn settled(rig: &Rig, spawner: i32) -> Holdings {
    const LOOKS: u32 = 20;
    let mut held = Holdings::of(rig, spawner);
    let mut same = 0;
    while same < LOOKS {
        rig.env.sleep(Duration::from_millis(5)).await;
        let now = Holdings::of(rig, spawner);
        same = if now == held { same + 1 } else { 0 };
        held = now;
    }
    held
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

async fn cycles() {
    let cycles: u32 =
        std::env::var("APUS_TEST_CYCLES").ok().map_or(CYCLES, |count| count.parse().expect("a number"));
    let rig = Rig::start("cycles");
    let ports = Arc::new(Ports::default());
    let hello = rig.python("hello", "def handler(event, context):\n    return event\n");
    let hello = hello.with(|spec| spec.ports = ports.clone());
    rig.invoke(&hello, "0").await;
    let spawner = rig.spawner();
    let spawner_id = u32::try_from(spawner).expect("a process number");
    let mut early = None;
    for cycle in 0..cycles {
        let function = hello.clone().with(|spec| spec.key.revision = format!("cycle {cycle}"));
        let outcome = rig.invoke(&function, &cycle.to_string()).await;
        assert_eq!((outcome.cold.is_some(), crate::rig::text(&outcome)), (true, cycle.to_string()));
        rig.compute.retire(&function.0.key);
        // What the platform would do with the endpoint's listener of an environment that has ended.
        ports.listeners.lock().expect("no test panics here").pop();
        rig.until_processes(2).await;
        if cycle == cycles / 4 {
            let memory = resident_bytes(std::process::id()) + resident_bytes(spawner_id);
            early = Some((settled(&rig, spawner).await, memory));
        }
    }
    let (held, memory) = early.expect("a cycle was the first quarter's last");
    // On a busy host the first look may have come before all of the cycles before it was closed.
    let end = settled(&rig, spawner).await;
    assert!(!end.exceeds(&held), "after {cycles} cycles there is {end:?}, more than the {held:?} of before");
    let now = resident_bytes(std::process::id()) + resident_bytes(spawner_id);
    eprintln!("{cycles} cycles: {held:?}, {} KiB, then {} KiB", memory / 1024, now / 1024);
    assert!(now < memory + MEMORY_NOISE_BYTES, "memory grew from {memory} to {now} bytes in {cycles} cycles");
    rig.stop().await;
}
