//! What all fetches say and how they end.

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use indicatif::{ProgressBar, ProgressStyle};
use reprsim_data::{DataError, FetchEvent};

use crate::exit::STOPPED;
use crate::output::note;
use crate::signals;

/// Fetches one after the other, until all are here or a signal stops it.
pub(super) fn fetch_all(
    names: &[String],
    one: impl Fn(&str, &AtomicBool) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let stop = signals::stop(STOPPED)?;
    let stopped = || note("stopped; what has come is kept: run again to go on");
    signals::end_soon(&stop, STOPPED, stopped);
    for name in names {
        match one(name, &stop) {
            Err(error) if matches!(error.downcast_ref(), Some(DataError::Stopped)) => {
                stopped();
                return Ok(ExitCode::from(STOPPED));
            }
            done => done?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Fetches what is called `name`, and shows how far it is.
pub(super) fn shown(
    name: &str,
    bring: impl FnOnce(&mut dyn FnMut(FetchEvent<'_>)) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{msg}  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bring(&mut |event| match event {
        FetchEvent::Waiting => note(&format!("{name}: waiting for another fetch of it")),
        FetchEvent::Unlocked(reason) => note(&format!(
            "{name}: no locks there ({reason}); see that no other fetch of it is on"
        )),
        FetchEvent::Again(reason, pause) => {
            note(&format!("{reason}; again in {} s", pause.as_secs()));
        }
        FetchEvent::Anew(file) => note(&format!("{file}: what is there is not right; anew")),
        FetchEvent::Present(file) => note(&format!("{file}: here already")),
        FetchEvent::Trying(file, source) => {
            bar.set_message(file.to_string());
            note(&format!("{file}: trying {source}"));
        }
        FetchEvent::Bytes(here, total) => {
            bar.set_length(total.unwrap_or(here));
            bar.set_position(here);
        }
        FetchEvent::Done(file) => note(&format!("{file}: checksum right")),
        FetchEvent::Recorded(file, sum) => note(&format!(
            "{file}: no checksum of it is published; this one is kept and held to from now on: {sum}"
        )),
    })?;
    bar.finish_and_clear();
    Ok(())
}
