//! The command line: what can be asked of the binary, with the help that people read.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use apus_compute::{EgressRule, Level};
use apus_service_iam::Mode;
use apus_service_lambda::LambdaConfig;
use apus_time::Timestamp;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::public_url::PublicUrl;

/// A serverless cloud in one binary: Lambda, SQS, S3 and their like, on this machine.
/// The highest quota of concurrent executions that can be set.
const CONCURRENCY_LIMIT_MAX: i64 = 1_000_000;

#[derive(Debug, Parser)]
#[command(name = "apus", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the platform in the foreground, until SIGTERM or Ctrl-C
    Start(Start),
    /// Say what this host offers for isolating functions, and what to do about what it lacks
    Doctor(Doctor),
    /// Check a store that no running instance holds
    Fsck(Fsck),
    /// Write a store that no running instance holds into a new file
    Backup(Backup),
    /// Make a data directory from a backup
    Restore(Restore),
    /// List the operations that are implemented, as JSON
    Operations,
    /// Run a function and show what it answers
    Invoke(Invoke),
    /// Show the execution environments of functions
    Ps(Ps),
    /// Show what a function logged, or what is in a log group
    Logs(Logs),
    /// Show what functions did, the newest first
    Executions(Executions),
    /// Send the event of an earlier invocation once more
    Replay(Replay),
    /// Print what has a shell complete this program's commands
    Completion(Completion),
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The TCP port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 4566, env = "APUS_PORT")]
    pub(crate) port: u16,
    /// The address to listen on; anything but loopback is reachable by others
    #[arg(long, default_value = "127.0.0.1", env = "APUS_BIND")]
    pub(crate) bind: IpAddr,
    /// The URL that clients and functions reach this instance at, if not at the address that it listens on
    #[arg(long, value_name = "URL", env = "APUS_PUBLIC_URL")]
    pub(crate) public_url: Option<PublicUrl>,
    /// Where the state lives
    #[arg(long, default_value = ".apus", env = "APUS_DATA_DIR", conflicts_with = "ephemeral")]
    pub(crate) data_dir: PathBuf,
    /// Keep all state in memory: nothing survives the process
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// The weakest isolation of functions that will do; the best that this host allows is used
    #[arg(long, value_name = "LEVEL", env = "APUS_ACCEPT_ISOLATION")]
    pub(crate) accept_isolation: Option<Isolation>,
    /// The secret of the accounts' root keys; `test` on loopback, else one that is made up and printed
    #[arg(long, value_name = "SECRET", env = "APUS_ROOT_SECRET", hide_env_values = true)]
    pub(crate) root_secret: Option<String>,
    /// Never give a function more of the processors than its memory buys, even when they are idle
    #[arg(long, env = "APUS_HARD_CPU_LIMITS")]
    pub(crate) hard_cpu_limits: bool,
    /// How many invocations of all functions of an account in a region may be under way at once
    #[arg(long, value_name = "COUNT", default_value_t = LambdaConfig::CONCURRENCY_MAX, env = "APUS_CONCURRENCY_LIMIT",
          value_parser = clap::value_parser!(u32).range(1..=CONCURRENCY_LIMIT_MAX))]
    pub(crate) concurrency_limit: u32,
    /// Whether functions may connect to the internet; on, unless this host cannot do it
    #[arg(long, value_name = "WHETHER", env = "APUS_EGRESS")]
    pub(crate) egress: Option<Egress>,
    /// A private, link-local or own address that functions may connect to, such as 10.0.0.0/8:5432
    #[arg(long, value_name = "RANGE", env = "APUS_EGRESS_ALLOW", value_delimiter = ',')]
    pub(crate) egress_allow: Vec<EgressRule>,
    /// Addresses that functions may not connect to, whatever is allowed
    #[arg(long, value_name = "RANGE", env = "APUS_EGRESS_DENY", value_delimiter = ',')]
    pub(crate) egress_deny: Vec<EgressRule>,
    /// Whether functions find the AWS SDK of their language (boto3, @aws-sdk/…) as on AWS; it is fetched for the first
    /// function that may need it
    #[arg(long, value_name = "WHICH", default_value = "bundled", env = "APUS_SDK")]
    pub(crate) sdk: Sdk,
    /// Whether permissions are enforced, or only their lack is logged
    #[arg(long, value_name = "MODE", default_value = "enforce", env = "APUS_IAM")]
    pub(crate) iam: Permissions,
    /// How much to log to stderr: error, warn, info, debug or trace
    #[arg(long, default_value = "warn", env = "APUS_LOG")]
    pub(crate) log: tracing::Level,
    /// Say that it is ready, and where, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whether functions reach anything but the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Egress {
    /// The internet, and what `--egress-allow` adds
    On,
    /// Nothing
    Off,
}

/// Which AWS SDKs functions find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sdk {
    /// That of their language, fetched with pip or npm from the registry that these are configured for
    Bundled,
    /// None: functions bring what they need
    None,
}

/// What happens to a call that no policy allows.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Permissions {
    /// It is denied
    Enforce,
    /// It is logged as a warning, and done
    Soft,
}

impl From<Permissions> for Mode {
    fn from(permissions: Permissions) -> Self {
        match permissions {
            Permissions::Enforce => Self::Enforce,
            Permissions::Soft => Self::Soft,
        }
    }
}

/// How well functions are isolated, the weakest first.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Isolation {
    /// A plain process of the platform's own user
    None,
    /// Inside a container that gives no namespaces of its own
    Container,
    /// Namespaces made without privilege
    Rootless,
    /// Namespaces, control groups and a user of its own
    Full,
}

impl From<Isolation> for Level {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::None => Self::None,
            Isolation::Container => Self::Container,
            Isolation::Rootless => Self::Rootless,
            Isolation::Full => Self::Full,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Everything that was looked at, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Fsck {
    #[command(flatten)]
    pub(crate) source: DataDir,
    /// What was found, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DataDir {
    /// Where the state lives
    #[arg(long, default_value = ".apus", env = "APUS_DATA_DIR")]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) source: DataDir,
    /// The new file for the backup
    pub(crate) target: PathBuf,
    /// What was written, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file that `apus backup` wrote
    pub(crate) source: PathBuf,
    #[command(flatten)]
    pub(crate) target: DataDir,
    /// What was restored, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A running instance, and whom to be there.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// Where the instance listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4566", env = "AWS_ENDPOINT_URL")]
    pub(crate) endpoint_url: String,
    /// The region whose functions are meant
    #[arg(long, default_value = "us-east-1", env = "AWS_DEFAULT_REGION")]
    pub(crate) region: String,
    /// The access key to sign with
    #[arg(long, hide = true, default_value = "test", env = "AWS_ACCESS_KEY_ID")]
    pub(crate) access_key_id: String,
    /// Its secret
    #[arg(long, hide = true, default_value = "test", env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub(crate) secret_access_key: String,
    /// The token of temporary credentials
    #[arg(long, hide = true, env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    pub(crate) session_token: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Invoke {
    /// The function: its name or ARN, with a version or an alias if one is meant
    pub(crate) function: String,
    /// The event as JSON; @FILE reads a file, - reads what comes in; {} without
    #[arg(short, long, value_name = "JSON")]
    pub(crate) payload: Option<String>,
    /// The version or the alias
    #[arg(long, value_name = "NAME")]
    pub(crate) qualifier: Option<String>,
    /// Leave the event to the function's queue, and do not wait for an answer
    #[arg(long, conflicts_with = "tail")]
    pub(crate) event: bool,
    /// Show the last 4 KB of the invocation's log
    #[arg(long)]
    pub(crate) tail: bool,
    /// Everything that is known of it, as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// A function's name, or a log group's
    #[arg(value_name = "FUNCTION-OR-GROUP")]
    pub(crate) name: String,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin so long ago, such as 30s, 10m, 2h, 3d or 1w, or at a time such as 2026-11-21T10:32:00Z
    #[arg(long, value_name = "WHEN", default_value = "10m")]
    pub(crate) since: Since,
    /// Only what a filter pattern of CloudWatch Logs matches, such as ERROR or `{ $.level = "error" }`
    #[arg(long, value_name = "PATTERN")]
    pub(crate) filter: Option<String>,
    /// An event in each line, as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Ps {
    /// Those of one function only, by its name
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// Everything that is known of them, as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell; `apus completion bash > ~/.local/share/bash-completion/completions/apus`
    pub(crate) shell: clap_complete::Shell,
}

/// When to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
        let unit_secs = match &text[digits.len()..] {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            "w" => Some(7 * 86_400),
            _ => None,
        };
        let ago = unit_secs.and_then(|unit| {
            Some(Self::Ago(Duration::from_secs(u64::from(digits.parse::<u32>().ok()?) * unit)))
        });
        let at = || Timestamp::parse_iso8601(text).ok().map(Self::At);
        ago.or_else(at).ok_or_else(|| format!("`{text}` is no time such as 10m, 2h or 2026-11-21T10:32:00Z"))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Executions {
    /// Those of one function only: its name, with a version or an alias if one is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Everything that is known of them, as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The id of the request, as `apus executions` shows it
    pub(crate) id: String,
    /// What became of it, as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) remote: Remote,
}
