//! The command line: parse, dispatch through the table of operations, print.
#![forbid(unsafe_code)]

mod args;
mod batch;
mod checksum;
mod content;
mod failure;
mod input;
mod lock;
mod platform;
mod print;
mod recovered;
mod request;
mod run;
mod style;
mod units;
mod watch;

use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return Failure::Usage(error).report(json_is_asked_for()),
    };
    let json = cli.json;
    run::run(cli).map_or_else(|failure| failure.report(json), ExitCode::from)
}

/// Whether `--json` was typed, for a command line that could not be parsed.
fn json_is_asked_for() -> bool {
    std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}
