//! Files in the local cache of a hub of models, in the layout in which its own programs keep them:
//! `models--OWNER--NAME/refs/main` holds a revision, `snapshots/REVISION/` its files.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::WeightsError;

/// How an entry begins that is one of a hub's.
pub(super) const PREFIX: &str = "hub:";
/// Files that are taken where none is named.
const USUAL: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
/// The revision that is taken.
const REVISION: &str = "main";

/// The file that `OWNER/NAME` or `OWNER/NAME/FILE` means in a hub's cache. Nothing is fetched.
///
/// # Errors
/// [`WeightsError`] with the folder that was looked in and how the file gets there.
pub(super) fn in_hub(wanted: &str, cache: &Path) -> Result<PathBuf, WeightsError> {
    let mut parts = wanted.splitn(3, '/');
    let (owner, name, file) = (parts.next(), parts.next(), parts.next());
    // Nothing that is named leads out of the cache.
    let plain = |part: &&str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    let (Some(owner), Some(name)) = (owner.filter(plain), name.filter(plain)) else {
        return Err(WeightsError::Hub(wanted.into()));
    };
    if file.is_some_and(|file| !file.split('/').all(|part| plain(&part))) {
        return Err(WeightsError::Hub(wanted.into()));
    }
    let missing = |looked_in: PathBuf, there: Vec<String>| WeightsError::NotInHub {
        model: format!("{owner}/{name}"),
        file: file.unwrap_or(USUAL[0]).into(),
        looked_in,
        there: match there.is_empty() {
            true => String::new(),
            false => format!(", which holds {}", there.join(", ")),
        },
    };
    let model = cache.join(format!("models--{owner}--{name}"));
    let Ok(revision) = fs::read_to_string(model.join("refs").join(REVISION)) else {
        return Err(missing(model, vec![]));
    };
    let revision = revision.trim();
    if !plain(&revision) || revision.contains('/') {
        return Err(missing(model, vec![]));
    }
    let snapshot = model.join("snapshots").join(revision);
    let mut candidates = match &file {
        Some(file) => vec![snapshot.join(file)],
        None => USUAL.map(|file| snapshot.join(file)).into(),
    };
    match candidates.iter().position(|path| path.is_file()) {
        Some(place) => Ok(candidates.swap_remove(place)),
        None => {
            let entries = fs::read_dir(&snapshot).into_iter().flatten().flatten();
            let mut there: Vec<String> = entries
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            there.sort_unstable();
            Err(missing(snapshot, there))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_the_hub_keeps_them() {
        let cache = tempfile::tempdir().unwrap();
        let of = |wanted: &str| in_hub(wanted, cache.path());
        let error = of("owner/name").unwrap_err().to_string();
        for said in [
            "models--owner--name",
            "hf download owner/name model.safetensors",
        ] {
            assert!(error.contains(said), "{error}");
        }
        let model = cache.path().join("models--owner--name");
        let snapshot = model.join("snapshots/abc123");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir(model.join("refs")).unwrap();
        fs::write(model.join("refs/main"), "abc123\n").unwrap();
        fs::write(snapshot.join("config.json"), "{}").unwrap();
        let error = of("owner/name").unwrap_err().to_string();
        assert!(error.contains("which holds config.json"), "{error}");
        fs::write(snapshot.join("pytorch_model.bin"), "x").unwrap();
        assert!(
            of("owner/name")
                .unwrap()
                .ends_with("abc123/pytorch_model.bin")
        );
        fs::write(snapshot.join("model.safetensors"), "x").unwrap();
        assert!(
            of("owner/name")
                .unwrap()
                .ends_with("abc123/model.safetensors")
        );
        fs::create_dir(snapshot.join("inner")).unwrap();
        fs::write(snapshot.join("inner/a.pth"), "x").unwrap();
        assert!(
            of("owner/name/inner/a.pth")
                .unwrap()
                .ends_with("abc123/inner/a.pth")
        );
        assert!(of("owner/name/b.pth").is_err());
        for odd in [
            "name",
            "",
            "owner/",
            "../name",
            "owner/name/../../x",
            "owner/name//x",
        ] {
            let error = of(odd).unwrap_err();
            assert!(matches!(error, WeightsError::Hub(_)), "{odd}: {error}");
        }
    }
}
