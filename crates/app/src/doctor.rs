//! `apus doctor`: what this host offers for isolating functions, and what to do about what it lacks.

use std::process::ExitCode;

use apus_compute::Level;

/// Prints each feature with its state; fails if functions cannot be isolated fully.
pub(crate) fn run() -> ExitCode {
    let host = apus_compute::probe();
    for fact in &host.facts {
        match &fact.state {
            Ok(how) => println!("  ok    {}: {how}", fact.name),
            Err(lack) => {
                let mark = if fact.needed_by.contains(&Level::Rootless) { "LACKS" } else { "lacks" };
                println!("  {mark} {}: {}", fact.name, lack.reason);
                println!("        {}", lack.remedy);
            }
        }
    }
    let level = host.best();
    if level < Level::Rootless {
        println!("functions run here only with --accept-isolation={level}");
    } else {
        println!("functions are isolated at level `{level}`");
    }
    for weaker in host.weaker(level) {
        println!("  weaker: {weaker}");
    }
    if level == Level::Full { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
