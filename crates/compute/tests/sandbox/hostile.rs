//! What a hostile function tries, and what must come of it: one table, one check. Beside each attempt stands a
//! positive control: the same attempt outside, where it must succeed, so that no row passes for another reason
//! than the sandbox.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::hostile_table::{ATTEMPTS, Attempt, Control, Must, World};
use crate::rig::{Function, Rig, text};
use crate::trial;

const HOSTILE: &str = include_str!("hostile.py");
/// What a kernel says that was built without the thing.
const LACKING: [&str; 5] = ["ENOSYS", "ENODEV", "EOPNOTSUPP", "EAFNOSUPPORT", "EPROTONOSUPPORT"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("a_hostile_function_gets_nowhere", hostile_function)]
}

/// What the attempts aim at.
struct Targets {
    words: Vec<(&'static str, String)>,
    /// They live as long as the attempts.
    _listeners: (TcpListener, UnixListener),
}

impl Targets {
    fn prepare(rig: &Rig, neighbour_pid: i32) -> Self {
        let secret = rig.directory.join("secret");
        std::fs::write(&secret, "nest").expect("the directory is ours");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
        let listener = TcpListener::bind("0.0.0.0:0").expect("the host has a network");
        let port = listener.local_addr().expect("it is bound").port();
        let name = format!("apus-test-host-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let abstract_listener = UnixListener::bind_addr(&address).expect("the name is free");
        let words = vec![
            ("$SECRET", secret.display().to_string()),
            ("$HOST_PID", std::process::id().to_string()),
            ("$NEIGHBOUR_PID", neighbour_pid.to_string()),
            ("$HOST_PORT", port.to_string()),
            ("$HOST_ADDRESS", own_address()),
            ("$HOST_SOCKET", name),
        ];
        Self { words, _listeners: (listener, abstract_listener) }
    }

    fn aim(&self, source: &str) -> String {
        self.words.iter().fold(source.to_owned(), |source, (word, meaning)| source.replace(word, meaning))
    }
}

/// The host's address in its network, or its loopback where it has none. Nothing is sent.
fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    socket.map_or_else(|_| "127.0.0.1".into(), |address| address.ip().to_string())
}

async fn hostile_function() {
    let rig = Rig::start("hostile");
    let hostile = |name: &str, memory_mb| {
        let function = rig.python(name, HOSTILE).with(|spec| {
            spec.memory_mb = memory_mb;
            spec.tmp_mb = 16;
            spec.timeout = Duration::from_mins(5);
        });
        prepare(&function.0.code_dir);
        function
    };
    // An earlier tenant leaves a process, a socket and a queue, and goes; a neighbour lives on.
    let earlier = hostile("earlier", 256);
    here(&rig, &earlier, "leave_behind('earlier')").await;
    assert_eq!(rig.value(&earlier, r#"["abstract('earlier')"]"#).await, json!([{"value": "connected"}]));
    rig.compute.retire(&earlier.0.key);
    rig.until_idle().await;
    let neighbour = hostile("neighbour", 256);
    here(&rig, &neighbour, "leave_behind('neighbour')").await;
    here(
        &rig,
        &neighbour,
        "[globals().update(kept=socket.create_server(('127.0.0.1', 7777))), create('/tmp/secret'), 1][2]",
    )
    .await;
    let reached =
        rig.value(&neighbour, r#"["connect('127.0.0.1', 7777)", "sys_('msgget', 0x4150, 0) >= 0"]"#).await;
    assert_eq!(reached, json!([{"value": "connected"}, {"value": true}]), "the neighbour reaches itself");
    let neighbour_pid = *rig.processes().last().expect("the neighbour runs");

    let targets = Targets::prepare(&rig, neighbour_pid);
    let mut wrong = controls(&targets);
    let intruder = hostile("intruder", 1024);
    let cold = rig.invoke(&intruder, "[]").await;
    assert!(cold.cold.is_some() && text(&cold) == "[]");
    let (tried, fatal): (Vec<&Attempt>, Vec<&Attempt>) =
        ATTEMPTS.iter().partition(|attempt| !matches!(attempt.must, Must::End(..)));
    let sources: Vec<String> = tried.iter().map(|attempt| targets.aim(attempt.source)).collect();
    let outcome = rig.invoke(&intruder, &json!(sources).to_string()).await;
    assert_eq!((outcome.function_error.as_ref(), outcome.cold.as_ref()), (None, None), "{}", outcome.log);
    let results: Vec<Value> = serde_json::from_slice(&outcome.payload).expect("a list");
    assert_eq!(results.len(), tried.len());
    for (attempt, result) in tried.iter().zip(&results) {
        wrong.extend(attempt.judge(result));
    }
    let groups = crate::rig::has_groups();
    if !groups {
        eprintln!(
            "*** SKIPPED: {} attempts to swallow memory: no control group bounds this user ***",
            fatal.len()
        );
    }
    for attempt in fatal.into_iter().filter(|_| groups) {
        let victim = hostile(&attempt.name.replace(' ', "_"), 128);
        let outcome = rig.invoke(&victim, &json!({"here": attempt.source}).to_string()).await;
        let Must::End(message) = attempt.must else { continue };
        if outcome.function_error.is_none() || !text(&outcome).contains(message) {
            wrong.push(format!("{}: ended as {}, must end as {message}", attempt.name, text(&outcome)));
        }
        rig.compute.retire(&victim.0.key);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ATTEMPTS.len(), wrong.join("\n"));

    // Nobody else was harmed, and the intruder's own environment serves on.
    assert_eq!(rig.invoke(&intruder, "[]").await.cold, None);
    let outcome = rig.invoke(&neighbour, r#"{"here": "[kept.fileno() > 0, read('/tmp/secret')]"}"#).await;
    assert_eq!((outcome.cold.is_none(), &*text(&outcome)), (true, r#"[true, "x"]"#));
    rig.stop().await;
}

async fn here(rig: &Rig, function: &Function, source: &str) {
    let value = rig.value(function, &json!({"here": source}).to_string()).await;
    assert!(!value.is_null(), "{source}");
}

impl Attempt {
    /// What is wrong with a result.
    fn judge(&self, result: &Value) -> Option<String> {
        let right = match self.must {
            Must::Fail(names) => names.iter().any(|name| result["errno"] == *name),
            Must::Be(value) => result.get("value").is_some_and(|found| *found.to_string() == *value),
            Must::Within(least, most) => {
                result["value"].as_u64().is_some_and(|found| (least..=most).contains(&found))
            }
            Must::Say(text) => result["error"].as_str().is_some_and(|error| error.contains(text)),
            Must::Die(signal) => result["signal"] == signal,
            Must::End(_) => true,
        };
        (!right).then(|| format!("{}: `{}` gave {result}, must {:?}", self.name, self.source, self.must))
    }
}

/// Runs every positive control; what is wrong with them.
fn controls(targets: &Targets) -> Vec<String> {
    let root = rustix::process::geteuid().is_root();
    type Planned = (&'static Attempt, String, Option<&'static [&'static str]>);
    let mut worlds: BTreeMap<&str, Vec<Planned>> = BTreeMap::new();
    for attempt in ATTEMPTS {
        let (world, source, errno) = match attempt.control {
            Control::Same(world) => (world, attempt.source, None),
            Control::Other(world, source) => (world, source, None),
            Control::Reaches(world, errnos) => (world, attempt.source, Some(errnos)),
            Control::Impossible(_) => continue,
        };
        let world = match world {
            World::Host => "host",
            World::Apart => "apart",
            World::Root if root => "apart",
            World::Root => {
                eprintln!(
                    "*** without a control, as this user has no privileges outside either: {} ***",
                    attempt.name
                );
                continue;
            }
        };
        worlds.entry(world).or_default().push((attempt, targets.aim(source), errno));
    }
    let sources: BTreeMap<&str, Vec<&str>> = worlds
        .iter()
        .map(|(world, controls)| (*world, controls.iter().map(|(_, source, _)| &**source).collect()))
        .collect();
    let results = control_results(&json!(sources));
    let mut wrong = Vec::new();
    for (world, controls) in &worlds {
        let results = results[world].as_array().cloned().unwrap_or_default();
        assert_eq!(results.len(), controls.len(), "every control of world {world} was run");
        for ((attempt, source, errnos), result) in controls.iter().zip(results) {
            let found = result["errno"].as_str();
            let succeeds = match errnos {
                None => result.get("value").is_some_and(|value| value != &json!(false)),
                Some(errnos) => found.is_some_and(|found| errnos.contains(&found)),
            };
            if let Some(lacking) = found.filter(|found| !succeeds && LACKING.contains(found)) {
                eprintln!("*** without a control, as this host lacks it ({lacking}): {} ***", attempt.name);
            } else if !succeeds {
                wrong.push(format!("control of {}: `{source}` gave {result} outside", attempt.name));
            }
        }
    }
    wrong
}

fn control_results(sources: &Value) -> Value {
    let mut python =
        hostile_program("control").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    let mut input = python.stdin.take().expect("it is piped");
    input.write_all(sources.to_string().as_bytes()).expect("it listens");
    drop(input);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the controls failed as a whole");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// Puts programs into a function's code that gain privileges by their files, where we may.
fn prepare(code_dir: &Path) {
    let status = hostile_program("prepare").arg(code_dir).status().expect("python3");
    assert!(status.success());
}

fn hostile_program(verb: &str) -> Command {
    let mut command = Command::new("python3");
    let program = crate::rig::above().join("hostile.py");
    std::fs::write(&program, HOSTILE).expect("the directory is ours");
    command.arg(program).arg(verb);
    command
}
