//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::leftovers::TEMPORARY;

/// Writes `bytes` to `path` under a temporary name beside it and renames, so that
/// a process killed at any moment leaves nothing half-written under the final
/// name. Names of leftovers begin with [`TEMPORARY`].
///
/// # Errors
/// The operating system's.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|e| in_the_way(e.error))?;
    Ok(())
}

/// The error with what to do where a folder is in the way of a file.
pub fn in_the_way(error: io::Error) -> io::Error {
    let folder = "there is a folder, and a file belongs there: move it away";
    match error.kind() {
        kind @ io::ErrorKind::IsADirectory => io::Error::new(kind, folder),
        _ => error,
    }
}

/// Brings all files of a folder and of those in it, and their names, to the disk, so that a power cut
/// leaves none of them empty.
///
/// # Errors
/// The operating system's.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => sync_folder(&entry.path())?,
            kind if kind.is_file() => File::open(entry.path())?.sync_all()?,
            _ => {}
        }
    }
    // Other systems sync names with their files, and open no folders.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// What a file holds that this program wrote: a file, and no larger than `most` bytes.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for what is neither, which is not opened: a pipe would be waited
/// for, and a disk may hold more than memory; else the operating system's.
pub fn read_stored(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let odd = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(odd("it is no file".into()));
    }
    match metadata.len() {
        size if metadata.is_file() && size > most => Err(odd(format!(
            "it has {size} bytes; nothing with so many was written there"
        ))),
        _ => fs::read(path).map_err(in_the_way),
    }
}

/// Renames what cannot be used to `NAME.damaged`, in place of an earlier one, so that it can be
/// looked at, and returns the new name.
///
/// # Errors
/// The operating system's.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".damaged");
    let aside = path.with_file_name(name);
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// A temporary file in the folder of `path`, to be filled and then renamed to it; locked until it is
/// closed.
///
/// # Errors
/// The operating system's.
pub fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // The usual permissions (less the umask), not the private ones of a
    // temporary file: results are there to be shared.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(dir)?;
    // Others tell it by this from one that is left, where the file system can do that.
    let _ = file.as_file().try_lock();
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Names in a folder.
    fn names(dir: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_whole(&path, b"first").unwrap();
        // Who has it open goes on reading the old one.
        let mut open = File::open(&path).unwrap();
        write_whole(&path, b"2").unwrap();
        let mut old = String::new();
        open.read_to_string(&mut old).unwrap();
        assert_eq!(
            (old.as_str(), fs::read(&path).unwrap()),
            ("first", b"2".to_vec())
        );
        assert_eq!(names(dir.path()), ["a"], "nothing else is left");
    }

    #[test]
    fn what_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        // A folder under the name stops even an administrator.
        let path = dir.path().join("a");
        fs::create_dir_all(path.join("x")).unwrap();
        write_whole(&path, b"first").unwrap_err();
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(names(&path), ["x"]);
        let error = write_whole(&dir.path().join("no/folder"), b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        // Filled in part and given up: the old file stands and no other is left.
        let path = dir.path().join("b");
        write_whole(&path, b"old").unwrap();
        let mut begun = temporary_beside(&path).unwrap();
        begun.write_all(b"ne").unwrap();
        assert_eq!(names(dir.path()).len(), 3);
        drop(begun);
        assert_eq!(names(dir.path()), ["a", "b"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn what_is_set_aside_keeps_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for content in ["first", "second"] {
            write_whole(&path, content.as_bytes()).unwrap();
            let aside = set_aside(&path).unwrap();
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
        }
        assert_eq!(names(dir.path()), ["a.json.damaged"]);
        assert!(set_aside(&path).is_err());
        sync_folder(dir.path()).unwrap();
    }

    #[test]
    fn a_bare_name_is_in_the_folder_of_the_process() {
        let file = temporary_beside(Path::new("a")).unwrap();
        let here = std::env::current_dir().unwrap();
        let place = file.path().canonicalize().unwrap();
        assert_eq!(place.parent(), Some(here.canonicalize().unwrap().as_path()));
    }

    #[test]
    #[cfg(unix)]
    fn others_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, usual) = (dir.path().join("a"), dir.path().join("b"));
        write_whole(&path, b"x").unwrap();
        fs::write(&usual, "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&usual));
    }
}
