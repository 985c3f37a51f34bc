//! Where the API models come from: source distributions of botocore, pinned by version and hash, kept under
//! `target/botocore`. Knows nothing of what is in a model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::services::{CURRENT, OLDER, Release};
use crate::run::{output, workspace_root};

/// Names a directory that holds an unpacked [`CURRENT`], to be read in place of the download.
const OVERRIDE: &str = "APUS_BOTOCORE";

/// Makes both releases lie unpacked under `target/botocore`, downloading what is not there.
pub(crate) fn fetch() -> Result<(), String> {
    for release in [&CURRENT, &OLDER] {
        println!("{}", unpacked(release)?.display());
    }
    Ok(())
}

/// One service's model: `service-2.json` in its folder.
pub(crate) fn model(release: &Release, folder: &str) -> Result<Value, String> {
    json(release, &format!("{folder}/service-2.json"))
}

/// Which endpoints there are, and which services have one for all regions.
pub(crate) fn endpoints() -> Result<Value, String> {
    json(&CURRENT, "endpoints.json")
}

fn json(release: &Release, path: &str) -> Result<Value, String> {
    let path = unpacked(release)?.join("botocore/data").join(path);
    let text = fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is no JSON: {error}", path.display()))
}

/// The directory of an unpacked release.
fn unpacked(release: &Release) -> Result<PathBuf, String> {
    if *release == CURRENT
        && let Some(given) = std::env::var_os(OVERRIDE)
    {
        return Ok(given.into());
    }
    let store = workspace_root().join("target/botocore");
    let name = format!("botocore-{}", release.version);
    let directory = store.join(&name);
    if directory.is_dir() {
        return Ok(directory);
    }
    let archive = store.join(format!("{name}.tar.gz"));
    if !archive.is_file() {
        download(release, &store)?;
    }
    let found = sha256(&archive)?;
    if found != release.sha256 {
        return Err(format!(
            "{} has the sha256 {found}, expected {}; delete it and try again",
            archive.display(),
            release.sha256
        ));
    }
    // Unpacked beside its place and moved there at the end: a directory of that name is always whole.
    let unpacking = store.join(format!("unpacking-{}", release.version));
    if unpacking.exists() {
        fs::remove_dir_all(&unpacking)
            .map_err(|error| format!("cannot clear {}: {error}", unpacking.display()))?;
    }
    output(python().args(["-m", "tarfile", "-e"]).arg(&archive).arg(&unpacking))?;
    fs::rename(unpacking.join(&name), &directory).map_err(|error| {
        format!("cannot move {} to {}: {error}", unpacking.display(), directory.display())
    })?;
    fs::remove_dir_all(&unpacking)
        .map_err(|error| format!("cannot remove {}: {error}", unpacking.display()))?;
    Ok(directory)
}

fn download(release: &Release, store: &Path) -> Result<(), String> {
    let requirement = format!("botocore=={}", release.version);
    let attempt = |extra: &[&str]| {
        let mut pip = python();
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]);
        output(pip.args(extra).arg(&requirement).arg("--dest").arg(store))
    };
    // pip prepares a source distribution's metadata, for which it fetches build tools; where it must not,
    // those that are installed do.
    attempt(&[]).or_else(|_| attempt(&["--no-build-isolation"])).map(drop).map_err(|error| {
        format!("cannot download {requirement}: {error}\nplace its .tar.gz in {} yourself", store.display())
    })
}

fn sha256(file: &Path) -> Result<String, String> {
    let program = "import hashlib,sys;print(hashlib.sha256(open(sys.argv[1],'rb').read()).hexdigest())";
    let printed = output(python().args(["-c", program]).arg(file))?;
    Ok(String::from_utf8_lossy(&printed).trim().to_owned())
}

fn python() -> Command {
    Command::new("python3")
}
