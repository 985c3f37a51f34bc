//! The native function: the `bootstrap` of a `provided` function that does what the bare relay's workers do. A program of
//! its own, as small as a function is.

#[path = "../runtime.rs"]
mod runtime;

use std::time::{Duration, SystemTime};

fn main() {
    if let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        // It ends with whoever gives it work.
        let _ended = runtime::serve(&address, answer);
    }
}

/// The relay's answer, or when it was entered, if the event says how long to hold the environment.
fn answer(event: &[u8]) -> Vec<u8> {
    let Some(milliseconds) = hold_ms(event) else { return runtime::RESPONSE.into() };
    let entered = now_micros();
    hold(Duration::from_millis(milliseconds));
    format!(r#"{{"entered_micros":{entered}}}"#).into_bytes()
}

/// The number of an event `{"hold_ms":5}`.
fn hold_ms(event: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(event).ok()?.strip_prefix(r#"{"hold_ms":"#)?.strip_suffix('}')?;
    number.trim().parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "a function's process is no part of the platform")]
fn now_micros() -> u128 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()
}

#[expect(clippy::disallowed_methods, reason = "a function's process has no other work meanwhile")]
fn hold(span: Duration) {
    std::thread::sleep(span);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_may_say_how_long_to_hold() {
        assert_eq!(hold_ms(br#"{"hold_ms":15}"#), Some(15));
        assert_eq!(hold_ms(br#"{"name": "swift"}"#), None);
        assert_eq!(answer(b"{}"), runtime::RESPONSE.as_bytes());
    }
}
