//! `reprsim completions`.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;
use crate::output::write;

pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Args::command(), "reprsim", &mut script);
    write(|out| out.write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}
