//! The AWS SDKs that functions find without bringing them: pinned by hash, fetched once by the tools of their languages
//! (`pip`, `npm`), which know the registries, proxies and certificates that the user has chosen, and kept for all functions.

mod fetch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_time::Timestamp;
use tokio::sync::Mutex;

use crate::config::SdkConfig;
use crate::runtimes::InterpreterSearch;

/// How long a function waits for it before it is made without: who waits for functions gives up after five minutes.
const WAIT_MAX: Duration = Duration::from_mins(4);
/// How long after a failure nothing is tried again.
const FAILURE_KEPT: Duration = Duration::from_mins(1);
/// The oldest Python that the newest SDK runs on.
const PYTHON_MINOR_OF_NEWEST: u32 = 10;
/// The oldest Node.js that the SDK runs on.
pub(crate) const NODEJS_MAJOR_MIN: u32 = 20;

/// The SDK of one language, for one interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sdk {
    /// boto3 and what it stands on, compiled for that Python.
    Python { minor: u32, program: PathBuf },
    /// Clients of the AWS SDK for JavaScript v3.
    Nodejs { program: PathBuf },
}

impl Sdk {
    /// What is pinned.
    fn lock(&self) -> &'static str {
        match self {
            Self::Python { minor, .. } if *minor < PYTHON_MINOR_OF_NEWEST => include_str!("python-3.8.txt"),
            Self::Python { .. } => include_str!("python.txt"),
            Self::Nodejs { .. } => include_str!("nodejs/package-lock.json"),
        }
    }

    /// A name that changes with what is pinned.
    fn directory(&self) -> String {
        let digest = fingerprint(self.lock());
        match self {
            Self::Python { minor, .. } => format!("python-3.{minor}-{digest:016x}"),
            Self::Nodejs { .. } => format!("nodejs-{digest:016x}"),
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Python { .. } => "the AWS SDK for Python (boto3)",
            Self::Nodejs { .. } => "the AWS SDK for JavaScript",
        }
    }

    /// Where it is, if it is there: whole, as it appears under this name only then.
    pub(crate) fn found(&self, shelf: &Path) -> Option<PathBuf> {
        Some(shelf.join(self.directory())).filter(|directory| directory.is_dir())
    }
}

/// FNV-1a: the name of a directory, and no proof of anything; the tools check the hashes.
pub(crate) fn fingerprint(text: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Fetches SDKs, one at a time.
pub(crate) struct Fetcher {
    env: Env,
    config: SdkConfig,
    tools: InterpreterSearch,
    failed: Mutex<Vec<Failed>>,
}

struct Failed {
    sdk: Sdk,
    at: Timestamp,
    why: String,
}

impl Fetcher {
    pub(crate) fn new(env: Env, config: SdkConfig, tools: InterpreterSearch) -> Arc<Self> {
        Arc::new(Self { env, config, tools, failed: Mutex::default() })
    }

    /// Sees to it that an SDK is there, or says what functions that need it will lack. What takes long goes on after
    /// this has returned.
    pub(crate) async fn provide(self: Arc<Self>, sdk: Sdk) -> Result<(), String> {
        if sdk.found(&self.config.directory).is_some() {
            return Ok(());
        }
        let title = sdk.title();
        let env = self.env.clone();
        let provided = env.see_through("sdk", async move { self.fetch_once(sdk).await });
        env.timeout(WAIT_MAX, provided).await.unwrap_or_else(|_elapsed| {
            Err(format!(
                "{title} is still being fetched: functions that start before it is there cannot import it"
            ))
        })
    }

    async fn fetch_once(&self, sdk: Sdk) -> Result<(), String> {
        let mut failed = self.failed.lock().await;
        if sdk.found(&self.config.directory).is_some() {
            return Ok(());
        }
        let now = self.env.now();
        failed.retain(|failed| now.since(failed.at) < FAILURE_KEPT);
        if let Some(failed) = failed.iter().find(|failed| failed.sdk == sdk) {
            return Err(failed.why.clone());
        }
        let directory = self.config.directory.display();
        (self.config.progress)(&format!("fetching {} to {directory} …", sdk.title()));
        let fetched = fetch::fetch(&self.env, &sdk, &self.config.directory, &self.tools).await;
        match fetched {
            Ok(()) => {
                (self.config.progress)(&format!("{} is there", sdk.title()));
                Ok(())
            }
            Err(problem) => {
                let why = advice(&sdk, &problem);
                failed.push(Failed { sdk, at: self.env.now(), why: why.clone() });
                Err(why)
            }
        }
    }
}

fn advice(sdk: &Sdk, problem: &str) -> String {
    let (tool, variable) = match sdk {
        Sdk::Python { .. } => ("pip", "PIP_INDEX_URL"),
        Sdk::Nodejs { .. } => ("npm", "npm_config_registry"),
    };
    format!(
        "{} could not be fetched with {tool}, and functions that do not bring it cannot import it: {problem}; it is tried \
         again when a function is created or updated. {variable} names another registry, `--sdk none` asks for no SDK",
        sdk.title()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(minor: u32) -> Sdk {
        Sdk::Python { minor, program: "/usr/bin/python3".into() }
    }

    #[test]
    fn everything_is_pinned_by_hash() {
        for minor in [8, 10] {
            let lines: Vec<&str> =
                python(minor).lock().lines().filter(|line| !line.starts_with('#')).collect();
            assert!(lines.iter().any(|line| line.starts_with("boto3==")), "{lines:?}");
            for line in lines {
                let (name, hash) = line.split_once(" --hash=sha256:").expect("a hash");
                assert!(name.contains("==") && hash.len() == 64, "{line}");
            }
        }
        let lock: serde_json::Value =
            serde_json::from_str(Sdk::Nodejs { program: "node".into() }.lock()).expect("JSON");
        let packages = lock["packages"].as_object().expect("packages");
        for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
            assert!(package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{path}");
            // Where it comes from is the user's choice.
            assert!(package.get("resolved").is_none(), "{path}");
        }
        assert!(packages.contains_key("node_modules/@aws-sdk/client-dynamodb"));
    }

    #[test]
    fn each_python_has_a_directory_and_each_lock_another() {
        let names = [python(8), python(9), python(10), python(12)].map(|sdk| sdk.directory());
        let digest = |name: &str| name.rsplit('-').next().map(str::to_owned);
        assert_eq!(digest(&names[2]), digest(&names[3]));
        assert_ne!(digest(&names[1]), digest(&names[2]));
        assert!(names[0].starts_with("python-3.8-") && names[3].starts_with("python-3.12-"));
    }
}
