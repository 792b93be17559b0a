//! One fetch of a data set at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::error::FetchError;
use super::event::FetchEvent;
use super::patience::Patience;

/// The lock of a data set, which is freed when it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct SetLock {
    _held: File,
}

impl SetLock {
    fn open(cache: &Path, name: &str) -> io::Result<File> {
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(cache.join(format!(".{name}.lock")))
    }

    /// That of the data set called `name`, when nobody else has it any more; none where there
    /// can be no lock.
    ///
    /// # Errors
    /// [`FetchError::Stopped`].
    pub(super) fn wait(
        cache: &Path,
        name: &str,
        patience: &Patience<'_>,
        event: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<Option<Self>, FetchError> {
        let mut said = false;
        let reason = loop {
            let file = match Self::open(cache, name) {
                Ok(file) => file,
                Err(reason) => break reason,
            };
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _held: file })),
                Err(TryLockError::WouldBlock) if !said => {
                    said = true;
                    event(FetchEvent::Waiting);
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(reason)) => break reason,
            }
            patience.step(Duration::MAX)?;
        };
        event(FetchEvent::Unlocked(reason.to_string()));
        Ok(None)
    }

    /// The same unless somebody else has it, which is an error.
    pub fn at_once(cache: &Path, name: &str) -> Result<Option<Self>, Taken> {
        let Ok(file) = Self::open(cache, name) else {
            return Ok(None);
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _held: file })),
            Err(TryLockError::WouldBlock) => Err(Taken),
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }
}

/// Somebody else has the lock.
#[derive(Debug)]
pub(crate) struct Taken;
