//! The same tests without root: this program started again as an ordinary user of this host.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

/// A user that hosts give to nobody.
const USER: u32 = 199_999;
/// The hostile table, the life and the end of functions, extensions; control groups are delegated to nobody here.
const FILTERS: [&str; 6] = [
    "hostile",
    "an_environment_is_used_again",
    "exceptions_are",
    "leave",
    "external_extension",
    "internal_extension",
];

pub(crate) fn trials() -> Vec<Trial> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    vec![Trial::test("an_ordinary_user_has_sandboxes_too", ordinary_user)]
}

fn ordinary_user() -> Result<(), Failed> {
    // Neither the build's directory nor the home of root may be entered by others.
    let home = std::path::Path::new("/tmp").join(format!("apus-test-rootless-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    chown(&home, Some(USER), Some(USER))?;
    let program = home.join("sandbox");
    std::fs::copy("/proc/self/exe", &program)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let mut failed = Vec::new();
    for filter in FILTERS {
        let output = Command::new(&program)
            .args(["--test-threads", "1", "--color", "never", filter])
            .uid(USER)
            .gid(USER)
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")])
            .env("HOME", &home)
            .env("APUS_TEST_DIR", &home)
            .current_dir(&home)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if text.contains(" 0 passed") || !output.status.success() {
            failed.push(format!("{filter}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    std::fs::remove_dir_all(&home)?;
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}
