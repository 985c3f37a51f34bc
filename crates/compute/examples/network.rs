//! Measures the way out of a sandbox: new connections and transfers of 100 MiB by a Python function, and beside them,
//! interleaved, the same program under a plain interpreter on the host; then cold starts with and without a way out.
//! Needs root and an address that is not the loopback. Run with `--release`; argument: rounds.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use apus_compute::{
    Compute, ComputeConfig, Credentials, Egress, EgressRules, EnvironmentPorts, FunctionKey, FunctionSpec,
    InsideListeners, InvokeRequest, LineSink, LogFormat,
};
use apus_env::Env;

const BYTES: usize = 100 * 1024 * 1024;
const CONNECTIONS: usize = 500;

/// Tells microseconds: the median of new connections, a download, an upload.
const CLIENT: &str = "
import socket, sys, time
def measure(host, connect, download, upload, connections, length):
    times = []
    for _ in range(connections):
        s = socket.socket()
        begun = time.perf_counter()
        s.connect((host, connect))
        times.append(time.perf_counter() - begun)
        s.close()
    buffer = bytearray(1 << 18)
    begun = time.perf_counter()
    s = socket.create_connection((host, download))
    got = 0
    while n := s.recv_into(buffer): got += n
    down = time.perf_counter() - begun
    assert got == length, got
    begun = time.perf_counter()
    s = socket.create_connection((host, upload))
    for _ in range(0, length, len(buffer)): s.sendall(buffer)
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b'.'
    up = time.perf_counter() - begun
    return [round(x * 1e6) for x in (sorted(times)[len(times) // 2], down, up)]
def handler(event, context):
    return measure(*event) if event else None
if __name__ == '__main__':
    print(measure(sys.argv[1], *map(int, sys.argv[2:])))
";

struct Ports;

impl EnvironmentPorts for Ports {
    fn credentials(&self) -> Option<Credentials> {
        None
    }
    fn log_stream(&self) -> String {
        "stream".into()
    }
    fn log(&self, _: &str) -> Arc<dyn LineSink> {
        Arc::new(Silence)
    }
    fn serve_endpoint(&self, _: InsideListeners) {}
}

struct Silence;

impl LineSink for Silence {
    fn line(&self, _: Option<&str>, _: &str) {}
}

fn main() {
    apus_compute::spawner_main(std::env::args());
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(10);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(rounds));
}

async fn measure(rounds: usize) {
    let env = Env::real();
    let directory = std::env::current_exe().expect("this program has a file").with_extension("scratch");
    let _ = std::fs::remove_dir_all(&directory);
    let code = directory.join("code");
    std::fs::create_dir_all(&code).expect("the directory can be made");
    std::fs::write(code.join("app.py"), CLIENT).expect("it can be written");
    for path in [&directory, &code] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let own = own_address();
    let rules = EgressRules { allow: vec![own.to_string().parse().expect("a rule")], deny: Vec::new() };
    let compute = |name: &str, egress: Option<EgressRules>| {
        let config = ComputeConfig { egress, ..ComputeConfig::new(directory.join(name), 4566) };
        Compute::new(env.clone(), config).expect("this host allows sandboxes")
    };
    let (with, without) = (compute("with", Some(rules)), compute("without", None));
    let ports = serve(&env, own);
    let python = python();

    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let warm = spec(&code, 0);
    for _ in 0..rounds {
        let event = format!("[\"{own}\", {}, {}, {}, {CONNECTIONS}, {BYTES}]", ports[0], ports[1], ports[2]);
        inside.push(figures(&invoke(&env, &with, &warm, &event).await));
        let output = Command::new(&python)
            .arg(code.join("app.py"))
            .arg(own.to_string())
            .args(ports.map(|port| port.to_string()))
            .args([CONNECTIONS.to_string(), BYTES.to_string()])
            .output()
            .expect("it runs");
        outside.push(figures(&output.stdout));
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("isolation {}, load {load}", with.level());
    for (at, what) in
        ["new connection, p50 µs", "100 MiB to the sandbox, MB/s", "100 MiB from the sandbox, MB/s"]
            .into_iter()
            .enumerate()
    {
        let value = |all: &[[f64; 3]]| {
            let mut column: Vec<f64> = all.iter().map(|row| row[at]).collect();
            column.sort_by(f64::total_cmp);
            let figure = |time: f64| if at == 0 { time } else { BYTES as f64 / time };
            (figure(column[0]), figure(column[column.len() / 2]))
        };
        let ((best, usual), (best_plain, usual_plain)) = (value(&inside), value(&outside));
        println!(
            "{what:32} best {best:8.0}, median {usual:8.0}; plain best {best_plain:8.0}, median {usual_plain:8.0}"
        );
    }

    let mut cold = [Vec::new(), Vec::new()];
    for round in 1..=rounds * 20 {
        for (at, compute) in [&with, &without].into_iter().enumerate() {
            let spec = spec(&code, round);
            let begun = env.monotonic();
            invoke(&env, compute, &spec, "null").await;
            cold[at].push(env.monotonic().saturating_sub(begun));
            compute.retire(&spec.key);
        }
    }
    for (what, times) in ["cold start with a way out", "cold start without"].into_iter().zip(&mut cold) {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        println!("{what:32} min {:.3}, p50 {:.3}, p99 {:.3} ms (n = {})", at(0), at(50), at(99), times.len());
    }
    with.stop().await;
    without.stop().await;
}

fn figures(text: &[u8]) -> [f64; 3] {
    let values: Vec<f64> = serde_json::from_slice(text).expect("three numbers");
    values.try_into().expect("three numbers")
}

async fn invoke(env: &Env, compute: &Compute, spec: &FunctionSpec, event: &str) -> Vec<u8> {
    let request = InvokeRequest {
        request_id: env.uuid_v4(),
        payload: event.to_owned().into(),
        ..InvokeRequest::default()
    };
    let outcome = compute.invoke(spec.clone(), request).await.expect("it runs");
    assert_eq!(outcome.function_error, None, "{}", String::from_utf8_lossy(&outcome.payload));
    outcome.payload.to_vec()
}

/// Servers: one that accepts, one that sends, one that receives.
fn serve(env: &Env, own: IpAddr) -> [u16; 3] {
    let serve = |body: fn(std::net::TcpStream)| {
        let listener = TcpListener::bind((own, 0)).expect("the address is ours");
        let port = listener.local_addr().expect("it is bound").port();
        env.spawn_thread("server", async move {
            while let Ok((stream, _)) = listener.accept() {
                body(stream);
            }
        });
        port
    };
    [
        serve(drop),
        serve(|mut stream| stream.write_all(&vec![7; BYTES]).expect("it is read")),
        serve(|mut stream| {
            let mut buffer = vec![0; 1 << 18];
            while stream.read(&mut buffer).expect("it is written") > 0 {}
            stream.write_all(b".").expect("it is read");
        }),
    ]
}

fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
    socket.connect("192.0.2.1:9").expect("there is a route");
    socket.local_addr().expect("it is bound").ip()
}

fn python() -> PathBuf {
    let config = ComputeConfig::new("", 0);
    let mut found = config.interpreters.directories.iter().map(|directory| directory.join("python3.11"));
    found.find(|path| path.is_file()).expect("there is a python3.11")
}

fn spec(code: &Path, round: usize) -> FunctionSpec {
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:network".to_owned();
    FunctionSpec {
        key: FunctionKey { arn: arn.clone(), revision: round.to_string() },
        name: "network".into(),
        version: "$LATEST".into(),
        arn,
        region: "eu-central-1".into(),
        handler: "app.handler".into(),
        runtime: "python3.11".into(),
        memory_mb: 1769,
        timeout: Duration::from_mins(2),
        concurrency_max: None,
        share: None,
        tmp_mb: 512,
        variables: Vec::new(),
        code_dir: code.to_owned(),
        layer_dirs: Vec::new(),
        egress: Egress::AsConfigured,
        log_group: "/aws/lambda/network".into(),
        log_format: LogFormat::Text,
        ports: Arc::new(Ports),
    }
}
