//! Signals that ask a run to stop.

use std::io;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// How often it is looked whether a stop was asked for, and how long work then has to end by itself.
const LOOK: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(2);

/// What is set by the first signal that asks the process to end, or to be ready for it: it then goes
/// on with what it must end well. A second ends it at once with `code`.
///
/// # Errors
/// The operating system's.
#[cfg(unix)]
pub(crate) fn stop(code: u8) -> io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::flag;
    let stop = Arc::new(AtomicBool::new(false));
    // Cluster schedulers say by USR1 or USR2 that time is nearly up.
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2] {
        // In this order: the first finds nothing set.
        flag::register_conditional_shutdown(signal, code.into(), stop.clone())?;
        flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

/// Nothing is set where there are no such signals.
#[cfg(not(unix))]
pub(crate) fn stop(_: u8) -> io::Result<Arc<AtomicBool>> {
    Ok(Arc::default())
}

/// Ends the process with `code`, after saying so by `say`, where work goes on for a while after `stop` was
/// set: it may be waiting for a server.
pub(crate) fn end_soon(stop: &Arc<AtomicBool>, code: u8, say: impl FnOnce() + Send + 'static) {
    let stop = stop.clone();
    spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            sleep(LOOK);
        }
        sleep(GRACE);
        say();
        exit(code.into());
    });
}
