//! `reprsim report`.

use std::process::ExitCode;

use anyhow::Context;
use reprsim_analysis::Analysis;
use reprsim_analysis::{merge, write_events};
use reprsim_base::write_whole;
use reprsim_config::Plan;
use reprsim_report::render_comparison;
use serde_json::json;

use crate::args::{Format, ReportArgs};
use crate::commands::say;
use crate::table::Table;

pub(crate) fn report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let (mut contents, mut analyses, mut remarks) = (vec![], vec![], vec![]);
    for run in &args.runs {
        let plan = Plan::read(run)?;
        let merged = merge(run, &plan, &args.paper)?;
        let (finished, planned) = merged.analysis.cells;
        if finished < planned {
            let run = run.display();
            remarks.push(format!("{run}: {finished} of {planned} cells are finished"));
        }
        remarks.push(format!("report: {}", merged.report.display()));
        if args.tensorboard {
            remarks.push(format!("events: {}", write_events(run, &plan)?.display()));
        }
        contents.push(merged.content);
        analyses.push((run.display().to_string(), merged.analysis));
    }
    if contents.len() > 1 {
        let page = render_comparison(&contents);
        write_whole(&args.out, page.as_bytes())
            .with_context(|| format!("could not write {}", args.out.display()))?;
        remarks.push(format!("side by side: {}", args.out.display()));
    }
    print_effects(&analyses, args.format)?;
    if args.format == Format::Table {
        say(&format!("\n{}", remarks.join("\n")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the effects of runs, each with its name: the primary ones for people, all of
/// them for programs.
pub(crate) fn print_effects(runs: &[(String, Analysis)], format: Format) -> std::io::Result<()> {
    let mut table = Table::new(&[
        "run",
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
    let effects = runs
        .iter()
        .flat_map(|(run, analysis)| analysis.effects.iter().map(move |effect| (run, effect)))
        .filter(|(_, effect)| effect.primary || format != Format::Table);
    for (run, effect) in effects {
        // A person who asked for one run knows which.
        let named = runs.len() > 1 || format != Format::Table;
        table.push(vec![
            json!(named.then_some(run)),
            json!(effect.sweep),
            json!(effect.axis),
            json!(effect.probe),
            json!(effect.layer),
            json!(effect.measure),
            json!(effect.primary),
            json!(effect.fit.slope),
            json!(effect.fit.ci_low),
            json!(effect.fit.ci_high),
            json!(effect.fit.p_value),
            json!(effect.fit.p_holm),
            json!(effect.fit.randomisation_p),
            json!(effect.fit.r_squared),
            json!(effect.fit.n),
            json!(effect.floor),
            json!(effect.ceiling),
        ]);
    }
    if format == Format::Table {
        table = table.without_empty();
    }
    table.print(format)
}
