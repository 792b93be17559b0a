//! `reprsim report`.

use std::path::Path;
use std::process::ExitCode;

use reprsim_experiment::Plan;
use reprsim_experiment::analysis::Analysis;
use reprsim_experiment::summary::merge;
use serde_json::json;

use crate::args::Format;
use crate::commands::say;
use crate::table::Table;

pub(crate) fn report(run: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let plan = Plan::read(run)?;
    let merged = merge(run, &plan, &[])?;
    print_effects(&merged.analysis, format)?;
    if format == Format::Table {
        let (finished, planned) = merged.analysis.cells;
        if finished < planned {
            say(&format!("\n{finished} of {planned} cells are finished"));
        }
        say(&format!("\nreport: {}", merged.report.display()));
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
            json!(effect.r_squared),
            json!(effect.n),
            json!(effect.floor),
            json!(effect.ceiling),
        ]);
    }
    table.print(format)
}
