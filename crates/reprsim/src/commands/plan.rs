//! `reprsim plan`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use bytesize::ByteSize;
use reprsim_analysis::power;
use reprsim_base::default_cache;
use reprsim_config::{CellRole, Experiment, Pairing, Plan};
use reprsim_data::Skipped;
use reprsim_device::{Chosen, choose_all};
use reprsim_run::estimate::{Estimate, Prospect};
use reprsim_run::store::finished;
use reprsim_run::{Data, read_experiment, with_content};
use serde_json::json;

use crate::args::{Format, PlanArgs};
use crate::commands::say;
use crate::exit::UsageError;
use crate::lists::named_once;
use crate::table::Table;

pub(crate) fn plan(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let cache = args.data_dir.clone().unwrap_or_else(default_cache);
    let at_once = [args.jobs.map(usize::from), args.stack.map(usize::from)];
    let [file] = args.experiments.as_slice() else {
        return many(args, at_once, &cache);
    };
    let experiment = read_experiment(file)?;
    if let Some(slope) = args.power {
        let pilot = args.pilot.clone();
        let pilot = pilot.unwrap_or_else(|| PathBuf::from("runs").join(&experiment.name));
        show_power(&experiment, &pilot, slope, args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let devices = choose_all(args.device.as_deref().unwrap_or(&experiment.device))?;
    let data = Arc::new(Data::new(&experiment, &cache));
    let plan = Plan::new(&with_content(&experiment, &data)?);
    show(&plan, &devices, at_once, &data, args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a line for each of several experiments, and how long all of them take. One whose data
/// are not here has no time.
fn many(args: &PlanArgs, at_once: [Option<usize>; 2], cache: &Path) -> anyhow::Result<ExitCode> {
    if args.power.is_some() {
        let reason = "--power is of one experiment: name one file".to_string();
        return Err(UsageError(reason).into());
    }
    let mut table = Table::new(&[
        "experiment",
        "cells",
        "models",
        "side_by_side",
        "samples_per_s",
        "memory",
        "seconds",
        "without",
    ]);
    let files = args
        .experiments
        .iter()
        .map(|file| file.display().to_string());
    named_once("experiments", &files.collect::<Vec<_>>())?;
    let (mut all, mut without) = (0.0, 0);
    for file in &args.experiments {
        let experiment = read_experiment(file)?;
        let devices = choose_all(args.device.as_deref().unwrap_or(&experiment.device))?;
        let plan = Plan::new(&experiment);
        let [jobs, stack] = at_once;
        let data = Arc::new(Data::new(&experiment, cache));
        let found = match Prospect::new(&plan, &devices, &data) {
            Ok(prospect) => prospect.estimate(jobs, stack),
            Err(error) => Err(error),
        };
        let mut row = vec![
            json!(experiment.name),
            json!(plan.cells.len()),
            json!(plan.models_to_train()),
        ];
        match found {
            Ok(found) => {
                all += found.seconds;
                row.extend([
                    json!(found.models),
                    json!(found.samples_per_s),
                    json!(found.bytes),
                    json!(found.seconds),
                    json!(null),
                ]);
            }
            Err(error) => {
                without += 1;
                let reason = error.to_string();
                row.extend(vec![json!(null); 4]);
                row.push(json!(reason.lines().next()));
            }
        }
        table.push(row);
    }
    table.print(args.format)?;
    if args.format == Format::Table {
        let left_out = match without {
            0 => String::new(),
            some => format!(" ({some} left out: see the last column)"),
        };
        say(&format!(
            "\nestimated training time of all: {}{left_out}",
            duration(all)
        ))?;
    }
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
    for row in power(experiment, &plan, &finished(pilot, &plan)?, slope)? {
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
        ))?;
    }
    Ok(())
}

/// Prints the cells and, for people, the totals and a measured estimate; `at_once` are cells and
/// models, where they were given.
pub(crate) fn show(
    plan: &Plan,
    devices: &[Chosen],
    at_once: [Option<usize>; 2],
    data: &Arc<Data>,
    format: Format,
) -> anyhow::Result<()> {
    let prospect = Prospect::new(plan, devices, data)?;
    let sizes = prospect.training_sizes()?;
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
        say("")?;
        for line in about_data(plan, &prospect)? {
            say(&line)?;
        }
        let [jobs, stack] = at_once;
        let found = prospect.estimate(jobs, stack)?;
        let names: Vec<&str> = devices.iter().map(|chosen| chosen.name.as_str()).collect();
        say(&format!(
            "{} cells, {} models to train, {} each\ndevice: {}\n{}\n\
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
            names.join(", "),
            basis(&found),
            duration(found.seconds)
        ))?;
    }
    Ok(())
}

/// How much data there is, and what is odd in a folder of the user's.
fn about_data(plan: &Plan, prospect: &Prospect<'_>) -> anyhow::Result<Vec<String>> {
    let found = prospect.data_sizes()?;
    let mut lines: Vec<String> =
        (Skipped::lines(&found.skipped, Some("reprsim data check --format json")).iter())
            .map(|line| format!("data set: {line}"))
            .collect();
    let empty = match found.empty {
        0 => String::new(),
        some => format!(" ({some} without a training sample)"),
    };
    lines.push(format!(
        "data set: {}, {} classes of {}{empty}, {} samples to train on, {} held out",
        plan.experiment.dataset.name,
        found.classes,
        found.label.join(" x "),
        found.training,
        found.held_out
    ));
    Ok(lines)
}

/// What an estimate rests on.
fn basis(found: &Estimate) -> String {
    let rate = |&(models, rate): &(usize, f64)| format!("{models}: {rate:.0}");
    let memory = found.bytes.map_or(String::new(), |bytes| {
        format!(" in {} of its memory", ByteSize::b(bytes))
    });
    let timed = match found.timed.is_empty() {
        true => String::new(),
        false => {
            let timed: Vec<String> = found.timed.iter().map(rate).collect();
            format!(" (by number of models: {})", timed.join(", "))
        }
    };
    format!(
        "{} models side by side on a device{memory}; {:.0} samples/s together, measured{timed}",
        found.models, found.samples_per_s
    )
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
