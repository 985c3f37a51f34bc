//! A platform of one function runner, and functions written in the tests.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_compute::driver::namespaces::SPARES;
use apus_compute::{
    Compute, ComputeConfig, EnvironmentPorts, FunctionKey, FunctionSpec, InvokeError, InvokeOutcome,
    InvokeRequest, LineSink, LogFormat,
};
use apus_env::Env;
use serde_json::Value;

/// The port that stands for the platform's endpoint.
pub(crate) const ENDPOINT_PORT: u16 = 4599;

/// One platform in a directory of its own.
pub(crate) struct Rig {
    pub(crate) compute: Compute,
    pub(crate) directory: PathBuf,
    pub(crate) env: Env,
}

impl Rig {
    /// Starts one; `name` is the test's.
    pub(crate) fn start(name: &str) -> Self {
        Self::configured(name, |_| {})
    }

    pub(crate) fn configured(name: &str, change: impl FnOnce(&mut ComputeConfig)) -> Self {
        let directory = directory(name);
        let env = Env::real();
        let mut config = ComputeConfig::new(directory.join("run"), ENDPOINT_PORT);
        change(&mut config);
        let compute =
            Compute::new(env.clone(), config).expect("this host allows sandboxes, which was checked before");
        Self { compute, directory, env }
    }

    /// A Python function whose file `app.py` has this text, with the handler `app.handler`.
    pub(crate) fn python(&self, name: &str, text: &str) -> Function {
        let code_dir = self.directory.join(name);
        write_code(&code_dir, "app.py", text);
        Function(FunctionSpec {
            key: FunctionKey {
                arn: format!("arn:aws:lambda:eu-central-1:000000000000:function:{name}:$LATEST"),
                revision: "1".into(),
            },
            name: name.into(),
            version: "$LATEST".into(),
            arn: format!("arn:aws:lambda:eu-central-1:000000000000:function:{name}"),
            region: "eu-central-1".into(),
            handler: "app.handler".into(),
            runtime: "python3.11".into(),
            memory_mb: 128,
            timeout: Duration::from_secs(10),
            concurrency_max: None,
            share: None,
            tmp_mb: 64,
            variables: Vec::new(),
            code_dir,
            layer_dirs: Vec::new(),
            egress: apus_compute::Egress::AsConfigured,
            log_group: format!("/aws/lambda/{name}"),
            log_format: LogFormat::Text,
            ports: Arc::new(Ports::default()),
        })
    }

    /// Ends the platform, and sees that nothing is left of it.
    pub(crate) async fn stop(self) {
        self.compute.stop().await;
        assert_eq!(self.leftovers(), Vec::<String>::new());
    }

    /// Processes that are in one of this platform's control groups.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes(&self.directory.join("run"))
    }

    /// Waits until no environment is left.
    pub(crate) async fn until_idle(&self) {
        self.until_processes(0).await;
    }

    /// Waits until so many processes are left inside. The kernel tells nobody, so that it is asked.
    pub(crate) async fn until_processes(&self, count: usize) {
        // Some groups are kept ready.
        let slots_max = count.div_ceil(2) + SPARES as usize;
        while self.processes().len() > count || self.slots() > slots_max * groups_per_slot() {
            self.env.sleep(Duration::from_millis(1)).await;
        }
    }

    /// Control groups of sandboxes.
    pub(crate) fn slots(&self) -> usize {
        let groups = groups(&self.directory.join("run"));
        let entries = groups.into_iter().flat_map(std::fs::read_dir).flatten().flatten();
        entries.filter(|entry| entry.path().is_dir()).count()
    }

    /// The processor weights of its sandboxes, under whichever layout.
    pub(crate) fn processor_weights(&self) -> Vec<String> {
        let slots =
            groups(&self.directory.join("run")).into_iter().flat_map(std::fs::read_dir).flatten().flatten();
        slots
            .filter(|slot| {
                std::fs::read_to_string(slot.path().join("cgroup.procs")).is_ok_and(|procs| !procs.is_empty())
            })
            .flat_map(|slot| {
                ["cpu.shares", "cpu.weight"].map(|file| std::fs::read_to_string(slot.path().join(file)))
            })
            .flatten()
            .map(|text| text.trim().to_owned())
            .collect()
    }

    /// The users of the host that processes inside are, sorted.
    pub(crate) fn users_of_sandboxes(&self) -> Vec<u64> {
        let user = |pid: &i32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()
        };
        let mut users: Vec<u64> = self.processes().iter().filter_map(user).collect();
        users.sort_unstable();
        users
    }

    /// The spawner of this platform: the parent of the first processes inside.
    pub(crate) fn spawner(&self) -> i32 {
        let parent = |pid: &i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<i32>().ok()
        };
        let inside = self.processes();
        inside.iter().filter_map(parent).find(|parent| !inside.contains(parent)).expect("something runs")
    }

    /// The processes of this platform's way out.
    pub(crate) fn egress_processes(&self) -> Vec<i32> {
        egress_processes(&self.directory.join("run"))
    }

    /// Processes, control groups and mounts of this platform.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        leftovers(&self.directory.join("run"))
    }

    pub(crate) async fn try_invoke(
        &self,
        function: &Function,
        event: &str,
    ) -> Result<InvokeOutcome, InvokeError> {
        let request = InvokeRequest {
            request_id: self.env.uuid_v4(),
            payload: event.to_owned().into(),
            ..InvokeRequest::default()
        };
        self.compute.invoke(function.0.clone(), request).await
    }

    /// Invokes; the host is expected to do its part.
    pub(crate) async fn invoke(&self, function: &Function, event: &str) -> InvokeOutcome {
        self.try_invoke(function, event).await.expect("the platform runs the function")
    }

    /// Invokes and expects a response, returned as JSON.
    pub(crate) async fn value(&self, function: &Function, event: &str) -> Value {
        let outcome = self.invoke(function, event).await;
        assert_eq!(outcome.function_error, None, "{}\n{}", text(&outcome), outcome.log);
        json(&outcome)
    }

    /// Invokes and expects an error of this type, returned as JSON.
    pub(crate) async fn error(
        &self,
        function: &Function,
        event: &str,
        error_type: &str,
    ) -> (Value, InvokeOutcome) {
        let outcome = self.invoke(function, event).await;
        let error = outcome.function_error.clone().expect("the function fails");
        assert_eq!((error.kind, &*error.error_type), ("Unhandled", error_type), "{}", outcome.log);
        let value = json(&outcome);
        assert_eq!(value["errorType"], error_type, "{value}");
        (value, outcome)
    }
}

pub(crate) fn json(outcome: &InvokeOutcome) -> Value {
    serde_json::from_slice(&outcome.payload).expect("the payload is JSON")
}

pub(crate) fn text(outcome: &InvokeOutcome) -> String {
    String::from_utf8_lossy(&outcome.payload).into_owned()
}

/// A function's description, to be varied.
#[derive(Clone)]
pub(crate) struct Function(pub(crate) FunctionSpec);

impl Function {
    pub(crate) fn with(mut self, change: impl FnOnce(&mut FunctionSpec)) -> Self {
        change(&mut self.0);
        self
    }
}

pub(crate) fn write_code(directory: &Path, file: &str, text: &str) {
    let path = directory.join(file);
    let parent = path.parent().expect("a file has a directory");
    std::fs::create_dir_all(parent).expect("the test's directory can be written");
    std::fs::write(&path, text).expect("the test's directory can be written");
    for path in [directory, parent] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
}

pub(crate) fn write_program(directory: &Path, file: &str, text: &[u8], mode: u32) {
    write_code(directory, file, "");
    let path = directory.join(file);
    std::fs::write(&path, text).expect("the test's directory can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// Where tests keep their files: elsewhere than the build, if they run on another machine.
pub(crate) fn above() -> PathBuf {
    std::env::var_os("APUS_TEST_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}

/// An empty directory for a test.
pub(crate) fn directory(name: &str) -> PathBuf {
    let directory = above().join(name);
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            panic!("{}: {error}", directory.display())
        }
        _ => {}
    }
    std::fs::create_dir_all(&directory).expect("the target directory can be written");
    directory
}

/// Keeps what environments hand out.
#[derive(Default)]
pub(crate) struct Ports {
    pub(crate) listeners: Mutex<Vec<apus_compute::InsideListeners>>,
    pub(crate) lines: Arc<Lines>,
}

/// Log lines as they come.
#[derive(Default)]
pub(crate) struct Lines {
    lines: Mutex<Vec<String>>,
    came: tokio::sync::Notify,
}

impl Lines {
    /// Waits for a line.
    pub(crate) async fn heard(&self, wanted: &str) {
        loop {
            let came = self.came.notified();
            if self.lines.lock().expect("no test panics here").iter().any(|line| line == wanted) {
                return;
            }
            came.await;
        }
    }
}

impl LineSink for Lines {
    fn line(&self, _: Option<&str>, line: &str) {
        self.lines.lock().expect("no test panics here").push(line.to_owned());
        self.came.notify_waiters();
    }
}

impl EnvironmentPorts for Ports {
    fn credentials(&self) -> Option<apus_compute::Credentials> {
        Some(apus_compute::Credentials {
            access_key_id: "ASIATEST".into(),
            secret_access_key: "secret".into(),
            session_token: "token".into(),
        })
    }

    fn log_stream(&self) -> String {
        "2026/11/21/[$LATEST]0123456789abcdef0123456789abcdef".into()
    }

    fn log(&self, _: &str) -> Arc<dyn LineSink> {
        self.lines.clone()
    }

    fn serve_endpoint(&self, inside: apus_compute::InsideListeners) {
        self.listeners.lock().expect("no test panics here").push(inside);
    }
}

fn groups(run_dir: &Path) -> Vec<PathBuf> {
    let name = apus_compute::driver::namespaces::cgroup_name(run_dir).expect("the run directory exists");
    let mut hierarchies = vec![PathBuf::from("/sys/fs/cgroup")];
    // What was delegated to an ordinary user.
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    hierarchies.extend(own.lines().filter_map(|line| line.strip_prefix("0::/")).map(|own| {
        let own = own.strip_suffix("apus-platform").unwrap_or(own);
        Path::new("/sys/fs/cgroup").join(own.trim_end_matches('/'))
    }));
    hierarchies
        .extend(["memory", "cpu", "pids"].map(|controller| PathBuf::from("/sys/fs/cgroup").join(controller)));
    // To root nothing is delegated: its own is the first.
    hierarchies.sort_unstable();
    hierarchies.dedup();
    hierarchies.into_iter().map(|hierarchy| hierarchy.join(&name)).filter(|group| group.exists()).collect()
}

/// Whether the sandboxes of these tests have control groups.
pub(crate) fn has_groups() -> bool {
    host_has("control groups")
}

/// Whether scratch space does not count as memory.
pub(crate) fn scratch_is_besides_memory() -> bool {
    host_has("scratch space besides memory")
}

fn host_has(name: &str) -> bool {
    let fact = apus_compute::probe().facts.into_iter().find(|fact| fact.name == name);
    fact.expect("the probe looks at it").state.is_ok()
}

/// In how many hierarchies a sandbox has a group.
fn groups_per_slot() -> usize {
    if Path::new("/sys/fs/cgroup/memory").is_dir() { 3 } else { 1 }
}

/// Processes below this one that are in namespaces of their own.
fn processes_below() -> Vec<i32> {
    let mut found = below();
    found.retain(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("NSpid:") && line.split_whitespace().count() > 2)
    });
    found.sort_unstable();
    found
}

/// This process and all below it.
pub(crate) fn below() -> Vec<i32> {
    let below = |pid: i32| -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        children
            .flat_map(|text| text.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect()
    };
    let mut found = vec![i32::try_from(std::process::id()).expect("a process number")];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        found.extend(below(*pid));
        at += 1;
    }
    found
}

/// Processes in the control groups of a platform or, where there are none, of all platforms of this process.
pub(crate) fn processes(run_dir: &Path) -> Vec<i32> {
    if !has_groups() {
        return processes_below();
    }
    let mut found = Vec::new();
    for group in groups(run_dir) {
        for slot in std::fs::read_dir(group).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(slot.path().join("cgroup.procs")).unwrap_or_default();
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The processes of a platform's way out.
pub(crate) fn egress_processes(run_dir: &Path) -> Vec<i32> {
    let line = format!("__egress\0{}\0", run_dir.display());
    let pids = std::fs::read_dir("/proc").expect("there is /proc").flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|found| found.ends_with(line.as_bytes()))
        })
        .collect()
}

/// What is left of a platform: there must be nothing.
pub(crate) fn leftovers(run_dir: &Path) -> Vec<String> {
    let mut found: Vec<String> = processes(run_dir).into_iter().map(|pid| format!("process {pid}")).collect();
    found.extend(groups(run_dir).into_iter().map(|group| format!("control group {}", group.display())));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("there is /proc");
    let run_dir = run_dir.to_str().expect("test directories are UTF-8");
    found.extend(mounts.lines().filter(|line| line.contains(run_dir)).map(|line| format!("mount {line}")));
    found
}
