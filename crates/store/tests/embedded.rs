//! The suite of all engines, on the embedded one: with room, and with a checkpoint after every few commits.

mod suite;

use std::sync::Arc;
use std::time::Duration;

use apus_env::Env;
use apus_store::disk::{Disk, SimDisk};
use apus_store::{Options, Store};

async fn open(env: Env, options: Options) -> Store {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(env.random_u64()));
    Store::open(&env, &disk, &options).expect("opens")
}

mod roomy {
    use super::{Options, open, suite};

    suite::for_engine!(|env| async move {
        open(env, Options { cache_bytes: 1 << 20, ..Options::default() }).await
    });
}

mod cramped {
    use super::{Duration, Options, open, suite};

    suite::for_engine!(|env| async move {
        let options = Options {
            checkpoint_bytes: 2_000,
            checkpoint_idle: Duration::from_millis(5),
            log_extend_bytes: 4_096,
            cache_bytes: 1 << 20,
        };
        open(env, options).await
    });
}
