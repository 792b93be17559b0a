//! `reprsim compare`.

use std::process::ExitCode;

use reprsim_report::heatmap;
use reprsim_similarity::{ALL, Comparison, Form, Measure, Question};

use crate::args::{CompareArgs, FormArg, Format};
use crate::comparison::Answer;
use crate::exit::UsageError;
use crate::measuring::{question, told, with_spinner};
use crate::output::note;
use crate::{outputs, reading};

/// What is measured in `--mode exact` where nothing is named.
const DEFAULT_MEASURES: [&str; 3] = ["cka_linear_debiased", "cka_linear_biased", "mutual_knn"];

pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    // Everything that may be wrong with the command line, before any work.
    outputs::check(args.out.as_deref(), &args.heatmap)?;
    let form = args.form.into();
    let question = question(&args.measuring, &DEFAULT_MEASURES)?;
    let measures = having(question.measures, args)?;
    let chosen = reprsim_device::choose(&args.measuring.device)?;
    let layers = [reading::named(&args.layers)];
    let covariate = args.covariate.as_deref();
    let mut read = reading::read(
        &args.files,
        &layers,
        covariate,
        &args.reading,
        &args.measuring,
    )?;
    let question = Question {
        measures,
        covariate: read.covariate.clone(),
        leverage: args.leverage,
        blocks: read.blocks.clone(),
        exchange: read.exchange,
        ..question
    };
    if question.permutations > 0 {
        read.note_immovable(question.immovable());
    }
    let comparison = Comparison::new(read.models, question).map_err(told)?;
    let results =
        with_spinner(|on_stage| comparison.run(&chosen.device, on_stage)).map_err(told)?;

    let answer = Answer {
        comparison: &comparison,
        results: &results,
        form,
    };
    let table = answer.tidy();
    if let Some(path) = &args.out {
        outputs::write_table(path, &table, &Answer::FIELDS)?;
    }
    if !args.heatmap.is_empty() {
        let svg = heatmap(&answer.panels());
        for path in &args.heatmap {
            outputs::write_figure(path, &svg)?;
        }
    }
    match args.format {
        Format::Table => answer.print(&chosen.name, &read.notes)?,
        format => {
            read.notes.iter().for_each(|text| note(text));
            table.print(format)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The measures that have what is asked for: all of those that are named one by one, else those that
/// do.
fn having(
    mut measures: Vec<&'static dyn Measure>,
    args: &CompareArgs,
) -> Result<Vec<&'static dyn Measure>, UsageError> {
    let asked = &args.measuring.measures;
    let form = Form::from(args.form);
    if asked.is_empty() || asked.iter().any(|name| name == ALL) {
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
