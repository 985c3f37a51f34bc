//! Warm invokes against a bare relay of the same shape, cold ones against the plain interpreter.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use apus_env::Env;
use serde_json::json;

use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::Figures;
use crate::instance::Instance;
use crate::load::{Client, Limit, drive};
use crate::options::Options;
use crate::python::{HANDLER, HANDLER_FILE, HANDLER_NAME, Python};
use crate::relay::{EVENT, RESPONSE, Relay};
use crate::table::{Goal, Row};

const ROLE: &str = "bench";
const SMALL_MB: u32 = 128;
/// One whole virtual CPU.
const LARGE_MB: u32 = 1_769;
/// Clients and environments of the throughput.
const MANY: usize = 16;
/// A new function is active after at most so many looks.
const LOOKS_MAX: usize = 200;
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// Warm invokes, one at a time and sixteen at a time.
pub(crate) async fn warm(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let python = Python::find(subdir(dir, "python")?)?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let functions = Functions::new(env, instance.api(), &python).await?;
    let mut bare = Relay::start(env).await?;
    bare.add_workers(1)?;
    let mut interpreted = Relay::start(env).await?;
    interpreted.add(&mut python.command(&interpreted.address))?;

    let mut sides = [
        vec![functions.client("small", SMALL_MB).await?],
        vec![functions.client("large", LARGE_MB).await?],
        vec![Invoker::of_relay(&bare).await?],
        vec![Invoker::of_relay(&interpreted).await?],
    ];
    let mut figures = [(); 4].map(|()| Figures::new("us"));
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
    let mut many = Vec::new();
    let mut many_bare = Vec::new();
    for _ in 0..MANY {
        many.push(functions.client("large", LARGE_MB).await?);
        many_bare.push(Invoker::of_relay(&bare).await?);
    }
    let [mut throughput, mut throughput_bare] = [(); 2].map(|()| Figures::new("/s"));
    for turn in 0..=options.slices() {
        let here = drive(env, many, Limit::span(options.slice())).await?;
        let there = drive(env, many_bare, Limit::span(options.slice())).await?;
        if turn > 0 {
            throughput.push(here.per_second);
            throughput_bare.push(there.per_second);
        }
        (many, many_bare) = (here.clients, there.clients);
    }
    instance.stop(env).await;

    let [small, large, relay, relay_python] = figures;
    let isolation = apus_compute::probe().level();
    let what = |mb: u32| format!("warm invoke, {} hello, {mb} MB, isolation {isolation}", python.runtime());
    let bare_is = "bare relay, native worker";
    let goal = Goal::RatioAtMost(1.5);
    Ok(vec![
        Row::new(what(SMALL_MB), &small, goal).against(bare_is, &relay),
        Row::new(what(LARGE_MB), &large, goal).against(bare_is, &relay),
        Row::new(what(LARGE_MB), &large, Goal::None)
            .against("bare relay, the same Python bootstrap as its worker, no sandbox", &relay_python),
        Row::new(
            format!("warm throughput, {MANY} clients, {LARGE_MB} MB"),
            &throughput,
            Goal::RatioAtLeast(0.6),
        )
        .against(format!("bare relay, {MANY} clients, {MANY} workers"), &throughput_bare)
        .note("the platform starts as many environments as it needs, up to one for each client"),
    ])
}

/// Cold invokes, each of a new function.
pub(crate) async fn cold(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let python = Python::find(subdir(dir, "python")?)?;
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let functions = Functions::new(env, instance.api(), &python).await?;
    let [mut small, mut large, mut first_request, mut response] = [(); 4].map(|()| Figures::new("ms"));
    // The first round warms the page cache, and starts what the platform starts once.
    for round in 0..=options.rounds() {
        for (mb, figures) in [(SMALL_MB, &mut small), (LARGE_MB, &mut large)] {
            let mut invoker = functions.client(&format!("cold-{round}-{mb}"), mb).await?;
            let begun = env.monotonic();
            invoker.invoke().await?;
            let took = env.monotonic().saturating_sub(begun);
            if round > 0 {
                figures.push_ms(took);
            }
        }
        let plain = python.plain_start(env).await?;
        if round > 0 {
            first_request.push_ms(plain.first_request);
            response.push_ms(plain.response);
        }
    }
    instance.stop(env).await;

    let isolation = apus_compute::probe().level();
    let what = |mb: u32| format!("cold invoke, {} hello, {mb} MB, isolation {isolation}", python.runtime());
    let interpreter = format!("plain {} -S -E -B, same bootstrap", python.runtime());
    let to_request = format!("{interpreter}, to its first request");
    let goal = Goal::RatioAtMost(1.3);
    Ok(vec![
        Row::new(what(SMALL_MB), &small, goal)
            .against(&to_request, &first_request)
            .note(format!("the plain interpreter is {}", python.program().display())),
        Row::new(what(LARGE_MB), &large, goal)
            .against(to_request, &first_request)
            .note("from the client's request to its response, so the handler's run is on this side only"),
        Row::new(what(LARGE_MB), &large, Goal::None)
            .against(format!("{interpreter}, to its first response"), &response),
    ])
}

/// Makes functions and their clients.
pub(super) struct Functions<'a> {
    env: &'a Env,
    api: &'a Api,
    runtime: String,
    package: String,
}

impl<'a> Functions<'a> {
    async fn new(env: &'a Env, api: &'a Api, python: &Python) -> Result<Self, String> {
        Self::with_source(env, api, python, HANDLER).await
    }

    /// Functions of that source.
    pub(super) async fn with_source(
        env: &'a Env,
        api: &'a Api,
        python: &Python,
        source: &str,
    ) -> Result<Self, String> {
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
        Ok(Self { env, api, runtime: python.runtime(), package: encoded_package(source)? })
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
    pub(super) async fn client(&self, name: &str, memory_mb: u32) -> Result<Invoker, String> {
        let mut connection = self.api.connect().await?;
        if self.state(&mut connection, name).await?.is_none() {
            let input = json!({
                "FunctionName": name,
                "Runtime": self.runtime,
                "Handler": HANDLER_NAME,
                "Role": format!("arn:aws:iam::000000000000:role/{ROLE}"),
                "MemorySize": memory_mb,
                "Timeout": 30,
                "Code": { "ZipFile": self.package },
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
            self.lambda("POST", &format!("/2015-03-31/functions/{name}/invocations"), EVENT.as_bytes())?;
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
        Ok(Self { connection: Connection::open(&relay.address).await?, request: relay.request() })
    }

    async fn invoke(&mut self) -> Result<(), String> {
        let body = self.connection.exchange(&self.request).await?.ok()?;
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
fn encoded_package(source: &str) -> Result<String, String> {
    use base64::Engine;

    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let failed = |error: zip::result::ZipError| format!("the package could not be made: {error}");
    archive.start_file(HANDLER_FILE, zip::write::SimpleFileOptions::default()).map_err(failed)?;
    archive.write_all(source.as_bytes()).map_err(|error| error.to_string())?;
    let bytes = archive.finish().map_err(failed)?.into_inner();
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
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
