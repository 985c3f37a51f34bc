//! The part of a root file system that all functions share: libraries, `/etc`, devices and places, chosen
//! from what this host has by an allow-list. Writes the few files of our own once per start.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::certificates;
use crate::driver::RootEntry;
use crate::{programs, runtimes};

/// The user and the group that a function is inside, as on AWS.
pub(crate) const INSIDE_UID: u32 = 993;
pub(crate) const INSIDE_GID: u32 = 990;

const MIB: u64 = 1024 * 1024;

/// Directories of libraries, whole: what a loader or an interpreter may open.
const LIBRARY_DIRECTORIES: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/lib64",
];
/// Data that libraries look for.
const DATA_DIRECTORIES: [&str; 3] = ["/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo"];
/// Where systems keep the certificates that they trust: ours is in each.
const CERTIFICATE_DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// What all functions see of this host, found once.
#[derive(Clone, Debug)]
pub(crate) struct HostRoot {
    shared: Vec<RootEntry>,
    files: PathBuf,
    programs: PathBuf,
    /// Copied for the first function, not at each start of the platform.
    copied: Arc<OnceLock<Result<(), String>>>,
}

impl HostRoot {
    /// Writes our own files beneath `base` and looks at the host.
    pub(crate) fn prepare(base: &Path, trusted: Option<&str>) -> io::Result<Self> {
        let etc = base.join("etc");
        let runtimes = base.join("runtimes");
        for directory in [base, &etc, &runtimes] {
            make_directory(directory)?;
        }
        write_etc(&etc)?;
        let bundle = certificates::write_bundle(&base.join("certificates"), trusted)?;
        for (path, bytes) in runtimes::files() {
            let path = runtimes.join(path);
            // Each on the way, as this process's mask may keep others out.
            for parent in path.ancestors().skip(1).take_while(|parent| *parent != runtimes) {
                make_directory(parent)?;
            }
            write(&path, bytes)?;
        }
        Ok(Self {
            shared: shared(&etc, &bundle)?,
            files: runtimes,
            programs: base.join("programs"),
            copied: Arc::default(),
        })
    }

    /// Our own files of the runtimes.
    pub(crate) fn runtime_files(&self) -> &Path {
        &self.files
    }

    /// The root of one function's sandboxes, but for its runtime.
    pub(crate) fn entries(
        &self,
        code: &Path,
        layers: &[PathBuf],
        tmp_mb: u32,
    ) -> Result<Vec<RootEntry>, String> {
        let copied = self.copied.get_or_init(|| {
            let failed = |error| format!("copy programs to {}: {error}", self.programs.display());
            programs::copy_to(&self.programs).map_err(failed)
        });
        copied.clone()?;
        let mut entries = self.shared.clone();
        entries.push(RootEntry::Bind { source: directory(&self.programs)?, path: "/usr/bin".into() });
        entries.push(RootEntry::Scratch { path: "/tmp".into(), bytes: u64::from(tmp_mb) * MIB });
        entries.push(RootEntry::Bind { source: directory(code)?, path: "/var/task".into() });
        let sources = layers.iter().map(|layer| directory(layer)).collect::<Result<_, _>>()?;
        entries.push(RootEntry::Merged { sources, path: "/opt".into() });
        Ok(entries)
    }
}

fn directory(path: &Path) -> Result<String, String> {
    if !path.is_dir() {
        return Err(format!("the directory {} of the function does not exist", path.display()));
    }
    path.to_str().map(str::to_owned).ok_or_else(|| format!("{} is no UTF-8", path.display()))
}

fn shared(etc: &Path, bundle: &Path) -> io::Result<Vec<RootEntry>> {
    let mut entries = Vec::new();
    for link in ["/lib", "/lib64"] {
        // Where the system is merged into `/usr`, the same links lead there.
        if let Ok(target) = fs::read_link(link) {
            entries.push(RootEntry::Link { path: link.into(), target: target.display().to_string() });
        }
    }
    for path in ["/bin", "/sbin"] {
        entries.push(RootEntry::Link { path: path.into(), target: "usr/bin".into() });
    }
    let etc = etc.to_str().ok_or_else(|| io::Error::other(format!("{} is no UTF-8", etc.display())))?;
    entries.push(RootEntry::Bind { source: etc.into(), path: "/etc".into() });
    for path in LIBRARY_DIRECTORIES.into_iter().chain(DATA_DIRECTORIES) {
        let real_here =
            !Path::new(path).ancestors().skip(1).any(Path::is_symlink) && !Path::new(path).is_symlink();
        if Path::new(path).is_dir() && real_here {
            entries.push(RootEntry::Bind { source: path.into(), path: path.into() });
        }
    }
    let bundle =
        bundle.to_str().ok_or_else(|| io::Error::other(format!("{} is no UTF-8", bundle.display())))?;
    for path in CERTIFICATE_DIRECTORIES {
        entries.push(RootEntry::Bind { source: bundle.into(), path: path.into() });
    }
    for name in DEVICES {
        entries.push(RootEntry::Device { name: name.into() });
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        entries.push(RootEntry::Link { path: format!("/dev/{name}"), target: target.into() });
    }
    entries.push(RootEntry::Processes);
    Ok(entries)
}

fn write_etc(etc: &Path) -> io::Result<()> {
    let passwd = format!(
        "root:x:0:0:root:/root:/usr/sbin/nologin\nsbx_user1051:x:{INSIDE_UID}:{INSIDE_GID}::/tmp:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    );
    write(&etc.join("passwd"), &passwd)?;
    write(&etc.join("group"), format!("root:x:0:\nsbx_user1051:x:{INSIDE_GID}:\nnogroup:x:65534:\n"))?;
    write(&etc.join("hosts"), "127.0.0.1 localhost sandbox sandbox.localdomain\n")?;
    write(&etc.join("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n")?;
    write(&etc.join("nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n")?;
    write(&etc.join("os-release"), "NAME=\"Apus\"\nID=apus\nPRETTY_NAME=\"Apus sandbox\"\n")?;
    for mount_point in CERTIFICATE_DIRECTORIES {
        make_directory(&etc.join(mount_point.trim_start_matches("/etc/")))?;
    }
    for mount_point in runtimes::java::configurations() {
        make_directory(&etc.join(mount_point.file_name().unwrap_or_default()))?;
    }
    if let Ok(text) = fs::read_to_string("/etc/ssl/openssl.cnf") {
        write(&etc.join("ssl/openssl.cnf"), &text)?;
    }
    let localtime = etc.join("localtime");
    if !localtime.is_symlink() {
        symlink("/usr/share/zoneinfo/UTC", localtime)?;
    }
    Ok(())
}

/// A directory that every user may enter, whatever this process's mask says.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}
