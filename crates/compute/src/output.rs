//! What a function writes to its standard output and error: split into lines, cut into the slices that
//! invocations return, and passed on as it comes. Knows no log service.

use std::sync::{Arc, Mutex, MutexGuard};

use apus_env::Env;

use crate::log_format::LogFormat;
use crate::platform_event::{PlatformEvent, PlatformRecord};
use crate::telemetry::{Entry, Telemetry, Written};

/// The longest line that is kept whole; the rest of a longer one becomes the next.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;
/// The most output that an invocation returns: the last part of it. Lines passed on are not cut.
pub(crate) const SLICE_BYTES_MAX: usize = 256 * 1024;

/// Takes a sandbox's output.
pub trait OutputSink: Send + Sync {
    /// The next bytes, in order.
    fn write(&self, bytes: &[u8]);
}

/// Takes lines for good: a log group, a terminal.
pub trait LineSink: Send + Sync {
    /// One line without its end, and the invocation that was under way.
    fn line(&self, request_id: Option<&str>, line: &str);
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Function,
    Extension,
}

/// Takes the output of an environment's extensions, into its log.
pub(crate) struct ExtensionOutput(pub(crate) Arc<EnvironmentLog>);

impl OutputSink for ExtensionOutput {
    fn write(&self, bytes: &[u8]) {
        self.0.write_by(Writer::Extension, bytes);
    }
}

/// The log of one environment.
pub struct EnvironmentLog {
    env: Env,
    lines: Arc<dyn LineSink>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    format: LogFormat,
    request_id: Option<String>,
    /// What was written of a line, by the function and by extensions.
    partial: [Vec<u8>; 2],
    slice: String,
    /// Who else reads it.
    telemetry: Option<Arc<Telemetry>>,
}

impl EnvironmentLog {
    /// An empty one, of which what that format keeps goes on to `lines`.
    pub fn new(env: Env, lines: Arc<dyn LineSink>, format: LogFormat) -> Arc<Self> {
        Arc::new(Self { env, lines, state: Mutex::new(State { format, ..State::default() }) })
    }

    /// What comes from now on goes to those who subscribe to it, too.
    pub(crate) fn attach(&self, telemetry: Arc<Telemetry>) {
        self.lock().telemetry = Some(telemetry);
    }

    /// What is written from now on belongs to this invocation.
    pub fn begin(&self, request_id: &str) {
        self.lock().request_id = Some(request_id.to_owned());
    }

    /// Adds what the platform says, which has happened now.
    pub fn platform(&self, record: PlatformRecord) {
        let event = PlatformEvent { time: self.env.now(), record };
        let mut state = self.lock();
        if let Some(line) = state.format.platform_line(&event) {
            self.end_partial(&mut state);
            state.push_line(&line, &*self.lines);
        }
        if let Some(telemetry) = &state.telemetry {
            telemetry.record(&Entry::Platform(event));
        }
    }

    /// The invocation's slice until now.
    pub(crate) fn so_far(&self) -> String {
        let mut state = self.lock();
        self.end_partial(&mut state);
        state.shorten();
        state.slice.clone()
    }

    /// Ends the invocation's slice and returns it.
    pub fn end(&self) -> String {
        let mut state = self.lock();
        self.end_partial(&mut state);
        state.request_id = None;
        state.shorten();
        std::mem::take(&mut state.slice)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

impl OutputSink for EnvironmentLog {
    fn write(&self, bytes: &[u8]) {
        self.write_by(Writer::Function, bytes);
    }
}

impl EnvironmentLog {
    fn write_by(&self, writer: Writer, mut bytes: &[u8]) {
        let mut state = self.lock();
        while !bytes.is_empty() {
            let partial = &mut state.partial[writer as usize];
            let room = LINE_BYTES_MAX - partial.len();
            let window = &bytes[..bytes.len().min(room)];
            if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
                partial.extend_from_slice(&bytes[..end]);
                self.end_line(&mut state, writer);
                bytes = &bytes[end + 1..];
            } else {
                partial.extend_from_slice(window);
                bytes = &bytes[window.len()..];
                if partial.len() >= LINE_BYTES_MAX {
                    self.end_line(&mut state, writer);
                }
            }
        }
    }

    fn end_partial(&self, state: &mut State) {
        for writer in [Writer::Function, Writer::Extension] {
            if !state.partial[writer as usize].is_empty() {
                self.end_line(state, writer);
            }
        }
    }

    fn end_line(&self, state: &mut State, writer: Writer) {
        let partial = std::mem::take(&mut state.partial[writer as usize]);
        let line = String::from_utf8_lossy(&partial);
        if state.format.keeps(&line) {
            state.push_line(&line, &*self.lines);
        }
        if let Some(telemetry) = &state.telemetry
            && telemetry.is_read()
        {
            let in_json = state.format != LogFormat::Text;
            let written = Written { time: self.env.now(), line: line.into_owned(), in_json };
            telemetry.record(&match writer {
                Writer::Function => Entry::Function(written),
                Writer::Extension => Entry::Extension(written),
            });
        }
    }
}

impl State {
    fn push_line(&mut self, line: &str, lines: &dyn LineSink) {
        lines.line(self.request_id.as_deref(), line);
        self.slice.push_str(line);
        self.slice.push('\n');
        if self.slice.len() > 2 * SLICE_BYTES_MAX {
            self.shorten();
        }
    }

    /// Keeps the last part, from the beginning of a character.
    fn shorten(&mut self) {
        let mut from = self.slice.len().saturating_sub(SLICE_BYTES_MAX);
        while !self.slice.is_char_boundary(from) {
            from += 1;
        }
        self.slice.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log_format::LogLevel;
    use crate::platform_event::{End, Fault, Start};

    const START: &str = "START RequestId: one Version: 1";

    /// Its clock stands still.
    fn env() -> Env {
        apus_env::sim::Simulator::new(0).env()
    }

    fn start(request_id: &str) -> PlatformRecord {
        PlatformRecord::Start(Start { request_id: request_id.into(), version: "1".into(), trace_id: None })
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<(Option<String>, String)>>);

    impl LineSink for Kept {
        fn line(&self, request_id: Option<&str>, line: &str) {
            let line = (request_id.map(str::to_owned), line.to_owned());
            self.0.lock().expect("no test panics here").push(line);
        }
    }

    impl Kept {
        fn lines(&self) -> Vec<String> {
            self.0.lock().expect("no test panics here").iter().map(|(_, line)| line.clone()).collect()
        }
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_they_come(lines in prop::collection::vec("[a-zü]{0,20}", 0..20), cuts in prop::collection::vec(1_usize..40, 1..20)) {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            let kept = Arc::new(Kept::default());
            let log = EnvironmentLog::new(env(), kept.clone(), LogFormat::Text);
            let mut rest = text.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at(rest.len().min(*cut));
                log.write(now);
                rest = later;
            }
            prop_assert_eq!(kept.lines(), lines);
            prop_assert_eq!(log.end(), text);
            prop_assert_eq!(log.end(), "");
        }
    }

    #[test]
    fn lines_belong_to_the_invocation_under_way_and_the_platform_s_begin_anew() {
        let kept = Arc::new(Kept::default());
        let log = EnvironmentLog::new(env(), kept.clone(), LogFormat::Text);
        log.write(b"early\nhalf");
        log.begin("one");
        log.platform(start("one"));
        log.write(b"rest");
        assert_eq!(log.end(), format!("early\nhalf\n{START}\nrest\n"));
        log.write(b"late\n");
        let owner = |line: &str| {
            let kept = kept.0.lock().expect("no test panics here");
            kept.iter().find(|(_, kept)| kept == line).and_then(|(owner, _)| owner.clone())
        };
        assert_eq!(
            (owner("early"), owner(START), owner("rest"), owner("late")),
            (None, Some("one".into()), Some("one".into()), None)
        );
    }

    #[test]
    fn a_log_in_json_is_told_what_happens_in_json_and_keeps_what_is_urgent_enough() {
        let kept = Arc::new(Kept::default());
        let format = LogFormat::Json { application: LogLevel::Warn, system: LogLevel::Info };
        let log = EnvironmentLog::new(env(), kept.clone(), format);
        let line = |level| format!(r#"{{"timestamp":"2026-11-29T10:00:00Z","level":"{level}"}}"#);
        log.begin("one");
        log.platform(start("one"));
        log.write(format!("text\n{}\n{}", line("INFO"), line("ERROR")).as_bytes());
        log.platform(PlatformRecord::End(End { request_id: "one".into() }));
        log.platform(PlatformRecord::Fault(Fault { text: "it broke".into() }));
        let lines = kept.lines();
        assert_eq!(log.end(), lines.join("\n") + "\n");
        let told = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        assert_eq!(told(&lines[0])["record"], serde_json::json!({ "requestId": "one", "version": "1" }));
        assert_eq!(lines[1], line("ERROR"));
        assert_eq!(told(&lines[2])["record"], "it broke");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn floods_are_cut_but_passed_on() {
        let kept = Arc::new(Kept::default());
        let log = EnvironmentLog::new(env(), kept.clone(), LogFormat::Text);
        let line = "ü".repeat(LINE_BYTES_MAX);
        for _ in 0..3 {
            log.write(line.as_bytes());
        }
        log.write(b"\nlast\n");
        let slice = log.end();
        assert!(slice.len() <= SLICE_BYTES_MAX + 4 && slice.ends_with("\nlast\n"), "{}", slice.len());
        let lines = kept.lines();
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX + 4));
        assert_eq!(lines.iter().map(String::len).sum::<usize>() - 4, 3 * line.len());
    }
}
