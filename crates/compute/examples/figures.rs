//! Measures cold starts and warm invocations of a Python handler in sandboxes, and beside them, interleaved, the
//! same bootstrap under a plain interpreter on the host. Needs root. Run with `--release`; argument: rounds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use apus_compute::{
    Compute, ComputeConfig, Credentials, Egress, EnvironmentPorts, FunctionKey, FunctionSpec,
    InsideListeners, InvokeRequest, LineSink, LogFormat,
};
use apus_env::Env;

const HANDLER: &str = "def handler(event, context):\n    return {'hello': event['name']}\n";
const EVENT: &str = r#"{"name": "swift"}"#;
const WARM_PER_ROUND: usize = 50;

struct Ports;

impl EnvironmentPorts for Ports {
    fn credentials(&self) -> Option<Credentials> {
        None
    }
    fn log_stream(&self) -> String {
        "stream".into()
    }
    fn log(&self, _: &str) -> Arc<dyn LineSink> {
        Arc::new(Self)
    }
    fn serve_endpoint(&self, _: InsideListeners) {}
}

impl LineSink for Ports {
    fn line(&self, _: Option<&str>, _: &str) {}
}

fn main() {
    apus_compute::spawner_main(std::env::args());
    let rounds: usize = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(50);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(measure(rounds));
}

async fn measure(rounds: usize) {
    let env = Env::real();
    let directory = std::env::current_dir().expect("there is a directory").join("target/figures");
    let code = directory.join("code");
    std::fs::create_dir_all(&code).expect("the directory can be written");
    std::fs::write(code.join("app.py"), HANDLER).expect("the directory can be written");
    for path in [&directory, &code] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let config = ComputeConfig::new(directory.join("run"), 4598);
    let python = config
        .interpreters
        .directories
        .iter()
        .map(|directory| directory.join("python3.11"))
        .find(|path| path.is_file() && !path.starts_with("/root/.pyenv/shims"))
        .expect("there is a python3.11");
    let compute = Compute::new(env.clone(), config).expect("this host allows sandboxes");
    let (mut cold, mut init, mut warm, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let spec = spec(&code, round);
        let key = spec.key.clone();
        for turn in 0..=WARM_PER_ROUND {
            let request = InvokeRequest {
                request_id: env.uuid_v4(),
                payload: EVENT.into(),
                ..InvokeRequest::default()
            };
            let begun = env.monotonic();
            let outcome = compute.invoke(spec.clone(), request).await.expect("it runs");
            let took = env.monotonic().saturating_sub(begun);
            assert_eq!(&*outcome.payload, br#"{"hello": "swift"}"#);
            assert_eq!(outcome.cold.is_some(), turn == 0);
            if turn == 0 {
                cold.push(took);
            } else {
                warm.push(took);
            }
            init.extend(outcome.init_duration);
        }
        compute.retire(&key);
        plain.push(plain_start(&env, &python, &directory, &code));
    }
    compute.stop().await;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("128 MB, isolation {}, interpreter {}, load {load}", compute.level(), python.display());
    show("plain interpreter, to first response", &mut plain);
    show("cold, to the caller's response", &mut cold);
    show("  of which start and init", &mut init);
    show("warm", &mut warm);
    println!("cold / plain: min {:.2}, p50 {:.2}", ratio(&cold, &plain, 0), ratio(&cold, &plain, 50));
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what:40} min {:7.3}  p50 {:7.3}  p99 {:7.3} ms  (n = {})", at(0), at(50), at(99), times.len());
}

fn ratio(a: &[Duration], b: &[Duration], percent: usize) -> f64 {
    let at = |times: &[Duration]| times[(times.len() - 1) * percent / 100].as_secs_f64();
    at(a) / at(b)
}

fn spec(code: &Path, round: usize) -> FunctionSpec {
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:hello".to_owned();
    FunctionSpec {
        key: FunctionKey { arn: arn.clone(), revision: round.to_string() },
        name: "hello".into(),
        version: "$LATEST".into(),
        arn,
        region: "eu-central-1".into(),
        handler: "app.handler".into(),
        runtime: "python3.11".into(),
        memory_mb: 128,
        timeout: Duration::from_secs(10),
        concurrency_max: None,
        share: None,
        tmp_mb: 512,
        variables: Vec::new(),
        code_dir: code.to_owned(),
        layer_dirs: Vec::new(),
        egress: Egress::AsConfigured,
        log_group: "/aws/lambda/hello".into(),
        log_format: LogFormat::Text,
        ports: Arc::new(Ports),
    }
}

/// The same bootstrap without a sandbox: from the start of the process to its first response.
fn plain_start(env: &Env, python: &PathBuf, directory: &Path, code: &Path) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the host has a loopback");
    let begun = env.monotonic();
    let mut child = Command::new(python)
        .args(["-S", "-B"])
        .arg(directory.join("run/base/runtimes/python/bootstrap.py"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().expect("it is bound").to_string())
        .env("_HANDLER", "app.handler")
        .env("LAMBDA_TASK_ROOT", code)
        .stdin(Stdio::null())
        .spawn()
        .expect("it can be started");
    let (mut stream, _) = listener.accept().expect("it connects");
    stream.set_nodelay(true).expect("a socket");
    read_head(&mut stream);
    let head = format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 0\r\nContent-Length: {}\r\n\r\n{EVENT}",
        EVENT.len()
    );
    stream.write_all(head.as_bytes()).expect("it listens");
    read_head(&mut stream);
    let took = env.monotonic().saturating_sub(begun);
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
    took
}

fn read_head(stream: &mut TcpStream) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !text.windows(4).any(|window| window == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).expect("it speaks");
        assert_ne!(read, 0, "it hung up");
        text.extend_from_slice(&buffer[..read]);
    }
}
