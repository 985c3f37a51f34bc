//! Events, held to a model: what was put is what is read, in order, page by page, whatever happens between.

mod common;

use std::time::Duration;

use apus_model_logs::{GetLogEventsResponse, OutputLogEvent};
use common::{DAY_MS, GROUP, World, run};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A batch for a stream: times before now, in milliseconds, in any order.
    Put(u8, Vec<(i64, u8)>),
    Wait(u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let times = prop_oneof![0..50_i64, 0..30_000_i64, 0..20 * 3_600_000_i64];
    prop_oneof![
        6 => (0..3_u8, prop::collection::vec((times, 0..4_u8), 1..30)).prop_map(|(s, events)| Step::Put(s, events)),
        1 => (0..30_u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

const WORDS: [&str; 4] = ["red apple", "green apple", "{\"colour\":\"red\"}", "pear"];

/// An event of the model: time, order of arrival, stream, message.
type Expected = (i64, usize, u8, String);

fn shown(events: Option<Vec<OutputLogEvent>>) -> Vec<(i64, String)> {
    let event = |event: OutputLogEvent| Some((event.timestamp?, event.message?));
    events.unwrap_or_default().into_iter().filter_map(event).collect()
}

async fn check(world: &World, model: &[Expected], limit: i32) {
    let mut sorted = model.to_vec();
    sorted.sort();
    for stream in 0..3_u8 {
        let own: Vec<_> =
            sorted.iter().filter(|event| event.2 == stream).map(|event| (event.0, event.3.clone())).collect();
        let name = stream.to_string();
        // Forward to the end, whose token repeats; and back again.
        let (mut found, mut token) = (Vec::new(), None);
        let last = loop {
            let page: GetLogEventsResponse = world
                .get(&name, |input| {
                    input.limit = Some(limit);
                    input.start_from_head = Some(true);
                    input.next_token.clone_from(&token);
                })
                .await;
            found.extend(shown(page.events));
            if page.next_forward_token == token {
                break page.next_backward_token;
            }
            token = page.next_forward_token;
        };
        assert_eq!(found, own, "stream {stream} forward");
        let (mut found, mut token) = (Vec::new(), last);
        loop {
            let page = world
                .get(&name, |input| {
                    input.limit = Some(limit);
                    input.next_token.clone_from(&token);
                })
                .await;
            let mut events = shown(page.events);
            events.reverse();
            found.extend(events);
            if page.next_backward_token == token {
                break;
            }
            token = page.next_backward_token;
        }
        found.reverse();
        assert_eq!(found, own, "stream {stream} backward");
        // The latest, without a token.
        let page = shown(world.get(&name, |input| input.limit = Some(limit)).await.events);
        assert_eq!(page, own[own.len().saturating_sub(limit as usize)..], "stream {stream}: the latest");
        // A part of the time: from the first to without the last.
        if let (Some(middle), Some(end)) = (own.get(own.len() / 3), own.get(2 * own.len() / 3)) {
            let page = world
                .get(&name, |input| {
                    (input.start_time, input.end_time) = (Some(middle.0), Some(end.0));
                })
                .await;
            let within = own.iter().filter(|event| event.0 >= middle.0 && event.0 < end.0);
            assert_eq!(shown(page.events), within.cloned().collect::<Vec<_>>());
        }
    }
    filtered(world, &sorted, limit).await;
}

async fn filtered(world: &World, sorted: &[Expected], limit: i32) {
    for (pattern, streams) in [
        (None, None),
        (Some("apple -green"), None),
        (Some("{ $.colour = \"red\" }"), None),
        (None, Some(vec!["0", "2"])),
        (Some("apple"), Some(vec!["1"])),
    ] {
        let wanted = |event: &&Expected| {
            let of_stream =
                streams.as_ref().is_none_or(|streams| streams.contains(&event.2.to_string().as_str()));
            of_stream
                && match pattern {
                    None => true,
                    Some("apple -green") => event.3.starts_with("red apple"),
                    Some("apple") => event.3.contains("apple"),
                    Some(_) => event.3.starts_with('{'),
                }
        };
        let expected: Vec<_> = sorted.iter().filter(wanted).map(|event| (event.0, event.3.clone())).collect();
        for from_head in [true, false] {
            let (mut found, mut ids, mut token) = (Vec::new(), Vec::new(), None);
            loop {
                let page = world
                    .filter(|input| {
                        input.filter_pattern = pattern.map(Into::into);
                        input.log_stream_names =
                            streams.clone().map(|names| names.into_iter().map(Into::into).collect());
                        input.limit = Some(limit);
                        input.start_from_head = Some(from_head);
                        input.next_token.clone_from(&token);
                    })
                    .await;
                for event in page.events.unwrap_or_default() {
                    ids.push(event.event_id.expect("an id"));
                    found.push((event.timestamp.expect("a time"), event.message.expect("a text")));
                }
                token = page.next_token;
                if token.is_none() {
                    break;
                }
            }
            if !from_head {
                found.reverse();
                ids.reverse();
            }
            assert_eq!(found, expected, "{pattern:?} of {streams:?}, from the head: {from_head}");
            assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "ids are of one event");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn what_was_put_is_read_in_its_order(steps in prop::collection::vec(step(), 1..14), limit in 1..9_i32, seed: u64) {
        run(seed, async |env| {
            let mut world = World::new(&env).await;
            world.group(GROUP).await;
            for stream in 0..3_u8 {
                world.stream(&stream.to_string()).await;
            }
            let mut model: Vec<Expected> = Vec::new();
            for step in steps {
                match step {
                    Step::Put(stream, mut batch) => {
                        batch.sort_by_key(|(before, _)| -before);
                        let now = world.now_ms();
                        let text = |at: usize, word: u8| {
                            let word = WORDS[usize::from(word)];
                            // Each message is one of its kind, but JSON stays JSON.
                            if word.starts_with('{') { format!("{word} ") } else { format!("{word} {at}") }
                        };
                        let events: Vec<_> = batch
                            .iter()
                            .enumerate()
                            .map(|(at, (before, word))| (now - before, text(model.len() + at, *word)))
                            .collect();
                        let given: Vec<_> = events.iter().map(|(at, text)| (*at, text.as_str())).collect();
                        let answer = world.put(&stream.to_string(), &given).await.expect("a batch in order");
                        assert_eq!(answer.rejected_log_events_info, None);
                        for (at, message) in events {
                            model.push((at, model.len(), stream, message));
                        }
                    }
                    Step::Wait(secs) => env.sleep(Duration::from_secs(secs)).await,
                    Step::Restart => world = world.restarted().await,
                }
            }
            check(&world, &model, limit).await;
        });
    }
}

#[test]
fn appends_of_many_at_once_are_all_kept_and_each_batch_in_one_piece() {
    run(9, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        world.stream("s").await;
        let now = world.now_ms();
        let puts = (0..200).map(|number| {
            let world = &world;
            async move {
                let texts = [format!("{number} a"), format!("{number} b")];
                world.put("s", &[(now, texts[0].as_str()), (now, texts[1].as_str())]).await.map(drop)
            }
        });
        for put in futures_util::future::join_all(puts).await {
            put.expect("taken");
        }
        let events = shown(world.get("s", |input| input.start_from_head = Some(true)).await.events);
        assert_eq!(events.len(), 400);
        for pair in events.chunks(2) {
            assert_eq!(pair[0].1.replace('a', "b"), pair[1].1, "a batch stays together");
        }
    });
}

#[test]
fn a_page_ends_at_a_megabyte_and_goes_on() {
    run(10, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        world.stream("s").await;
        let (now, text) = (world.now_ms(), "x".repeat(400_000));
        for at in 0..5 {
            world.put("s", &[(now + at, text.as_str()), (now + at, text.as_str())]).await.expect("taken");
        }
        let first = world.get("s", |input| input.start_from_head = Some(true)).await;
        assert_eq!(shown(first.events.clone()).len(), 2);
        let second = world.get("s", |input| input.next_token.clone_from(&first.next_forward_token)).await;
        assert_eq!(shown(second.events).len(), 2);
        let page = world.filter(|_| {}).await;
        assert_eq!(page.events.map(|events| events.len()), Some(2));
        assert!(page.next_token.is_some());
    });
}

#[test]
fn what_is_not_taken_is_told_and_what_is_wrong_is_refused() {
    run(11, async |env| {
        let world = World::new(&env).await;
        world.group(GROUP).await;
        world.stream("s").await;
        let now = world.now_ms();
        let (hour, day) = (DAY_MS / 24, DAY_MS);
        let answer = world.put("s", &[(now - 15 * day, "old"), (now, "fine"), (now + 3 * hour, "new")]).await;
        let rejected = answer.expect("taken").rejected_log_events_info.expect("some were not");
        assert_eq!(rejected.too_old_log_event_end_index, Some(1));
        assert_eq!(rejected.too_new_log_event_start_index, Some(2));
        assert_eq!(rejected.expired_log_event_end_index, None);
        assert_eq!(shown(world.get("s", |_| {}).await.events), [(now, "fine".to_owned())]);
        for (events, message) in [
            (
                vec![(now, "a"), (now - 1, "b")],
                "Log events in a single PutLogEvents request must be in chronological order.",
            ),
            (
                vec![(now - day - 1, "a"), (now, "b")],
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
            ),
        ] {
            let refused = world.put("s", &events).await.expect_err(message);
            assert_eq!((refused.name().as_str(), refused.message()), ("InvalidParameterException", message));
        }
        let missing = world.put("t", &[(now, "a")]).await.expect_err("no such stream");
        assert_eq!(missing.message(), "The specified log stream does not exist.");
    });
}
