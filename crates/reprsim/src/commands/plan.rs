//! `reprsim plan`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use reprsim_analysis::power;
use reprsim_base::default_cache;
use reprsim_config::{CellRole, Experiment, Pairing, Plan};
use reprsim_device::{Chosen, choose};
use reprsim_run::estimate::{training_seconds, training_sizes};
use reprsim_run::read_experiment;
use reprsim_run::run::default_jobs;
use reprsim_run::store::finished;
use serde_json::json;

use crate::args::{Format, PlanArgs};
use crate::commands::say;
use crate::exit::UsageError;
use crate::table::Table;

pub(crate) fn plan(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let cache = args.data_dir.clone().unwrap_or_else(default_cache);
    let experiment = read_experiment(&args.experiment)?;
    if let Some(slope) = args.power {
        let pilot = args.pilot.clone();
        let pilot = pilot.unwrap_or_else(|| PathBuf::from("runs").join(&experiment.name));
        show_power(&experiment, &pilot, slope, args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(args.device.as_deref().unwrap_or(&experiment.device))?;
    let plan = Plan::new(&experiment);
    let jobs = args.jobs.map_or_else(|| default_jobs(&chosen), usize::from);
    show(&plan, &chosen, jobs, &cache, args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints how many seeds find `slope`, judged by a run that is done.
fn show_power(
    experiment: &Experiment,
    pilot: &Path,
    slope: f64,
    format: Format,
) -> anyhow::Result<()> {
    if slope == 0.0 || !slope.is_finite() {
        let reason = format!("--power {slope}: name the slope to be found, such as 0.1");
        return Err(UsageError(reason).into());
    }
    let plan = Plan::read(pilot).context("--power needs a pilot: a run that is done")?;
    let mut table = Table::new(&[
        "sweep",
        "axis",
        "pilot_seeds",
        "spread",
        "slope",
        "seeds_80",
        "seeds_90",
        "seeds",
        "detectable",
    ]);
    for row in power(experiment, &plan, &finished(pilot, &plan), slope)? {
        table.push(vec![
            json!(row.sweep),
            json!(row.axis),
            json!(row.pilot_seeds),
            json!(row.spread),
            json!(row.slope),
            json!(row.seeds_80),
            json!(row.seeds_90),
            json!(experiment.seeds),
            json!(row.detectable),
        ]);
    }
    table.print(format)?;
    if format == Format::Table {
        let spread = match experiment.pairing {
            Pairing::Independent => "the standard deviation of the pilot's residuals",
            Pairing::Nested => "the standard deviation over seeds of the pilot's slopes",
        };
        say(&format!(
            "\npilot: {}; {} of layer {} on probe {}\nspread: {spread}\n\
             seeds_80, seeds_90: seeds that find the slope with a chance of 80 and 90 % (two-sided \
             t test, 0.05)\ndetectable: the slope that this experiment's seeds find with a chance \
             of 80 %\nA pilot of few seeds knows the spread only roughly; so are these numbers.",
            pilot.display(),
            experiment.analysis.primary.measure,
            experiment.analysis.primary.layer,
            experiment.analysis.primary.probe,
        ));
    }
    Ok(())
}

/// Prints the cells and, for people, the totals and a measured estimate.
pub(crate) fn show(
    plan: &Plan,
    chosen: &Chosen,
    jobs: usize,
    cache: &Path,
    format: Format,
) -> anyhow::Result<()> {
    let sizes = training_sizes(plan, cache)?;
    let mut table = Table::new(&[
        "cell",
        "sweep",
        "point",
        "seed",
        "role",
        "samples_per_model",
        "classes",
        "hash",
    ]);
    for cell in &plan.cells {
        let sweep = cell.sweep(&plan.experiment).map(|sweep| sweep.term());
        let size = sizes
            .iter()
            .find(|size| sweep.as_ref() == Some(&size.sweep));
        let point = cell.point().map(|(_, point)| {
            let levels: Vec<String> = point.levels.iter().map(|l| l.1.to_string()).collect();
            match point.pair {
                Some(pair) => format!("{} (pair {})", levels.join(" x "), pair + 1),
                None => levels.join(" x "),
            }
        });
        table.push(vec![
            json!(cell.index),
            json!(sweep),
            json!(point),
            json!(cell.seed),
            json!(match &cell.role {
                CellRole::Untrained => "floor",
                CellRole::Point { point, .. } if point.listed => "level",
                CellRole::Point { .. } => "ceiling",
            }),
            json!(size.map_or(0, |s| s.samples)),
            json!(size.map(|s| match s.classes {
                (low, high) if low == high => low.to_string(),
                (low, high) => format!("{low} to {high}"),
            })),
            json!(cell.hash),
        ]);
    }
    table.print(format)?;
    if format == Format::Table {
        let seconds = training_seconds(plan, chosen, jobs, cache)?;
        say(&format!(
            "\n{} cells, {} models to train, {} each\ndevice: {} ({}), {jobs} at once\n\
             estimated training time: {}",
            plan.cells.len(),
            plan.models_to_train(),
            match plan.experiment.training.epochs {
                Some(epochs) => format!("{epochs} epochs"),
                None => format!(
                    "at most {} steps",
                    plan.experiment.training.steps.unwrap_or(0)
                ),
            },
            chosen.name,
            chosen.why,
            duration(seconds)
        ));
    }
    Ok(())
}

fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}
