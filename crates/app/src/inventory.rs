//! `apus operations`: what is implemented, as JSON, read from the registration tables themselves.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use apus::wiring::{self, Foundation};
use apus_compute::driver::fake::{FakeDriver, FakeReply};
use apus_compute::{Compute, PoolLimits};
use apus_env::Env;
use apus_service_iam::Mode;
use apus_service_lambda::LambdaConfig;
use apus_store::Store;

/// Prints every service with its operations, implemented or not.
pub(crate) fn run() -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("could not start the runtime: {error}"))?;
    let scratch = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let scratch = scratch.join(format!("apus-{}", std::process::id()));
    let text = runtime.block_on(async {
        let env = Env::real();
        let driver = FakeDriver::new(env.clone(), Duration::ZERO, |_, _| FakeReply::response("null"));
        let limits =
            PoolLimits { environments_max: 1, waiting_max: 1, idle_max: Duration::ZERO, freeze_after: None };
        let foundation = Foundation {
            env: env.clone(),
            store: Store::memory(&env),
            compute: Compute::with_driver(env, Arc::new(driver), limits),
            lambda: LambdaConfig::new(&scratch, ""),
            iam: Mode::Enforce,
            base_url: String::new(),
            letter_dir: scratch.join("outgoing"),
            inside_tls: None,
        };
        let services = wiring::inventory(&foundation).await?;
        let services: Vec<String> = services
            .iter()
            .map(|service| {
                let implemented = service.implemented();
                let operations = service.schema().operations.iter().map(|operation| {
                    let action = implemented.iter().find(|(own, _)| own.name == operation.name);
                    match action {
                        Some((_, action)) => {
                            format!(r#"{{"name":"{}","action":"{action}"}}"#, operation.name)
                        }
                        None => format!(r#"{{"name":"{}"}}"#, operation.name),
                    }
                });
                let operations: Vec<String> = operations.collect();
                let schema = service.schema();
                format!(
                    r#"{{"service":"{}","id":"{}","operations":[{}]}}"#,
                    schema.name,
                    schema.service_id,
                    operations.join(",")
                )
            })
            .collect();
        Ok::<_, wiring::StartError>(format!("[{}]", services.join(",\n")))
    });
    let _left_empty = std::fs::remove_dir_all(&scratch);
    println!("{}", text.map_err(|error| error.to_string())?);
    Ok(ExitCode::SUCCESS)
}
