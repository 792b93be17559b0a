//! `reprsim run`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use bytesize::ByteSize;
use reprsim_analysis::{merge, write_events};
use reprsim_base::{default_cache, write_whole};
use reprsim_config::Plan;
use reprsim_device::{Chosen, choose_all};
use reprsim_run::run::{Way, default_device_budget, run as run_plan};
use reprsim_run::store::Share;
use reprsim_run::{Data, content_of_run, read_experiment_and_text, with_content};

use crate::args::{Format, RunArgs};
use crate::commands::{plan, report, say};
use crate::exit::{CELLS_FAILED, DONE, STOPPED, UsageError};
use crate::output::note;
use crate::progress::Progress;
use crate::signals;

pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let cache = args.data_dir.clone().unwrap_or_else(default_cache);
    let (experiment, text) = read_experiment_and_text(&args.experiment)?;
    let root = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs").join(&experiment.name));
    // A run that is done needs its data no more.
    let data = Arc::new(Data::new(&experiment, &cache));
    let experiment = match with_content(&experiment, &data) {
        Ok(named) => named,
        Err(error) => content_of_run(&experiment, &root).ok_or(error)?,
    };
    let plan = Plan::new(&experiment);
    let share = match (args.cell, args.shard) {
        (Some(cell), _) if cell >= plan.cells.len() => {
            return Err(UsageError(format!(
                "there is no cell {cell}: the plan has cells 0 to {}",
                plan.cells.len() - 1
            ))
            .into());
        }
        (Some(cell), _) => Share::Cell(cell),
        (None, Some((i, of))) => Share::Shard { i, of },
        (None, None) => Share::All,
    };
    let devices = choose_all(args.device.as_deref().unwrap_or(&experiment.device))?;
    let (jobs, stack) = (args.jobs.map(usize::from), args.stack.map(usize::from));
    if args.dry_run {
        plan::show(&plan, &devices, [jobs, stack], &data, args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    for chosen in &devices {
        note(&format!("device: {} ({})", chosen.name, chosen.why));
    }
    note(&format!("run:    {}", root.display()));
    let start = Instant::now();
    let progress = Progress::new(&experiment.training);
    let way = Way {
        share,
        devices: &devices,
        jobs,
        stack,
        device_budget: args.device_budget.map(|size| size.as_u64()),
        data,
        stop: signals::stop(STOPPED)?,
        unlocked: args.no_lock,
    };
    let outcome = run_plan(&plan, &root, way, &progress)?;
    drop(progress);
    // The file as it was written, beside its resolved form in plan.json.
    let kept = root.join("experiment.toml");
    write_whole(&kept, text.as_bytes())
        .with_context(|| format!("could not write {}", kept.display()))?;
    if outcome.stopped {
        note(&format!(
            "stopped: {} of {} cells are done; run again to go on",
            outcome.finished + outcome.resumed,
            plan.cells
                .iter()
                .filter(|cell| share.holds(cell.index))
                .count()
        ));
        return Ok(ExitCode::from(STOPPED));
    }
    for (cell, reason) in &outcome.failed {
        note(&format!("failed: {cell}: {reason}"));
    }
    if share == Share::All {
        if outcome.finished + outcome.resumed > 0 {
            let merged = merge(&root, &plan, &[])?;
            if args.tensorboard {
                write_events(&root, &plan)?;
            }
            if args.format == Format::Table {
                say("")?;
            }
            let name = root.display().to_string();
            report::print_effects(&[(name, merged.analysis)], args.format)?;
            if args.format == Format::Table {
                say(&format!(
                    "\n{} cells in {:.0} s ({} were done before)\nreport: {}",
                    outcome.finished,
                    start.elapsed().as_secs_f64(),
                    outcome.resumed,
                    merged.report.display()
                ))?;
            }
        }
    } else {
        note(&format!(
            "{} cells done; when all are, merge them with: reprsim report {}",
            outcome.finished + outcome.resumed,
            root.display()
        ));
    }
    if outcome.failed.is_empty() {
        Ok(ExitCode::from(DONE))
    } else {
        note(&format!(
            "{} of {} cells failed; running again tries them once more",
            outcome.failed.len(),
            outcome.failed.len() + outcome.finished + outcome.resumed
        ));
        Ok(ExitCode::from(CELLS_FAILED))
    }
}

/// Bytes of samples that may stay on the device.
pub(crate) fn budget(asked: Option<ByteSize>, chosen: &Chosen) -> u64 {
    asked.map_or_else(|| default_device_budget(chosen), |size| size.as_u64())
}
