//! `reprsim compare`.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use reprsim_base::write_whole;
use reprsim_report::{heatmap, parquet, png};
use reprsim_similarity::{
    ALL, Comparison, Form, Mask, Measure, Mode, ModelActivations, Pool, Question, SimilarityError,
};

use crate::args::{CompareArgs, FormArg, Format, ModeArg};
use crate::comparison::Answer;
use crate::exit::UsageError;
use crate::output::note;
use crate::table::Table;

/// What is measured in `--mode exact` where nothing is named.
const DEFAULT_MEASURES: [&str; 3] = ["cka_linear_debiased", "cka_linear_biased", "mutual_knn"];

/// Half-samples of which the ends of a 95 % interval cannot be read.
const FEW_HALVES: u32 = 40;
/// Pixels a unit of a PNG figure.
const PNG_SCALE: f32 = 2.0;

pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    // Everything that may be wrong with the command line, before any work.
    let out = args.out.as_deref().map(Table::ending).transpose()?;
    for file in &args.heatmap {
        ending(file, &["svg", "png"])?;
    }
    if args.null == 0 && args.null_stop.is_some() {
        let reason = "--null-stop says when permutations suffice, and --null 0 draws none: leave one of \
                      them out";
        return Err(UsageError(reason.into()).into());
    }
    if (1..FEW_HALVES).contains(&args.bootstrap) {
        note(&format!(
            "--bootstrap {}: intervals of so few half-samples are rough; 1000 take longer and are not",
            args.bootstrap
        ));
    }
    let question = Question {
        k: args.k as usize,
        permutations: args.null as usize,
        null_stop: args
            .null_stop
            .and_then(|count| NonZeroUsize::try_from(count).ok()),
        half_samples: args.bootstrap as usize,
        leverage: args.leverage,
        seed: args.seed,
        ..Question::new(measures(args)?)
    };
    let form = args.form.into();
    let pool: Option<Pool> = (args.pool.as_deref().map(str::parse).transpose())
        .map_err(|unknown: <Pool as std::str::FromStr>::Err| UsageError(unknown.to_string()))?;
    let chosen = reprsim_device::choose(&args.device)?;
    let masks = (args.mask.iter())
        .map(|path| Mask::open(path))
        .collect::<Result<Vec<_>, _>>()?;
    let models = ModelActivations::open_all(&args.files, pool, &masks).map_err(told)?;
    let covariate = (args.covariate.as_deref())
        .map(|path| ModelActivations::open(path, pool, None))
        .transpose()
        .map_err(told)?;
    let question = Question {
        covariate,
        ..question
    };
    let comparison = Comparison::new(models, question).map_err(told)?;

    let spinner = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    spinner.enable_steady_tick(Duration::from_millis(120));
    let results = comparison
        .run(&chosen.device, &mut |stage| {
            spinner.set_message(stage.to_string());
        })
        .map_err(told)?;
    spinner.finish_and_clear();

    let answer = Answer {
        comparison: &comparison,
        results: &results,
        form,
    };
    let table = answer.tidy();
    if let (Some(path), Some(kind)) = (&args.out, out) {
        let bytes = match kind {
            Kind::Parquet => parquet(&table.columns(&Answer::NUMBERS, &Answer::INTEGERS))?,
            Kind::Rows(format) => table.bytes(format)?,
        };
        write(path, &bytes)?;
    }
    for path in &args.heatmap {
        let svg = heatmap(&answer.panels());
        let bytes = match ending(path, &["svg", "png"])? {
            "png" => png(&svg, PNG_SCALE)?,
            _ => svg.into_bytes(),
        };
        write(path, &bytes)?;
    }
    match args.format {
        Format::Table => answer.print(&chosen.name)?,
        format => table.print(format)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The error as the program's exit code knows it.
fn told(error: SimilarityError) -> anyhow::Error {
    match error {
        SimilarityError::Activations(error) => error.into(),
        error if error.is_usage() => UsageError(error.to_string()).into(),
        error => error.into(),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_whole(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// What `--out` asks for.
enum Kind {
    Parquet,
    Rows(Format),
}

impl Table {
    fn ending(path: &Path) -> Result<Kind, UsageError> {
        Ok(match ending(path, &["parquet", "csv", "json"])? {
            "parquet" => Kind::Parquet,
            "csv" => Kind::Rows(Format::Csv),
            _ => Kind::Rows(Format::Json),
        })
    }
}

fn ending(path: &Path, known: &[&'static str]) -> Result<&'static str, UsageError> {
    let ending = path.extension().and_then(|e| e.to_str());
    match known.iter().find(|k| Some(**k) == ending) {
        Some(kind) => Ok(kind),
        None => Err(UsageError(format!(
            "{}: its ending must be one of .{}",
            path.display(),
            known.join(", .")
        ))),
    }
}

fn measures(args: &CompareArgs) -> Result<Vec<&'static dyn Measure>, UsageError> {
    let (mode, default) = match args.mode {
        ModeArg::Exact => (Mode::Exact, DEFAULT_MEASURES.as_slice()),
        ModeArg::Paper => (Mode::Paper, [ALL].as_slice()),
    };
    let asked: Vec<&str> = match args.measures.as_slice() {
        [] => default.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    let mut measures = reprsim_similarity::measures(&asked, mode, args.k as usize)
        .map_err(|unknown| UsageError(unknown.to_string()))?;
    // Where measures are not named one by one, those that have what is asked for.
    let named = !args.measures.is_empty() && !asked.contains(&ALL);
    let form = Form::from(args.form);
    if !named {
        let takes = |m: &&dyn Measure| args.covariate.is_none() || m.takes_covariate();
        measures.retain(|m| form.check(*m).is_ok() && takes(m));
    }
    match (measures.iter()).find_map(|measure| form.check(*measure).err()) {
        Some(none) => Err(UsageError(none.to_string())),
        None if measures.is_empty() => Err(UsageError(
            "no measure of this mode has what is asked for".into(),
        )),
        None => Ok(measures),
    }
}

impl From<FormArg> for Form {
    fn from(form: FormArg) -> Self {
        match form {
            FormArg::Similarity => Self::Similarity,
            FormArg::Distance => Self::Distance,
            FormArg::Angular => Self::Angular,
        }
    }
}
