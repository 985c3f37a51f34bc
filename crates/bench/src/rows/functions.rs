//! Warm invokes against a bare relay of the same shape, cold ones against the plain interpreter.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use apus_env::Env;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::Figures;
use crate::instance::Instance;
use crate::load::{Client, Limit, drive};
use crate::native;
use crate::options::Options;
use crate::python::{HANDLER, HANDLER_FILE, HANDLER_NAME, Python};
use crate::relay::{EVENT, RESPONSE, Relay};
use crate::table::{Goal, Row};

const ROLE: &str = "bench";
pub(super) const SMALL_MB: u32 = 128;
/// One whole virtual CPU.
pub(super) const LARGE_MB: u32 = 1_769;
/// Clients and environments of the throughput.
pub(super) const MANY: usize = 16;
/// A new function is active after at most so many looks.
const LOOKS_MAX: usize = 200;
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// Warm invokes, one at a time and sixteen at a time.
pub(crate) async fn warm(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let python = Python::find(subdir(dir, "python")?)?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let functions = Functions::new(env, instance.api()).await?;
    let (native, hello) = (Kind::native()?, Kind::python(&python, HANDLER)?);
    let mut bare = Relay::start(env).await?;
    bare.add_workers(1)?;
    let mut interpreted = Relay::start(env).await?;
    interpreted.add(&mut python.command(interpreted.address()))?;

    let mut sides = [
        vec![functions.client("native-small", &native, SMALL_MB).await?],
        vec![functions.client("native", &native, LARGE_MB).await?],
        vec![functions.client("small", &hello, SMALL_MB).await?],
        vec![functions.client("large", &hello, LARGE_MB).await?],
        vec![Invoker::of_relay(&bare).await?],
        vec![Invoker::of_relay(&interpreted).await?],
    ];
    let mut figures = [(); 6].map(|()| Figures::new("us"));
    // The first turn warms up, and starts the environments.
    for turn in 0..=options.slices() {
        for (side, figures) in sides.iter_mut().zip(&mut figures) {
            let slice = drive(env, std::mem::take(side), Limit::steps(options.invokes())).await?;
            if turn > 0 {
                figures.extend(slice.micros);
            }
            *side = slice.clients;
        }
    }
    drop(interpreted);

    bare.add_workers(MANY - 1)?;
    let (mut many_native, mut many_python, mut many_bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..MANY {
        many_native.push(functions.client("native", &native, LARGE_MB).await?);
        many_python.push(functions.client("large", &hello, LARGE_MB).await?);
        many_bare.push(Invoker::of_relay(&bare).await?);
    }
    let mut sides = [many_native, many_python, many_bare];
    let mut throughputs = [(); 3].map(|()| Figures::new("/s"));
    for turn in 0..=options.slices() {
        for (side, figures) in sides.iter_mut().zip(&mut throughputs) {
            let slice = drive(env, std::mem::take(side), Limit::span(options.slice())).await?;
            if turn > 0 {
                figures.push(slice.per_second);
            }
            *side = slice.clients;
        }
    }
    instance.stop(env).await;

    let [native_small, native_large, small, large, relay, relay_python] = figures;
    let [throughput_native, throughput_python, throughput_bare] = throughputs;
    let isolation = apus_compute::probe().best();
    let what = |kind: &str, mb: u32| format!("warm invoke, {kind}, {mb} MB, isolation {isolation}");
    let interpreted = format!("{} hello", python.runtime());
    let bare_is = "bare relay, native worker";
    let python_is = "bare relay, the same Python bootstrap as its worker, no sandbox";
    let goal = Goal::RatioAtMost(1.5);
    let many = |kind: &str, figures: &Figures, goal| {
        Row::new(format!("warm throughput, {kind}, {MANY} clients, {LARGE_MB} MB"), figures, goal)
            .against(format!("bare relay, {MANY} clients, {MANY} native workers"), &throughput_bare)
    };
    Ok(vec![
        Row::new(what("native", SMALL_MB), &native_small, goal).against(bare_is, &relay),
        Row::new(what("native", LARGE_MB), &native_large, goal).against(bare_is, &relay),
        Row::new(what(&interpreted, SMALL_MB), &small, goal).against(python_is, &relay_python),
        Row::new(what(&interpreted, LARGE_MB), &large, goal).against(python_is, &relay_python),
        Row::new(what(&interpreted, LARGE_MB), &large, Goal::None)
            .against(bare_is, &relay)
            .note("here the interpreter's share is on one side only"),
        many("native", &throughput_native, Goal::RatioAtLeast(0.6))
            .note("the platform starts as many environments as it needs, up to one for each client"),
        many(&interpreted, &throughput_python, Goal::None),
    ])
}

/// Invokes after a pause in which the environment was frozen, against those after a shorter one.
pub(crate) async fn thaw(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    /// An environment is frozen once it was idle for 20 ms.
    const PAUSES: [Duration; 2] = [Duration::from_millis(12), Duration::from_millis(40)];
    const KINDS: [&str; 2] = ["native", "hello"];
    let python = Python::find(subdir(dir, "python")?)?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let functions = Functions::new(env, instance.api()).await?;
    let mut invokers = [
        functions.client(KINDS[0], &Kind::native()?, SMALL_MB).await?,
        functions.client(KINDS[1], &Kind::python(&python, HANDLER)?, SMALL_MB).await?,
    ];
    let mut figures = [(); 2].map(|()| [(); 2].map(|()| Figures::new("us")));
    for round in 0..=options.thaws() {
        for (invoker, figures) in invokers.iter_mut().zip(&mut figures) {
            for (pause, figures) in PAUSES.iter().zip(figures) {
                env.sleep(*pause).await;
                let begun = env.monotonic();
                invoker.invoke().await?;
                let took = env.monotonic().saturating_sub(begun);
                // The first is cold.
                if round > 0 {
                    figures.push(took.as_secs_f64() * 1e6);
                }
            }
        }
    }
    instance.stop(env).await;
    let rows = KINDS.iter().zip(&figures).map(|(kind, [running, frozen])| {
        Row::new(
            format!("thaw: {kind}, {SMALL_MB} MB, after a pause of 40 ms"),
            frozen,
            Goal::RatioAtMost(1.2),
        )
        .against("the same after 12 ms, never frozen", running)
    });
    Ok(rows.collect())
}

/// Cold invokes, each of a new function.
pub(crate) async fn cold(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let python = Python::find(subdir(dir, "python")?)?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let functions = Functions::new(env, instance.api()).await?;
    let kinds = [("native", Kind::native()?), ("python", Kind::python(&python, HANDLER)?)];
    let mut here = [(); 2].map(|()| [(); 2].map(|()| Figures::new("ms")));
    let mut plain = [(); 2].map(|()| [(); 2].map(|()| Figures::new("ms")));
    // The first round warms the page cache, and starts what the platform starts once.
    for round in 0..=options.rounds() {
        for ((name, kind), figures) in kinds.iter().zip(&mut here) {
            for (mb, figures) in [SMALL_MB, LARGE_MB].into_iter().zip(figures) {
                let mut invoker = functions.client(&format!("{name}-{round}-{mb}"), kind, mb).await?;
                let begun = env.monotonic();
                invoker.invoke().await?;
                let took = env.monotonic().saturating_sub(begun);
                if round > 0 {
                    figures.push_ms(took);
                }
            }
        }
        let starts = [native::plain_start(env).await?, python.plain_start(env).await?];
        if round > 0 {
            for (start, [first_request, response]) in starts.iter().zip(&mut plain) {
                first_request.push_ms(start.first_request);
                response.push_ms(start.response);
            }
        }
    }
    instance.stop(env).await;

    let isolation = apus_compute::probe().best();
    let [[native_small, native_large], [python_small, python_large]] = here;
    let [[native_request, native_response], [python_request, python_response]] = plain;
    let what = |kind: &str, mb: u32| format!("cold invoke, {kind}, {mb} MB, isolation {isolation}");
    let runtime = python.runtime();
    let interpreter = format!("plain {runtime} -S -E -B, same bootstrap");
    let to_request = format!("{interpreter}, to its first request");
    let program = "the same program started plainly";
    let native_to_request = format!("{program}, to its first request");
    let python_what = |mb| what(&format!("{runtime} hello"), mb);
    let goal = Goal::RatioAtMost(1.3);
    Ok(vec![
        Row::new(what("native", SMALL_MB), &native_small, Goal::MoreAtMost(0.5))
            .against(&native_to_request, &native_request),
        Row::new(what("native", LARGE_MB), &native_large, Goal::MoreAtMost(0.5))
            .against(native_to_request, &native_request),
        Row::new(what("native", LARGE_MB), &native_large, Goal::None)
            .against(format!("{program}, to its first response"), &native_response),
        Row::new(python_what(SMALL_MB), &python_small, goal)
            .against(&to_request, &python_request)
            .note(format!("the plain interpreter is {}", python.program().display())),
        Row::new(python_what(LARGE_MB), &python_large, goal)
            .against(to_request, &python_request)
            .note("from the client's request to its response, so the handler's run is on this side only"),
        Row::new(python_what(LARGE_MB), &python_large, Goal::None)
            .against(format!("{interpreter}, to its first response"), &python_response),
    ])
}

/// What a function is made of.
pub(super) struct Kind {
    pub(super) runtime: String,
    pub(super) handler: &'static str,
    /// In base64.
    pub(super) package: String,
}

impl Kind {
    /// A Python function of this text.
    pub(super) fn python(python: &Python, text: &str) -> Result<Self, String> {
        let package = encoded_package(text)?;
        Ok(Self { runtime: python.runtime(), handler: HANDLER_NAME, package })
    }

    /// This program itself.
    pub(super) fn native() -> Result<Self, String> {
        let package = STANDARD.encode(native::package()?);
        Ok(Self { runtime: native::RUNTIME.into(), handler: native::HANDLER_NAME, package })
    }
}

/// Makes functions and their clients.
pub(super) struct Functions<'a> {
    env: &'a Env,
    api: &'a Api,
}

impl<'a> Functions<'a> {
    pub(super) async fn new(env: &'a Env, api: &'a Api) -> Result<Self, String> {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "lambda.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        });
        let document = escaped(&trust.to_string());
        let form = format!(
            "Action=CreateRole&Version=2010-05-08&RoleName={ROLE}&AssumeRolePolicyDocument={document}"
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let request = api.request("iam", "POST", "/", &headers, form.as_bytes())?;
        api.connect().await?.exchange(&request).await?.ok()?;
        Ok(Self { env, api })
    }

    /// Lets the functions' role do that, with everything.
    pub(super) async fn allow(&self, action: &str) -> Result<(), String> {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": action, "Resource": "*" }],
        });
        let document = escaped(&policy.to_string());
        let form = format!(
            "Action=PutRolePolicy&Version=2010-05-08&RoleName={ROLE}&PolicyName=bench&PolicyDocument={document}"
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let request = self.api.request("iam", "POST", "/", &headers, form.as_bytes())?;
        self.api.connect().await?.exchange(&request).await?.ok().map(drop)
    }

    /// A client of a function, which is made if it is not there yet.
    pub(super) async fn client(&self, name: &str, kind: &Kind, memory_mb: u32) -> Result<Invoker, String> {
        self.client_with(name, kind, memory_mb, EVENT).await
    }

    /// The same with another event.
    pub(super) async fn client_with(
        &self,
        name: &str,
        kind: &Kind,
        memory_mb: u32,
        event: &str,
    ) -> Result<Invoker, String> {
        let mut connection = self.api.connect().await?;
        if self.state(&mut connection, name).await?.is_none() {
            let input = json!({
                "FunctionName": name,
                "Runtime": kind.runtime,
                "Handler": kind.handler,
                "Role": format!("arn:aws:iam::000000000000:role/{ROLE}"),
                "MemorySize": memory_mb,
                "Timeout": 120,
                "Code": { "ZipFile": kind.package },
            });
            let request = self.lambda("POST", "/2015-03-31/functions", input.to_string().as_bytes())?;
            connection.exchange(&request).await?.ok()?;
        }
        let mut looks = 0;
        while self.state(&mut connection, name).await?.as_deref() != Some("Active") {
            looks += 1;
            if looks > LOOKS_MAX {
                return Err(format!("the function {name} did not become active"));
            }
            self.env.sleep(LOOKS_EVERY).await;
        }
        let request =
            self.lambda("POST", &format!("/2015-03-31/functions/{name}/invocations"), event.as_bytes())?;
        Ok(Invoker { connection, request })
    }

    /// The function's state, if there is such a function.
    async fn state(&self, connection: &mut Connection, name: &str) -> Result<Option<String>, String> {
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let answer = connection.exchange(&self.lambda("GET", &path, b"")?).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        Ok(answer.json()?["State"].as_str().map(str::to_owned))
    }

    fn lambda(&self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        self.api.request("lambda", method, path, &[("content-type", "application/json")], body)
    }
}

/// Sends the same event again and again, and looks at the answer.
pub(super) struct Invoker {
    connection: Connection,
    request: Vec<u8>,
}

impl Invoker {
    async fn of_relay(relay: &Relay) -> Result<Self, String> {
        Ok(Self { connection: Connection::open(relay.address()).await?, request: relay.request() })
    }

    /// The function's answer.
    pub(super) async fn answer(&mut self) -> Result<Vec<u8>, String> {
        self.connection.exchange(&self.request).await?.ok()
    }

    pub(super) async fn invoke(&mut self) -> Result<(), String> {
        let body = self.answer().await?;
        if body == RESPONSE.as_bytes() {
            return Ok(());
        }
        Err(format!("the function answered {:?}", String::from_utf8_lossy(&body)))
    }
}

impl Client for Invoker {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        self.invoke().await?;
        Ok(Some(1))
    }
}

/// The handler as an archive, in base64.
fn encoded_package(text: &str) -> Result<String, String> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let failed = |error: zip::result::ZipError| format!("the package could not be made: {error}");
    archive.start_file(HANDLER_FILE, zip::write::SimpleFileOptions::default()).map_err(failed)?;
    archive.write_all(text.as_bytes()).map_err(|error| error.to_string())?;
    let bytes = archive.finish().map_err(failed)?.into_inner();
    Ok(STANDARD.encode(bytes))
}

/// A form's value: everything but letters and digits is escaped.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_survive_their_escaping() {
        let policy = json!({ "Version": "2012-10-17" });
        assert_eq!(escaped(&policy.to_string()), "%7B%22Version%22%3A%222012%2D10%2D17%22%7D");
        assert_eq!(escaped("ü&="), "%C3%BC%26%3D");
    }
}
