//! `reprsim bench`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use reprsim_base::write_whole;
use reprsim_device::{Chosen, choose};
use reprsim_run::bench::{
    Bench, Settings, Spent, Workload, bench as time, bench_profile, bench_profile_cpu, bench_sweep,
};
use reprsim_run::run::{default_jobs, threads_per_job};
use serde_json::{Value, json};

use super::say;
use crate::args::{BenchArg, BenchArgs, Format};
use crate::table::Table;

pub(crate) fn bench(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let chosen = choose(&args.device)?;
    let workload = Workload::named(&args.model, &args.precision);
    let workload = workload.context("the parser knows the names")?;
    let jobs = args
        .jobs
        .map_or_else(|| default_jobs(&chosen, 1), usize::from);
    let threads = (args.threads).map_or_else(|| threads_per_job(&chosen, jobs), usize::from);
    let settings = Settings {
        jobs,
        threads,
        seconds: args.seconds,
        repeats: args.repeats.into(),
    };
    if args.profile {
        return profile(args, &workload, &chosen);
    }
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
        "launches",
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
        json!(result.launches_a_step),
        json!(result.host_peak_mb),
        json!(result.device_peak_mb),
    ]);
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every launch of a training step, of a batch of a probe or of one of permutations.
fn profile(args: &BenchArgs, workload: &Workload, chosen: &Chosen) -> anyhow::Result<ExitCode> {
    let (bench, what) = match args.what {
        BenchArg::Train => (Bench::Train, "step"),
        BenchArg::Extract => (Bench::Extract, "batch"),
        BenchArg::Measure => (Bench::Measure, "batch of permutations"),
        BenchArg::Sweep => anyhow::bail!(
            "--profile is of one thing: reprsim bench train --profile, or extract, or measure"
        ),
    };
    if chosen.cpu {
        return profile_cpu(args, bench, what, workload, chosen);
    }
    let Some(found) = bench_profile(bench, workload, chosen)? else {
        anyhow::bail!(
            "on {} this is not recorded: burn computes each operation by itself\n  \
             steps are recorded through wgpu (--device wgpu), where the device allows an array \
             that holds the whole model with its intermediate results",
            chosen.name
        );
    };
    let total: f64 = found.dispatches.iter().map(|d| d.seconds).sum();
    let launches = || found.dispatches.iter().map(|d| (&d.dispatch, d.seconds));
    let (bytes, work) = launches().fold((0, 0), |(bytes, work), (d, _)| {
        (bytes + d.bytes, work + d.work)
    });
    if args.format == Format::Table {
        say(&format!(
            "{} on {}: {} launches a {what}, {:.1} us on the device, {:.1} MB, {:.1} MFLOP\n\
         host: {:.2} us a launch; compiled in {:.2} s\n\
         ceilings: {:.1} GB/s, {:.1} GFLOP/s; at these a {what} takes {:.1} us at least",
            workload.name,
            chosen.name,
            found.dispatches.len(),
            1e6 * total,
            bytes as f64 / 1e6,
            work as f64 / 1e6,
            1e6 * found.host_seconds,
            found.compile_seconds,
            found.ceilings.bytes / 1e9,
            found.ceilings.work / 1e9,
            1e6 * (bytes as f64 / found.ceilings.bytes).max(work as f64 / found.ceilings.work),
        ))?;
    }
    let columns = [
        "launch", "us", "share", "mb", "gb_s", "mflop", "gflop_s", "groups", "kernels",
    ];
    let mut table = Table::new(&columns);
    let mut rows = vec![];
    for (i, (dispatch, seconds)) in launches().enumerate() {
        let row = vec![
            json!(i),
            json!(1e6 * seconds),
            json!(seconds / total),
            json!(dispatch.bytes as f64 / 1e6),
            json!(dispatch.bytes as f64 / seconds / 1e9),
            json!(dispatch.work as f64 / 1e6),
            json!(dispatch.work as f64 / seconds / 1e9),
            json!(dispatch.groups.iter().product::<u32>()),
            json!(dispatch.kernels.join("; ")),
        ];
        let named = columns
            .iter()
            .map(|c| (*c).to_string())
            .zip(row.iter().cloned());
        rows.push(Value::Object(named.collect()));
        table.push(row);
    }
    let figures = json!({
        "schema": 1,
        "model": workload.name,
        "device": chosen.name,
        "host_us_a_launch": 1e6 * found.host_seconds,
        "compile_s": found.compile_seconds,
        "ceiling_gb_s": found.ceilings.bytes / 1e9,
        "ceiling_gflop_s": found.ceilings.work / 1e9,
        "launches": rows,
    });
    write(args.out.as_deref(), &figures)?;
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the figures where they were asked for.
fn write(out: Option<&Path>, figures: &Value) -> anyhow::Result<()> {
    let Some(out) = out else { return Ok(()) };
    let bytes = serde_json::to_vec_pretty(figures)?;
    write_whole(out, &bytes).with_context(|| format!("could not write {}", out.display()))
}

/// Prints what each kernel of a step or of a batch of a probe takes on one thread of the CPU.
fn profile_cpu(
    args: &BenchArgs,
    bench: Bench,
    what: &str,
    workload: &Workload,
    chosen: &Chosen,
) -> anyhow::Result<ExitCode> {
    let Some(found) = bench_profile_cpu(bench, workload, chosen, args.seconds)? else {
        anyhow::bail!(
            "on the CPU measures have no kernels that are timed by themselves\n  \
             reprsim bench train --profile, or extract"
        );
    };
    let (total, steps, ceilings) = (found.seconds, found.steps as f64, found.ceilings);
    let of_kernels: f64 = found.kernels.iter().map(|(_, spent)| spent.seconds).sum();
    if args.format == Format::Table {
        say(&format!(
            "{} on {}, one thread: {:.1} us a {what}, {:.1} % of it in these kernels\n\
             ceilings of the thread: {:.1} GFLOP/s, {:.1} GB/s beyond the caches\n\
             of_ceiling: operations as the definition counts them; transformed convolutions need a \
             quarter of the multiplications",
            workload.name,
            chosen.name,
            1e6 * total / steps,
            100.0 * of_kernels / total,
            ceilings.operations / 1e9,
            ceilings.bytes / 1e9,
        ))?;
    }
    let columns = [
        "kernel",
        "calls",
        "us",
        "share",
        "gflop_s",
        "of_ceiling",
        "gb_s",
    ];
    let mut table = Table::new(&columns);
    let mut kernels = found.kernels;
    kernels.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
    let rest = Spent {
        seconds: total - of_kernels,
        ..Spent::default()
    };
    kernels.push(("the rest", rest));
    let mut rows = vec![];
    for (name, spent) in kernels {
        let rate = |of: f64| match spent.calls {
            0 => Value::Null,
            _ => json!(of / spent.seconds),
        };
        let row = vec![
            json!(name),
            json!(spent.calls as f64 / steps),
            json!(1e6 * spent.seconds / steps),
            json!(spent.seconds / total),
            rate(spent.operations / 1e9),
            rate(spent.operations / ceilings.operations),
            rate(spent.bytes / 1e9),
        ];
        let named = columns.iter().map(|c| (*c).to_string());
        rows.push(Value::Object(named.zip(row.iter().cloned()).collect()));
        table.push(row);
    }
    let figures = json!({
        "schema": 1,
        "model": workload.name,
        "device": chosen.name,
        "us": 1e6 * total / steps,
        "ceiling_gb_s": ceilings.bytes / 1e9,
        "ceiling_gflop_s": ceilings.operations / 1e9,
        "kernels": rows,
    });
    write(args.out.as_deref(), &figures)?;
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}
