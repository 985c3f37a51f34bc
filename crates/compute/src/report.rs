//! The platform's own lines in a function's log, in AWS's words.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// How an invocation or a start ended, as the last line tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status<'a> {
    Success,
    Timeout,
    Error(&'a str),
}

/// When a runtime that did not initialise was tried: before its first invocation, and once more within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Init,
    Invoke,
}

/// What the last line says.
pub(crate) struct Figures<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) duration: Duration,
    pub(crate) init_duration: Option<Duration>,
    pub(crate) billed_ms: u64,
    pub(crate) memory_mb: u32,
    pub(crate) memory_max_bytes: u64,
    pub(crate) status: Status<'a>,
}

pub(crate) fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

pub(crate) fn report(figures: &Figures<'_>) -> String {
    let init = figures
        .init_duration
        .map_or_else(String::new, |init| format!("Init Duration: {} ms\t", milliseconds(init)));
    format!(
        "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t{init}{}",
        figures.request_id,
        milliseconds(figures.duration),
        figures.billed_ms,
        figures.memory_mb,
        figures.memory_max_bytes.div_ceil(MIB),
        status_text(figures.status),
    )
}

pub(crate) fn init_report(duration: Duration, phase: Phase, status: Status<'_>) -> String {
    let phase = match phase {
        Phase::Init => "init",
        Phase::Invoke => "invoke",
    };
    let (duration, status) = (milliseconds(duration), status_text(status));
    format!("INIT_REPORT Init Duration: {duration} ms\tPhase: {phase}\t{status}")
}

fn status_text(status: Status<'_>) -> String {
    match status {
        Status::Success => String::new(),
        Status::Timeout => "Status: timeout".into(),
        Status::Error(error_type) => format!("Status: error\tError Type: {error_type}"),
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

/// Every begun millisecond is billed.
pub(crate) fn billed_ms(duration: Duration) -> u64 {
    duration.as_nanos().div_ceil(1_000_000) as u64
}

/// A signal in the words of AWS's log.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.into()
}
