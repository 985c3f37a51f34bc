//! `apus operations`: what is implemented, as JSON, read from the registration tables themselves.

use std::process::ExitCode;

use apus::wiring;
use apus_env::Env;
use apus_store::Store;

/// Prints every service with its operations, implemented or not.
pub(crate) fn run() -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("could not start the runtime: {error}"))?;
    let text = runtime.block_on(async {
        let env = Env::real();
        let store = Store::memory(&env);
        let services = wiring::inventory(&env, &store).await?;
        let services: Vec<String> = services
            .iter()
            .map(|service| {
                let implemented = service.implemented();
                let operations = service.schema().operations.iter().map(|operation| {
                    let action = implemented.iter().find(|(own, _)| own.name == operation.name);
                    match action {
                        Some((_, action)) => format!(r#"{{"name":"{}","action":"{action}"}}"#, operation.name),
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
        Ok::<_, apus_store::StoreError>(format!("[{}]", services.join(",\n")))
    });
    println!("{}", text.map_err(|error| error.to_string())?);
    Ok(ExitCode::SUCCESS)
}
