//! From arguments to a question, and on to its answer.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::time::Duration;

use indicatif::ProgressBar;
use reprsim_similarity::{ALL, Measure, Mode, Question, SimilarityError};

use crate::args::{MeasuringArgs, ModeArg};
use crate::exit::UsageError;
use crate::output::note;

/// Half-samples of which the ends of a 95 % interval cannot be read.
const FEW_HALVES: u32 = 40;

/// What is asked, of `default` measures in `--mode exact` where none is named; groups are told by the
/// models.
pub(crate) fn question(args: &MeasuringArgs, default: &[&str]) -> Result<Question, UsageError> {
    if args.null == 0 && args.null_stop.is_some() {
        let reason = "--null-stop says when permutations suffice, and --null 0 draws none: leave one of \
                      them out";
        return Err(UsageError(reason.into()));
    }
    if (1..FEW_HALVES).contains(&args.bootstrap) {
        note(&format!(
            "--bootstrap {}: intervals of so few half-samples are rough; 1000 take longer and are not",
            args.bootstrap
        ));
    }
    Ok(Question {
        k: args.k as usize,
        permutations: args.null as usize,
        null_stop: args
            .null_stop
            .and_then(|count| NonZeroUsize::try_from(count).ok()),
        half_samples: args.bootstrap as usize,
        seed: args.seed,
        ..Question::new(measures(args, default)?)
    })
}

fn measures(
    args: &MeasuringArgs,
    default: &[&str],
) -> Result<Vec<&'static dyn Measure>, UsageError> {
    let (mode, default) = match args.mode {
        ModeArg::Exact => (Mode::Exact, default),
        ModeArg::Paper => (Mode::Paper, [ALL].as_slice()),
    };
    let asked: Vec<&str> = match args.measures.as_slice() {
        [] => default.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    reprsim_similarity::measures(&asked, mode, args.k as usize)
        .map_err(|unknown| UsageError(unknown.to_string()))
}

/// What was asked about permutations, in words.
pub(crate) fn permutations(question: &Question) -> String {
    if question.permutations == 0 {
        return String::new();
    }
    let of = match (question.blocks.is_empty(), question.exchange) {
        (true, _) => "",
        (false, reprsim_similarity::Exchange::Whole) => " of whole groups",
        (false, reprsim_similarity::Exchange::Within) => " within groups",
    };
    let chance = match question.blocks.is_empty() {
        true => ", chance over all where it is known exactly",
        false => ", chance over these",
    };
    let mut words = format!(
        "; p from {} permutations{of} (seed {}){chance}",
        question.permutations, question.seed
    );
    if let Some(count) = question.null_stop {
        words += &format!("; of a value that {count} of them reach no more were looked at");
    }
    words
}

/// Does what takes long beside a line that says what is being done.
pub(crate) fn with_spinner<T>(work: impl FnOnce(&mut dyn FnMut(&str)) -> T) -> T {
    let spinner = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    spinner.enable_steady_tick(Duration::from_millis(120));
    let done = work(&mut |stage| spinner.set_message(stage.to_string()));
    spinner.finish_and_clear();
    done
}

/// The error as the program's exit code knows it.
pub(crate) fn told(error: SimilarityError) -> anyhow::Error {
    match error {
        SimilarityError::Activations(error) => error.into(),
        error if error.is_usage() => UsageError(error.to_string()).into(),
        error => error.into(),
    }
}
