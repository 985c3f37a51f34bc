//! What a sandbox has of the host without namespaces: its directories where the host has them, a directory for its own
//! files, and the host's network, where the platform listens for its runtime. The paths that functions know
//! (`/var/task`, `/opt`, `/var/lang`) are rewritten in its command and its variables.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::thread::CapabilitySet;

use super::{NamespaceConfig, UID_BASE};
use crate::driver::{RootEntry, SandboxSpec};

/// What every function may read: programs and libraries, and what tells them about this host.
const READABLE: [&str; 7] = ["/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc"];
/// Where functions look for what is elsewhere on the host.
const MOVED: [&str; 6] =
    ["/var/task", "/opt", "/var/lang", "/var/runtime", "/etc/ssl/certs", "/etc/pki/tls/certs"];
/// The directory for temporary files that functions know by name.
const TMP: &str = "/tmp";
/// The user of the first sandbox where a container has no more than the usual number of users.
const CONTAINER_UID_BASE: u32 = 40_000;
/// The variable of the Runtime API.
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Where programs find the directory for temporary files.
const TMPDIR: &str = "TMPDIR";

/// The host, as sandboxes share it.
pub(super) struct SharedHost {
    /// Each sandbox has a directory beneath.
    homes: PathBuf,
    /// The user of the first slot, if every sandbox has one of its own.
    uid_base: Option<u32>,
    /// Whether functions may connect to anything.
    pub(super) egress: bool,
    platform_ports: Vec<u16>,
    /// Whether the host's directory for temporary files holds nothing of the platform.
    tmp_is_harmless: bool,
}

/// A sandbox's place on the host, until it is dropped.
pub(super) struct Lodging {
    home: PathBuf,
    /// Where its runtime will connect to.
    pub(super) runtime_api: TcpListener,
    /// The user of the host that may, if it has one of its own.
    pub(super) user: Option<u32>,
}

impl SharedHost {
    /// Removes what an earlier run left behind.
    pub(super) fn prepare(config: &NamespaceConfig) -> io::Result<Self> {
        let homes = config.run_dir.join("homes");
        match fs::remove_dir_all(&homes) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&homes)?;
        fs::set_permissions(&homes, fs::Permissions::from_mode(0o711))?;
        let homes = homes.canonicalize()?;
        let tmp = Path::new(TMP).canonicalize().unwrap_or_else(|_| TMP.into());
        Ok(Self {
            tmp_is_harmless: !homes.starts_with(tmp),
            homes,
            uid_base: config.own_users().then_some(config.uid_base),
            egress: config.egress.is_some(),
            platform_ports: config.platform_ports.clone(),
        })
    }

    /// Makes room for a sandbox, and has what it was told agree with where things are.
    pub(super) fn lodge(&self, spec: &mut SandboxSpec, id: u64, slot: u32) -> io::Result<Lodging> {
        let home = self.homes.join(id.to_string());
        let user = self.uid_base.map(|base| base + slot);
        let tmp = home.join("tmp");
        fs::create_dir_all(&tmp)?;
        let runtime_api = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        runtime_api.set_nonblocking(true)?;
        let lodging = Lodging { home, runtime_api, user };
        if let Some(user) = user {
            chown(&tmp, Some(user), Some(user))?;
        }
        fs::set_permissions(&tmp, fs::Permissions::from_mode(0o700))?;

        let places = places(&spec.root, &lodging.home)?;
        if user.is_some() {
            places.iter().try_for_each(|place| others_may_reach(Path::new(&place.outside)))?;
        }
        let port = lodging.runtime_api.local_addr()?.port();
        let tmp = text(&tmp)?;
        for word in &mut spec.command {
            *word = translate(&places, word);
        }
        spec.directory = translate(&places, &spec.directory);
        let companions = spec.companions.iter_mut();
        for companion in companions {
            for word in &mut companion.command {
                *word = translate(&places, word);
            }
            tell(&mut companion.variables, &places, port, &tmp);
        }
        tell(&mut spec.variables, &places, port, &tmp);
        spec.root = self.visible(&spec.root, &places, tmp);
        spec.host_ports = self.platform_ports.iter().copied().chain([port]).collect();
        Ok(lodging)
    }

    /// No sandbox is left: removes what those that ended last may not have removed yet.
    pub(super) fn clear(&self) {
        for entry in fs::read_dir(&self.homes).into_iter().flatten().flatten() {
            remove(&entry.path());
        }
    }

    /// What it may see of the host, as entries that are where they are.
    fn visible(&self, root: &[RootEntry], places: &[Place], tmp: String) -> Vec<RootEntry> {
        let readable = READABLE.into_iter().filter(|path| Path::new(path).exists()).map(str::to_owned);
        let moved = places.iter().map(|place| place.outside.clone());
        let bind = |source: String| {
            if Path::new(&source).is_dir() {
                RootEntry::Bind { path: source.clone(), source }
            } else {
                RootEntry::BindFile { path: source.clone(), source }
            }
        };
        let mut entries: Vec<RootEntry> = readable.chain(moved).map(bind).collect();
        entries.push(RootEntry::Scratch { path: tmp, bytes: 0 });
        if self.tmp_is_harmless {
            entries.push(RootEntry::Scratch { path: TMP.into(), bytes: 0 });
        }
        let kept = |entry: &&RootEntry| matches!(entry, RootEntry::Device { .. } | RootEntry::Processes);
        entries.extend(root.iter().filter(kept).cloned());
        entries
    }
}

impl Drop for Lodging {
    fn drop(&mut self) {
        remove(&self.home);
    }
}

fn remove(home: &Path) {
    match fs::remove_dir_all(home) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(directory = %home.display(), "a function's files are left until the next start: {error}");
        }
        _ => {}
    }
}

/// A path that functions know, and where it is.
struct Place {
    inside: String,
    outside: String,
}

/// Where the moved paths of a root are; the longest first.
fn places(root: &[RootEntry], home: &Path) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    for entry in root {
        let (inside, outside) = match entry {
            RootEntry::Bind { source, path } | RootEntry::BindFile { source, path } => (path, source.clone()),
            RootEntry::Merged { sources, path } => match sources.as_slice() {
                [] => continue,
                [only] => (path, only.clone()),
                several => (path, text(&merge(several, &home.join("layers"))?)?),
            },
            _ => continue,
        };
        let is_moved = MOVED.iter().any(|moved| is_within(inside, moved));
        if is_moved {
            places.push(Place { inside: inside.clone(), outside });
        }
    }
    places.sort_by_key(|place| std::cmp::Reverse(place.inside.len()));
    Ok(places)
}

fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Has a program's variables agree with where things are.
fn tell(variables: &mut Vec<(String, String)>, places: &[Place], port: u16, tmp: &str) {
    for (name, value) in variables.iter_mut() {
        *value = if name == RUNTIME_API { format!("127.0.0.1:{port}") } else { translate(places, value) };
    }
    if !variables.iter().any(|(name, _)| name == TMPDIR) {
        variables.push((TMPDIR.into(), tmp.to_owned()));
    }
}

/// A text with the moved paths in it, alone or in a list with colons, as they are on the host.
fn translate(places: &[Place], text: &str) -> String {
    let moved = |part: &str| match places.iter().find(|place| is_within(part, &place.inside)) {
        Some(place) => format!("{}{}", place.outside, &part[place.inside.len()..]),
        None => part.to_owned(),
    };
    text.split(':').map(moved).collect::<Vec<_>>().join(":")
}

/// One directory of several; what a later one has shows.
fn merge(sources: &[String], target: &Path) -> io::Result<PathBuf> {
    for source in sources {
        lay_over(Path::new(source), target)?;
    }
    Ok(target.to_owned())
}

fn lay_over(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            lay_over(&from, &to)?;
            continue;
        }
        if to.symlink_metadata().is_ok() {
            fs::remove_file(&to)?;
        }
        if entry.file_type()?.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// Refuses a path that only some users may reach: functions are others.
fn others_may_reach(path: &Path) -> io::Result<()> {
    for above in path.ancestors().skip(1) {
        if !is_open(above) {
            return Err(io::Error::other(format!(
                "functions run as users of their own, who cannot reach {}: `chmod o+x {}`, or have it elsewhere",
                path.display(),
                above.display()
            )));
        }
    }
    Ok(())
}

/// Whether other users may go through a directory.
fn is_open(directory: &Path) -> bool {
    directory.as_os_str().is_empty()
        || directory.metadata().is_ok_and(|metadata| metadata.mode() & 0o001 != 0)
}

/// Whether other users may reach what is in a directory.
pub(crate) fn is_open_to_others(directory: &Path) -> bool {
    directory.canonicalize().is_ok_and(|real| real.ancestors().all(is_open))
}

/// The first of so many users that nobody else is: a container may have 65,536 only.
pub(crate) fn first_user(count: u32) -> u32 {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let has = |user: u32| {
        map.lines().any(|line| {
            let mut numbers = line.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
            let (first, _, length) = (numbers.next(), numbers.next(), numbers.next());
            first
                .zip(length)
                .is_some_and(|(first, length)| (first..first + length).contains(&u64::from(user)))
        })
    };
    if has(UID_BASE + count) { UID_BASE } else { CONTAINER_UID_BASE }
}

/// Whether this process may give sandboxes users of their own.
pub fn may_choose_users() -> bool {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL | CapabilitySet::CHOWN;
    rustix::process::geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

fn text(path: &Path) -> io::Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other(format!("{} is no UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Vec<Place> {
        let place = |inside: &str, outside: &str| Place { inside: inside.into(), outside: outside.into() };
        vec![place("/var/runtime/site-packages", "/b"), place("/var/task", "/code/f"), place("/opt", "/l")]
    }

    #[test]
    fn paths_are_translated_where_they_are_paths() {
        let places = places();
        for (told, meant) in [
            ("/var/task", "/code/f"),
            ("/var/task/bootstrap", "/code/f/bootstrap"),
            ("/var/tasks", "/var/tasks"),
            ("/opt/python:/usr/lib:/var/task", "/l/python:/usr/lib:/code/f"),
            ("http://opt:80/var/task", "http://opt:80/var/task"),
            ("see /opt/x", "see /opt/x"),
            ("/var/runtime/site-packages", "/b"),
            ("", ""),
        ] {
            assert_eq!(translate(&places, told), meant);
        }
    }

    #[test]
    fn later_layers_show() {
        let base = Path::new(TMP).join(format!("apus-layers-{}", std::process::id()));
        for (layer, file) in [("a", "x/one"), ("a", "x/both"), ("b", "x/both"), ("b", "y")] {
            let path = base.join(layer).join(file);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a directory is made");
            fs::write(path, layer).expect("a file is written");
        }
        let sources = ["a", "b"].map(|layer| base.join(layer).display().to_string());
        let merged = merge(&sources, &base.join("merged")).expect("they are merged");
        let read = |file: &str| fs::read_to_string(merged.join(file)).expect("it is there");
        assert_eq!([read("x/one"), read("x/both"), read("y")], ["a", "b", "b"]);
        assert_eq!(fs::read_to_string(base.join("a/x/both")).expect("it stays"), "a");
        fs::remove_dir_all(base).expect("it is removed");
    }
}
