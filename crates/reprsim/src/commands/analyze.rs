//! `reprsim analyze`.

use std::process::ExitCode;

use reprsim_analysis::Asked;
use reprsim_stats::{
    Attribution, Design, Errors, FittedTerm, Series, Term, TermShare, attribute, correct, crossed,
    describe_series, mean,
};
use serde_json::{Value, json};

use crate::args::{AnalyzeArgs, Format};
use crate::lists::named_once;
use crate::table::Table;
use crate::tidy::{Selection, Tidy};

/// A row of what is printed: a line, or a term of a design.
#[derive(Default)]
struct Row {
    group: Option<String>,
    y: String,
    term: Option<String>,
    fitted: FittedTerm,
    /// Whether it was asked about, which a covariate is not.
    asked: bool,
    /// What is known of a line alone.
    line: Option<Series>,
    /// What is known of a term of a design alone.
    share: Option<TermShare>,
    /// Covariates that were left out.
    dropped: Option<String>,
    undefined: Option<String>,
}

/// The name of a field and its value, empty where it is undefined.
type Field = (&'static str, fn(&Row) -> Value);

/// Fields of a table of lines, one x.
const LINE: [Field; 23] = [
    ("group", |row| json!(row.group)),
    ("y", |row| json!(row.y)),
    ("n", |row| json!(row.fitted.n)),
    ("slope", |row| json!(row.fitted.slope)),
    ("stderr", |row| json!(row.fitted.stderr)),
    ("df", |row| json!(row.fitted.df)),
    ("ci_low", |row| json!(row.fitted.ci_low)),
    ("ci_high", |row| json!(row.fitted.ci_high)),
    ("p_value", |row| json!(row.fitted.p_value)),
    ("p_holm", |row| json!(row.fitted.p_holm)),
    ("randomisation_p", |row| json!(row.fitted.randomisation_p)),
    ("randomisation_least_p", |row| {
        json!(row.fitted.randomisation_least_p)
    }),
    ("r_squared", |row| json!(row.fitted.r_squared)),
    ("spearman", |row| of_line(row, |s| json!(s.spearman))),
    ("curvature_p", |row| of_line(row, |s| json!(s.curvature_p))),
    ("mi_ksg", |row| of_line(row, |s| json!(s.mi_ksg))),
    ("mi", |row| {
        of_line(row, |s| json!(s.mi_discrete.as_ref().map(|d| d.nats)))
    }),
    ("mi_share", |row| {
        of_line(row, |s| json!(s.mi_discrete.as_ref().and_then(|d| d.share)))
    }),
    ("mi_p", |row| {
        of_line(row, |s| json!(s.mi_discrete.as_ref().map(|d| d.p_value)))
    }),
    ("intercept", |row| json!(row.fitted.intercept)),
    ("errors", |row| json!(row.fitted.errors.map(errors))),
    ("caveat", |row| json!(caveat(&row.fitted))),
    ("undefined", |row| json!(row.undefined)),
];

/// Fields of a table of designs, several x; `slope` is the coefficient of the term.
const DESIGN: [Field; 22] = [
    ("group", |row| json!(row.group)),
    ("y", |row| json!(row.y)),
    ("term", |row| json!(row.term)),
    ("n", |row| json!(row.fitted.n)),
    ("slope", |row| json!(row.fitted.slope)),
    ("stderr", |row| json!(row.fitted.stderr)),
    ("df", |row| json!(row.fitted.df)),
    ("ci_low", |row| json!(row.fitted.ci_low)),
    ("ci_high", |row| json!(row.fitted.ci_high)),
    ("p_value", |row| json!(row.fitted.p_value)),
    ("p_holm", |row| json!(row.fitted.p_holm)),
    ("randomisation_p", |row| json!(row.fitted.randomisation_p)),
    ("randomisation_least_p", |row| {
        json!(row.fitted.randomisation_least_p)
    }),
    ("partial_r_squared", |row| {
        of_share(row, |s| json!(s.partial_r_squared))
    }),
    ("share", |row| of_share(row, |s| json!(s.share))),
    ("share_low", |row| {
        of_share(row, |s| json!(s.share_interval.map(|i| i.low)))
    }),
    ("share_high", |row| {
        of_share(row, |s| json!(s.share_interval.map(|i| i.high)))
    }),
    ("r_squared", |row| json!(row.fitted.r_squared)),
    ("errors", |row| json!(row.fitted.errors.map(errors))),
    ("dropped", |row| json!(row.dropped)),
    ("caveat", |row| json!(caveat(&row.fitted))),
    ("undefined", |row| json!(row.undefined)),
];

fn of_line(row: &Row, get: fn(&Series) -> Value) -> Value {
    row.line.as_ref().map_or(Value::Null, get)
}

fn of_share(row: &Row, get: fn(&TermShare) -> Value) -> Value {
    row.share.as_ref().map_or(Value::Null, get)
}

pub(crate) fn analyze(args: &AnalyzeArgs) -> anyhow::Result<ExitCode> {
    let asked = Asked {
        delimiter: args.delimiter,
        decimal: args.decimal,
    };
    let mut table = table(&Tidy::read(&args.file, asked)?, args)?;
    if args.format == Format::Table {
        table = table.without_empty();
    }
    table.print(args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// What is found of a table of points, which is not read from `args.file`.
pub(crate) fn table(tidy: &Tidy, args: &AnalyzeArgs) -> anyhow::Result<Table> {
    for (option, names) in [("--y", &args.y), ("--group", &args.group)] {
        named_once(option, names)?;
    }
    // What is held fixed is no x as well.
    named_once(
        "--x and --covariate",
        &[args.x.as_slice(), &args.covariate].concat(),
    )?;
    let kept = tidy.select(&args.conditions)?;
    let designed = args.x.len() > 1 || !args.covariate.is_empty();
    let mut rows: Vec<Row> = Vec::new();
    for (group, selection) in tidy.groups(&kept, &args.group)? {
        let group = (!group.is_empty()).then(|| group.join(", "));
        for y in &args.y {
            let points = Points::read(tidy, &selection, y, args)?;
            let found = match designed {
                true => design(&points, args),
                false => vec![line(&points, args)],
            };
            rows.extend(found.into_iter().map(|row| Row {
                group: group.clone(),
                y: y.clone(),
                ..row
            }));
        }
    }
    correct(rows.iter_mut().map(|row| (&mut row.fitted, row.asked)));
    let fields: &[Field] = if designed { &DESIGN } else { &LINE };
    let names: Vec<&'static str> = fields.iter().map(|(name, _)| *name).collect();
    let mut table = Table::new(&names);
    for row in &rows {
        table.push(fields.iter().map(|(_, value)| value(row)).collect());
    }
    Ok(table)
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
fn line(points: &Points, args: &AnalyzeArgs) -> Row {
    let clusters = points.clusters.as_deref();
    let draws = args.permutations as usize;
    let series = describe_series(&points.x[0], &points.y, clusters, draws, args.seed);
    let reasons: Vec<String> = (series.missing.iter())
        .map(|m| format!("{}: {}", m.statistic, m.reason))
        .collect();
    Row {
        fitted: series.line.clone(),
        asked: true,
        undefined: (!reasons.is_empty()).then(|| reasons.join("; ")),
        line: Some(series),
        ..Row::default()
    }
}

/// Similarity on several x, each centred on the mean of its levels, and their products.
fn design(points: &Points, args: &AnalyzeArgs) -> Vec<Row> {
    let named = args.x.iter().cloned();
    let centred: Vec<(String, Vec<f64>)> = named.zip(points.x.iter().map(|x| centred(x))).collect();
    let terms = crossed(&centred, |a, b| format!("{a} x {b}"));
    let (names, columns): (Vec<String>, Vec<Vec<f64>>) = terms.into_iter().unzip();
    let design = Design {
        names: names.clone(),
        columns,
        y: points.y.clone(),
        clusters: points.clusters.clone(),
        covariates: points.covariates.clone(),
    };
    let found = match attribute(&design, args.permutations as usize, args.seed) {
        Ok(attribution) => attribution,
        Err(reason) => {
            let undefined = |name: String| Row {
                term: Some(name),
                fitted: FittedTerm::undefined(reason, points.y.len()),
                undefined: Some(reason.to_string()),
                ..Row::default()
            };
            return names.into_iter().map(undefined).collect();
        }
    };
    let terms = found.terms.iter().map(|term| Row {
        asked: true,
        share: Some(term.clone()),
        ..term_row(
            &found,
            &term.name,
            &term.term,
            [term.randomisation_p, term.randomisation_least_p],
        )
    });
    let covariates = (found.covariates.iter()).map(|c| {
        let randomised = [c.randomisation_p, c.randomisation_least_p];
        term_row(&found, &c.name, &c.term, randomised)
    });
    terms.chain(covariates).collect()
}

/// What terms and covariates of a design have in common.
fn term_row(found: &Attribution, name: &str, term: &Term, randomised: [Option<f64>; 2]) -> Row {
    let fitted = FittedTerm::new(term, None, found.n, found.r_squared, found.errors);
    Row {
        term: Some(name.to_string()),
        fitted: FittedTerm {
            randomisation_p: randomised[0],
            randomisation_least_p: randomised[1],
            ..fitted
        },
        undefined: term.undefined.clone(),
        dropped: (!found.dropped.is_empty()).then(|| found.dropped.join(", ")),
        ..Row::default()
    }
}

/// Less the mean of its levels, so that the slope of the others is their average.
fn centred(x: &[f64]) -> Vec<f64> {
    let mut levels = x.to_vec();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    let middle = mean(&levels);
    x.iter().map(|v| v - middle).collect()
}

/// What to know before believing the t test.
fn caveat(fitted: &FittedTerm) -> Option<String> {
    let (clusters, _) = fitted.few_clusters()?;
    Some(format!(
        "{clusters} clusters: p_value takes their slopes as normal, and randomisation_p cannot be \
         below randomisation_least_p"
    ))
}

fn errors(errors: Errors) -> String {
    match errors {
        Errors::Classical => "classical".into(),
        Errors::ClusterRobust { clusters } => format!("{clusters} clusters (CR2)"),
    }
}
