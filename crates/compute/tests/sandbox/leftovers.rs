//! Whatever ends the platform, nothing of it is left.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::rig::{Ports, Rig, egress_processes, leftovers, processes};
use crate::trial;

/// The first argument with which this program is a platform that runs one endless function.
const PLATFORM_ARGUMENT: &str = "__platform";

const ENDLESS: &str = "import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(600)\ndef handler(event, context):\n    if event:\n        print('sleeping')\n        time.sleep(600)\n";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("stop_leaves_nothing_of_busy_environments", stopped),
        trial("a_killed_platform_leaves_nothing", killed),
        trial("a_killed_spawner_leaves_no_process_and_is_swept", killed_spawner),
        trial("the_next_start_leaves_nothing_of_whatever_was_killed", next_start),
        trial("another_spawner_takes_over", respawned),
        trial("two_platforms_do_not_share_a_directory", shared_directory),
    ]
}

/// Becomes the platform, if these are its arguments.
pub(crate) fn platform_main(mut arguments: impl Iterator<Item = String>) {
    if arguments.nth(1).as_deref() != Some(PLATFORM_ARGUMENT) {
        return;
    }
    let name = arguments.next().expect("the test's name follows");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let can_leave = apus_compute::can_leave().is_ok();
        let rig = Rig::configured(&name, |config| config.egress = can_leave.then(Default::default));
        let ports = Arc::new(Ports::default());
        let endless = |name| rig.python(name, ENDLESS).with(|spec| spec.timeout = Duration::from_mins(10));
        let (one, two) = (endless("one").with(|spec| spec.ports = ports.clone()), endless("two"));
        rig.invoke(&one, "0").await;
        rig.invoke(&two, "0").await;
        let running = async {
            ports.lines.heard("sleeping").await;
            println!("{}", rig.processes().len());
        };
        tokio::join!(rig.invoke(&one, "1"), running);
    });
    std::process::exit(0)
}

/// A platform with two functions of five processes each (the first, the interpreter, three children), one of which
/// serves an invocation.
fn platform(name: &str) -> Child {
    let mut child = Command::new("/proc/self/exe")
        .args([PLATFORM_ARGUMENT, name])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped"))
        .read_line(&mut line)
        .expect("it says something");
    assert_eq!(line, "10\n");
    child
}

/// Pins processes.
pub(crate) fn watch(pids: &[i32]) -> Vec<OwnedFd> {
    pids.iter()
        .map(|pid| {
            let pid = Pid::from_raw(*pid).expect("no process has number 0");
            rustix::process::pidfd_open(pid, PidfdFlags::empty()).expect("it lives")
        })
        .collect()
}

/// Waits until each has ended.
pub(crate) fn wait_for(processes: &[OwnedFd]) {
    for process in processes {
        let mut watched = [rustix::event::PollFd::new(process, rustix::event::PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut watched, Some(&limit)), Ok(1), "a process is left");
    }
}

/// The spawners of a platform: its children.
fn children(pid: u32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut found: Vec<i32> = text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(text.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found.sort_unstable();
    found.dedup();
    found
}

async fn stopped() {
    let rig = Rig::start("stopped");
    let ports = Arc::new(Ports::default());
    let endless = rig.python("endless", ENDLESS).with(|spec| spec.ports = ports.clone());
    rig.invoke(&endless, "0").await;
    assert_eq!(rig.processes().len(), 5);
    let inside = watch(&rig.processes());
    let stop = async {
        ports.lines.heard("sleeping").await;
        rig.compute.stop().await;
    };
    let (outcome, ()) = tokio::join!(rig.try_invoke(&endless, "1"), stop);
    wait_for(&inside);
    assert!(outcome.is_ok_and(|outcome| outcome.function_error.is_some()), "a busy function is ended");
    assert_eq!(rig.leftovers(), Vec::<String>::new());
    assert!(rig.try_invoke(&endless, "0").await.is_err(), "a stopped platform runs nothing");
}

async fn killed() {
    let mut platform = platform("killed");
    let run_dir = crate::rig::above().join("killed/run");
    // The way out is started beside the first function.
    let ways_out = usize::from(apus_compute::can_leave().is_ok());
    while egress_processes(&run_dir).len() < ways_out {
        std::thread::yield_now();
    }
    let children = children(platform.id());
    assert_eq!(children.len(), 1 + ways_out, "the platform has the spawner and the way out as children");
    let mut watched = watch(&processes(&run_dir));
    watched.extend(watch(&children));
    assert_eq!(watched.len(), 11 + ways_out);
    platform.kill().expect("it lives");
    platform.wait().expect("it is ours");
    wait_for(&watched);
    assert_eq!(leftovers(&run_dir), Vec::<String>::new());
}

async fn killed_spawner() {
    let mut platform = platform("killed_spawner");
    let run_dir = crate::rig::above().join("killed_spawner/run");
    let ways_out = egress_processes(&run_dir);
    let mut spawner = children(platform.id());
    spawner.retain(|pid| !ways_out.contains(pid));
    let spawner = watch(&spawner);
    let inside = watch(&processes(&run_dir));
    assert_eq!(inside.len(), 10);
    rustix::process::pidfd_send_signal(&spawner[0], Signal::KILL).expect("it lives");
    wait_for(&inside);
    // The platform's invocation fails and it ends by itself.
    platform.wait().expect("it is ours");
    assert_ne!(
        leftovers(&run_dir),
        Vec::<String>::new(),
        "empty control groups are left, or this test is of no use"
    );
    apus_compute::sweep(&run_dir).expect("an earlier run can be swept");
    assert_eq!(leftovers(&run_dir), Vec::<String>::new());
}

/// Every namespace that one of these processes is in.
fn namespaces(pids: &[i32]) -> BTreeSet<String> {
    let kinds = ["mnt", "pid", "ipc", "uts", "net", "cgroup", "user"];
    let links = pids.iter().flat_map(|pid| kinds.map(|kind| format!("/proc/{pid}/ns/{kind}")));
    links.filter_map(|link| Some(std::fs::read_link(link).ok()?.display().to_string())).collect()
}

/// The kernel's clock, in the ticks in which it tells when processes started.
fn ticks_now() -> u64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let uptime = std::fs::read_to_string("/proc/uptime").expect("there is /proc");
    let seconds: f64 = uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
    (seconds * TICKS_PER_SECOND) as u64
}

/// Who is in one of these namespaces or holds it open. Not asked are the dead, whom their new parent has yet to
/// bury, what this process has started, and what has started since `before`: new namespaces may have the numbers of
/// old ones.
fn holders(namespaces: &BTreeSet<String>, before: u64) -> Vec<String> {
    let ours = crate::rig::below();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").expect("there is /proc").flatten() {
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let dead = stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X']));
        let started =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(19)?.parse::<u64>().ok());
        if started.is_none_or(|started| started >= before) {
            continue;
        }
        let pid = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if dead || pid.is_none_or(|pid| ours.contains(&pid)) {
            continue;
        }
        for directory in ["ns", "fd"] {
            for link in std::fs::read_dir(process.path().join(directory)).into_iter().flatten().flatten() {
                let target = std::fs::read_link(link.path()).map(|target| target.display().to_string());
                if let Ok(target) = target.as_ref().map(String::as_str)
                    && namespaces.contains(target)
                {
                    found.push(format!("{} is {target}", link.path().display()));
                }
            }
        }
    }
    found
}

async fn next_start() {
    for victims in [&["platform"][..], &["spawner"], &["platform", "spawner"], &["spawner", "platform"]] {
        let name = format!("next_start_{}", victims.join("_"));
        let mut platform = platform(&name);
        let run_dir = crate::rig::above().join(&name).join("run");
        let ways_out = egress_processes(&run_dir);
        let mut spawner = children(platform.id());
        spawner.retain(|pid| !ways_out.contains(pid));
        let spawner = watch(&spawner);
        assert_eq!(spawner.len(), 1);
        let inside = processes(&run_dir);
        assert_eq!(inside.len(), 10);
        let own = namespaces(&[i32::try_from(std::process::id()).expect("a process number")]);
        let theirs: BTreeSet<String> = namespaces(&inside).difference(&own).cloned().collect();
        assert!(
            theirs.len() >= 12 || !rustix::process::geteuid().is_root(),
            "two sandboxes have six namespaces each at least: {theirs:?}"
        );
        let watched = watch(&inside);
        let killed_at = ticks_now();
        for victim in victims {
            match *victim {
                "platform" => platform.kill().expect("it lives"),
                _ => rustix::process::pidfd_send_signal(&spawner[0], Signal::KILL).expect("it lives"),
            }
        }
        if !victims.contains(&"platform") {
            // It would start another spawner; here the next start must find the dead one's remains.
            platform.kill().expect("it is ours");
        }
        platform.wait().expect("it is ours");
        // The next start, in the same directory and at once.
        let env = apus_env::Env::real();
        let begun = env.monotonic();
        let config = apus_compute::ComputeConfig::new(&run_dir, crate::rig::ENDPOINT_PORT);
        let compute = apus_compute::Compute::new(env.clone(), config).expect("the directory is free");
        // What had left its group is swept away, and may have its last steps before it.
        wait_for(&spawner);
        wait_for(&watched);
        assert_eq!(processes(&run_dir), Vec::<i32>::new(), "{name}");
        assert_eq!(holders(&theirs, killed_at), Vec::<String>::new(), "{name}");
        let took = env.monotonic().saturating_sub(begun);
        println!("{name}: nothing was left {took:?} after the next start had begun");
        compute.stop().await;
        assert_eq!(leftovers(&run_dir), Vec::<String>::new(), "{name}");
    }
}

async fn shared_directory() {
    let rig = Rig::start("shared_directory");
    let config = apus_compute::ComputeConfig::new(rig.directory.join("run"), 4599);
    let second =
        apus_compute::Compute::new(rig.env.clone(), config).map(drop).expect_err("the directory is taken");
    assert!(second.to_string().contains("another process uses this directory"), "{second}");
    rig.stop().await;
}

async fn respawned() {
    let rig = Rig::start("respawned");
    let endless = rig.python("endless", ENDLESS);
    rig.invoke(&endless, "0").await;
    let inside = watch(&rig.processes());
    let spawner = rig.spawner();
    rustix::process::pidfd_send_signal(&watch(&[spawner])[0], Signal::KILL).expect("it lives");
    wait_for(&inside);
    // Until the platform has noticed, an invocation may find the dead environment.
    while rig.invoke(&endless, "0").await.cold.is_none() {}
    assert_ne!(rig.spawner(), spawner);
    assert_eq!(rig.processes().len(), 5);
    rig.stop().await;
}
