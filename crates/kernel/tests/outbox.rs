//! The outbox under simulation: what a transaction leaves is delivered, in order, through failures and crashes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_env::Env;
use apus_env::sim::Simulator;
use apus_kernel::{
    Access, AccessRequest, AccountId, Attempt, Authorizer, BoxFuture, Caller, Context, Delivery, Lease,
    Outbox, Platform, Region, RetryPolicy, Service, StepDelivery, StepEnd,
};
use apus_model_sqs::{SERVICE, SendMessage, SendMessageRequest, SendMessageResult};
use apus_schema::{Common, ServiceError};
use apus_store::disk::{Crash, Disk, SimDisk};
use apus_store::{Keyspace, Options, Store, StoreError};

struct AllowAll;

impl Authorizer for AllowAll {
    fn authorize<'a>(&'a self, _: &'a AccessRequest<'a>) -> BoxFuture<'a, Result<(), ServiceError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What arrived at the target, in order, with the delivery's id; and how it answers.
#[derive(Clone, Default)]
struct Target(Arc<Mutex<Arrivals>>);

#[derive(Default)]
struct Arrivals {
    bodies: Vec<String>,
    ids: BTreeMap<String, Vec<String>>,
    /// By body: how often to fail before succeeding, and with what.
    failures: BTreeMap<String, (u32, Common)>,
}

impl Target {
    fn fail(&self, body: &str, times: u32, with: Common) {
        self.lock().failures.insert(body.into(), (times, with));
    }

    fn bodies(&self) -> Vec<String> {
        self.lock().bodies.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Arrivals> {
        self.0.lock().expect("no target panics")
    }

    fn take(&self, context: &Context, input: &SendMessageRequest) -> Result<(), ServiceError> {
        let mut arrivals = self.lock();
        let body = &input.message_body;
        arrivals.ids.entry(body.clone()).or_default().push(context.request_id.to_string());
        if let Some((left, with)) = arrivals.failures.get_mut(body)
            && *left > 0
        {
            *left -= 1;
            return Err(ServiceError::common(*with, "not today"));
        }
        arrivals.bodies.push(body.clone());
        Ok(())
    }
}

async fn send(
    target: Arc<Target>,
    context: Context,
    input: SendMessageRequest,
) -> Result<SendMessageResult, ServiceError> {
    target.take(&context, &input).map(|()| SendMessageResult::default())
}

/// A step: fails as often as its payload's first byte says, and then notes the rest of it.
async fn note(target: Arc<Target>, attempt: Attempt) -> StepEnd {
    let text = String::from_utf8_lossy(&attempt.payload[1..]).into_owned();
    target.lock().ids.entry(text.clone()).or_default().push(attempt.id);
    if attempt.failures < attempt.payload[0].into() {
        return StepEnd::Again { after: Duration::from_secs(7), reason: "not yet".into() };
    }
    if text == "dead" {
        return StepEnd::Dead { reason: "it never will".into() };
    }
    target.lock().bodies.push(text);
    StepEnd::Done
}

async fn leave_step(
    env: &Env,
    store: &Store,
    outbox: &Outbox,
    lane: &str,
    step: &'static str,
    payload: &[u8],
) {
    let left = store.transact(|tx| {
        let (lane, payload) = (lane.to_owned(), payload.to_vec());
        outbox.put_step(&tx, StepDelivery { lane, service: "sqs", step, payload, due: env.now() });
        std::future::ready(Ok::<_, StoreError>(()))
    });
    left.await.expect("it is left");
}

/// A platform whose one service is the target, with an outbox that is dispatched.
async fn boot(env: &Env, store: &Store, target: &Target) -> Result<Outbox, StoreError> {
    let lease = Lease::acquire(store, Keyspace::global("instance", "lease").key(("lanes",))).await?;
    let access = Access::<SendMessage>::free("sqs:SendMessage");
    let service = Service::of(&SERVICE, target.clone())
        .operation(access, send)
        .step("note", note)
        .step("hang", |_: Arc<Target>, _: Attempt| std::future::pending())
        .build();
    let outbox = Outbox::new(env.clone(), store.clone(), lease);
    let platform = Platform::start(env.clone(), vec![service], Vec::new(), AllowAll);
    platform.spawn_worker("outbox", outbox.clone().dispatch(platform.clone()));
    Ok(outbox)
}

fn delivery(env: &Env, lane: &str, body: &str, policy: RetryPolicy) -> Delivery<SendMessage> {
    Delivery {
        lane: lane.into(),
        caller: Caller::service("sns.amazonaws.com", AccountId::DEVELOPMENT, Region::default()),
        input: SendMessageRequest {
            queue_url: "q".into(),
            message_body: body.into(),
            ..SendMessageRequest::default()
        },
        due: env.now(),
        policy,
    }
}

/// Leaves a delivery in a transaction of its own.
async fn leave(env: &Env, store: &Store, outbox: &Outbox, lane: &str, body: &str) -> Result<(), StoreError> {
    store
        .transact(|tx| {
            outbox.put(&tx, delivery(env, lane, body, RetryPolicy::default()));
            std::future::ready(Ok(()))
        })
        .await
}

#[test]
fn deliveries_of_a_lane_keep_their_order_and_a_failing_lane_holds_up_no_other() {
    for seed in 0..30 {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        let target = Target::default();
        // Fails for about a minute; everything behind it in its lane waits, and nothing beside it does.
        target.fail("a0", 6, Common::Unavailable);
        simulator.run(async {
            let store = Store::memory(&env);
            let outbox = boot(&env, &store, &target).await.expect("it boots");
            for number in 0..5 {
                for lane in ["a", "b", "c"] {
                    leave(&env, &store, &outbox, lane, &format!("{lane}{number}")).await.expect("it is left");
                }
            }
            env.sleep(Duration::from_secs(20)).await;
            let early = target.bodies();
            assert_eq!(early.len(), 10, "seed {seed}: lanes b and c are through: {early:?}");
            env.sleep(Duration::from_mins(2)).await;
        });
        let all = target.bodies();
        for lane in ["a", "b", "c"] {
            let own: Vec<_> = all.iter().filter(|body| body.starts_with(lane)).cloned().collect();
            let expected: Vec<_> = (0..5).map(|number| format!("{lane}{number}")).collect();
            assert_eq!(own, expected, "seed {seed}");
        }
        let ids = target.lock().ids["a0"].clone();
        assert_eq!(ids.len(), 7, "six failures and a success");
        assert!(ids.iter().all(|id| *id == ids[0]), "a repetition is known by its id");
    }
}

#[test]
fn pauses_double_up_to_their_bound() {
    let mut simulator = Simulator::new(1);
    let env = simulator.env();
    let target = Target::default();
    target.fail("x", 5, Common::Unavailable);
    let policy = RetryPolicy { attempts_max: 9, age_secs_max: 3_600, pause_secs_min: 2, pause_secs_max: 8 };
    simulator.run(async {
        let store = Store::memory(&env);
        let outbox = boot(&env, &store, &target).await.expect("it boots");
        let left = store.transact(|tx| {
            outbox.put(&tx, delivery(&env, "lane", "x", policy));
            std::future::ready(Ok::<_, StoreError>(()))
        });
        left.await.expect("it is left");
        // 2 + 4 + 8 + 8 + 8 seconds of pauses.
        env.sleep(Duration::from_secs(29)).await;
        assert!(target.bodies().is_empty());
        env.sleep(Duration::from_secs(2)).await;
        assert_eq!(target.bodies(), ["x"]);
    });
}

#[test]
fn what_cannot_be_delivered_is_kept_with_its_reason_and_the_lane_goes_on() {
    for (with, attempts) in [(Common::AccessDenied, 1), (Common::Unavailable, 3)] {
        let mut simulator = Simulator::new(3);
        let env = simulator.env();
        let target = Target::default();
        target.fail("x", 1_000, with);
        let policy =
            RetryPolicy { attempts_max: 3, age_secs_max: 3_600, pause_secs_min: 1, pause_secs_max: 8 };
        simulator.run(async {
            let store = Store::memory(&env);
            let outbox = boot(&env, &store, &target).await.expect("it boots");
            for body in ["x", "y"] {
                let left = store.transact(|tx| {
                    outbox.put(&tx, delivery(&env, "lane", body, policy));
                    std::future::ready(Ok::<_, StoreError>(()))
                });
                left.await.expect("it is left");
            }
            env.sleep(Duration::from_mins(1)).await;
            let dead = outbox.dead(10).await.expect("the dead are listed");
            assert_eq!(dead.len(), 1);
            assert_eq!((dead[0].lane.as_str(), dead[0].operation.as_str()), ("lane", "sqs:SendMessage"));
            assert!(dead[0].reason.contains("not today"), "{:?}", dead[0]);
        });
        assert_eq!(target.bodies(), ["y"]);
        assert_eq!(target.lock().ids["x"].len(), attempts, "{with:?}");
    }
}

#[test]
fn a_delivery_is_there_only_if_its_transaction_is() {
    let mut simulator = Simulator::new(5);
    let env = simulator.env();
    let target = Target::default();
    simulator.run(async {
        let store = Store::memory(&env);
        let outbox = boot(&env, &store, &target).await.expect("it boots");
        let aborted = store.transact(|tx| {
            outbox.put(&tx, delivery(&env, "lane", "never", RetryPolicy::default()));
            std::future::ready(Err::<(), _>(StoreError::Closed))
        });
        assert_eq!(aborted.await, Err(StoreError::Closed));
        leave(&env, &store, &outbox, "lane", "once").await.expect("it is left");
        env.sleep(Duration::from_mins(1)).await;
    });
    assert_eq!(target.bodies(), ["once"]);
}

#[test]
fn every_acknowledged_delivery_survives_crashes_and_keeps_its_order() {
    let options = Options { checkpoint_bytes: 20_000, ..Options::default() };
    let (mut repeated, mut crashes) = (0, 0);
    for seed in 0..60 {
        let mut simulator = Simulator::new(seed);
        let env = simulator.env();
        let simulated = SimDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(simulated.clone());
        let target = Target::default();
        let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
        for round in 0..4 {
            simulated.power_off_after(40 + (seed * 37 + round * 91) % 160);
            let (env, acknowledged) = (env.clone(), Arc::clone(&acknowledged));
            let (disk, options, target) = (&disk, &options, &target);
            let ended = simulator.run(async move {
                let store = Store::open(&env, disk, options)?;
                let outbox = boot(&env, &store, target).await?;
                for number in 0..60 {
                    let body = format!("{round}-{number:02}");
                    leave(&env, &store, &outbox, ["a", "b"][number % 2], &body).await?;
                    acknowledged.lock().expect("unpoisoned").push(body);
                    env.sleep(Duration::from_millis(env.random_below(50))).await;
                }
                Ok::<_, StoreError>(())
            });
            crashes += u32::from(ended.is_err());
            simulator.crash();
            simulated.crash(Crash::PowerLoss);
        }
        let (env_of_last, store_of_last) = (env.clone(), Arc::clone(&disk));
        let (options, target_of_last) = (&options, target.clone());
        simulator.run(async move {
            let store = Store::open(&env_of_last, &store_of_last, options).expect("it opens");
            let outbox = boot(&env_of_last, &store, &target_of_last).await.expect("it boots");
            env_of_last.sleep(Duration::from_secs(30)).await;
            assert!(outbox.dead(1).await.expect("listed").is_empty());
        });
        let arrived = target.bodies();
        for body in acknowledged.lock().expect("unpoisoned").iter() {
            assert!(arrived.contains(body), "seed {seed}: {body} was acknowledged and never delivered");
        }
        repeated += arrived.len() - arrived.iter().collect::<std::collections::BTreeSet<_>>().len();
        for lane in [0, 1] {
            let mut firsts: Vec<&String> = Vec::new();
            for body in arrived.iter().filter(|body| body[2..].parse::<u32>().expect("a number") % 2 == lane)
            {
                if !firsts.contains(&body) {
                    firsts.push(body);
                }
            }
            assert!(firsts.is_sorted(), "seed {seed}: first deliveries of a lane are in order: {firsts:?}");
        }
    }
    assert!(crashes > 60, "most rounds end in a crash: {crashes}");
    assert!(repeated > 0, "some crash must fall between a call and its record, or this test shows little");
}

#[test]
fn a_step_says_itself_when_it_is_tried_again_and_when_it_is_over() {
    let mut simulator = Simulator::new(8);
    let env = simulator.env();
    let target = Target::default();
    simulator.run(async {
        let store = Store::memory(&env);
        let outbox = boot(&env, &store, &target).await.expect("it boots");
        for payload in [&b"\x02first"[..], b"\x00dead", b"\x00second"] {
            leave_step(&env, &store, &outbox, "sqs lane", "note", payload).await;
        }
        leave_step(&env, &store, &outbox, "sqs other", "gone", b"").await;
        env.sleep(Duration::from_secs(13)).await;
        assert!(target.bodies().is_empty(), "two pauses of seven seconds");
        env.sleep(Duration::from_secs(2)).await;
        assert_eq!(target.bodies(), ["first", "second"]);
        let dead = outbox.dead(10).await.expect("the dead are listed");
        let told: Vec<_> = dead.iter().map(|one| (one.operation.as_str(), one.reason.as_str())).collect();
        assert_eq!(told, [("sqs:note", "it never will"), ("sqs:gone", "no step here is sqs:gone")]);
    });
    let ids = target.lock().ids["first"].clone();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn what_waits_behind_a_busy_lane_holds_up_no_other() {
    let mut simulator = Simulator::new(9);
    let env = simulator.env();
    let target = Target::default();
    simulator.run(async {
        let store = Store::memory(&env);
        let outbox = boot(&env, &store, &target).await.expect("it boots");
        leave_step(&env, &store, &outbox, "sqs busy", "hang", b"").await;
        env.sleep(Duration::from_secs(1)).await;
        // More than a page of entries that nobody can work on.
        for _ in 0..1_200 {
            leave_step(&env, &store, &outbox, "sqs busy", "hang", b"").await;
        }
        leave_step(&env, &store, &outbox, "sqs free", "note", b"\x00through").await;
        env.sleep(Duration::from_secs(1)).await;
        assert_eq!(target.bodies(), ["through"]);
    });
}
