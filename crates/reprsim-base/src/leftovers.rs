//! What processes leave: temporary files of killed ones, and what else can go.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How names of temporary files begin.
pub const TEMPORARY: &str = ".tmp";
/// A file is made before it is locked.
const YOUNG: Duration = Duration::from_secs(60);

/// Temporary files in a folder that no process holds, in order. Whoever writes one holds a lock on
/// it ([`temporary_beside`](crate::temporary_beside)); where `ours` is true nobody else may be writing
/// in the folder, and all count.
pub fn leftovers(folder: &Path, ours: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY))
        .map(|entry| entry.path())
        .filter(|path| ours || is_left(path))
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
pub fn sweep(folder: &Path, ours: bool) {
    for path in leftovers(folder, ours) {
        let _ = fs::remove_file(path);
    }
}

/// What is in a folder, in order; nothing if it is not there.
///
/// # Errors
/// The operating system's.
pub fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        listed => listed?,
    };
    let mut found = listed
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    found.sort_unstable();
    Ok(found)
}

/// Bytes of a file, or of all files at or below a folder; none of what is gone.
///
/// # Errors
/// The operating system's.
pub fn size_of(path: &Path) -> io::Result<u64> {
    let metadata = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        metadata => metadata?,
    };
    match metadata.is_dir() {
        true => entries(path)?.iter().map(|path| size_of(path)).sum(),
        false => Ok(metadata.len()),
    }
}

/// Removes a file, or a folder with all in it; that it is gone already is no error.
///
/// # Errors
/// The operating system's.
pub fn remove(path: &Path) -> io::Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let removed = match is_folder {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::temporary_beside;

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
        sweep(dir.path(), false);
        let names = || -> Vec<String> {
            let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
            entries(dir.path()).unwrap().into_iter().map(name).collect()
        };
        assert_eq!(names(), [".tmpheld", ".tmpyoung", "data"]);
        let own = temporary_beside(&dir.path().join("x")).unwrap();
        own.as_file().set_modified(old).unwrap();
        drop(held);
        assert_eq!(leftovers(dir.path(), false), [dir.path().join(".tmpheld")]);
        sweep(dir.path(), true);
        assert_eq!(names(), ["data"]);
    }

    #[test]
    fn sizes_are_of_all_below_and_what_is_gone_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a");
        fs::create_dir_all(folder.join("b")).unwrap();
        fs::write(folder.join("x"), "123").unwrap();
        fs::write(folder.join("b/y"), "4567").unwrap();
        assert_eq!(size_of(&folder).unwrap(), 7);
        for _ in 0..2 {
            remove(&folder).unwrap();
        }
        assert_eq!(size_of(&folder).unwrap(), 0);
        assert!(entries(&folder).unwrap().is_empty());
    }
}
