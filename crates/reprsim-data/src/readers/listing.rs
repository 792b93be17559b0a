//! What a folder of class folders holds, without opening a file.
//!
//! With `train/` and one of `test/`, `val/`, `validation/`, these are the parts
//! and hold the class folders. Otherwise a fifth of each class is the test part,
//! chosen by a hash of the path, so that it stays where files are added or the
//! folder is moved. Folders inside a class folder belong to the class.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reprsim_base::sha256;

use crate::catalog::FOLDER;
use crate::file_state::FileState;
use crate::{DataError, Part, Skipped};

const HELD_OUT_NAMES: [&str; 3] = ["test", "val", "validation"];
const DEEPEST: usize = 16;
/// One image in so many of a class is held out where the folder has no parts.
const HELD_OUT: usize = 5;
/// A factor's values are 16-bit.
const MOST_CLASSES: usize = 1 << 16;

/// One file that is an image by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the folder, with `/`, whatever the system.
    pub relative: String,
    pub path: PathBuf,
    pub state: FileState,
    pub class: u16,
    pub part: Part,
}

/// The content of a folder, in the order of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    pub classes: Vec<String>,
    pub entries: Vec<Entry>,
    pub skipped: Vec<Skipped>,
}

impl Listing {
    /// Images in a part; some may turn out to be unreadable.
    pub fn len(&self, part: Part) -> usize {
        self.entries.iter().filter(|e| e.part == part).count()
    }

    /// Tells on this machine that nothing was touched: paths and the state of each file.
    pub fn state(&self) -> String {
        let files: String = self
            .entries
            .iter()
            .map(|e| format!("{} {:?}\n", e.relative, e.state))
            .collect();
        let skipped: String = self
            .skipped
            .iter()
            .map(|s| format!("{} {}\n", s.path.display(), s.reason))
            .collect();
        sha256(files + &skipped)
    }
}

/// Lists a folder.
pub(crate) fn list(root: &Path) -> Result<Listing, DataError> {
    let setting = |reason: String| DataError::Setting {
        dataset: FOLDER.into(),
        reason: format!("{}: {reason}", root.display()),
    };
    if !root.is_dir() {
        return Err(setting(
            "no such folder; path must name a folder that holds one folder of images per class"
                .into(),
        ));
    }
    let mut walk = Walk {
        root,
        skipped: vec![],
    };
    let held_out = HELD_OUT_NAMES.iter().find(|name| root.join(name).is_dir());
    let train = root.join("train");
    let mut found: Vec<Found> = Vec::new();
    match held_out {
        Some(held_out) if train.is_dir() => {
            for name in walk.folders(root, &["train", *held_out])? {
                walk.skip(&root.join(name), "neither of the parts");
            }
            walk.classes(&train, Some(Part::Train), &mut found)?;
            walk.classes(&root.join(held_out), Some(Part::Test), &mut found)?;
        }
        _ if train.is_dir() && !walk.folders(&train, &[])?.is_empty() => {
            return Err(setting(
                "holds train/ but none of test/, val/, validation/; add one of them, or let \
                 path be the train folder itself"
                    .into(),
            ));
        }
        _ => walk.classes(root, None, &mut found)?,
    }
    let mut classes: Vec<String> = found
        .iter()
        .filter(|f| f.part != Some(Part::Test))
        .map(|f| f.class.clone())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        return Err(setting(format!(
            "{} class folders with PNG or JPEG images; a data set has 2 to {MOST_CLASSES}",
            classes.len()
        )));
    }
    found.retain(|f| {
        let known = classes.binary_search(&f.class).is_ok();
        if !known {
            walk.skip(&f.path, "its class has no folder in train/");
        }
        known
    });
    let held_out = fifth(&found);
    let mut entries: Vec<Entry> = found
        .into_iter()
        .map(|f| Entry {
            class: classes.binary_search(&f.class).unwrap_or(0) as u16,
            part: f.part.unwrap_or(if held_out.contains(&f.relative) {
                Part::Test
            } else {
                Part::Train
            }),
            relative: f.relative,
            path: f.path,
            state: f.state,
        })
        .collect();
    entries.sort_by(|a, b| (a.class, &a.relative).cmp(&(b.class, &b.relative)));
    let mut skipped = walk.skipped;
    skipped.sort();
    Ok(Listing {
        classes,
        entries,
        skipped,
    })
}

/// Paths of a fifth of each class, rounded down, by the hash of the path.
fn fifth(found: &[Found]) -> BTreeSet<String> {
    let mut classes: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
    for file in found {
        classes
            .entry(&file.class)
            .or_default()
            .push((sha256(&file.relative), &file.relative));
    }
    classes
        .into_values()
        .flat_map(|mut files| {
            files.sort_unstable();
            files.truncate(files.len() / HELD_OUT);
            files.into_iter().map(|(_, path)| path.to_string())
        })
        .collect()
}

/// A file, before the classes are numbered.
struct Found {
    relative: String,
    path: PathBuf,
    state: FileState,
    class: String,
    part: Option<Part>,
}

struct Walk<'a> {
    root: &'a Path,
    skipped: Vec<Skipped>,
}

impl Walk<'_> {
    fn skip(&mut self, path: &Path, reason: impl Into<String>) {
        self.skipped.push(Skipped {
            path: path.strip_prefix(self.root).unwrap_or(path).to_path_buf(),
            reason: reason.into(),
        });
    }

    /// Names of the visible folders in `dir` but `except`.
    fn folders(&self, dir: &Path, except: &[&str]) -> Result<Vec<String>, DataError> {
        Ok(sorted(dir)?
            .into_iter()
            .filter(|name| !name.starts_with('.') && !except.contains(&name.as_str()))
            .filter(|name| dir.join(name).is_dir())
            .collect())
    }

    /// The class folders in `dir`. A folder without an image is no class.
    fn classes(
        &mut self,
        dir: &Path,
        part: Option<Part>,
        found: &mut Vec<Found>,
    ) -> Result<(), DataError> {
        for name in sorted(dir)? {
            let path = dir.join(&name);
            if name.starts_with('.') {
                self.skip(&path, "hidden");
            } else if path.is_dir() {
                self.files(&path, &name, part, 1, found);
            } else {
                self.skip(&path, "not in a class folder");
            }
        }
        Ok(())
    }

    /// The images at or below `dir`, all of one class.
    fn files(
        &mut self,
        dir: &Path,
        class: &str,
        part: Option<Part>,
        depth: usize,
        found: &mut Vec<Found>,
    ) {
        let names = match sorted(dir) {
            Ok(names) => names,
            Err(e) => return self.skip(dir, format!("cannot be read: {e}")),
        };
        for name in names {
            let path = dir.join(&name);
            if name.starts_with('.') {
                self.skip(&path, "hidden");
                continue;
            }
            let linked = path.is_symlink();
            match fs::metadata(&path) {
                Err(e) => self.skip(&path, format!("cannot be read: {e}")),
                Ok(m) if m.is_dir() && linked => self.skip(&path, "a link to a folder"),
                Ok(m) if m.is_dir() && depth >= DEEPEST => self.skip(&path, "too deep"),
                Ok(m) if m.is_dir() => self.files(&path, class, part, depth + 1, found),
                Ok(m) if m.is_file() && is_image(&path) => found.push(Found {
                    relative: relative(self.root, &path),
                    state: FileState::of(&m),
                    path,
                    class: class.into(),
                    part,
                }),
                Ok(_) => self.skip(&path, "not a PNG or JPEG image by its name"),
            }
        }
    }
}

fn sorted(dir: &Path) -> Result<Vec<String>, DataError> {
    let failed = |e| DataError::io(dir, e);
    let mut names = fs::read_dir(dir)
        .map_err(failed)?
        .map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into()))
        .collect::<Result<Vec<String>, DataError>>()?;
    names.sort_unstable();
    Ok(names)
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["png", "jpg", "jpeg"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        dir
    }

    fn many(prefix: &str, n: usize) -> Vec<String> {
        (0..n).map(|i| format!("{prefix}/{i}.png")).collect()
    }

    #[test]
    fn a_fifth_of_each_class_is_held_out_and_stays_so() {
        let mut files = many("cat", 20);
        files.extend(many("dog/young", 12));
        files.extend(many("few", 4));
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let (a, b) = (folder(&files), folder(&files));
        let (a, b) = (list(a.path()).unwrap(), list(b.path()).unwrap());
        assert_eq!(a.classes, ["cat", "dog", "few"]);
        assert_eq!((a.len(Part::Train), a.len(Part::Test)), (30, 6));
        let test = |l: &Listing| -> Vec<String> {
            let test = l.entries.iter().filter(|e| e.part == Part::Test);
            test.map(|e| e.relative.clone()).collect()
        };
        assert_eq!(test(&a), test(&b), "the place of the folder does not count");
        let of_dog = test(&a).iter().filter(|p| p.starts_with("dog/")).count();
        assert_eq!(of_dog, 2);
    }

    #[test]
    fn parts_are_those_of_the_folder() {
        for held_out in HELD_OUT_NAMES {
            let test = format!("{held_out}/a/3.png");
            let odd = format!("{held_out}/c/1.png");
            let dir = folder(&[
                "train/a/1.png",
                "train/b/2.JPEG",
                &test,
                &odd,
                "extra/x.png",
            ]);
            let listing = list(dir.path()).unwrap();
            assert_eq!(listing.classes, ["a", "b"]);
            assert_eq!((listing.len(Part::Train), listing.len(Part::Test)), (2, 1));
            let skipped: Vec<String> = listing
                .skipped
                .iter()
                .map(|s| s.path.display().to_string())
                .collect();
            assert_eq!(skipped, ["extra".to_string(), odd]);
        }
    }

    #[test]
    fn odd_files_are_listed() {
        let dir = folder(&[
            "a/1.png",
            "a/.hidden.png",
            "a/notes.txt",
            "b/2.jpg",
            ".git/x",
            "readme.md",
            "empty/x.txt",
        ]);
        #[cfg(unix)]
        std::os::unix::fs::symlink("/nowhere", dir.path().join("b/gone.png")).unwrap();
        let listing = list(dir.path()).unwrap();
        assert_eq!(listing.entries.len(), 2);
        assert_eq!(listing.classes, ["a", "b"]);
        let odd = |path: &str| {
            let found = listing.skipped.iter().find(|s| s.path == Path::new(path));
            found.unwrap().reason.clone()
        };
        assert_eq!(odd("a/.hidden.png"), "hidden");
        assert_eq!(odd(".git"), "hidden");
        assert_eq!(odd("readme.md"), "not in a class folder");
        assert!(odd("a/notes.txt").contains("not a PNG or JPEG"));
        #[cfg(unix)]
        assert!(odd("b/gone.png").contains("cannot be read"));
    }

    #[test]
    fn what_is_no_data_set_is_refused() {
        let text = |files: &[&str]| list(folder(files).path()).unwrap_err().to_string();
        assert!(text(&["a/1.png"]).contains("1 class folders"));
        assert!(text(&["x.txt"]).contains("0 class folders"));
        assert!(text(&["train/a/1.png", "train/b/1.png"]).contains("none of test/"));
        let gone = list(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(gone.to_string().contains("no such folder"), "{gone}");
        assert!(gone.is_usage());
    }

    #[test]
    fn a_change_is_seen() {
        let dir = folder(&["a/1.png", "b/2.jpg"]);
        let before = list(dir.path()).unwrap();
        fs::write(dir.path().join("b/2.jpg"), "longer").unwrap();
        let after = list(dir.path()).unwrap();
        assert_ne!(before.state(), after.state());
    }
}
