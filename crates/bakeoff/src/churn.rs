//! Space after a queue's churn: messages that are put, and deleted soon after.

use std::path::Path;

use apus_env::Env;
use bytes::Bytes;

use crate::engines::{Changes, Engine, Kind};
use crate::{Failure, Noise, disk_usage, fresh};

const SENDERS: u64 = 64;
/// Messages that one commit puts, as a batch of a queue does.
const PER_COMMIT: u64 = 10;
/// How many messages each sender has in the queue before it deletes the oldest.
const BACKLOG: u64 = 100;
const MESSAGE_BYTES: usize = 256;

pub(crate) async fn measure(env: &Env, dir: &Path, messages: u64) -> Result<(), Failure> {
    println!("| engine | messages/s | disk afterwards MB | disk at most MB |\n|---|---|---|---|");
    for kind in Kind::STORES {
        let dir = fresh(dir, kind)?;
        let engine = Engine::open(env, kind, &dir)?;
        let (start, noise) = (env.monotonic(), Noise::new(env));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (engine, noise) = (engine.clone(), noise.clone());
                env.spawn("sender", async move {
                    if let Err(error) = send(&engine, &noise, sender, messages / SENDERS).await {
                        eprintln!("sender {sender}: {error}");
                    }
                })
            })
            .collect();
        let (clock, watched) = (env.clone(), dir.clone());
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = tokio::sync::oneshot::channel();
        let _detached = env.spawn("watcher", async move {
            let mut most = 0;
            while clock.timeout(std::time::Duration::from_millis(500), &mut stopped).await.is_err() {
                most = disk_usage(&watched).max(most);
            }
            let _ = tell.send(most);
        });
        for sender in senders {
            sender.join().await?;
        }
        let rate = messages as f64 / env.monotonic().saturating_sub(start).as_secs_f64();
        drop(stop);
        let most = told.await?;
        engine.close().await;
        // Background work of the engines comes to its end.
        env.sleep(std::time::Duration::from_secs(2)).await;
        let after = disk_usage(&dir);
        println!("| {} | {rate:.0} | {} | {} |", kind.name(), after >> 20, most.max(after) >> 20);
    }
    Ok(())
}

async fn send(engine: &Engine, noise: &Noise, sender: u64, messages: u64) -> Result<(), Failure> {
    let key = |number: u64| {
        let key = [&b"queue"[..], &sender.to_be_bytes(), &number.to_be_bytes()].concat();
        Bytes::from(key)
    };
    let mut number = 0;
    while number < messages + BACKLOG {
        let mut changes = Changes::new();
        for message in number..number + PER_COMMIT {
            if message < messages {
                changes.push((key(message), Some(noise.value(MESSAGE_BYTES, message))));
            }
            if let Some(old) = message.checked_sub(BACKLOG) {
                changes.push((key(old), None));
            }
        }
        engine.write(&changes).await?;
        number += PER_COMMIT;
    }
    Ok(())
}
