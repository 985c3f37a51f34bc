//! The rules of the meeting place, without clocks or processes: who is told, who waits for whom, who is refused.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use apus_compute::exchange::{
    Answer, EXTENSIONS_MAX, Exchange, ExtensionEvent, ExtensionFault, ExtensionKind, Invocation, Lifecycle,
    Misuse, RegisterError, ShutdownReason,
};
use apus_time::Timestamp;
use bytes::Bytes;
use proptest::prelude::*;

const BOTH: [Lifecycle; 2] = [Lifecycle::Invoke, Lifecycle::Shutdown];

/// What a future comes to now, if to anything.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    poll(pin!(future))
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn invocation(request_id: &str) -> Arc<Invocation> {
    Arc::new(Invocation {
        request_id: request_id.into(),
        deadline: Timestamp::from_secs(1),
        function_arn: "arn".into(),
        trace_id: None,
        client_context: None,
        cognito_identity: None,
        payload: Bytes::new(),
    })
}

/// A word for what an extension is told.
fn word(event: Option<Result<ExtensionEvent, Misuse>>) -> String {
    match event {
        None => "nothing".into(),
        Some(Err(misuse)) => format!("{misuse:?}"),
        Some(Ok(ExtensionEvent::Invoke(invocation))) => invocation.request_id.clone(),
        Some(Ok(ExtensionEvent::Shutdown { reason, .. })) => reason.name().into(),
    }
}

/// An exchange that has initialised, with external extensions `a`, `b`, … that want these.
fn initialised(wants: &[&[Lifecycle]]) -> Arc<Exchange> {
    let names: Vec<String> = (b'a'..).take(wants.len()).map(|name| char::from(name).to_string()).collect();
    let exchange = Exchange::with_extensions(&names);
    for (name, wants) in names.iter().zip(wants) {
        exchange.register(name, wants.to_vec(), name.clone()).expect("it was started");
        assert_eq!(word(now(exchange.next_event(name))), "nothing");
    }
    assert!(now(exchange.next()).is_none(), "nothing is to be done yet");
    assert_eq!(now(exchange.initialised()), Some(Ok(())));
    exchange
}

#[test]
fn a_start_ends_when_the_runtime_and_all_extensions_have_asked_for_more() {
    let exchange = Exchange::with_extensions(&["a".into()]);
    assert_eq!(now(exchange.registered()), None, "the runtime waits for those who were started");
    assert_eq!(word(now(exchange.next_event(""))), "UnknownExtension", "nobody has no name");
    exchange.register("a", BOTH.to_vec(), "1".into()).expect("it was started");
    assert_eq!(now(exchange.registered()), Some(()));
    exchange.register("in", vec![Lifecycle::Invoke], "2".into()).expect("there is room");
    assert!(now(exchange.next()).is_none());
    assert_eq!(now(exchange.runtime_initialised()), Some(Ok(())));
    assert_eq!(now(exchange.initialised()), None);
    assert!(now(exchange.next_event("1")).is_none());
    assert_eq!(now(exchange.initialised()), None, "the internal one has its part too");
    // Who registers late, but before the end, holds it up.
    exchange.register("late", Vec::new(), "3".into()).expect("it is not over");
    assert!(now(exchange.next_event("2")).is_none());
    assert_eq!(now(exchange.initialised()), None);
    assert!(now(exchange.next_event("3")).is_none());
    assert_eq!(now(exchange.initialised()), Some(Ok(())));
    assert_eq!(exchange.register("more", Vec::new(), "4".into()), Err(RegisterError::Closed));
    let kinds: Vec<_> =
        exchange.extensions().into_iter().map(|one| (one.name, one.kind, one.state)).collect();
    assert_eq!(
        kinds,
        [
            ("a".into(), ExtensionKind::External, "Ready"),
            ("in".into(), ExtensionKind::Internal, "Ready"),
            ("late".into(), ExtensionKind::Internal, "Ready"),
        ]
    );
}

#[test]
fn who_may_not_register_is_told_why() {
    let exchange = Exchange::with_extensions(&["a".into()]);
    let register = |name: &str, wants: &[Lifecycle]| exchange.register(name, wants.to_vec(), name.into());
    assert_eq!(register("in", &BOTH), Err(RegisterError::ShutdownOfInternal));
    assert_eq!(register("a", &BOTH), Ok(()));
    assert_eq!(register("a", &BOTH), Err(RegisterError::NameTaken));
    for number in 1..EXTENSIONS_MAX {
        assert_eq!(register(&format!("in{number}"), &[]), Ok(()));
    }
    assert_eq!(register("in1", &[]), Err(RegisterError::NameTaken));
    assert_eq!(register("one more", &[]), Err(RegisterError::TooMany));
    exchange.close();
    assert_eq!(register("b", &[]), Err(RegisterError::Closed));
}

#[test]
fn an_invocation_is_over_when_all_who_were_told_have_come_back() {
    let exchange = initialised(&[&BOTH, &[Lifecycle::Shutdown], &[]]);
    assert_eq!(now(exchange.ready()), Some(()));
    let mut answer = pin!(exchange.invoke(invocation("one"), None));
    assert!(poll(answer.as_mut()).is_none());
    assert_eq!(now(exchange.next()).expect("offered").expect("allowed").request_id, "one");
    exchange.answer("one", Answer::Response(Bytes::new())).expect("under way");
    assert_eq!(poll(answer.as_mut()), Some(Answer::Response(Bytes::new())), "nobody waits for extensions");
    assert!(now(exchange.next()).is_none());
    assert_eq!(now(exchange.runtime_ready()), Some(()));
    assert_eq!(now(exchange.ready()), None, "who was told has not taken it");
    assert_eq!(word(now(exchange.next_event("b"))), "nothing");
    assert_eq!(word(now(exchange.next_event("c"))), "nothing");
    // A connection that was given up loses nothing.
    drop(exchange.next_event("a"));
    assert_eq!(word(now(exchange.next_event("a"))), "one");
    assert_eq!(now(exchange.ready()), None, "it is at work");
    assert_eq!(word(now(exchange.next_event("a"))), "nothing");
    assert_eq!(now(exchange.ready()), Some(()));
}

#[test]
fn the_end_is_told_to_who_wants_to_know() {
    let exchange = initialised(&[&BOTH, &[Lifecycle::Shutdown], &[Lifecycle::Invoke]]);
    let mut waiting = pin!(exchange.next_event("a"));
    assert_eq!(word(poll(waiting.as_mut())), "nothing");
    let mut answer = pin!(exchange.invoke(invocation("one"), None));
    assert!(poll(answer.as_mut()).is_none());
    assert_eq!(word(poll(waiting.as_mut())), "one");
    let told = exchange.announce_shutdown(ShutdownReason::Timeout, Timestamp::from_secs(2));
    assert_eq!(told, ["a", "b"]);
    assert_eq!(word(now(exchange.next_event("a"))), "timeout", "when it comes back");
    assert_eq!(word(now(exchange.next_event("b"))), "timeout");
    assert_eq!(word(now(exchange.next_event("c"))), "one");
    let mut waiting = pin!(exchange.next_event("c"));
    assert_eq!(word(poll(waiting.as_mut())), "nothing");
    exchange.close();
    assert_eq!(word(poll(waiting.as_mut())), "Closed");
    assert_eq!(word(now(exchange.next_event("c"))), "Closed");
}

#[test]
fn an_extension_fails_once_and_only_when_it_may() {
    let exchange = Exchange::with_extensions(&["a".into(), "b".into()]);
    let fail = |id: &str, in_init| exchange.fail_extension(id, in_init, Some("Mine".into()));
    assert_eq!(fail("a", true), Err(Misuse::UnknownExtension), "it has not registered");
    for name in ["a", "b"] {
        exchange.register(name, BOTH.to_vec(), name.into()).expect("it was started");
    }
    assert!(now(exchange.next_event("a")).is_none());
    assert_eq!(fail("a", true), Err(Misuse::InvalidStateTransition), "it has initialised");
    assert_eq!(now(exchange.extension_failed()), None);
    assert_eq!(fail("b", true), Ok(()));
    assert_eq!(fail("a", false), Ok(()), "which comes second, and is not the reason");
    assert_eq!(fail("b", false), Err(Misuse::InvalidStateTransition));
    let fault = ExtensionFault { name: "b".into(), in_init: true, error_type: Some("Mine".into()) };
    assert_eq!(now(exchange.extension_failed()), Some(fault));
    assert_eq!(word(now(exchange.next_event("b"))), "InvalidStateTransition");
    assert_eq!(now(exchange.initialised()), None);
}

/// What the runtime, an extension or the pool does.
#[derive(Clone, Debug)]
enum Step {
    RuntimeAsks,
    RuntimeAnswers,
    ExtensionAsks(usize),
    Invoke,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::RuntimeAsks),
        2 => Just(Step::RuntimeAnswers),
        4 => (0_usize..4).prop_map(Step::ExtensionAsks),
        2 => Just(Step::Invoke),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    /// Whatever the order: everybody who wants to is told of every invocation once, and the environment is ready exactly
    /// when all have done their part.
    #[test]
    fn everybody_is_told_once_and_awaited(wants in prop::collection::vec(any::<bool>(), 0..4), steps in steps()) {
        let lists: Vec<&[Lifecycle]> =
            wants.iter().map(|invoke| if *invoke { &BOTH[..] } else { &BOTH[1..] }).collect();
        let exchange = initialised(&lists);
        let (mut number, mut running, mut runtime_waits, mut offered) = (0_u32, None::<String>, true, false);
        // Of each extension: whether it has something to take, and whether it is at work.
        let mut extensions = vec![(false, false); wants.len()];
        for step in steps {
            match step {
                Step::Invoke => {
                    let ready = now(exchange.ready()).is_some();
                    let expected = runtime_waits && !offered && extensions.iter().all(|(has, works)| !has && !works);
                    prop_assert_eq!(ready, expected);
                    if expected {
                        number += 1;
                        prop_assert!(now(exchange.invoke(invocation(&number.to_string()), None)).is_none());
                        offered = true;
                        for (one, wants) in extensions.iter_mut().zip(&wants) {
                            one.0 = *wants;
                        }
                    }
                }
                Step::RuntimeAsks => match now(exchange.next()) {
                    Some(Ok(got)) => {
                        prop_assert!(offered && running.is_none());
                        prop_assert_eq!(&got.request_id, &number.to_string());
                        (running, runtime_waits, offered) = (Some(got.request_id.clone()), false, false);
                    }
                    Some(Err(misuse)) => {
                        prop_assert_eq!(misuse, Misuse::InvalidStateTransition);
                        prop_assert!(running.is_some());
                    }
                    None => runtime_waits = true,
                },
                Step::RuntimeAnswers => {
                    let answered = exchange.answer(&number.to_string(), Answer::Response(Bytes::new()));
                    prop_assert_eq!(answered.is_ok(), running.take().is_some());
                }
                Step::ExtensionAsks(at) => {
                    let Some(one) = extensions.get_mut(at) else { continue };
                    let name = char::from(b'a' + at as u8).to_string();
                    let expected = if one.0 { number.to_string() } else { "nothing".into() };
                    prop_assert_eq!(word(now(exchange.next_event(&name))), expected);
                    *one = (false, one.0);
                }
            }
        }
    }
}
