//! The simulator keeps its own promises.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::*;

/// Ten tasks that sleep, roll dice and report: what they did, in their order, and the digest of it.
fn story(seed: u64) -> (Vec<(u64, u64)>, u64) {
    let mut sim = Simulator::new(seed);
    let env = sim.env();
    let events = sim.run(async {
        let (send, mut receive) = mpsc::channel(4);
        for id in 0..10 {
            let (env, send) = (env.clone(), send.clone());
            let task = env.clone();
            task.spawn("teller", async move {
                env.sleep(Duration::from_millis(env.random_below(5))).await;
                crate::yield_now().await;
                let _ = send.send((id, env.random_below(100))).await;
            });
        }
        drop(send);
        let mut events = Vec::new();
        while let Some(event) = receive.recv().await {
            events.push(event);
        }
        events
    });
    (events, sim.trace_hash())
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_seed_another() {
    let stories: Vec<_> = (0..20).map(story).collect();
    for (seed, told) in stories.iter().enumerate() {
        assert_eq!(&story(seed as u64), told);
    }
    let mut hashes: Vec<_> = stories.iter().map(|told| told.1).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), stories.len());
}

#[test]
fn time_moves_only_when_nothing_can_run() {
    let mut sim = Simulator::new(1);
    let env = sim.env();
    sim.run(async {
        crate::yield_now().await;
        assert_eq!(env.now(), START);
        env.sleep(Duration::from_hours(24)).await;
        assert_eq!(env.now(), START + Duration::from_hours(24));
        env.sleep_until(START).await;
        assert_eq!(env.monotonic(), Duration::from_hours(24));
    });
    assert_eq!(sim.elapsed(), Duration::from_hours(24));
}

#[test]
fn a_moved_clock_fires_the_timers_it_passed() {
    let mut sim = Simulator::new(1);
    let env = sim.env();
    sim.run(async {
        let hour = Duration::from_hours(1);
        let clock = env.clone();
        let sleeper = env.spawn("sleeper", async move { clock.sleep(hour).await });
        crate::yield_now().await;
        env.advance(2 * hour);
        assert_eq!(sleeper.join().await, Ok(()));
        assert_eq!(env.monotonic(), 2 * hour);
    });
}

#[test]
fn a_timeout_ends_what_takes_too_long_and_nothing_else() {
    let mut sim = Simulator::new(1);
    let env = sim.env();
    sim.run(async {
        let second = Duration::from_secs(1);
        let slow = env.timeout(second, std::future::pending::<()>()).await;
        assert_eq!(slow, Err(crate::Elapsed));
        assert_eq!(env.timeout(second, async { 7 }).await, Ok(7));
        assert_eq!(env.monotonic(), second);
    });
}

#[test]
fn a_deadlock_names_who_waits() {
    let mut sim = Simulator::new(1);
    let env = sim.env();
    let stuck = sim.try_run(async {
        env.spawn("philosopher", std::future::pending());
        std::future::pending::<()>().await;
    });
    assert_eq!(stuck, Err(Stuck::Deadlock(vec!["the test itself", "philosopher"])));
    assert!(stuck.unwrap_err().to_string().contains("philosopher"));
}

#[test]
fn a_crash_drops_every_task_and_time_goes_on() {
    struct Dropped(Arc<Mutex<u32>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            *self.0.lock().expect("not poisoned") += 1;
        }
    }
    let mut sim = Simulator::new(1);
    let env = sim.env();
    let count = Arc::new(Mutex::new(0));
    sim.run(async {
        for _ in 0..3 {
            let (held, worker) = (Dropped(count.clone()), env.clone());
            env.spawn("worker", async move {
                let _held = held;
                worker.sleep(Duration::from_secs(1_000_000)).await;
            });
        }
        env.sleep(Duration::from_secs(5)).await;
    });
    sim.crash();
    assert_eq!(*count.lock().expect("not poisoned"), 3);
    sim.run(async { env.sleep(Duration::from_secs(1)).await });
    assert_eq!(sim.elapsed(), Duration::from_secs(6));
}

#[test]
fn tasks_are_joined_aborted_and_detached() {
    let mut sim = Simulator::new(3);
    let env = sim.env();
    let finished = Arc::new(Notify::new());
    sim.run(async {
        assert_eq!(env.spawn("quick", async {}).join().await, Ok(()));
        let stuck = env.spawn_thread("stuck", std::future::pending());
        stuck.abort();
        assert_eq!(stuck.join().await, Err(crate::Stopped));
        let signal = finished.clone();
        drop(env.spawn("detached", async move { signal.notify_one() }));
        finished.notified().await;
    });
}
