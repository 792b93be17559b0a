//! One file a command.

pub(crate) mod analyze;
mod bench;
mod clean;
mod compare;
mod completions;
mod data;
mod devices;
mod extract;
mod fetching;
mod matrix;
pub(crate) mod measures;
mod models;
mod plan;
mod pretrain;
mod report;
mod run;
mod schema;
mod weights;

use std::process::ExitCode;

use crate::args::{Args, Command};
pub(crate) use crate::output::say;

/// Runs the command and gives its exit code.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Analyze(args) => analyze::analyze(&args),
        Command::Clean(args) => clean::clean(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Plan(args) => plan::plan(&args),
        Command::Pretrain(args) => pretrain::pretrain(&args),
        Command::Data(command) => data::data(command),
        Command::Weights(command) => weights::weights(command),
        Command::Devices { format } => devices::devices(format),
        Command::Report(args) => report::report(&args),
        Command::Extract(args) => extract::extract(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Matrix(args) => matrix::matrix(&args),
        Command::Models(args) => models::models(&args),
        Command::Schema { pretrain, markdown } => schema::schema(pretrain, markdown),
        Command::Measures {
            aliases: true,
            format,
        } => measures::aliases(format),
        Command::Measures { format, .. } => measures::measures(format),
        Command::Completions { shell } => completions::completions(shell),
    }
}
