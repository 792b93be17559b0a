//! What libraries of ours have to say while they work, on the standard error stream.

use std::sync::Mutex;

use indicatif::MultiProgress;
use log::{LevelFilter, Log, Metadata, Record};

use crate::output::note;

/// Bars that must not be drawn over.
static BARS: Mutex<Option<MultiProgress>> = Mutex::new(None);

struct Messages;

impl Log for Messages {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("reprsim")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let bars = BARS.lock().ok().and_then(|bars| bars.clone());
        match bars {
            Some(bars) => bars.suspend(|| note(&text)),
            None => note(&text),
        }
    }

    fn flush(&self) {}
}

/// Shows messages from here on.
pub(crate) fn show() {
    // A second logger is refused, and the first goes on.
    if log::set_logger(&Messages).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Keeps messages apart from these bars from here on.
pub(crate) fn beside(bars: &MultiProgress) {
    if let Ok(mut place) = BARS.lock() {
        *place = Some(bars.clone());
    }
}
