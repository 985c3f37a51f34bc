//! The way out of a sandbox: what is reached over it, what is refused, and that refusals are prompt.
//!
//! Servers of these tests listen on an address of this machine that is not its loopback, which a rule opens.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use apus_compute::{Egress, EgressRules};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::isolation::{EVALUATE, check, evaluate};
use crate::rig::{ENDPOINT_PORT, Function, Ports, Rig, json as response};
use crate::trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("names_of_the_platform_lead_to_it", names),
        trial("what_is_closed_is_refused_at_once", closed),
        trial("without_egress_there_is_no_way_out", off),
        trial("the_platforms_own_listeners_end_with_the_sandbox", listeners_end),
    ];
    let outside = vec![
        trial("a_server_outside_is_reached_over_tcp_and_udp", reached),
        trial("what_the_server_outside_does_shows_inside", outcomes),
        trial("large_transfers_arrive_whole_both_ways", large),
        trial("fifty_transfers_at_once_finish", parallel),
        trial("connections_of_one_sandbox_are_bounded", bounded),
        trial("the_way_out_is_started_again_when_it_dies", restarted),
    ];
    let can_leave = std::fs::File::options().read(true).write(true).open("/dev/net/tun").is_ok();
    if !can_leave {
        eprintln!("\n*** SKIPPED: no test of the way out runs here: /dev/net/tun cannot be opened ***\n");
        trials = trials.into_iter().map(|trial| trial.with_ignored_flag(true)).collect();
    }
    let has_address = own_address().is_some();
    if !has_address {
        eprintln!(
            "\n*** SKIPPED: no server outside sandboxes: this machine has no address but its loopback ***\n"
        );
    }
    let has_v6_address = own_v6_address().is_some();
    if !has_v6_address {
        eprintln!(
            "\n*** SKIPPED: nothing is reached over IPv6: this machine has no address but its loopback ***\n"
        );
    }
    let over_v6 = trial("a_server_outside_is_reached_over_ipv6", reached_v6);
    trials.push(over_v6.with_ignored_flag(!can_leave || !has_v6_address));
    trials.extend(outside.into_iter().map(|trial| trial.with_ignored_flag(!can_leave || !has_address)));
    trials
}

/// An address of this machine from which it would send to the internet. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

fn own_v6_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("[::]:0").ok()?;
    socket.connect("[2001:db8::1]:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

fn rules(allow: &[String], deny: &[String]) -> EgressRules {
    let parse = |texts: &[String]| texts.iter().map(|text| text.parse().expect("a rule")).collect();
    EgressRules { allow: parse(allow), deny: parse(deny) }
}

/// A platform whose sandboxes may connect to the internet and this machine.
fn open_rig(name: &str) -> (Rig, Function, IpAddr) {
    let own = own_address().expect("checked before");
    let rig = Rig::configured(name, |config| config.egress = Some(rules(&[own.to_string()], &[])));
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.timeout = Duration::from_mins(1));
    (rig, inside, own)
}

fn connect(to: impl std::fmt::Display) -> String {
    let to: SocketAddr = to.to_string().parse().expect("an address");
    format!("socket.create_connection(('{}', {}), 3).close()", to.ip(), to.port())
}

async fn names() {
    let rig = Rig::start("names");
    let ports = Arc::new(Ports::default());
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.ports = ports.clone());
    let address = |name: &str| format!("socket.gethostbyname('{name}')");
    check(
        &rig,
        &inside,
        &[
            (&address("localhost"), json!("127.0.0.1")),
            (&address("sqs.us-east-1.amazonaws.com"), json!("127.0.0.1")),
            (&address("a.bucket.s3.us-east-1.amazonaws.com"), json!("127.0.0.1")),
            (&address("bucket.s3.localhost"), json!("127.0.0.1")),
            (&address("STS.AmazonAWS.com"), json!("127.0.0.1")),
            // There is no way out, so there are no names out there either: said at once, and for good.
            (&address("example.com"), json!("Name or service not known")),
            (&address("amazonaws.com.example.com"), json!("Name or service not known")),
            ("open('/etc/resolv.conf').read().split('\\n')[0]", json!("nameserver 127.0.0.1")),
        ],
    )
    .await;
    // A name of AWS's is the platform's listener for TLS.
    let inside_listeners = ports.listeners.lock().expect("no test panics here").pop();
    let secure = inside_listeners.expect("one per environment").secure;
    secure.set_nonblocking(false).expect("a socket may block");
    let hello = std::thread::Builder::new().spawn(move || {
        let (mut stream, _) = secure.accept().expect("the function connects");
        let mut first = [0];
        stream.read_exact(&mut first).expect("the function speaks");
        first[0]
    });
    let source = "import ssl\ntry:\n  ssl.create_default_context().wrap_socket(\
        socket.create_connection(('sqs.us-east-1.amazonaws.com', 443)), server_hostname='sqs')\nexcept OSError: pass";
    rig.value(&inside, &json!(source).to_string()).await;
    assert_eq!(hello.expect("a thread").join().expect("no panic"), 0x16, "the first byte of a TLS handshake");
    rig.stop().await;
}

async fn reached() {
    let (rig, inside, own) = open_rig("reached");
    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let to = server.local_addr().expect("it is bound");
    let served = std::thread::Builder::new().spawn(move || {
        let (mut stream, from) = server.accept().expect("the function connects");
        let mut said = Vec::new();
        // To the end of the head: what is not read when a connection is closed cuts it.
        while !said.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the function speaks");
            said.extend(byte);
        }
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nfine").expect("the function listens");
        (said[..4].to_vec(), from.ip())
    });
    let source = format!(
        "import urllib.request\nresult = urllib.request.urlopen('http://{to}/', timeout=5).read().decode()"
    );
    assert_eq!(rig.value(&inside, &json!(source).to_string()).await, "fine");
    assert_eq!(served.expect("a thread").join().expect("no panic"), (b"GET ".to_vec(), own));

    let echo = UdpSocket::bind((own, 0)).expect("the address is ours");
    let to = echo.local_addr().expect("it is bound");
    let served = std::thread::Builder::new().spawn(move || {
        let mut buffer = [0; 9000];
        for _ in 0..2 {
            let (length, from) = echo.recv_from(&mut buffer).expect("the function sends");
            echo.send_to(&buffer[..length], from).expect("it can be answered");
        }
    });
    let source = format!(
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(5)\nresult = []\n\
         for n in (5, 8000):\n  s.sendto(b'x' * n, ('{}', {}))\n  result.append(len(s.recvfrom(9000)[0]))",
        to.ip(),
        to.port()
    );
    assert_eq!(rig.value(&inside, &json!(source).to_string()).await, json!([5, 8000]));
    served.expect("a thread").join().expect("no panic");
    rig.stop().await;
}

async fn reached_v6() {
    let own = own_v6_address().expect("checked before");
    let rig = Rig::configured("reached_v6", |config| config.egress = Some(rules(&[own.to_string()], &[])));
    let inside = rig.python("inside", EVALUATE);
    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let port = server.local_addr().expect("it is bound").port();
    let served = std::thread::Builder::new().spawn(move || {
        let (mut stream, _) = server.accept().expect("the function connects");
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("the function ends its side");
        stream.write_all(&said).expect("the function listens");
    });
    // More than the kernel hands over in one piece.
    let source = format!(
        "s = socket.create_connection(('{own}', {port}), 5)\ndata = bytes(range(250)) * 2000\ns.sendall(data)\n\
         s.shutdown(socket.SHUT_WR)\ngot = b''\nwhile part := s.recv(1 << 20): got += part\nresult = got == data"
    );
    assert_eq!(rig.value(&inside, &json!(source).to_string()).await, json!(true));
    served.expect("a thread").join().expect("no panic");
    rig.stop().await;
}

async fn closed() {
    let own = own_address().unwrap_or(IpAddr::from([192, 0, 2, 7]));
    let listening = TcpListener::bind("0.0.0.0:0").expect("there is a free port");
    let port = listening.local_addr().expect("it is bound").port();
    // As wide as a careless user makes it.
    let wide = ["0.0.0.0/0".to_owned(), "::/0".to_owned()];
    let rig =
        Rig::configured("closed", |config| config.egress = Some(rules(&wide, &["203.0.113.0/24".into()])));
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.timeout = Duration::from_mins(1));
    let refused = json!("Connection refused");
    let mut cases: Vec<(String, Value)> = [
        "169.254.169.254:80".to_owned(),
        "169.254.170.2:80".to_owned(),
        "10.0.0.1:80".to_owned(),
        "172.16.0.1:80".to_owned(),
        "192.168.0.1:80".to_owned(),
        "100.64.0.1:80".to_owned(),
        "100.100.100.200:80".to_owned(),
        "192.0.0.1:80".to_owned(),
        "203.0.113.9:80".to_owned(),
        // The host's own addresses, and the platform's port there.
        format!("{own}:{port}"),
        format!("{own}:{ENDPOINT_PORT}"),
        "[fe80::1]:80".to_owned(),
        "[fd00:ec2::254]:80".to_owned(),
        "[fc00::1]:80".to_owned(),
        "[64:ff9b::a9fe:a9fe]:80".to_owned(),
        "[2002:7f00:1::1]:80".to_owned(),
        "[::ffff:169.254.169.254]:80".to_owned(),
        "[::ffff:10.0.0.1]:80".to_owned(),
    ]
    .iter()
    .map(|to| (connect(to), refused.clone()))
    .collect();
    // Link-local IPv6 wants an interface.
    cases.retain(|(source, _)| !source.contains("fe80"));
    // A resolver, a time server: datagrams are refused too, not lost.
    cases.push((
        "(lambda s: (s.settimeout(3), s.connect(('10.0.0.1', 123)), s.send(b'?'), s.recv(9)))\
         (socket.socket(socket.AF_INET, socket.SOCK_DGRAM))"
            .to_owned(),
        refused,
    ));
    let cases: Vec<(&str, Value)> =
        cases.iter().map(|(source, expected)| (source.as_str(), expected.clone())).collect();
    check(&rig, &inside, &cases).await;
    // The address of the host is refused inside although somebody listens there.
    drop(listening);
    rig.stop().await;
}

async fn off() {
    let own = own_address().unwrap_or(IpAddr::from([192, 0, 2, 7]));
    let rig = Rig::configured("off", |config| config.egress = Some(rules(&[own.to_string()], &[])));
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.egress = Egress::Off);
    let unreachable = json!("Network is unreachable");
    check(
        &rig,
        &inside,
        &[
            (&connect(format!("{own}:80")), unreachable.clone()),
            (&connect("1.1.1.1:443"), unreachable.clone()),
            (&connect("[2606:4700::1111]:443"), unreachable),
            ("socket.gethostbyname('example.com')", json!("Name or service not known")),
            ("socket.gethostbyname('s3.amazonaws.com')", json!("127.0.0.1")),
        ],
    )
    .await;
    rig.stop().await;
}

async fn outcomes() {
    let (rig, inside, own) = open_rig("outcomes");
    // Nobody listens: the refusal is the server's own.
    let free = TcpListener::bind((own, 0)).expect("the address is ours");
    let nobody = free.local_addr().expect("it is bound");
    drop(free);
    check(&rig, &inside, &[(&connect(nobody), json!("Connection refused"))]).await;

    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let to = server.local_addr().expect("it is bound");
    let reading = |how: &str| {
        json!(format!("s = socket.create_connection(('{}', {}), 5)\n{how}", to.ip(), to.port())).to_string()
    };
    let serve = |body: fn(TcpStream) -> Vec<u8>| {
        let server = server.try_clone().expect("a descriptor is free");
        std::thread::Builder::new()
            .spawn(move || body(server.accept().expect("the function connects").0))
            .expect("a thread")
    };
    // An end in one direction leaves the other open.
    let served = serve(|mut stream| {
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("the function ends its side");
        stream.write_all(b"heard ").expect("and listens");
        stream.write_all(&said).expect("and listens");
        said
    });
    let half = reading(
        "s.sendall(b'all')\ns.shutdown(socket.SHUT_WR)\nresult = ''\nwhile part := s.recv(99): result += part.decode()",
    );
    assert_eq!(rig.value(&inside, &half).await, "heard all");
    assert_eq!(served.join().expect("no panic"), b"all");
    // A connection that is cut outside is cut inside.
    let served = serve(|mut stream| {
        let mut said = [0; 2];
        stream.read_exact(&mut said).expect("the function speaks");
        let linger = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
        linger.expect("a socket may be cut");
        said.to_vec()
    });
    let cut = reading(
        "s.sendall(b'go')\ntry:\n  result = s.recv(9).decode()\nexcept OSError as error:\n  result = error.strerror",
    );
    assert_eq!(rig.value(&inside, &cut).await, "Connection reset by peer");
    served.join().expect("no panic");
    // A sandbox that ends cuts what it had.
    let served = serve(|mut stream| {
        let mut said = [0; 3];
        stream.read_exact(&mut said).expect("the function speaks");
        // What is on its way when the sandbox ends may go with it.
        stream.write_all(b"!").expect("and listens");
        let end = stream.read(&mut [0]);
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        said.to_vec()
    });
    let outcome = rig.invoke(&inside, &reading("s.sendall(b'bye')\ns.recv(1)\nos._exit(3)")).await;
    assert_eq!(response(&outcome)["errorType"], "Runtime.ExitError");
    assert_eq!(served.join().expect("no panic"), b"bye");
    rig.stop().await;
}

async fn large() {
    const BYTES: usize = 64 * 1024 * 1024;
    let (rig, inside, own) = open_rig("large");
    let inside = inside.with(|spec| spec.memory_mb = 512);
    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let to = server.local_addr().expect("it is bound");
    let served = std::thread::Builder::new().spawn(move || {
        let data: Vec<u8> = (0..BYTES).map(|at| (at / 251 + at) as u8).collect();
        let (mut stream, _) = server.accept().expect("the function connects");
        stream.write_all(&data).expect("the function reads");
        stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).expect("the function writes");
        back == data
    });
    let source = format!(
        "s = socket.create_connection(('{}', {}), 20)\ndata = bytearray()\n\
         while chunk := s.recv(1 << 20): data += chunk\ns.sendall(data)\ns.close()\nresult = len(data)",
        to.ip(),
        to.port()
    );
    assert_eq!(rig.value(&inside, &json!(source).to_string()).await, BYTES);
    assert!(served.expect("a thread").join().expect("no panic"), "what came back is what was sent");
    rig.stop().await;
}

async fn parallel() {
    const BYTES: usize = 2 * 1024 * 1024;
    let (rig, inside, own) = open_rig("parallel");
    let inside = inside.with(|spec| spec.memory_mb = 512);
    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let to = server.local_addr().expect("it is bound");
    std::thread::Builder::new()
        .spawn(move || {
            while let Ok((mut stream, _)) = server.accept() {
                std::thread::Builder::new()
                    .spawn(move || stream.write_all(&vec![b'x'; BYTES]).expect("the function reads"))
                    .expect("a thread");
            }
        })
        .expect("a thread");
    let source = format!(
        "from concurrent.futures import ThreadPoolExecutor\n\
         def load(_, socket=socket):\n  s = socket.create_connection(('{}', {}), 20)\n  got = 0\n\
         \x20 while part := s.recv(65536): got += len(part)\n  return got\n\
         with ThreadPoolExecutor(50) as pool: result = list(pool.map(load, range(50)))",
        to.ip(),
        to.port()
    );
    let found = rig.value(&inside, &json!(source).to_string()).await;
    assert_eq!(found, json!([BYTES; 50].to_vec()));
    rig.stop().await;
}

async fn bounded() {
    let (rig, inside, own) = open_rig("bounded");
    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let to = server.local_addr().expect("it is bound");
    let source = format!(
        "held = []\nresult = ''\ntry:\n  while len(held) < 900:\n    held.append(socket.create_connection(('{}', {}), 5))\n\
         except OSError as error:\n  result = error.strerror\nresult = [len(held), result]\n[s.close() for s in held]",
        to.ip(),
        to.port()
    );
    std::thread::Builder::new()
        .spawn(move || {
            let mut held = Vec::new();
            while let Ok((stream, _)) = server.accept() {
                held.push(stream);
            }
        })
        .expect("a thread");
    let found = rig.value(&inside, &json!(source).to_string()).await;
    assert_eq!(found, json!([256, "Connection refused"]));
    rig.stop().await;
}

async fn restarted() {
    let (rig, inside, own) = open_rig("restarted");
    let server = TcpListener::bind((own, 0)).expect("the address is ours");
    let to = server.local_addr().expect("it is bound");
    std::thread::Builder::new().spawn(move || while server.accept().is_ok() {}).expect("a thread");
    let fine = json!(null);
    check(&rig, &inside, &[(&connect(to), fine.clone())]).await;
    let first = rig.egress_processes();
    assert_eq!(first.len(), 1, "{first:?}");
    let watched = crate::leftovers::watch(&first);
    let pid = rustix::process::Pid::from_raw(first[0]).expect("no process has number 0");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is ours");
    crate::leftovers::wait_for(&watched);
    // The environment that ran before has its way out again: what it sends waits for it.
    check(&rig, &inside, &[(&connect(to), fine.clone())]).await;
    // One that is new has it too.
    let other = rig.python("other", EVALUATE);
    check(&rig, &other, &[(&connect(to), fine)]).await;
    let second = rig.egress_processes();
    assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
    let watched = crate::leftovers::watch(&second);
    rig.stop().await;
    crate::leftovers::wait_for(&watched);
}

async fn listeners_end() {
    let rig = Rig::start("listeners_end");
    let ports = Arc::new(Ports::default());
    let inside = rig.python("inside", EVALUATE).with(|spec| spec.ports = ports.clone());
    assert_eq!(evaluate(&rig, &inside, &["1"]).await, [json!(1)]);
    let taken = ports.listeners.lock().expect("no test panics here").pop();
    let mut ended = taken.expect("one per environment").ended;
    assert!(!*ended.borrow() && ended.has_changed().is_ok(), "the sandbox lives");
    rig.compute.retire(&inside.0.key);
    // The sender goes with the sandbox.
    assert!(ended.changed().await.is_err());
    rig.stop().await;
}
