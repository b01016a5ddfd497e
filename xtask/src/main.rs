//! Developer commands: `cargo xtask run`, `cargo xtask test` and `cargo xtask bench`.

// A command line tool speaks on stdout.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod conformance;
mod count;
mod licences;
mod paths;
mod peers;
mod postgres;
mod report;
mod run;
mod sdk;
mod server;
mod shell;
mod slack;
mod test;
mod web;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask run [--data DIR] [--listen ADDRESS]
    Builds the web client and the server, serves a demo workspace (default: data/demo on 127.0.0.1:8080).

cargo xtask test [--ci] [--long] [--only STEP]… [--write]
    Runs every test. --ci: a missing peer is a failure. --long: long runs too. --only: one step; see --list.
    --write: what is generated from the tests (docs/api/compatibility.md) is written, not compared.

cargo xtask test --list
    Names the steps.

cargo xtask bench [--quick] [--only LABEL]
    Measures the figures of docs/bench with the release build, writes docs/bench/latest.json and latest.svg (unless only a
    part was measured), and fails when one is below its floor. --quick: shorter, without what takes long.
";

fn main() -> ExitCode {
    shell::forward_signals();
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("run") => {
            let mut options = run::Options::default();
            while let Some(argument) = arguments.next() {
                match argument.as_str() {
                    "--data" => options.data = Some(value(&argument, arguments.next())?.into()),
                    "--listen" => options.listen = value(&argument, arguments.next())?,
                    other => bail!("unknown argument {other}\n\n{USAGE}"),
                }
            }
            run::run(&options)
        }
        Some("test") => {
            let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
            let mut options = test::Options { ci, ..test::Options::default() };
            while let Some(argument) = arguments.next() {
                match argument.as_str() {
                    "--ci" => options.ci = true,
                    "--long" => options.long = true,
                    "--only" => options.only.push(value(&argument, arguments.next())?),
                    "--list" => options.list = true,
                    "--write" => options.write = true,
                    other => bail!("unknown argument {other}\n\n{USAGE}"),
                }
            }
            test::test(&options)
        }
        Some("bench") => {
            let mut options = bench::Options::default();
            while let Some(argument) = arguments.next() {
                match argument.as_str() {
                    "--quick" => options.quick = true,
                    "--only" => options.only = Some(value(&argument, arguments.next())?),
                    other => bail!("unknown argument {other}\n\n{USAGE}"),
                }
            }
            bench::bench(&options)
        }
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!(
            "{}\n\n{USAGE}",
            other.map_or("a command is missing".to_owned(), |word| format!("unknown command {word}"))
        ),
    }
}

fn value(argument: &str, next: Option<String>) -> Result<String> {
    match next {
        Some(next) => Ok(next),
        None => bail!("{argument} needs a value"),
    }
}
