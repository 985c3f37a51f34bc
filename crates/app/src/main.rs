//! The binary: reads the command line and does what it says. Errors are a line for people.

mod cli;
mod doctor;
mod executions;
mod functions;
mod inventory;
mod log_line;
mod logs;
mod maintenance;
mod progress;
mod public_url;
mod ready;
mod remote;
mod start;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};

/// Requests allocate on one thread and free on another, which costs the system's allocator a seventh of all
/// processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Sandboxes are started by this binary in another role, before anything else runs in it.
    apus_compute::spawner_main(std::env::args());
    let done = match Cli::parse().command {
        Command::Start(options) => start::run(options),
        Command::Doctor(options) => Ok(doctor::run(&options)),
        Command::Operations => inventory::run(),
        Command::Invoke(options) => functions::invoke(&options),
        Command::Ps(options) => functions::ps(&options),
        Command::Completion(options) => {
            clap_complete::generate(options.shell, &mut Cli::command(), "apus", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Logs(options) => logs::run(&options),
        Command::Executions(options) => executions::list(&options),
        Command::Replay(options) => executions::replay(&options),
        Command::Fsck(options) => maintenance::check(&options),
        Command::Backup(options) => maintenance::backup(&options),
        Command::Restore(options) => maintenance::restore(&options),
    };
    match done {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
