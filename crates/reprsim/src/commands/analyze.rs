//! `reprsim analyze`.

use std::process::ExitCode;

use reprsim_stats::{Design, Errors, attribute, crossed, describe_series, holm, mean};
use serde_json::{Value, json};

use crate::args::{AnalyzeArgs, Format};
use crate::table::Table;
use crate::tidy::{Selection, Tidy};

/// Fields of a table of lines, one x; empty where a statistic is undefined.
const LINE: [&str; 20] = [
    "group",
    "y",
    "n",
    "slope",
    "stderr",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
    "randomisation_p",
    "r_squared",
    "spearman",
    "curvature_p",
    "mi_ksg",
    "mi",
    "mi_share",
    "mi_p",
    "intercept",
    "errors",
    "undefined",
];

/// Fields of a table of designs, several x; `slope` is the coefficient of the term.
const DESIGN: [&str; 19] = [
    "group",
    "y",
    "term",
    "n",
    "slope",
    "stderr",
    "ci_low",
    "ci_high",
    "p_value",
    "p_holm",
    "randomisation_p",
    "partial_r_squared",
    "share",
    "share_low",
    "share_high",
    "r_squared",
    "errors",
    "dropped",
    "undefined",
];

pub(crate) fn analyze(args: &AnalyzeArgs) -> anyhow::Result<ExitCode> {
    let tidy = Tidy::read(&args.file)?;
    let kept = tidy.select(&args.conditions)?;
    let designed = args.x.len() > 1 || !args.covariate.is_empty();
    let fields: &[&'static str] = if designed { &DESIGN } else { &LINE };
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for (group, selection) in tidy.groups(&kept, &args.group)? {
        for y in &args.y {
            let points = Points::read(&tidy, &selection, y, args)?;
            let group = (!group.is_empty()).then(|| group.join(", "));
            let name = [json!(group), json!(y)];
            if !designed {
                rows.push([name.to_vec(), line(&points, args)].concat());
                continue;
            }
            for term in design(&points, args) {
                rows.push([name.to_vec(), term].concat());
            }
        }
    }
    correct(fields, &mut rows, &args.covariate);
    let mut table = Table::new(fields);
    for row in rows {
        table.push(row);
    }
    if args.format == Format::Table {
        table = table.without_empty();
    }
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Rows that lack nothing.
struct Points {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    covariates: Vec<(String, Vec<f64>)>,
    clusters: Option<Vec<u64>>,
}

impl Points {
    fn read(tidy: &Tidy, rows: &Selection, y: &String, args: &AnalyzeArgs) -> anyhow::Result<Self> {
        let names: Vec<&String> = (args.x.iter().chain([y])).chain(&args.covariate).collect();
        let columns: Vec<Vec<Option<f64>>> = names
            .iter()
            .map(|name| tidy.numbers(rows, name, &args.missing))
            .collect::<anyhow::Result<_>>()?;
        let ids = args.cluster.as_ref().map(|name| tidy.ids(rows, name));
        let ids = ids.transpose()?;
        let known = |row: usize| ids.as_ref().is_none_or(|ids| ids[row].is_some());
        let whole: Vec<usize> = (0..columns[0].len())
            .filter(|&row| columns.iter().all(|column| column[row].is_some()) && known(row))
            .collect();
        let mut columns = columns
            .into_iter()
            .map(|column| -> Vec<f64> { whole.iter().filter_map(|&row| column[row]).collect() });
        Ok(Self {
            x: columns.by_ref().take(args.x.len()).collect(),
            y: columns.next().unwrap_or_default(),
            covariates: args.covariate.iter().cloned().zip(columns).collect(),
            clusters: ids.map(|ids| whole.iter().filter_map(|&row| ids[row]).collect()),
        })
    }
}

/// Similarity on one x.
fn line(points: &Points, args: &AnalyzeArgs) -> Vec<Value> {
    let clusters = points.clusters.as_deref();
    let series = describe_series(
        &points.x[0],
        &points.y,
        clusters,
        args.permutations as usize,
        args.seed,
    );
    let discrete = series.mi_discrete;
    let reasons: Vec<String> = (series.missing.iter())
        .map(|m| format!("{}: {}", m.statistic, m.reason))
        .collect();
    vec![
        json!(series.n),
        json!(series.slope),
        json!(series.stderr),
        json!(series.ci_low),
        json!(series.ci_high),
        json!(series.p_value),
        Value::Null,
        json!(series.randomisation_p),
        json!(series.r_squared),
        json!(series.spearman),
        json!(series.curvature_p),
        json!(series.mi_ksg),
        json!(discrete.as_ref().map(|d| d.nats)),
        json!(discrete.as_ref().and_then(|d| d.share)),
        json!(discrete.as_ref().map(|d| d.p_value)),
        json!(series.intercept),
        json!(series.errors.map(errors)),
        json!((!reasons.is_empty()).then(|| reasons.join("; "))),
    ]
}

/// Similarity on several x, each centred on the mean of its levels, and their products.
fn design(points: &Points, args: &AnalyzeArgs) -> Vec<Vec<Value>> {
    let named = args.x.iter().cloned();
    let centred: Vec<(String, Vec<f64>)> = named.zip(points.x.iter().map(|x| centred(x))).collect();
    let (names, columns): (Vec<String>, Vec<Vec<f64>>) = crossed(&centred).into_iter().unzip();
    let design = Design {
        names: names.clone(),
        columns,
        y: points.y.clone(),
        clusters: points.clusters.clone(),
        covariates: points.covariates.clone(),
    };
    let attribution = match attribute(&design, args.permutations as usize, args.seed) {
        Ok(attribution) => attribution,
        Err(error) => {
            let undefined = |name: String| {
                let mut row = vec![Value::Null; DESIGN.len() - 2];
                row[0] = json!(name);
                row[1] = json!(points.y.len());
                row[DESIGN.len() - 3] = json!(error.to_string());
                row
            };
            return names.into_iter().map(undefined).collect();
        }
    };
    let dropped = (!attribution.dropped.is_empty()).then(|| attribution.dropped.join(", "));
    let common = |name: &str, term: &reprsim_stats::Term| {
        vec![
            json!(name),
            json!(attribution.n),
            json!(term.coefficient),
            json!(term.stderr),
            json!(term.ci_low),
            json!(term.ci_high),
            json!(term.p_value),
            Value::Null,
        ]
    };
    let last = || {
        vec![
            json!(attribution.r_squared),
            json!(errors(attribution.errors)),
            json!(dropped),
            Value::Null,
        ]
    };
    let mut rows = Vec::new();
    for term in &attribution.terms {
        let share = vec![
            json!(term.randomisation_p),
            json!(term.partial_r_squared),
            json!(term.share),
            json!(term.share_interval.map(|i| i.low)),
            json!(term.share_interval.map(|i| i.high)),
        ];
        rows.push([common(&term.name, &term.term), share, last()].concat());
    }
    for covariate in &attribution.covariates {
        let mut share = vec![Value::Null; 5];
        share[0] = json!(covariate.randomisation_p);
        rows.push([common(&covariate.name, &covariate.term), share, last()].concat());
    }
    rows
}

/// Less the mean of its levels, so that the slope of the others is their average.
fn centred(x: &[f64]) -> Vec<f64> {
    let mut levels = x.to_vec();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let middle = mean(&levels);
    x.iter().map(|v| v - middle).collect()
}

fn errors(errors: Errors) -> String {
    match errors {
        Errors::Classical => "classical".into(),
        Errors::ClusterRobust { clusters } => format!("{clusters} clusters (CR1)"),
    }
}

/// Fills in Holm's correction over all rows but those of covariates, which are not asked
/// about.
fn correct(fields: &[&str], rows: &mut [Vec<Value>], covariates: &[String]) {
    let place = |name: &str| fields.iter().position(|field| *field == name);
    let (Some(from), Some(to)) = (place("p_value"), place("p_holm")) else {
        return;
    };
    let term = place("term");
    let asked = |row: &Vec<Value>| {
        let name = term.and_then(|term| row[term].as_str());
        !name.is_some_and(|name| covariates.iter().any(|covariate| covariate == name))
    };
    let p: Vec<Option<f64>> = (rows.iter())
        .map(|row| row[from].as_f64().filter(|_| asked(row)))
        .collect();
    for (row, p) in rows.iter_mut().zip(holm(&p)) {
        row[to] = json!(p);
    }
}
