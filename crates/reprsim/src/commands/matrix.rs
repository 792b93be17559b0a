//! `reprsim matrix`.

use std::process::ExitCode;

use reprsim_report::clustermap;
use reprsim_similarity::{Comparison, Layers, Question, SimilarityMatrix};

use crate::args::{Format, MatrixArgs};
use crate::matrix::Answer;
use crate::measuring::{question, told, with_spinner};
use crate::output::note;
use crate::{outputs, reading};

/// What is measured in `--mode exact` where nothing is named.
const DEFAULT_MEASURES: [&str; 1] = ["cka_linear_debiased"];

pub(crate) fn matrix(args: &MatrixArgs) -> anyhow::Result<ExitCode> {
    // Everything that may be wrong with the command line, before any work.
    outputs::check(args.out.as_deref(), &args.heatmap)?;
    let question = question(&args.measuring, &DEFAULT_MEASURES)?;
    let chosen = reprsim_device::choose(&args.measuring.device)?;
    let layers: Vec<Layers> = match args.layer.as_slice() {
        [] => vec![Layers::Representative],
        names => (names.iter().map(|name| Layers::Named(vec![name.clone()]))).collect(),
    };
    let mut read = reading::read(&args.files, &layers, None, &args.reading, &args.measuring)?;
    let question = Question {
        blocks: read.blocks.clone(),
        exchange: read.exchange,
        ..question
    };
    if question.permutations > 0 {
        read.note_immovable(question.immovable());
    }
    let comparison = Comparison::new(read.models, question).map_err(told)?;
    let work = |on_stage: &mut dyn FnMut(&str)| {
        SimilarityMatrix::of(&comparison, &chosen.device, on_stage)
    };
    let matrix = with_spinner(work).map_err(told)?;

    let answer = Answer {
        comparison: &comparison,
        matrix: &matrix,
    };
    let table = answer.tidy();
    if let Some(path) = &args.out {
        outputs::write_table(path, &table, &Answer::FIELDS)?;
    }
    if !args.heatmap.is_empty() {
        let svg = clustermap(&answer.panels());
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
