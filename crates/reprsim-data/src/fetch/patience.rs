//! How long is waited, and for how much.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::error::FetchError;

/// No file or package of a data set is larger, where its card does not say how large it is.
pub(super) const LARGEST: u64 = 16 << 30;
/// How long nothing is looked at while something is waited for.
const STEP: Duration = Duration::from_millis(50);

/// How long a server or a program is waited for, and for how much.
pub(super) struct Patience<'a> {
    /// Until a server takes the connection.
    pub connect: Duration,
    /// Until it sends something, first or next.
    pub silence: Duration,
    /// Before it is asked again, each time that it failed; afresh once more of the file came.
    pub pauses: &'static [Duration],
    /// Until a program writes something, first or next.
    pub stall: Duration,
    /// Until a program is done.
    pub total: Duration,
    /// Bytes that a program may write, and a package may have unpacked.
    pub most: u64,
    /// Whether to stop.
    pub stop: Option<&'a AtomicBool>,
}

impl Default for Patience<'_> {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(60),
            pauses: const {
                &[
                    Duration::from_secs(1),
                    Duration::from_secs(4),
                    Duration::from_secs(16),
                ]
            },
            stall: Duration::from_secs(180),
            total: Duration::from_secs(3600),
            most: LARGEST,
            stop: None,
        }
    }
}

impl Patience<'_> {
    /// An error if it was asked to stop.
    pub fn go_on(&self) -> Result<(), FetchError> {
        match self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            true => Err(FetchError::Stopped),
            false => Ok(()),
        }
    }

    /// Waits for a moment, or for so long if that is shorter.
    pub fn step(&self, longest: Duration) -> Result<(), FetchError> {
        self.go_on()?;
        thread::sleep(longest.min(STEP));
        Ok(())
    }

    /// Waits for so long.
    pub fn pause(&self, pause: Duration) -> Result<(), FetchError> {
        let end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.go_on();
            }
            self.step(left)?;
        }
    }
}
