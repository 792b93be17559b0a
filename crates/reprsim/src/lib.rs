//! The program: arguments, one file a command, progress, exit codes.

pub mod answers;
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
mod start;
mod table;
mod tidy;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// Parses the arguments, the program's name first, runs the command, reports errors, and gives the
/// exit code (see `reprsim --help`).
///
/// For a process that is the program from here on: it is prepared for that, which no other thread
/// may see, and signals are the program's.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    start::prepare();
    let args = match args::Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help that nobody reads on, as of a closed pipe, is no failure.
            let _ = error.print();
            return if error.use_stderr() {
                exit::USAGE
            } else {
                exit::DONE
            };
        }
    };
    messages::show();
    if let Some(memory) = args.memory {
        reprsim_base::set_memory_budget(memory.as_u64());
    }
    let code = match commands::run(args) {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    };
    number(code)
}

/// The number of an exit code, which the standard library keeps to itself.
fn number(code: ExitCode) -> u8 {
    let mut codes = 0..=u8::MAX;
    (codes.find(|number| ExitCode::from(*number) == code)).unwrap_or(exit::FAILED)
}
