//! Which command of `reprsim data` it is.

use std::process::ExitCode;

use reprsim_base::default_cache;

use super::check::check;
use super::clean::clean;
use super::fetch::fetch;
use super::list::list;
use super::preview::preview;
use crate::args::DataCommand;

pub(crate) fn data(command: DataCommand) -> anyhow::Result<ExitCode> {
    match command {
        DataCommand::List { format, data_dir } => {
            list(format, &data_dir.unwrap_or_else(default_cache))?;
        }
        DataCommand::Preview {
            name,
            out,
            count,
            preset,
            data_dir,
        } => {
            let cache = data_dir.unwrap_or_else(default_cache);
            preview(&name, &out, usize::from(count), &preset, &cache)?;
        }
        DataCommand::Check {
            name,
            format,
            data_dir,
        } => check(&name, format, &data_dir.unwrap_or_else(default_cache))?,
        DataCommand::Fetch { names, data_dir } => {
            return fetch(&names, &data_dir.unwrap_or_else(default_cache));
        }
        DataCommand::Clean {
            names,
            dry_run,
            format,
            data_dir,
        } => clean(
            &names,
            dry_run,
            format,
            &data_dir.unwrap_or_else(default_cache),
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
