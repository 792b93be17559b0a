//! `reprsim bench`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use reprsim_base::write_whole;
use reprsim_device::choose;
use reprsim_run::bench::{Bench, Settings, Workload, bench as time, bench_sweep};
use reprsim_run::run::{default_jobs, threads_per_job};
use serde_json::{Value, json};

use crate::args::{BenchArg, BenchArgs};
use crate::table::Table;

pub(crate) fn bench(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let chosen = choose(&args.device)?;
    let workload = Workload::named(&args.model).context("the parser knows the names")?;
    let jobs = args.jobs.map_or_else(|| default_jobs(&chosen), usize::from);
    let threads = (args.threads).map_or_else(|| threads_per_job(&chosen, jobs), usize::from);
    let settings = Settings {
        jobs,
        threads,
        seconds: args.seconds,
        repeats: args.repeats.into(),
    };
    let what = match args.what {
        BenchArg::Train => Bench::Train,
        BenchArg::Extract => Bench::Extract,
        BenchArg::Measure => Bench::Measure,
        BenchArg::Sweep => {
            let sweep = bench_sweep(&workload, &chosen, &settings)?;
            write(args.out.as_deref(), &json!(sweep))?;
            let mut table = Table::new(&[
                "model",
                "device",
                "models",
                "jobs",
                "one_at_a_time_s",
                "side_by_side_s",
                "ratio",
            ]);
            table.push(vec![
                json!(sweep.model),
                json!(sweep.device),
                json!(sweep.models),
                json!(sweep.jobs),
                json!(sweep.one_at_a_time_s),
                json!(sweep.side_by_side_s),
                json!(sweep.one_at_a_time_s / sweep.side_by_side_s),
            ]);
            table.print(args.format)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let result = time(what, &workload, &chosen, &settings)?;
    write(args.out.as_deref(), &json!(result))?;
    let mut table = Table::new(&[
        "bench",
        "model",
        "device",
        "jobs",
        "threads",
        "batch",
        "unit",
        "median",
        "q1",
        "q3",
        "fixed_share",
        "host_peak_mb",
        "device_peak_mb",
    ]);
    table.push(vec![
        json!(result.bench),
        json!(result.model),
        json!(result.device),
        json!(result.jobs),
        json!(result.threads),
        json!(result.batch),
        json!(result.unit),
        json!(result.quartiles.median),
        json!(result.quartiles.q1),
        json!(result.quartiles.q3),
        json!(result.fixed_share),
        json!(result.host_peak_mb),
        json!(result.device_peak_mb),
    ]);
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the figures where they were asked for.
fn write(out: Option<&Path>, figures: &Value) -> anyhow::Result<()> {
    let Some(out) = out else { return Ok(()) };
    let bytes = serde_json::to_vec_pretty(figures)?;
    write_whole(out, &bytes).with_context(|| format!("could not write {}", out.display()))
}
