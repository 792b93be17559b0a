//! `reprsim report`.

use std::process::ExitCode;

use anyhow::Context;
use reprsim_data::write_whole;
use reprsim_experiment::Plan;
use reprsim_experiment::analysis::Analysis;
use reprsim_experiment::summary::{merge, write_events};
use reprsim_report::render_comparison;
use serde_json::json;

use crate::args::{Format, ReportArgs};
use crate::commands::say;
use crate::table::Table;

pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let mut contents = Vec::new();
    for run in &args.runs {
        let plan = Plan::read(run)?;
        let merged = merge(run, &plan, &args.paper)?;
        if args.format == Format::Table && args.runs.len() > 1 {
            say(&format!("{}:", run.display()));
        }
        print_effects(&merged.analysis, args.format)?;
        let events = args.tensorboard.then(|| write_events(run, &plan));
        let events = events.transpose()?;
        if args.format == Format::Table {
            let (finished, planned) = merged.analysis.cells;
            if finished < planned {
                say(&format!("\n{finished} of {planned} cells are finished"));
            }
            say(&format!("\nreport: {}", merged.report.display()));
            if let Some(folder) = events {
                say(&format!("events: {}", folder.display()));
            }
            if args.runs.len() > 1 {
                say("");
            }
        }
        contents.push(merged.content);
    }
    if contents.len() > 1 {
        let page = render_comparison(&contents);
        write_whole(&args.out, page.as_bytes())
            .with_context(|| format!("could not write {}", args.out.display()))?;
        if args.format == Format::Table {
            say(&format!("side by side: {}", args.out.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the effects: the primary ones for people, all of them for programs.
pub(crate) fn print_effects(analysis: &Analysis, format: Format) -> std::io::Result<()> {
    let mut table = Table::new(&[
        "sweep",
        "axis",
        "probe",
        "layer",
        "measure",
        "primary",
        "slope",
        "ci_low",
        "ci_high",
        "p_value",
        "p_holm",
        "randomisation_p",
        "r_squared",
        "n",
        "floor",
        "ceiling",
    ]);
    for effect in &analysis.effects {
        if format == Format::Table && !effect.primary {
            continue;
        }
        table.push(vec![
            json!(effect.sweep),
            json!(effect.axis),
            json!(effect.probe),
            json!(effect.layer),
            json!(effect.measure),
            json!(effect.primary),
            json!(effect.slope),
            json!(effect.ci_low),
            json!(effect.ci_high),
            json!(effect.p_value),
            json!(effect.p_holm),
            json!(effect.randomisation_p),
            json!(effect.r_squared),
            json!(effect.n),
            json!(effect.floor),
            json!(effect.ceiling),
        ]);
    }
    if format == Format::Table {
        table = table.without_empty();
    }
    table.print(format)
}
