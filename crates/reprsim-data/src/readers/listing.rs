//! What a folder of class folders holds, without opening a file.
//!
//! With a training part and a held-out one, by the names of `layout`, these hold
//! the class folders. Otherwise a fifth of the images is the test part, each by a
//! hash of its path alone, so that it stays where others are added or the folder is
//! moved. Folders inside a class folder belong to the class.

use std::fs;
use std::path::{Path, PathBuf};

use reprsim_base::sha256;

use super::layout::{Kind, kind_of, parts};
use super::picture::{READ, unread_by_name};
use super::spelling::{alike, look_alike};
use crate::catalog::FOLDER;
use crate::file_state::FileState;
use crate::{DataError, Part, Skipped};

const DEEPEST: usize = 16;
/// One image in so many is held out where the folder has no parts.
const HELD_OUT: u64 = 5;
/// A factor's values are 16-bit.
const MOST_CLASSES: usize = 1 << 16;
/// So many classes are named where those of two parts differ.
const CLASSES_SHOWN: usize = 5;
/// Counts up when the same files give other samples or parts.
const READING: u32 = 2;

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
        sha256(format!("reading {READING}\n{files}{skipped}"))
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
    let folders = walk.folders(root)?;
    let holds_folders = |name: &str| walk.folders(&root.join(name)).is_ok_and(|f| !f.is_empty());
    let mut found: Vec<Found> = Vec::new();
    let divided = match parts(&folders, holds_folders).map_err(setting)? {
        None => {
            walk.classes(root, None, &mut found)?;
            None
        }
        Some(parts) => {
            for name in sorted(root)? {
                if name == parts.train || name == parts.held_out {
                    continue;
                }
                let reason = match kind_of(&name) {
                    Some(_) => format!("a further part; {}/ is the held-out one", parts.held_out),
                    None => "in neither of the parts".into(),
                };
                walk.skip(&root.join(name), reason);
            }
            walk.classes(&root.join(parts.train), Some(Part::Train), &mut found)?;
            walk.classes(&root.join(parts.held_out), Some(Part::Test), &mut found)?;
            Some([parts.train.to_string(), parts.held_out.to_string()])
        }
    };
    let mut classes: Vec<String> = found
        .iter()
        .filter(|f| f.part == Part::Train)
        .map(|f| f.class.clone())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    if !(2..=MOST_CLASSES).contains(&classes.len()) {
        let place = divided.map_or(String::new(), |[train, _]| format!(" in {train}/"));
        return Err(setting(format!(
            "{} class folders with images{place}; a data set has 2 to {MOST_CLASSES}, each a \
             folder of {READ} files",
            classes.len()
        )));
    }
    if let Some((a, b)) = alike(&classes) {
        return Err(setting(format!(
            "the class folders {} and {} look the same, and are two; bring their images together",
            a.escape_default(),
            b.escape_default()
        )));
    }
    if let Some([train, held_out]) = &divided {
        check_names(&found, &classes, train, held_out).map_err(setting)?;
    }
    walk.say_uneven(&mut found, &classes);
    let mut entries: Vec<Entry> = found
        .into_iter()
        .map(|f| Entry {
            class: classes.binary_search(&f.class).unwrap_or(0) as u16,
            part: f.part,
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

/// Refuses held-out classes that are the training part's but for how their names are written, and a
/// held-out part without any class of the training part.
fn check_names(
    found: &[Found],
    classes: &[String],
    train: &str,
    held_out: &str,
) -> Result<(), String> {
    let plain = |name: &str| name.trim().to_lowercase();
    let mut others: Vec<&str> = (found.iter())
        .filter(|f| f.part == Part::Test)
        .map(|f| f.class.as_str())
        .collect();
    others.sort_unstable();
    others.dedup();
    let shared = others.len();
    others.retain(|name| classes.binary_search_by(|c| c.as_str().cmp(name)).is_err());
    let pairs: Vec<(&str, &str)> = (others.iter())
        .filter_map(|name| {
            let means = |class: &&String| plain(class) == plain(name) || look_alike(class, name);
            let meant = classes.iter().find(means)?;
            Some((meant.as_str(), *name))
        })
        .collect();
    if let Some((class, other)) = pairs.first() {
        let more = match pairs.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more such pairs)"),
        };
        return Err(format!(
            "{train}/{class}/ and {held_out}/{other}/ differ by capital letters, spaces or the encoding of accents \
             alone{more}; \
             classes are told by their exact names, so rename one of them"
        ));
    }
    if shared > 0 && others.len() == shared {
        let first = |names: &[&str]| {
            let shown = names[..names.len().min(CLASSES_SHOWN)].join(", ");
            shown
                + if names.len() > CLASSES_SHOWN {
                    ", ..."
                } else {
                    ""
                }
        };
        let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
        return Err(format!(
            "{train}/ and {held_out}/ have no class in common: there are {} and {}; name the class \
             folders of both parts alike",
            first(&classes),
            first(&others)
        ));
    }
    Ok(())
}

/// Whether an image is held out where the folder has no parts: by its path alone.
fn is_held_out(relative: &str) -> bool {
    let hash = u64::from_str_radix(&sha256(relative)[..16], 16);
    hash.is_ok_and(|hash| hash < u64::MAX / HELD_OUT)
}

/// Whether the program itself wrote this folder: a run, or its report moved elsewhere.
fn is_output(dir: &Path) -> bool {
    (dir.join("plan.json").is_file() && dir.join("cells").is_dir())
        || (dir.join("report.html").is_file() && dir.join("figures").is_dir())
}

/// A file, before the classes are numbered.
struct Found {
    relative: String,
    path: PathBuf,
    state: FileState,
    class: String,
    /// The class folder.
    folder: PathBuf,
    part: Part,
}

struct Walk<'a> {
    root: &'a Path,
    skipped: Vec<Skipped>,
}

impl Walk<'_> {
    fn skip(&mut self, path: &Path, reason: impl std::fmt::Display) {
        self.say(path, format!("left out: {reason}"));
    }

    fn say(&mut self, path: &Path, reason: String) {
        self.skipped.push(Skipped {
            path: path.strip_prefix(self.root).unwrap_or(path).to_path_buf(),
            reason,
        });
    }

    /// Names of the folders in `dir` that may hold images.
    fn folders(&self, dir: &Path) -> Result<Vec<String>, DataError> {
        Ok(sorted(dir)?
            .into_iter()
            .map(|name| (dir.join(&name), name))
            .filter(|(path, _)| path.is_dir() && self.unfit(path).is_none())
            .map(|(_, name)| name)
            .collect())
    }

    /// Why nothing at or below `path` is of the data set, if so.
    fn unfit(&self, path: &Path) -> Option<&'static str> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A folder that holds the data set would be read for ever.
        let holds_all = || match (path.canonicalize(), self.root.canonicalize()) {
            (Ok(path), Ok(root)) => root.starts_with(path),
            _ => false,
        };
        if name.starts_with('.') {
            Some("hidden")
        } else if name.contains(char::REPLACEMENT_CHARACTER) && path.symlink_metadata().is_err() {
            Some("its name is not UTF-8: rename it")
        } else if !path.is_dir() {
            None
        } else if is_output(path) {
            Some("written by reprsim")
        } else if path.is_symlink() && holds_all() {
            Some("a link to what it lies in")
        } else {
            None
        }
    }

    /// The class folders in `dir`.
    fn classes(
        &mut self,
        dir: &Path,
        part: Option<Part>,
        found: &mut Vec<Found>,
    ) -> Result<(), DataError> {
        for name in sorted(dir)? {
            let path = dir.join(&name);
            if let Some(reason) = self.unfit(&path) {
                self.skip(&path, reason);
            } else if path.is_dir() {
                self.check_class(&path)?;
                let before = found.len();
                self.files(&path, &path, part, 1, found);
                if found.len() == before {
                    self.skip(&path, "no image in it, so no class");
                }
            } else {
                self.skip(&path, "not in a class folder");
            }
        }
        Ok(())
    }

    /// Refuses a class that holds parts: they would be mixed.
    fn check_class(&self, path: &Path) -> Result<(), DataError> {
        // What cannot be read is said where its files are.
        let names = self.folders(path).unwrap_or_default();
        let of = |train: bool| {
            let is = |name: &&String| kind_of(name).is_some_and(|k| (k == Kind::Train) == train);
            names.iter().find(is)
        };
        let (Some(train), Some(held_out)) = (of(true), of(false)) else {
            return Ok(());
        };
        let name = path.file_name().unwrap_or_default().display();
        Err(DataError::Setting {
            dataset: FOLDER.into(),
            reason: format!(
                "{}: holds {train}/ and {held_out}/; if it is the data set, let path name it, if \
                 it is a class, move its images to {train}/{name}/ and {held_out}/{name}/",
                path.display()
            ),
        })
    }

    /// The images at or below `dir`, all of the class of a folder.
    fn files(
        &mut self,
        dir: &Path,
        folder: &Path,
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
            if let Some(reason) = self.unfit(&path) {
                self.skip(&path, reason);
                continue;
            }
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(e) => {
                    self.skip(&path, format!("cannot be read: {e}"));
                    continue;
                }
            };
            if metadata.is_dir() {
                match depth {
                    _ if path.is_symlink() => self.skip(&path, "a link to a folder"),
                    DEEPEST.. => self.skip(&path, "too deep"),
                    _ => self.files(&path, folder, part, depth + 1, found),
                }
            } else if !metadata.is_file() {
                self.skip(&path, "no file");
            } else if let Some(reason) = unread_by_name(&path) {
                self.skip(&path, reason);
            } else {
                let relative = relative(self.root, &path);
                found.push(Found {
                    state: FileState::of(&metadata),
                    class: name_of(folder),
                    folder: folder.into(),
                    part: part.unwrap_or(match is_held_out(&relative) {
                        true => Part::Test,
                        false => Part::Train,
                    }),
                    relative,
                    path,
                });
            }
        }
    }

    /// Says which classes are in one part alone, and leaves out those that are not
    /// trained on.
    fn say_uneven(&mut self, found: &mut Vec<Found>, classes: &[String]) {
        let held_out = |f: &&Found| f.part == Part::Test;
        let mut probed: Vec<&str> = found
            .iter()
            .filter(held_out)
            .map(|f| f.class.as_str())
            .collect();
        probed.sort_unstable();
        probed.dedup();
        let (mut unprobed, mut untrained) = (vec![], vec![]);
        for of_class in found.chunk_by(|a, b| a.folder == b.folder) {
            let (class, folder) = (&of_class[0].class, &of_class[0].folder);
            let images = of_class.len();
            if classes.binary_search(class).is_err() {
                untrained.push((folder.clone(), images));
            } else if probed.binary_search(&class.as_str()).is_err() {
                unprobed.push((folder.clone(), images));
            }
        }
        for (folder, images) in unprobed {
            self.say(
                &folder,
                format!("trained on, but in no probe: none of the images of the class ({images}) is held out"),
            );
        }
        for (folder, images) in untrained {
            self.skip(
                &folder,
                format!("all images of the class ({images}) are held out, none is trained on"),
            );
        }
        found.retain(|f| classes.binary_search(&f.class).is_ok());
    }
}

fn name_of(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into()
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

    /// What is said of a path.
    fn said(listing: &Listing, path: &str) -> String {
        let found = listing.skipped.iter().find(|s| s.path == Path::new(path));
        found.map_or(String::new(), |s| s.reason.clone())
    }

    fn held_out(listing: &Listing) -> Vec<String> {
        let test = listing.entries.iter().filter(|e| e.part == Part::Test);
        test.map(|e| e.relative.clone()).collect()
    }

    fn of(files: &[String]) -> tempfile::TempDir {
        folder(&files.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn a_fifth_is_held_out_wherever_the_folder_is() {
        let files = [many("cat", 200), many("dog/young", 200)].concat();
        let (a, b) = (of(&files), of(&files));
        let (a, b) = (list(a.path()).unwrap(), list(b.path()).unwrap());
        assert_eq!(a.classes, ["cat", "dog"]);
        assert_eq!(held_out(&a), held_out(&b));
        // Within three standard deviations of a fifth.
        assert!(
            (56..=104).contains(&a.len(Part::Test)),
            "{}",
            a.len(Part::Test)
        );
        let of_dog = held_out(&a)
            .iter()
            .filter(|p| p.starts_with("dog/"))
            .count();
        assert!((23..=57).contains(&of_dog), "{of_dog}");
    }

    /// What differs by how it is written alone is a slip, and is said as that.
    #[test]
    fn classes_that_differ_by_case_alone_are_refused_with_the_reason() {
        let error = |files: &[&str]| {
            let error = list(folder(files).path()).unwrap_err();
            assert!(error.is_usage());
            error.to_string()
        };
        let said = error(&[
            "train/a/1.png",
            "train/b/2.png",
            "test/A/3.png",
            "test/B/4.png",
        ]);
        assert!(
            said.contains("train/a/ and test/A/ differ by capital letters")
                && said.contains("rename"),
            "{said}"
        );
        assert!(said.contains("1 more such pair"), "{said}");
        let said = error(&[
            "train/a/1.png",
            "train/b/2.png",
            "val/a/3.png",
            "val/B /4.png",
        ]);
        assert!(said.contains("train/b/ and val/B /"), "{said}");
        let said = error(&["train/a/1.png", "train/b/2.png", "test/c/3.png"]);
        assert!(
            said.contains("no class in common: there are a, b and c;"),
            "{said}"
        );
        // Two classes of a part may be called so.
        let files = [
            "train/a/1.png",
            "train/A/2.png",
            "test/a/3.png",
            "test/A/4.png",
        ];
        assert_eq!(list(folder(&files).path()).unwrap().classes, ["A", "a"]);
    }

    /// An image that is held out once is held out for ever, whatever is added or removed.
    #[test]
    fn no_image_changes_parts_when_others_come_or_go() {
        let all = [many("cat", 60), many("dog", 60)].concat();
        let whole = of(&all);
        let whole = list(whole.path()).unwrap();
        for step in 2..7 {
            let some: Vec<String> = all.iter().step_by(step).cloned().collect();
            let fewer = of(&some);
            let fewer = list(fewer.path()).unwrap();
            let mut expected = held_out(&whole);
            expected.retain(|path| some.contains(path));
            assert_eq!(held_out(&fewer), expected, "every {step}th");
        }
    }

    #[test]
    fn a_class_in_one_part_alone_is_said() {
        let trained = (0..)
            .map(|i| format!("few/{i}.png"))
            .find(|p| !is_held_out(p));
        let probed = (0..)
            .map(|i| format!("lone/{i}.png"))
            .find(|p| is_held_out(p));
        let mut files = [many("cat", 40), many("dog", 40)].concat();
        files.extend([trained.unwrap(), probed.unwrap()]);
        let dir = of(&files);
        let listing = list(dir.path()).unwrap();
        assert_eq!(listing.classes, ["cat", "dog", "few"]);
        assert_eq!(
            said(&listing, "few"),
            "trained on, but in no probe: none of the images of the class (1) is held out"
        );
        assert!(said(&listing, "lone").contains("all images of the class (1) are held out"));
        assert!(
            listing
                .entries
                .iter()
                .all(|e| !e.relative.starts_with("lone"))
        );
        let dir = folder(&[
            "train/a/1.png",
            "train/b/1.png",
            "train/b/2.png",
            "test/a/1.png",
            "test/c/1.png",
            "test/c/2.png",
        ]);
        let listing = list(dir.path()).unwrap();
        assert_eq!(listing.classes, ["a", "b"]);
        assert!(said(&listing, "train/b").contains("none of the images of the class (2)"));
        assert!(said(&listing, "test/c").contains("all images of the class (2) are held out"));
        assert_eq!(listing.skipped.len(), 2);
    }

    #[test]
    fn parts_are_those_of_the_folder() {
        for (train, held_out) in [
            ("train", "test"),
            ("train", "val"),
            ("train", "validation"),
            ("Training", "Testing"),
            ("TRAIN", "Dev"),
            ("training_set", "test_set"),
        ] {
            let test = format!("{held_out}/a/3.png");
            let odd = format!("{held_out}/c/1.png");
            let [one, two] = ["a/1.png", "b/2.JPEG"].map(|f| format!("{train}/{f}"));
            let dir = folder(&[&one, &two, &test, &odd, "extra/x.png", "readme.md"]);
            let listing = list(dir.path()).unwrap();
            assert_eq!(listing.classes, ["a", "b"]);
            assert_eq!((listing.len(Part::Train), listing.len(Part::Test)), (2, 1));
            assert_eq!(said(&listing, "extra"), "left out: in neither of the parts");
            assert_eq!(
                said(&listing, "readme.md"),
                "left out: in neither of the parts"
            );
        }
    }

    #[test]
    fn of_two_held_out_parts_one_is_used_and_the_other_named() {
        let dir = folder(&[
            "train/a/1.png",
            "train/b/1.png",
            "val/a/2.png",
            "val/b/2.png",
            "test/a/3.png",
            "test/b/3.png",
        ]);
        let listing = list(dir.path()).unwrap();
        assert_eq!(held_out(&listing), ["test/a/3.png", "test/b/3.png"]);
        assert_eq!(
            said(&listing, "val"),
            "left out: a further part; test/ is the held-out one"
        );
        // Labels of the test part are kept back.
        let dir = folder(&[
            "train/a/1.png",
            "train/b/1.png",
            "val/a/2.png",
            "val/b/2.png",
            "test/3.png",
            "test/4.png",
        ]);
        let listing = list(dir.path()).unwrap();
        assert_eq!(held_out(&listing), ["val/a/2.png", "val/b/2.png"]);
        assert_eq!(
            said(&listing, "test"),
            "left out: a further part; val/ is the held-out one"
        );
    }

    #[test]
    fn odd_files_are_listed() {
        let dir = folder(&[
            "a/1.png",
            "a/.hidden.png",
            "a/notes.txt",
            "a/photo.HEIC",
            "a/scan.tif",
            "b/2.jpg",
            "b/3.webp",
            ".git/x",
            "readme.md",
            "empty/x.txt",
        ]);
        fs::create_dir(dir.path().join("hollow")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/nowhere", dir.path().join("b/gone.png")).unwrap();
        let listing = list(dir.path()).unwrap();
        assert_eq!(listing.entries.len(), 3);
        assert_eq!(listing.classes, ["a", "b"]);
        let odd = |path: &str| said(&listing, path);
        assert_eq!(odd("a/.hidden.png"), "left out: hidden");
        assert_eq!(odd(".git"), "left out: hidden");
        assert_eq!(odd("readme.md"), "left out: not in a class folder");
        assert!(odd("a/notes.txt").contains("not an image by its name"));
        assert!(odd("a/photo.HEIC").contains("a HEIC image"));
        assert!(odd("a/scan.tif").contains("a TIFF image"));
        for empty in ["empty", "hollow"] {
            assert_eq!(odd(empty), "left out: no image in it, so no class");
        }
        #[cfg(unix)]
        assert!(odd("b/gone.png").contains("cannot be read"));
        // What concerns more comes first.
        assert_eq!(listing.skipped[0].path, Path::new(".git"));
        assert!(listing.skipped.last().unwrap().path.components().count() == 2);
    }

    /// A run with its report, as `reprsim run` leaves it.
    const RUN: [&str; 4] = [
        "plan.json",
        "cells/0001-ab/result.json",
        "report.html",
        "figures/effects.png",
    ];

    #[test]
    fn what_the_program_wrote_is_no_class() {
        let mut files: Vec<String> = vec!["a/1.png".into(), "b/2.png".into(), "b/c/d/3.png".into()];
        for place in ["runs/first", "a/run", "b/c/run", "whole"] {
            files.extend(RUN.map(|file| format!("{place}/{file}")));
        }
        // A report moved elsewhere.
        files.extend(RUN[2..].iter().map(|file| format!("moved/{file}")));
        let dir = of(&files);
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path().join("whole"), dir.path().join("link")).unwrap();
        let listing = list(dir.path()).unwrap();
        assert_eq!(listing.classes, ["a", "b"]);
        assert_eq!(listing.entries.len(), 3);
        for place in ["runs/first", "a/run", "b/c/run", "whole", "moved"] {
            assert_eq!(
                said(&listing, place),
                "left out: written by reprsim",
                "{place}"
            );
        }
        assert_eq!(
            said(&listing, "runs"),
            "left out: no image in it, so no class"
        );
        #[cfg(unix)]
        assert_eq!(said(&listing, "link"), "left out: written by reprsim");
    }

    #[test]
    #[cfg(unix)]
    fn links_do_not_go_round() {
        let dir = folder(&["data/a/1.png", "data/b/2.png"]);
        let link = |to: &str, name: &str| {
            let data = dir.path().join("data");
            std::os::unix::fs::symlink(data.join(to), data.join(name)).unwrap();
        };
        link(".", "all");
        link("..", "above");
        link("../elsewhere", "c");
        fs::create_dir(dir.path().join("elsewhere")).unwrap();
        fs::write(dir.path().join("elsewhere/3.png"), "x").unwrap();
        let listing = list(&dir.path().join("data")).unwrap();
        assert_eq!(listing.classes, ["a", "b", "c"], "a class may be a link");
        assert_eq!(said(&listing, "all"), "left out: a link to what it lies in");
        assert_eq!(
            said(&listing, "above"),
            "left out: a link to what it lies in"
        );
    }

    #[test]
    fn what_is_no_data_set_is_refused() {
        let text = |files: &[&str]| list(folder(files).path()).unwrap_err().to_string();
        assert!(text(&["a/1.png"]).contains("1 class folders"));
        assert!(text(&["x.txt"]).contains("0 class folders"));
        assert!(text(&["Train/a/1.png", "Train/b/1.png"]).contains("no held-out part"));
        assert!(text(&["Test/a/1.png", "Val/b/1.png"]).contains("no training part"));
        let heaps = text(&["train/1.png", "train/2.png", "test/3.png"]);
        assert!(
            heaps.contains("0 class folders with images in train/"),
            "{heaps}"
        );
        let inside = text(&["cat/Train/1.png", "cat/Test/2.png", "dog/Train/3.png"]);
        assert!(inside.contains("cat: holds Train/ and Test/;"), "{inside}");
        assert!(
            inside.contains("move its images to Train/cat/ and Test/cat/"),
            "{inside}"
        );
        let gone = list(Path::new("/nowhere/at/all")).unwrap_err();
        assert!(gone.to_string().contains("no such folder"), "{gone}");
        assert!(gone.is_usage());
    }

    #[test]
    fn a_change_is_seen() {
        let dir = folder(&["a/1.png", "b/2.png"]);
        let before = list(dir.path()).unwrap();
        fs::write(dir.path().join("b/2.png"), "longer").unwrap();
        let after = list(dir.path()).unwrap();
        assert_ne!(before.state(), after.state());
    }
}
