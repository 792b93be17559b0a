//! Temporary files that killed processes left.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reprsim_base::temporary_beside;
use tempfile::NamedTempFile;

/// How the names of temporary files begin.
const TEMPORARY: &str = ".tmp";
/// A file is made before it is locked.
const YOUNG: Duration = Duration::from_secs(60);

/// A temporary file in the folder of `path` that others can tell from one that is left: it
/// is locked until it is closed, where the file system can do that.
pub(crate) fn held_temporary(path: &Path) -> io::Result<NamedTempFile> {
    let file = temporary_beside(path)?;
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Temporary files in a folder that no process holds, in order.
pub(crate) fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY))
        .map(|entry| entry.path())
        .filter(|path| is_left(path))
        .collect();
    found.sort_unstable();
    found
}

/// Whether nobody holds a file, and nobody just made it. Where that cannot be told, somebody
/// does.
fn is_left(path: &Path) -> bool {
    let age = |file: &File| file.metadata().ok()?.modified().ok()?.elapsed().ok();
    File::open(path)
        .is_ok_and(|file| age(&file).is_some_and(|age| age > YOUNG) && file.try_lock().is_ok())
}

/// Removes those files; nothing depends on it.
pub(crate) fn sweep(dir: &Path) {
    for path in leftovers(dir) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_nobody_holds_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * YOUNG;
        let make = |name: &str, modified: SystemTime| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(modified).unwrap();
            file
        };
        let held = make(".tmpheld", old);
        held.lock().unwrap();
        make(".tmpyoung", SystemTime::now());
        make(".tmpleft", old);
        make("data", old);
        sweep(dir.path());
        let mut names: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort_unstable();
        assert_eq!(names, [".tmpheld", ".tmpyoung", "data"]);
        let own = held_temporary(&dir.path().join("x")).unwrap();
        own.as_file().set_modified(old).unwrap();
        drop(held);
        assert_eq!(leftovers(dir.path()), [dir.path().join(".tmpheld")]);
    }
}
