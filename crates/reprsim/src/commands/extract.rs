//! `reprsim extract`.

use std::process::ExitCode;

use reprsim_base::default_cache;
use reprsim_device::choose;
use reprsim_run::{extract_probes, read_experiment};

use crate::args::ExtractArgs;
use crate::commands::run::budget;
use crate::commands::say;

pub(crate) fn extract(args: &ExtractArgs) -> anyhow::Result<ExitCode> {
    let cache = args.data_dir.clone().unwrap_or_else(default_cache);
    let experiment = read_experiment(&args.experiment)?;
    let chosen = choose(args.device.as_deref().unwrap_or(&experiment.device))?;
    let files = extract_probes(
        &experiment,
        &args.checkpoint,
        args.classes.map(|classes| classes as usize),
        &chosen,
        budget(args.device_budget, &chosen),
        &cache,
        &args.out,
    )?;
    for file in files {
        say(&file.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}
