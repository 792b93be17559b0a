//! Exit codes and how errors are shown.

use std::process::ExitCode;

use reprsim_activations::ActivationError;
use reprsim_analysis::AnalysisError;
use reprsim_config::ConfigError;
use reprsim_data::DataError;
use reprsim_device::DeviceError;
use reprsim_run::RunError;
use reprsim_similarity::SimilarityError;

use crate::output::note;

/// All went well.
pub(crate) const DONE: u8 = 0;
/// Something failed on the way.
pub(crate) const FAILED: u8 = 1;
/// The program was used wrongly: arguments, an experiment or activation file, a
/// busy run.
pub(crate) const USAGE: u8 = 2;
/// The run ended, but some cells failed.
pub(crate) const CELLS_FAILED: u8 = 3;
/// A signal stopped the run; running again goes on (`EX_TEMPFAIL` of sysexits.h).
pub(crate) const STOPPED: u8 = 75;

/// The program was used wrongly; the message says how, and what to do.
#[derive(Debug)]
pub(crate) struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Prints an error with its causes and picks the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    eprint_error(error);
    ExitCode::from(if is_usage(error) { USAGE } else { FAILED })
}

/// Whether the program was used wrongly, as opposed to a failure on the way.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|e| {
        e.downcast_ref::<ConfigError>()
            .is_some_and(ConfigError::is_usage)
            || e.is::<DeviceError>()
            || e.downcast_ref::<ActivationError>()
                .is_some_and(|e| !e.is_of_system())
            || e.downcast_ref::<std::io::Error>()
                .is_some_and(is_in_the_way)
            || e.downcast_ref::<RunError>().is_some_and(RunError::is_usage)
            || e.downcast_ref::<AnalysisError>()
                .is_some_and(AnalysisError::is_usage)
            || e.downcast_ref::<SimilarityError>()
                .is_some_and(SimilarityError::is_usage)
            || e.is::<UsageError>()
            || e.downcast_ref::<DataError>()
                .is_some_and(DataError::is_usage)
    })
}

/// Whether there is a folder where a file belongs, or the reverse: somebody put it there.
fn is_in_the_way(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory};
    matches!(error.kind(), IsADirectory | NotADirectory)
}

fn eprint_error(error: &anyhow::Error) {
    note(&format!("error: {error}"));
    // What a library said of an experiment file has been said with its place.
    let told = |e: &(dyn std::error::Error + 'static)| e.is::<ConfigError>();
    let causes = error.chain().skip(1);
    for cause in causes.take(match error.chain().position(told) {
        Some(place) => place,
        None => usize::MAX,
    }) {
        let text = cause.to_string();
        if !error.to_string().contains(&text) {
            note(&format!("  cause: {text}"));
        }
    }
}
