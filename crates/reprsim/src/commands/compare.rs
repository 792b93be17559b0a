//! `reprsim compare`.

use std::process::ExitCode;

use reprsim_report::heatmap;
use reprsim_similarity::{Comparison, Question};

use crate::args::{CompareArgs, Format};
use crate::comparison::Answer;
use crate::measuring::{question, told, with_spinner};
use crate::output::note;
use crate::{outputs, reading};

/// What is measured in `--mode exact` where nothing is named.
const DEFAULT_MEASURES: [&str; 3] = ["cka_linear_debiased", "cka_linear_biased", "mutual_knn"];

pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    // Everything that may be wrong with the command line, before any work.
    outputs::check(args.out.as_deref(), &args.heatmap)?;
    let question = question(&args.measuring, &DEFAULT_MEASURES)?;
    let chosen = reprsim_device::choose(&args.measuring.device)?;
    let layers = [reading::named(&args.layers)];
    let mut read = reading::read(&args.files, &layers, &args.reading, &args.measuring)?;
    let question = Question {
        leverage: args.leverage,
        blocks: read.blocks.clone(),
        exchange: read.exchange,
        ..question
    };
    if question.permutations > 0 {
        read.check_groups(question.immovable())?;
    }
    let comparison = Comparison::new(read.models, question).map_err(told)?;
    let results =
        with_spinner(|on_stage| comparison.run(&chosen.device, on_stage)).map_err(told)?;

    let answer = Answer {
        comparison: &comparison,
        results: &results,
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
