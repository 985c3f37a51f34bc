//! Objects put and got, beside files written with fsync and read. No goal: the rows inform.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use apus_env::Env;

use super::subdir;
use crate::client::{Api, Connection};
use crate::figures::{Figures, number};
use crate::instance::Instance;
use crate::load::{Client, Limit, drive};
use crate::options::Options;
use crate::table::{Goal, Row};

const BUCKET: &str = "bench";
/// Clients, and threads of the denominators.
const CLIENTS: usize = 8;
const SIZES: [(&str, usize); 2] = [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)];
/// Four kinds of slices for each size.
const SLICES_MAX: usize = 4;

pub(crate) async fn rows(env: &Env, options: &Options, dir: &Path) -> Result<Vec<Row>, String> {
    let instance = Instance::start(env, &options.apus, &subdir(dir, "data")?).await?;
    let api = instance.api();
    make_bucket(api).await?;
    let mut rows = Vec::new();
    for (size_is, size) in SIZES {
        rows.extend(one_size(env, options, api, dir, size_is, size).await?);
    }
    instance.stop(env).await;
    Ok(rows)
}

/// Makes the bucket that everything is put into.
pub(super) async fn make_bucket(api: &Api) -> Result<(), String> {
    let request = api.request("s3", "PUT", &format!("/{BUCKET}"), &[], b"")?;
    api.connect().await?.exchange(&request).await?.ok().map(drop)
}

fn path(size: usize, number: usize) -> String {
    format!("/{BUCKET}/{size}-{number}")
}

/// Clients that each put an object of that size again and again.
pub(super) async fn put_clients(api: &Api, count: usize, size: usize) -> Result<Vec<ObjectClient>, String> {
    let content = vec![b'x'; size];
    let mut puts = Vec::new();
    for (number, connection) in api.connections(count).await?.into_iter().enumerate() {
        let request = api.request("s3", "PUT", &path(size, number), &[], &content)?;
        puts.push(ObjectClient { connection, request, answer_bytes: 0 });
    }
    Ok(puts)
}

async fn one_size(
    env: &Env,
    options: &Options,
    api: &Api,
    dir: &Path,
    size_is: &str,
    size: usize,
) -> Result<Vec<Row>, String> {
    let content = vec![b'x'; size];
    let file = |number: usize| dir.join(format!("file-{size}-{number}"));
    let mut puts = put_clients(api, CLIENTS, size).await?;
    let mut gets = Vec::new();
    for (number, connection) in api.connections(CLIENTS).await?.into_iter().enumerate() {
        let request = api.request("s3", "GET", &path(size, number), &[], b"")?;
        gets.push(ObjectClient { connection, request, answer_bytes: size });
    }
    let mut writes: Vec<FileWriter> =
        (0..CLIENTS).map(|number| FileWriter { path: file(number), content: content.clone() }).collect();
    let mut reads: Vec<FileReader> = (0..CLIENTS).map(|number| FileReader { path: file(number) }).collect();

    let [mut put, mut got, mut written, mut read] = [(); 4].map(|()| Figures::new("/s"));
    let limit = Limit::span(options.slice());
    // The first turn warms up, and makes what is read.
    for turn in 0..=options.slices().min(SLICES_MAX) {
        let a = drive(env, puts, limit).await?;
        let b = drive(env, writes, limit).await?;
        let c = drive(env, gets, limit).await?;
        let d = drive(env, reads, limit).await?;
        if turn > 0 {
            put.push(a.per_second);
            written.push(b.per_second);
            got.push(c.per_second);
            read.push(d.per_second);
        }
        (puts, writes, gets, reads) = (a.clients, b.clients, c.clients, d.clients);
    }
    let mib = |figures: &Figures| number(figures.median() * size as f64 / f64::from(1 << 20));
    Ok(vec![
        Row::new(format!("PUT of {size_is}, {CLIENTS} clients"), &put, Goal::None)
            .against(format!("file written with fsync, {CLIENTS} threads"), &written)
            .note(format!("{} MiB/s against {} MiB/s", mib(&put), mib(&written))),
        Row::new(format!("GET of {size_is}, {CLIENTS} clients"), &got, Goal::None)
            .against(format!("file read, {CLIENTS} threads"), &read)
            .note(format!("{} MiB/s against {} MiB/s", mib(&got), mib(&read))),
    ])
}

/// Sends the same request again and again, and looks at the answer's length.
pub(super) struct ObjectClient {
    connection: Connection,
    request: Vec<u8>,
    answer_bytes: usize,
}

impl Client for ObjectClient {
    async fn step(&mut self) -> Result<Option<u64>, String> {
        let body = self.connection.exchange(&self.request).await?.ok()?;
        if body.len() != self.answer_bytes {
            return Err(format!("{} bytes came instead of {}", body.len(), self.answer_bytes));
        }
        Ok(Some(1))
    }
}

struct FileWriter {
    path: PathBuf,
    content: Vec<u8>,
}

impl Client for FileWriter {
    const BLOCKS: bool = true;

    async fn step(&mut self) -> Result<Option<u64>, String> {
        let write = || {
            let mut file = File::create(&self.path)?;
            file.write_all(&self.content)?;
            file.sync_all()
        };
        write().map_err(|error| format!("{}: {error}", self.path.display()))?;
        Ok(Some(1))
    }
}

struct FileReader {
    path: PathBuf,
}

impl Client for FileReader {
    const BLOCKS: bool = true;

    async fn step(&mut self) -> Result<Option<u64>, String> {
        std::fs::read(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        Ok(Some(1))
    }
}
