//! Work without Python's lock that Ctrl-C ends.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, Once, OnceLock};
use std::time::Duration;
use std::{process, thread};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use reprsim_similarity::Stop;

use crate::errors::{Failed, Kind};

/// How often it is looked whether a signal came, and how long work then has to end by itself.
const LOOK: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(2);

/// Runs `work` on a thread of its own, without Python's lock, while this one looks for signals. What
/// a signal's handler raises ends it: `stop` is asked for, and after some seconds the work is no
/// longer waited for; it ends when it next looks, and what it found is dropped.
///
/// # Errors
/// What the work fails with, what a handler of a signal raises, and `ReprsimError` if it panics.
pub(crate) fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    stop: &Stop,
    work: impl FnOnce() -> Result<T, Failed> + Send + 'static,
) -> PyResult<T> {
    listen()?;
    let (sender, receiver) = channel();
    let worker = thread::Builder::new()
        .name("reprsim".into())
        .spawn(move || {
            // Nobody hears it where it was no longer waited for.
            let _ = sender.send(work());
        });
    if let Err(error) = worker {
        let message = format!("no thread could be started: {error}");
        return Err(Failed {
            kind: Kind::Failure,
            message,
        }
        .into());
    }
    let receiver = Mutex::new(receiver);
    let wait = |time: Duration| {
        let receiver = receiver.lock().unwrap_or_else(|e| e.into_inner());
        receiver.recv_timeout(time)
    };
    let found = loop {
        match py.detach(|| wait(LOOK)) {
            Ok(found) => break found,
            Err(RecvTimeoutError::Disconnected) => {
                let message =
                    "a bug in reprsim ended the computation; what it wrote to the standard \
                               error stream says where"
                        .into();
                break Err(Failed {
                    kind: Kind::Failure,
                    message,
                });
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Err(raised) = py.check_signals() {
                    stop.ask();
                    // Whatever it still finds is dropped.
                    let _ = py.detach(|| wait(GRACE));
                    return Err(raised);
                }
            }
        }
    };
    tell(py)?;
    Ok(found?)
}

/// What the libraries said and Python has not heard yet: levels of its `logging`, and words.
static SAID: Mutex<Vec<(u32, String)>> = Mutex::new(Vec::new());

/// Hands what the libraries say on to Python's `logging`.
struct Messages;

impl log::Log for Messages {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let of_ours = metadata
            .target()
            .trim_start_matches('_')
            .starts_with("reprsim");
        metadata.level() <= log::Level::Info && of_ours
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                log::Level::Error => 40,
                log::Level::Warn => 30,
                _ => 20,
            };
            let mut said = SAID.lock().unwrap_or_else(|e| e.into_inner());
            said.push((level, crate::errors::in_python(&record.args().to_string())));
        }
    }

    fn flush(&self) {}
}

/// Hears what the libraries say from now on; [`interruptible`] does so by itself.
///
/// # Errors
/// In a process forked from one that computed: the threads of that one are not in it, and it would
/// wait for them for ever.
pub(crate) fn listen() -> Result<(), Failed> {
    static FIRST: OnceLock<u32> = OnceLock::new();
    if *FIRST.get_or_init(process::id) != process::id() {
        let message = "this process was forked from one in which reprsim computed, whose threads it \
                       does not have: start processes by \"spawn\", as \
                       multiprocessing.get_context(\"spawn\") does";
        return Err(Failed {
            kind: Kind::Failure,
            message: message.into(),
        });
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Where another hears them already they are its.
        if log::set_logger(&Messages).is_ok() {
            log::set_max_level(log::LevelFilter::Info);
        }
    });
    Ok(())
}

/// Says to Python's logger `reprsim` what was said since.
pub(crate) fn tell(py: Python<'_>) -> PyResult<()> {
    let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(|e| e.into_inner()));
    if said.is_empty() {
        return Ok(());
    }
    let logger = py
        .import("logging")?
        .call_method1("getLogger", ("reprsim",))?;
    for (level, message) in said {
        logger.call_method("log", (level, "%s", message), None::<&Bound<'_, PyDict>>)?;
    }
    Ok(())
}
