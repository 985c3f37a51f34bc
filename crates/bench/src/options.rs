//! What is measured, and how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// One benchmark, by the name that selects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Benchmark {
    /// Start to first answer, idle memory
    Start,
    /// Restart after SIGKILL, with state
    Restart,
    /// Durable queue sends against the store, append + fdatasync and bare HTTP servers
    Sends,
    /// 100 consumers on one queue against 10
    Consumers,
    /// Warm invokes against a bare relay
    Invoke,
    /// Cold invokes against the same program or interpreter started plainly
    Cold,
    /// Invokes of frozen environments against those of running ones
    Thaw,
    /// From no environment to many at once, and their memory
    Burst,
    /// Sends to an idle queue, up to the handler that its mapping enters, against warm invokes
    Mappings,
    /// Messages that live shortly, and what of them stays on the disk
    Churn,
    /// Objects against files
    Objects,
    /// The same requests to ministack; only if named
    Peers,
}

impl Benchmark {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Sends => "sends",
            Self::Consumers => "consumers",
            Self::Invoke => "invoke",
            Self::Cold => "cold",
            Self::Thaw => "thaw",
            Self::Burst => "burst",
            Self::Mappings => "mappings",
            Self::Churn => "churn",
            Self::Objects => "objects",
            Self::Peers => "peers",
        }
    }
}

/// Measures the goals of Apus's performance, each against its denominator in the same run.
#[derive(Debug, Parser)]
#[command(name = "apus-bench")]
pub(crate) struct Options {
    /// Which benchmarks to run; all but peers, if none is named
    #[arg(value_enum)]
    which: Vec<Benchmark>,
    /// The binary of the platform
    #[arg(long)]
    pub(crate) apus: PathBuf,
    /// The program of ministack, for `peers`
    #[arg(long)]
    pub(crate) ministack: Option<PathBuf>,
    /// Where files are written: on the file system that is to be measured. Default: beside the binary
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write every row and its samples to this file
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Tiny counts: shows that all rows work
    #[arg(long)]
    quick: bool,
    /// Slices of each side, which alternate
    #[arg(long)]
    slices: Option<usize>,
    /// How long a slice lasts, in milliseconds
    #[arg(long)]
    slice_ms: Option<u64>,
    /// Rounds of what starts processes
    #[arg(long)]
    rounds: Option<usize>,
    /// Connections that send to queues
    #[arg(long, default_value_t = 128)]
    pub(crate) clients: usize,
    /// Queues that they send to
    #[arg(long, default_value_t = 1)]
    pub(crate) queues: usize,
    /// Messages that live shortly
    #[arg(long)]
    churn: Option<u32>,
    /// State to restart with, in MiB
    #[arg(long)]
    state_mib: Option<u32>,
}

impl Options {
    pub(crate) fn benchmarks(&self) -> Vec<Benchmark> {
        if self.which.is_empty() {
            // What others make is fetched for those who ask only.
            let all = Benchmark::value_variants().iter().copied();
            all.filter(|benchmark| *benchmark != Benchmark::Peers).collect()
        } else {
            self.which.clone()
        }
    }

    pub(crate) fn slices(&self) -> usize {
        self.slices.unwrap_or(if self.quick { 2 } else { 7 }).max(1)
    }

    pub(crate) fn slice(&self) -> Duration {
        Duration::from_millis(self.slice_ms.unwrap_or(if self.quick { 100 } else { 1_000 }))
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 20 }).max(1)
    }

    /// Warm invokes of each side in a slice.
    pub(crate) fn invokes(&self) -> u64 {
        if self.quick { 10 } else { 300 }
    }

    /// Invokes after each pause.
    pub(crate) fn thaws(&self) -> usize {
        if self.quick { 5 } else { 150 }
    }

    /// Environments of a burst.
    pub(crate) fn burst(&self) -> usize {
        if self.quick { 8 } else { 200 }
    }

    /// Messages that consumers find.
    pub(crate) fn messages(&self) -> u64 {
        if self.quick { 300 } else { 6_000 }
    }

    pub(crate) fn churn(&self) -> u32 {
        self.churn.unwrap_or(if self.quick { 5_000 } else { 500_000 })
    }

    pub(crate) fn state_mib(&self) -> u32 {
        self.state_mib.unwrap_or(if self.quick { 8 } else { 1_024 })
    }

    /// The directory to make the scratch directory in.
    pub(crate) fn scratch_above(&self) -> Result<PathBuf, String> {
        match (&self.dir, self.apus.parent()) {
            (Some(dir), _) => Ok(dir.clone()),
            (None, Some(beside)) => Ok(beside.to_owned()),
            (None, None) => Err("name a directory with --dir".into()),
        }
    }
}
