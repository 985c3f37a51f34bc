//! `apus doctor`: what this host offers for isolating functions, and what to do about what it lacks.

use std::process::ExitCode;

use apus_compute::{Capabilities, Level};
use serde_json::{Value, json};

use crate::cli;

/// Prints each feature with its state; fails if functions cannot be isolated fully.
pub(crate) fn run(options: &cli::Doctor) -> ExitCode {
    let host = apus_compute::probe();
    let level = host.best();
    if options.json {
        println!("{}", described(&host, level));
    } else {
        print(&host, level);
    }
    if level == Level::Full { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn described(host: &Capabilities, level: Level) -> Value {
    let facts = host.facts.iter().map(|fact| match &fact.state {
        Ok(how) => json!({ "name": fact.name, "ok": true, "how": how }),
        Err(lack) => json!({
            "name": fact.name,
            "ok": false,
            "needed": fact.needed_by.contains(&Level::Rootless),
            "reason": lack.reason,
            "remedy": lack.remedy,
        }),
    });
    json!({
        "level": level.to_string(),
        "mustBeAccepted": level < Level::Rootless,
        "weaker": host.weaker(level),
        "facts": facts.collect::<Vec<_>>(),
    })
}

fn print(host: &Capabilities, level: Level) {
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
    if level < Level::Rootless {
        println!("functions run here only with --accept-isolation={level}");
    } else {
        println!("functions are isolated at level `{level}`");
    }
    for weaker in host.weaker(level) {
        println!("  weaker: {weaker}");
    }
}
