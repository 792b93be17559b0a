//! The program: arguments, one file a command, progress, exit codes.

mod args;
mod commands;
mod comparison;
mod exit;
mod freeing;
mod lists;
mod matrix;
mod measuring;
mod messages;
mod output;
mod outputs;
mod progress;
mod reading;
mod signals;
mod table;
mod tidy;

use std::process::ExitCode;

use clap::Parser;

/// Parses the arguments, runs the command, reports errors, and gives the exit
/// code (see `reprsim --help`).
pub fn main() -> ExitCode {
    let args = args::Args::parse();
    messages::show();
    if let Some(memory) = args.memory {
        reprsim_base::set_memory_budget(memory.as_u64());
    }
    match commands::run(args) {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}
