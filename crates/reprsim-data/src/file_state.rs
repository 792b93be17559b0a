//! What tells that a file was not touched, without reading it.

use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Size, times and place of a file. The time of the last change of any kind and the number of
/// the file, where the system has them, also tell when a file was replaced by one of the same size
/// whose time of writing was set back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileState {
    pub bytes: u64,
    /// Nanoseconds since 1970.
    modified: String,
    /// The same, and the number of the file.
    changed: Option<(String, u64)>,
}

impl FileState {
    pub fn of(metadata: &Metadata) -> Self {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let modified = metadata.modified().ok().and_then(since);
        Self {
            bytes: metadata.len(),
            modified: modified.map_or(String::new(), |time| time.as_nanos().to_string()),
            changed: changed(metadata),
        }
    }
}

#[cfg(unix)]
fn changed(metadata: &Metadata) -> Option<(String, u64)> {
    use std::os::unix::fs::MetadataExt;
    let time = format!("{}.{:09}", metadata.ctime(), metadata.ctime_nsec());
    Some((time, metadata.ino()))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<(String, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    #[cfg(unix)]
    fn equal_size_and_time_of_writing_are_not_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let state = || FileState::of(&fs::metadata(&path).unwrap());
        fs::write(&path, "one").unwrap();
        let (before, time) = (state(), fs::metadata(&path).unwrap().modified().unwrap());
        assert_eq!(state(), before);
        // Clocks of file systems tick some milliseconds apart.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, "two").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), time);
        assert_ne!(state(), before);
    }
}
