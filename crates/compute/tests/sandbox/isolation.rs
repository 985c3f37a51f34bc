//! What a function may not: each case is tried from inside, in Python, with and without the library's help.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::rig::{ENDPOINT_PORT, Function, Ports, Rig, text};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("the_user_is_nobody_on_the_host", user),
        trial("files_of_the_host_are_not_there", files),
        trial("only_scratch_space_can_be_written_and_it_ends", writing),
        trial("other_processes_cannot_be_seen", processes),
        trial("the_network_has_the_platform_and_nothing_else", network),
        trial("what_programs_need_works", programs),
        trial("floods_of_output_are_cut", flood),
        trial("environments_do_not_see_each_other", neighbours),
        trial("descriptors_of_the_platform_do_not_leak", descriptors),
        trial("packages_of_the_host_are_hidden", packages),
    ]
}

/// A function that evaluates its event and tells errors by their number or name.
pub(crate) const EVALUATE: &str = r"
import ctypes, os, socket, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    return [result, os.strerror(ctypes.get_errno())] if result < 0 else result

def attempt(source):
    try:
        return eval(source)
    except OSError as error:
        return error.strerror or str(error)
    except Exception as error:
        return type(error).__name__

def handler(event, context):
    if isinstance(event, list):
        return [attempt(source) for source in event]
    names = {}
    exec(event, globals(), names)
    return names.get('result')
";

pub(crate) async fn evaluate(rig: &Rig, function: &Function, sources: &[&str]) -> Vec<Value> {
    let value = rig.value(function, &json!(sources).to_string()).await;
    value.as_array().cloned().unwrap_or_default()
}

/// Evaluates expressions and compares.
pub(crate) async fn check(rig: &Rig, function: &Function, cases: &[(&str, Value)]) {
    let sources: Vec<&str> = cases.iter().map(|(source, _)| *source).collect();
    let found = evaluate(rig, function, &sources).await;
    for ((source, expected), found) in cases.iter().zip(found) {
        assert_eq!(found, *expected, "{source}");
    }
}

async fn user() {
    let rig = Rig::start("user");
    let inside = rig.python("inside", EVALUATE);
    let found = evaluate(&rig, &inside, &["os.getresuid()", "os.getresgid()", "os.getgroups()"]).await;
    assert_eq!(found[..2], [json!([993, 993, 993]), json!([990, 990, 990])]);
    let root = rustix::process::geteuid().is_root();
    assert!(!root || found[2] == json!([]), "{found:?}");
    let other = rig.python("other", EVALUATE);
    evaluate(&rig, &other, &[]).await;
    // On the host, each environment is a user of its own; without root, all are the platform's.
    let own = u64::from(rustix::process::geteuid().as_raw());
    let mut users = rig.users_of_sandboxes();
    users.dedup();
    assert!(if root { users.len() == 2 && users[0] >= 200_000 } else { users == [own] }, "{users:?}");
    check(
        &rig,
        &inside,
        &[
            ("os.setuid(0)", json!("Invalid argument")),
            ("os.setgid(0)", json!("Invalid argument")),
            ("os.chown('/tmp', 0, 0)", json!("Invalid argument")),
            ("os.uname().nodename", json!("sandbox")),
            ("__import__('pwd').getpwuid(os.getuid()).pw_dir", json!("/tmp")),
            (
                "{l.split(':')[0]: l.split()[1] for l in open('/proc/self/status') if l[:3] in ('Cap', 'NoN') or l[:8] == 'Seccomp:'}",
                json!({"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
                    "CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}),
            ),
        ],
    )
    .await;
    rig.stop().await;
}

async fn files() {
    let rig = Rig::start("files");
    let inside = rig.python("inside", EVALUATE);
    let absent = json!("No such file or directory");
    let denied = json!("Permission denied");
    check(
        &rig,
        &inside,
        &[
            ("os.listdir('/root')", absent.clone()),
            ("os.listdir('/home')", absent.clone()),
            ("open('/etc/shadow').read()", absent.clone()),
            ("os.listdir('/sys')", absent.clone()),
            ("os.listdir('/proc/1')", absent.clone()),
            ("os.stat('/proc/1/root')", absent.clone()),
            ("os.path.exists('/proc/kcore') and len(open('/proc/kcore', 'rb').read(1)) > 0", json!(false)),
            ("open('/proc/cmdline').read()", json!("")),
            (
                "os.path.exists('/proc/sysrq-trigger') and os.access('/proc/sysrq-trigger', os.W_OK)",
                json!(false),
            ),
            ("open('/proc/sys/kernel/core_pattern', 'w')", denied.clone()),
            (
                "sorted(os.listdir('/dev'))",
                json!(["fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"]),
            ),
            ("open('/dev/null', 'w').write('x')", json!(1)),
            ("len(open('/dev/urandom', 'rb').read(8))", json!(8)),
            (
                "sorted(os.listdir('/'))",
                json!(["bin", "dev", "etc", "lib", "lib64", "opt", "proc", "sbin", "tmp", "usr", "var"]),
            ),
            ("[l.split()[4] for l in open('/proc/self/mountinfo') if l.split()[4] == '/mnt']", json!([])),
        ],
    )
    .await;
    rig.stop().await;
}

async fn writing() {
    let rig = Rig::start("writing");
    let inside = rig.python("inside", EVALUATE).with(|spec| {
        spec.tmp_mb = 8;
        spec.memory_mb = 256;
    });
    let sources = [
        "/",
        "/var/task",
        "/var/task/app.py",
        "/opt",
        "/etc",
        "/etc/passwd",
        "/usr/bin",
        "/var/lang/lib",
        "/var/runtime/bootstrap.py",
        "/dev",
        "/proc",
    ];
    for path in sources {
        let source = format!("open('{path}' if os.path.isfile('{path}') else '{path}/new', 'w')");
        let found = evaluate(&rig, &inside, &[&source]).await;
        let refused = ["Read-only file system", "Permission denied", "No such file or directory"];
        assert!(found[0].as_str().is_some_and(|found| refused.contains(&found)), "{path}: {found:?}");
    }
    check(
        &rig,
        &inside,
        &[
            ("open('/tmp/a', 'wb').write(b'x' * (7 << 20))", json!(7 << 20)),
            ("open('/tmp/b', 'wb').write(b'x' * (2 << 20))", json!("No space left on device")),
            ("open('/tmp/a', 'rb').read(1)[0]", json!(120)),
            ("os.unlink('/tmp/b')", Value::Null),
            ("os.stat('/tmp').st_mode & 0o7777", json!(0o1777)),
            ("os.mknod('/tmp/disk', 0o60666, os.makedev(254, 0))", json!("Operation not permitted")),
        ],
    )
    .await;
    // A program in scratch space runs, but gains nothing by its mode.
    let script = "open('/tmp/run', 'w').write('#!/bin/sh\\nexit 3\\n')\nos.chmod('/tmp/run', 0o6755)\nresult = subprocess.call(['/tmp/run'])";
    assert_eq!(rig.value(&inside, &json!(script).to_string()).await, 3);
    rig.stop().await;
}

async fn processes() {
    let rig = Rig::start("processes");
    let inside = rig.python("inside", EVALUATE);
    let found = evaluate(
        &rig,
        &inside,
        &[
            "[p for p in os.listdir('/proc') if p.isdigit()] == [str(os.getpid())]",
            "os.getpid() < 10",
            "os.kill(1, 9)",
            "os.kill(-1, 0)",
        ],
    )
    .await;
    assert_eq!(found[..2], [json!(true), json!(true)], "{found:?}");
    assert_eq!(
        rig.value(&inside, &json!("result = os.getpid()").to_string()).await.as_u64().map(|pid| pid < 10),
        Some(true),
        "it lives"
    );
    // The host's ids mean nothing inside.
    let host = std::process::id();
    check(&rig, &inside, &[(&format!("os.kill({host}, 0)"), json!("No such process"))]).await;
    rig.stop().await;
}

async fn network() {
    let rig = Rig::start("network");
    let host = TcpListener::bind("127.0.0.1:0").expect("the host has a loopback");
    let port = host.local_addr().expect("it is bound").port();
    let ports = Arc::new(Ports::default());
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.ports = ports.clone());
    let connect = |address: &str, port: u16| format!("socket.create_connection(('{address}', {port}), 2)");
    check(
        &rig,
        &inside,
        &[
            (&connect("127.0.0.1", port), json!("Connection refused")),
            (&connect("10.0.0.1", 80), json!("Network is unreachable")),
            (&connect("169.254.169.254", 80), json!("Network is unreachable")),
            (&connect("1.1.1.1", 443), json!("Network is unreachable")),
            ("[name for _, name in socket.if_nameindex() if name == 'eth0']", json!([])),
            ("socket.gethostbyname('localhost')", json!("127.0.0.1")),
            (
                "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
                json!("Address family not supported by protocol"),
            ),
            (
                "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
                json!("Address family not supported by protocol"),
            ),
            ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", json!("Operation not permitted")),
            ("socket.create_server(('127.0.0.1', 8080)).getsockname()[1]", json!(8080)),
        ],
    )
    .await;
    // The endpoint is what the platform serves on the listener that it was given.
    let inside_listeners = ports.listeners.lock().expect("no test panics here").pop();
    let listener = inside_listeners.expect("one per environment").endpoint;
    listener.set_nonblocking(false).expect("a socket may block");
    let served = std::thread::Builder::new().spawn(move || {
        let (mut stream, _) = listener.accept().expect("the function connects");
        let mut said = [0; 4];
        stream.read_exact(&mut said).expect("the function speaks");
        stream.write_all(b"nest").expect("the function listens");
        said
    });
    let source = format!(
        "s = socket.create_connection(('localhost', {ENDPOINT_PORT}))\ns.sendall(b'fly?')\nresult = s.recv(4).decode()"
    );
    assert_eq!(rig.value(&inside, &json!(source).to_string()).await, "nest");
    assert_eq!(served.expect("a thread").join().expect("no panic"), *b"fly?");
    rig.stop().await;
}

async fn programs() {
    let rig = Rig::start("programs");
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.timeout = Duration::from_mins(1));
    check(
        &rig,
        &inside,
        &[
            (
                "subprocess.run(['/bin/sh', '-c', 'echo $0'], capture_output=True).stdout.decode()",
                json!("/bin/sh\n"),
            ),
            (
                "(lambda t: (t.start(), t.join(), t.is_alive()))(threading.Thread(target=int))[2]",
                json!(false),
            ),
            ("len(socket.socketpair())", json!(2)),
            ("__import__('ssl').create_default_context().check_hostname", json!(true)),
            ("str(__import__('zoneinfo').ZoneInfo('Europe/Berlin'))", json!("Europe/Berlin")),
            ("__import__('sqlite3').connect(':memory:').execute('select 1').fetchone()[0]", json!(1)),
            ("__import__('asyncio').run(__import__('asyncio').sleep(0, 7))", json!(7)),
        ],
    )
    .await;
    rig.stop().await;
}

async fn flood() {
    let rig = Rig::start("flood");
    let flood = rig
        .python("flood", "import os\ndef handler(event, context):\n    line = b'x' * 1023 + b'\\n'\n    for _ in range(event):\n        left = memoryview(line * 1024)\n        while left:\n            left = left[os.write(1, left):]\n    return event\n")
        .with(|spec| {
            spec.ports = Arc::new(Deaf);
            spec.timeout = Duration::from_mins(2);
        });
    assert_eq!(rig.value(&flood, "1").await, 1);
    let before = resident_bytes();
    let outcome = rig.invoke(&flood, "256").await;
    assert_eq!(text(&outcome), "256");
    assert!(outcome.log.len() < 512 * 1024, "{} bytes of log", outcome.log.len());
    assert!(outcome.log.lines().last().is_some_and(|line| line.starts_with("REPORT ")));
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "256 MiB of output left {grown} bytes in the platform");
    rig.stop().await;
}

/// Ports whose log goes nowhere.
struct Deaf;

impl apus_compute::EnvironmentPorts for Deaf {
    fn credentials(&self) -> Option<apus_compute::Credentials> {
        None
    }

    fn log_stream(&self) -> String {
        "stream".into()
    }

    fn log(&self, _: &str) -> Arc<dyn apus_compute::LineSink> {
        Arc::new(Self)
    }

    fn serve_endpoint(&self, _: apus_compute::InsideListeners) {}
}

impl apus_compute::LineSink for Deaf {
    fn line(&self, _: Option<&str>, _: &str) {}
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

async fn neighbours() {
    let rig = Rig::start("neighbours");
    let (one, two) = (rig.python("one", EVALUATE), rig.python("two", EVALUATE));
    check(&rig, &one, &[("open('/tmp/secret', 'w').write('x')", json!(1))]).await;
    check(&rig, &two, &[("os.listdir('/tmp')", json!([]))]).await;
    let bind = "globals().update(s=socket.create_server(('127.0.0.1', 7777)))";
    check(&rig, &one, &[(bind, Value::Null)]).await;
    check(&rig, &two, &[("socket.create_connection(('127.0.0.1', 7777), 2)", json!("Connection refused"))])
        .await;
    rig.stop().await;
}

async fn descriptors() {
    let rig = Rig::start("descriptors");
    let inside = rig.python("inside", EVALUATE);
    let found = evaluate(&rig, &inside, &["sorted(os.readlink('/proc/self/fd/' + fd).split(':')[0] for fd in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + fd))"]).await;
    assert_eq!(
        found[0],
        json!(["/dev/null", "pipe", "pipe", "socket"]),
        "its own streams and its connection"
    );
    rig.stop().await;
}

async fn packages() {
    let rig = Rig::start("packages");
    let inside = rig.python("inside", EVALUATE);
    check(
        &rig,
        &inside,
        &[
            ("[p for p in sys.path if 'packages' in p and os.path.isdir(p) and os.listdir(p)]", json!(["/var/runtime/site-packages"])),
            ("os.listdir('/var/runtime/site-packages')", json!([".keep"])),
            ("__import__('pip')", json!("ModuleNotFoundError")),
            ("[p for p in os.listdir(os.path.dirname(os.__file__)) if p.endswith('-packages') and os.listdir(os.path.dirname(os.__file__) + '/' + p)]",
                json!([]),
            ),
            ("len(os.listdir('/var/lang/bin'))", json!(3)),
            ("sys.prefix", json!("/var/lang")),
        ],
    )
    .await;
    rig.stop().await;
}
