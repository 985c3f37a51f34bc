//! Functions without namespaces, at level "container": what is still kept from them, and that nothing of them is left.

use std::net::TcpListener;

use apus_compute::{Guests, Level};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::rig::{Rig, write_code};
use crate::trial;

const HOSTILE: &str = include_str!("hostile.py");

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("without_namespaces_functions_run_all_the_same", runs),
        trial("without_namespaces_a_hostile_function_is_held_by_rules", held),
        trial("without_namespaces_nothing_is_left_of_a_function", nothing_left),
        trial("without_namespaces_a_way_out_can_be_refused", no_way_out),
    ]
}

/// Whether every function has a user of its own here.
fn has_users() -> bool {
    apus_compute::probe().facts.iter().any(|fact| fact.name == "users of their own" && fact.state.is_ok())
}

pub(crate) fn has_landlock() -> bool {
    let has = apus_compute::probe().facts.iter().any(|fact| fact.name == "landlock" && fact.state.is_ok());
    if !has {
        eprintln!("*** SKIPPED: functions without namespaces: this kernel has no landlock to hold them ***");
    }
    has
}

fn rig(name: &str, egress: bool) -> Rig {
    Rig::configured(name, |config| {
        config.isolation_max = Some(Level::Container);
        config.egress = egress.then(apus_compute::EgressRules::default);
    })
}

async fn runs() {
    for level in [Level::Container, Level::None] {
        if level == Level::None || has_landlock() {
            runs_at(level).await;
        }
    }
}

async fn runs_at(level: Level) {
    let rig = Rig::configured("shared_runs", |config| {
        config.isolation_max = Some(level);
        config.egress = Some(apus_compute::EgressRules::default());
    });
    assert_eq!(rig.compute.level(), level);
    let function = rig.python(
        "told",
        "import json, os, sys, tempfile, layered
print('greeting')
def handler(event, context):
    if event.get('exit'):
        os._exit(7)
    kept = tempfile.NamedTemporaryFile(delete=False)
    kept.write(b'x')
    return {'own': open(os.environ['LAMBDA_TASK_ROOT'] + '/app.py').read()[:6], 'layer': layered.NAME,
            'request': len(context.aws_request_id), 'user': os.getuid(), 'tmp': os.path.dirname(kept.name)}
",
    );
    let layers = ["low", "high"].map(|layer| {
        let directory = rig.directory.join(layer);
        write_code(&directory.join("python"), "layered.py", &format!("NAME = '{layer}'\n"));
        std::fs::create_dir_all(&directory).expect("it is ours");
        directory
    });
    let function = function.with(|spec| spec.layer_dirs = layers.to_vec());
    let value = rig.value(&function, "{}").await;
    assert_eq!(
        (&value["own"], &value["layer"], &value["request"]),
        (&json!("import"), &json!("high"), &json!(36))
    );
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(value["user"] == json!(own), !has_users(), "{value}");
    let home = value["tmp"].as_str().map(std::path::PathBuf::from).expect("a directory");
    assert!(home.starts_with(rig.directory.canonicalize().expect("it is there")), "{value}");
    // Warm, then one that ends it, then a new one.
    assert_eq!(rig.invoke(&function, "{}").await.cold, None);
    let (_, outcome) = rig.error(&function, r#"{"exit": 1}"#, "Runtime.ExitError").await;
    assert!(outcome.log.contains("exit status 7"), "{}", outcome.log);
    assert!(rig.invoke(&function, "{}").await.cold.is_some());
    let broken = rig.python("broken", "def handler(event, context):\n    raise ValueError('no')\n");
    rig.error(&broken, "{}", "ValueError").await;
    rig.compute.stop().await;
    assert!(!home.exists(), "its files go with it");
    let homes = rig.directory.join("run/homes");
    assert_eq!(std::fs::read_dir(homes).expect("it is there").count(), 0);
}

/// What is tried, and the errors that it may end with; what is `Null` is refused without one.
#[rustfmt::skip]
const ATTEMPTS: &[(&str, &[&str])] = &[
    ("read('$SECRET')", &["EACCES"]),
    ("read('/proc/self/root$SECRET')", &["EACCES"]),
    ("[os.symlink('$SECRET', tmp('link')), read(tmp('link'))]", &["EACCES"]),
    ("os.listdir('/root')", &["EACCES"]),
    ("os.listdir('/home')", &["EACCES"]),
    ("os.listdir('$RUN')", &["EACCES"]),
    ("create('$SECRET')", &["EACCES"]),
    ("create(os.environ['LAMBDA_TASK_ROOT'] + '/app.py')", &["EACCES", "EROFS"]),
    ("create(os.environ['LAMBDA_TASK_ROOT'] + '/more.py')", &["EACCES", "EROFS"]),
    ("create('/etc/passwd')", &["EACCES", "EROFS"]),
    ("create('/usr/bin/more')", &["EACCES", "EROFS"]),
    ("by_handle()", &["EPERM", "EACCES"]),
    ("read('$NEIGHBOUR_TMP/secret')", &["EACCES"]),
    ("read('/proc/$PLATFORM/environ')", &["EACCES", "EPERM"]),
    ("read('/proc/$PLATFORM/mem')", &["EACCES", "EPERM"]),
    ("ptrace()", &["EPERM"]),
    ("vm('process_vm_readv')", &["EPERM"]),
    ("abstract('$HOST_SOCKET')", &["EPERM", "ECONNREFUSED"]),
    ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno()", &["EPERM"]),
    ("unshare('user')", &["EPERM"]),
    ("unshare('mnt')", &["EPERM"]),
    ("clone(0x10000000)", &["EPERM"]),
    ("clone3(0x10000000)", &["ENOSYS"]),
    ("setns('mnt')", &["EPERM"]),
    ("mount('tmpfs', '/tmp')", &["EPERM"]),
    ("sys_('chroot', '/tmp')", &["EPERM"]),
    ("sys_('open_tree', -100, '/tmp', 1)", &["EPERM"]),
    ("bpf_map()", &["EPERM"]),
    ("perf()", &["EPERM"]),
    ("uring()", &["EPERM"]),
    ("sys_('keyctl', 0, -3, 1)", &["EPERM"]),
    ("sys_('init_module', 0, 0, '')", &["EPERM"]),
    ("sys_('reboot', 1, 2, 3, 0)", &["EPERM"]),
    ("os.setresuid(0, 0, 0)", &["EPERM", "EINVAL"]),
    ("os.setgroups([0])", &["EPERM"]),
];
/// The same, where every function has a user of its own.
#[rustfmt::skip]
const ATTEMPTS_ON_OTHERS: &[(&str, &[&str])] = &[
    ("os.kill($PLATFORM, 0)", &["EPERM"]),
    ("os.kill($FIRST, 9)", &["EPERM"]),
    ("os.kill($NEIGHBOUR, 9)", &["EPERM"]),
    // Nothing is answered there: the connection is closed.
    ("post(*$NEIGHBOUR_API, '/2018-06-01/runtime/init/error')", &["list index out of range", "ECONNRESET", "EPIPE"]),
];

async fn held() {
    if !has_landlock() {
        return;
    }
    let rig = rig("shared_held", true);
    let source = format!("{HOSTILE}\ndef tmp(name):\n    return os.environ['TMPDIR'] + '/' + name\n");
    let hostile = |name: &str| rig.python(name, &source).with(|spec| spec.memory_mb = 512);
    let neighbour = hostile("neighbour");
    let told = rig.value(&neighbour, r#"{"here": "[create(tmp('secret')), os.environ['TMPDIR'], os.getpid(), os.environ['AWS_LAMBDA_RUNTIME_API']][1:]"}"#).await;
    let (host, port) = told[2].as_str().and_then(|api| api.split_once(':')).expect("an address");
    let secret = rig.directory.join("secret");
    std::fs::write(&secret, "nest").expect("the directory is ours");
    let intruder = hostile("intruder");
    let first = rig.value(&intruder, r#"{"here": "os.getppid()"}"#).await;
    let words = [
        ("$FIRST", first.to_string()),
        ("$SECRET", secret.display().to_string()),
        ("$RUN", rig.directory.join("run").display().to_string()),
        ("$NEIGHBOUR_TMP", told[0].as_str().unwrap_or_default().to_owned()),
        ("$NEIGHBOUR_API", format!("('{host}', {port})")),
        ("$NEIGHBOUR", told[1].to_string()),
        ("$PLATFORM", std::process::id().to_string()),
        ("$HOST_SOCKET", "apus-none".to_owned()),
    ];
    let aim = |source: &str| {
        words.iter().fold(source.to_owned(), |source, (word, meaning)| source.replace(word, meaning))
    };
    let users = has_users();
    if !users {
        eprintln!("*** SKIPPED: {} attempts on others: all are one user here ***", ATTEMPTS_ON_OTHERS.len());
    }
    let tried: Vec<_> = ATTEMPTS.iter().chain(ATTEMPTS_ON_OTHERS.iter().filter(|_| users)).collect();
    let sources: Vec<String> = tried.iter().map(|(source, _)| aim(source)).collect();
    // The intruder succeeds in what it may do: that is the control of the attempts as such.
    let may = rig.value(&intruder, r#"["[create(tmp('own')), read(tmp('own'))][1]", "os.kill(os.getpid(), 0) is None", "len(os.listdir('/usr')) > 0"]"#).await;
    assert_eq!(may, json!([{"value": "x"}, {"value": true}, {"value": true}]));
    let results = rig.value(&intruder, &json!(sources).to_string()).await;
    let wrong: Vec<String> = tried
        .iter()
        .zip(results.as_array().expect("a list"))
        .filter(|((_, names), result)| !refused(result, names))
        .map(|((source, names), result)| format!("`{source}` gave {result}, must fail with {names:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), tried.len(), wrong.join("\n"));
    let outcome = rig.value(&neighbour, r#"{"here": "read(tmp('secret'))"}"#).await;
    assert_eq!(outcome, json!("x"), "the neighbour lives on");

    // A listener of the platform can tell functions from people.
    let guests = rig.compute.guests();
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let address = listener.local_addr().expect("it is bound");
    let ours = std::net::TcpStream::connect(address).expect("it listens");
    let (accepted, from) = listener.accept().expect("we connected");
    assert_eq!(
        guests.is_guest(accepted.local_addr().expect("it has one"), from),
        guests == Guests::Indistinct
    );
    assert_eq!(guests == Guests::Indistinct, !users);
    drop(ours);
    let event = json!({"here": format!("connect('127.0.0.1', {}) and globals().update(kept=socket.create_connection(('127.0.0.1', {}))) or 1", address.port(), address.port())});
    assert_eq!(rig.value(&intruder, &event.to_string()).await, json!(1));
    // One that has closed already, and one that it holds.
    for _ in 0..2 {
        let (accepted, from) = listener.accept().expect("the function connected");
        assert!(guests.is_guest(accepted.local_addr().expect("it has one"), from));
    }
    rig.compute.stop().await;
}

fn refused(result: &Value, names: &[&str]) -> bool {
    let told = [&result["errno"], &result["error"]];
    told.iter().filter_map(|told| told.as_str()).any(|told| names.iter().any(|name| told.contains(name)))
}

async fn nothing_left() {
    if !has_landlock() {
        return;
    }
    let rig = rig("shared_left", true);
    // A child that leaves its session and its parent, and one that stays.
    let function = rig.python(
        "leaver",
        "import os, time
def linger():
    os.closerange(0, 3)
    while True:
        time.sleep(3600)
def handler(event, context):
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            linger()
        os.write(write, str(pid).encode())
        os._exit(0)
    os.wait()
    orphan = int(os.read(read, 100))
    child = os.fork()
    if child == 0:
        linger()
    return [os.getpid(), os.getppid(), orphan, child]
",
    );
    for end in ["retired", "killed"] {
        let pids: Vec<i32> = serde_json::from_value(rig.value(&function, "{}").await).expect("numbers");
        let lives = |pid: &i32| std::path::Path::new("/proc").join(pid.to_string()).exists();
        assert!(pids.iter().all(lives), "{pids:?}");
        if end == "retired" {
            rig.compute.retire(&function.0.key);
        } else {
            let first = rustix::process::Pid::from_raw(pids[1]).expect("it is one");
            rustix::process::kill_process(first, rustix::process::Signal::KILL).expect("it is ours");
        }
        // The kernel tells nobody, so that it is asked.
        while pids.iter().any(lives) {
            rig.env.sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    rig.compute.stop().await;
}

async fn no_way_out() {
    if !has_landlock() {
        return;
    }
    let rig = rig("shared_no_way_out", false);
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
    let port = listener.local_addr().expect("it is bound").port();
    let function = rig.python("connects", HOSTILE);
    let answer = rig.value(&function, &json!([format!("connect('127.0.0.1', {port})")]).to_string()).await;
    if answer == json!([{"value": "connected"}]) {
        eprintln!("*** SKIPPED: a way out cannot be refused: this kernel's landlock knows no networks ***");
    } else {
        assert_eq!(answer[0]["errno"], "EACCES", "{answer}");
    }
    rig.compute.stop().await;
}
