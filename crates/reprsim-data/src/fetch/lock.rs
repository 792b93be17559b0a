//! One fetch of a data set at a time.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::event::FetchEvent;

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
    pub fn wait(cache: &Path, name: &str, event: &mut dyn FnMut(FetchEvent<'_>)) -> Option<Self> {
        let locked = Self::open(cache, name).and_then(|file| match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                event(FetchEvent::Waiting);
                file.lock().map(|()| file)
            }
            Err(TryLockError::Error(reason)) => Err(reason),
        });
        match locked {
            Ok(file) => Some(Self { _held: file }),
            Err(reason) => {
                event(FetchEvent::Unlocked(reason.to_string()));
                None
            }
        }
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
