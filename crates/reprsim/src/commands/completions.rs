//! `reprsim completions`.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;

pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    clap_complete::generate(
        shell,
        &mut Args::command(),
        "reprsim",
        &mut std::io::stdout(),
    );
    Ok(ExitCode::SUCCESS)
}
