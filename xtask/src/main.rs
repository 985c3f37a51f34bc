//! Every chore of the project behind one door: `cargo xtask <chore>`.
//!
//! Each chore is a module with `run(arguments)`; the table below is what `cargo xtask help` prints.

mod bench;
mod clients;
mod codegen;
mod coverage;
mod guest;
mod java;
mod python;
mod run;
mod test;
mod tidy;

use std::fmt::Write;
use std::process::ExitCode;

use run::Failure;

struct Chore {
    name: &'static str,
    arguments: &'static str,
    purpose: &'static str,
    run: fn(&[String]) -> Result<(), Failure>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "test",
        arguments: "[step…]",
        purpose: "run everything: fmt, fetch, models, tidy, clippy, rust, guest, coverage, clients",
        run: test::run_steps,
    },
    Chore {
        name: "clients",
        arguments: "",
        purpose: "prepare the Python environment with boto3 and the AWS CLI, and print where it is",
        run: |_| {
            println!("{}", clients::prepare()?.display());
            Ok(())
        },
    },
    Chore {
        name: "coverage",
        arguments: "[--check]",
        purpose: "write docs/coverage.md: which operations are implemented",
        run: coverage::run,
    },
    Chore {
        name: "guest",
        arguments: "",
        purpose: "test sandboxes in a machine with control groups of version 2, as root and as an ordinary user",
        run: guest::run_tests,
    },
    Chore {
        name: "bench",
        arguments: "[--dev] [name…] [options]",
        purpose: "measure the goals of performance, each against its denominator; --help tells the options",
        run: bench::run_benchmarks,
    },
    Chore {
        name: "codegen",
        arguments: "[--check] [service…]",
        purpose: "write the model crates from the API models; --check reports what would change",
        run: codegen::run,
    },
    Chore {
        name: "fetch",
        arguments: "",
        purpose: "download, verify and unpack the API models that codegen and tests read",
        run: |_| codegen::fetch(),
    },
    Chore {
        name: "java",
        arguments: "[--check]",
        purpose: "compile the bootstrap of the Java runtimes; --check compares with what this compiler makes of it",
        run: java::run_java,
    },
    Chore {
        name: "tidy",
        arguments: "",
        purpose: "check which crate depends on which, and that generated files say so",
        run: |_| tidy::check(),
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    if matches!(name, "help" | "--help" | "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprint!("there is no chore `{name}`; these are:\n{}", help());
        return ExitCode::FAILURE;
    };
    match (chore.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("usage: cargo xtask <chore> [arguments]\n\n");
    for Chore { name, arguments, purpose, .. } in CHORES {
        let call = format!("{name} {arguments}");
        let _ = writeln!(text, "  {call:<30} {purpose}");
    }
    text
}
