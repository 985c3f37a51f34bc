//! `apus fsck`, `apus backup`, `apus restore`: looking after a store that no running instance holds.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use apus::checks::checks;
use apus_env::Env;
use apus_store::disk::{Disk, RealDisk};
use apus_store::{Options, Store, StoreError, fsck};

use serde_json::json;

use crate::cli;
use crate::progress::{Progress, begun};

/// The store's directory within a data directory.
pub(crate) const STORE: &str = "store";

const DAMAGED: &str = "restore a backup with `apus restore`, or report this with the lines above";

/// Looks for damage; fails if there is any.
pub(crate) fn check(options: &cli::Fsck) -> Result<ExitCode, String> {
    let disk = existing(&options.source.data_dir)?;
    begun("looking at every row and every blob");
    // Damage may be a panic of the store's engine, which becomes a finding.
    std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
    let report = block_on(|env| async move {
        let checks = checks();
        let checks: Vec<_> = checks.iter().map(AsRef::as_ref).collect();
        fsck::fsck(&env, &disk, &Options::default(), &checks).await
    })?;
    let is_sound = report.findings.is_empty();
    let code = if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if options.json {
        let finding = |one: &fsck::Finding| json!({ "place": one.place, "detail": one.detail });
        let fsck::Report { rows, bytes, blobs, log_frames, findings, remarks } = report;
        let [findings, remarks] =
            [findings, remarks].map(|told| told.iter().map(finding).collect::<Vec<_>>());
        let told = json!({
            "sound": is_sound,
            "findings": findings,
            "remarks": remarks,
            "rows": rows,
            "bytes": bytes,
            "blobs": blobs,
            "logFrames": log_frames,
        });
        println!("{told}");
        return Ok(code);
    }
    for finding in &report.findings {
        println!("damaged: {finding}");
    }
    for remark in &report.remarks {
        println!("note: {remark}");
    }
    let fsck::Report { rows, bytes, blobs, log_frames, .. } = report;
    println!("looked at {rows} rows of {bytes} bytes, {blobs} blobs, {log_frames} frames of the log");
    println!("{}", if is_sound { "the store is sound" } else { DAMAGED });
    Ok(code)
}

/// Writes a backup into a new file.
pub(crate) fn backup(options: &cli::Backup) -> Result<ExitCode, String> {
    let disk = existing(&options.source.data_dir)?;
    let file = create_new(&options.target)?;
    let sink = file.try_clone().map_err(|error| error.to_string())?;
    let sink = Progress::of("writing", BufWriter::new(sink));
    let summary = block_on(|env| async move {
        let store = Store::open(&env, &disk, &Options::default())?;
        let summary = apus_store::backup(&store, sink).await;
        store.close().await;
        summary
    })?;
    file.sync_all().map_err(|error| format!("{}: {error}", options.target.display()))?;
    let target = options.target.display();
    if options.json {
        let told = json!({ "rows": summary.rows, "blobs": summary.blobs, "target": target.to_string() });
        println!("{told}");
    } else {
        println!("wrote {} rows and {} blobs to {target}", summary.rows, summary.blobs);
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes a new data directory from a backup.
pub(crate) fn restore(options: &cli::Restore) -> Result<ExitCode, String> {
    let source = File::open(&options.source);
    let source = source.map_err(|error| format!("{}: {error}", options.source.display()))?;
    let dir = options.target.data_dir.join(STORE);
    if dir.exists() {
        return Err(format!("{} holds a store already; name a new directory with --data-dir", dir.display()));
    }
    let disk = disk(&dir)?;
    let source = Progress::of("reading", BufReader::new(source));
    let summary =
        block_on(|env| async move { apus_store::restore(&env, source, &disk, &Options::default()).await })?;
    let target = options.target.data_dir.display();
    if options.json {
        let told = json!({ "rows": summary.rows, "blobs": summary.blobs, "target": target.to_string() });
        println!("{told}");
    } else {
        println!("restored {} rows and {} blobs into {target}", summary.rows, summary.blobs);
    }
    Ok(ExitCode::SUCCESS)
}

fn create_new(path: &Path) -> Result<File, String> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} is there already; name a new file for the backup", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    })
}

/// The disk of a data directory that has a store.
fn existing(data_dir: &Path) -> Result<Arc<dyn Disk>, String> {
    let dir = data_dir.join(STORE);
    if dir.exists() {
        disk(&dir)
    } else {
        Err(format!("{} holds no store; name the directory with --data-dir", data_dir.display()))
    }
}

fn disk(dir: &Path) -> Result<Arc<dyn Disk>, String> {
    RealDisk::new(dir)
        .map(|disk| Arc::new(disk) as Arc<dyn Disk>)
        .map_err(|error| format!("{}: {error}", dir.display()))
}

fn block_on<T, F: Future<Output = Result<T, StoreError>>>(work: impl FnOnce(Env) -> F) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("could not start the runtime: {error}"))?;
    runtime.block_on(async { work(Env::real()).await }).map_err(|error| error.to_string())
}
