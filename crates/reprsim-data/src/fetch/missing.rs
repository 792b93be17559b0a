//! Fetches what is missing of a data set.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use reprsim_base::sweep;

use super::error::{Attempt, Attempts, FetchError};
use super::event::FetchEvent;
use super::lock::SetLock;
use super::package::WORKING;
use super::patience::Patience;
use super::source::{from_source, may_have, package_folder, part};
use super::wanted::Wanted;
use crate::DataError;
use crate::card::{Card, CardFile, Source};
use crate::weights::WeightsCard;

/// Fetches every missing or damaged file of `card` into `cache/NAME/`. Of several fetches
/// at once one does it, and the others wait. Once `stop` is set it ends; what has come of a file
/// stays.
///
/// # Errors
/// [`DataError::Fetch`], naming each source that was tried, why it failed and
/// what to do without a network; [`DataError::Io`] if the cache cannot be
/// written; [`DataError::Stopped`].
pub fn fetch(
    card: &Card,
    cache: &Path,
    stop: &AtomicBool,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), DataError> {
    fetch_with(&Wares::of(card), cache, &until(stop), event)
}

/// The same of weights that have a card, into `cache/weights/NAME/`.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_weights(
    card: &WeightsCard,
    cache: &Path,
    stop: &AtomicBool,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), DataError> {
    let folder = WeightsCard::folder(cache);
    fetch_with(&Wares::of_weights(card), &folder, &until(stop), event)
}

/// The usual patience, until it is asked to stop.
fn until(stop: &AtomicBool) -> Patience<'_> {
    Patience {
        stop: Some(stop),
        ..Patience::default()
    }
}

/// Files that come together, from the same places.
struct Wares<'a> {
    /// What they are, in words.
    what: &'static str,
    name: &'a str,
    files: &'a [CardFile],
    sources: &'a [Source],
}

impl<'a> Wares<'a> {
    fn of(card: &'a Card) -> Self {
        Self {
            what: "data set",
            name: &card.name,
            files: &card.files,
            sources: &card.sources,
        }
    }

    fn of_weights(card: &'a WeightsCard) -> Self {
        Self {
            what: "weights",
            name: &card.name,
            files: std::slice::from_ref(&card.file),
            sources: &card.sources,
        }
    }
}

fn fetch_with(
    card: &Wares<'_>,
    cache: &Path,
    patience: &Patience<'_>,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> Result<(), DataError> {
    let dir = cache.join(card.name);
    fs::create_dir_all(&dir).map_err(|e| DataError::io(&dir, e))?;
    // It waits for nothing but that.
    let lock = SetLock::wait(cache, card.name, patience, event).map_err(|_| DataError::Stopped)?;
    if lock.is_some() {
        sweep(&dir, false);
        sweep_working_folders(&dir);
    }
    for file in card.files {
        let target = dir.join(&file.name);
        let wanted = Wanted::of(file, &target);
        if let Some(sum) = wanted.is_at(&target) {
            if !wanted.record(&target, &sum, event)? {
                event(FetchEvent::Present(&file.name));
            }
            continue;
        }
        if target.exists() {
            event(FetchEvent::Anew(&file.name));
        }
        let mut attempts = Attempts::default();
        let mut done = false;
        for source in card.sources.iter().filter(|s| may_have(s, file)) {
            let (from, got) = bring(source, &wanted, &dir, patience, event);
            match got {
                Ok(sum) => {
                    if !wanted.record(&target, &sum, event)? {
                        event(FetchEvent::Done(&file.name));
                    }
                    done = true;
                    break;
                }
                Err(FetchError::Stopped) => return Err(DataError::Stopped),
                Err(source) => attempts.0.push(Attempt { from, source }),
            }
        }
        if !done {
            return Err(DataError::Fetch {
                what: card.what,
                name: card.name.to_string(),
                file: file.name.clone(),
                attempts: Box::new(attempts),
                target,
                sha256: wanted.sha256,
            });
        }
    }
    // All is there: what files were made of is not needed any more.
    if lock.is_some() {
        for source in card.sources {
            package_folder(source, &dir).map(fs::remove_dir_all);
            for file in card.files {
                let _ = fs::remove_file(part(source, file, &dir));
            }
        }
    }
    Ok(())
}

/// Brings a file from one source to its place; the source's name for messages, and the
/// file's checksum. Where it is not right and some of it was there from before, it is
/// brought once more without that.
fn bring(
    source: &Source,
    wanted: &Wanted<'_>,
    dir: &Path,
    patience: &Patience<'_>,
    event: &mut dyn FnMut(FetchEvent<'_>),
) -> (String, Result<String, FetchError>) {
    let target = dir.join(&wanted.file.name);
    let mut try_again = true;
    loop {
        let (from, got) = from_source(source, wanted.file, dir, patience, event);
        let came = match got {
            Ok(came) => came,
            Err(error) => return (from, Err(error)),
        };
        let accepted = wanted.accept(&came, &target);
        match (&accepted, &came.from_before) {
            (Err(_), Some(before)) if try_again => {
                event(FetchEvent::Anew(&wanted.file.name));
                let _ = match before.is_dir() {
                    true => fs::remove_dir_all(before),
                    false => fs::remove_file(before),
                };
                try_again = false;
            }
            _ => return (from, accepted),
        }
    }
}

/// Removes the folders of programs that a killed fetch left; whoever has the lock of the
/// data set knows that no other fetch is on.
fn sweep_working_folders(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(WORKING) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::card::CardText;
    use crate::card::tests::text_card;
    use reprsim_base::sha256;

    const QUICK: Patience<'_> = Patience {
        connect: Duration::from_secs(5),
        silence: Duration::from_millis(400),
        pauses: &[Duration::from_millis(5); 3],
        stall: Duration::from_secs(5),
        total: Duration::from_secs(20),
        most: 1 << 30,
        stop: None,
    };
    const ONCE: Patience<'_> = Patience {
        pauses: &[],
        ..QUICK
    };

    fn fetch(
        card: &Card,
        cache: &Path,
        event: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<(), DataError> {
        fetch_with(&Wares::of(card), cache, &ONCE, event)
    }

    /// What each request asked to begin at, in their order.
    type Starts = Arc<Mutex<Vec<usize>>>;

    /// A server whose answers `answer` writes: to the n-th request, from 0, which asks for
    /// what is from a byte on.
    fn scripted(
        answer: impl Fn(usize, usize, &mut TcpStream) + Send + 'static,
    ) -> (String, Starts) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let starts = Starts::default();
        let seen = Arc::clone(&starts);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
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
                seen.lock().unwrap().push(start);
                answer(number, start, &mut stream);
            }
        });
        (address, starts)
    }

    /// Answers with `body` from byte `start` on, as the protocol says.
    fn send(stream: &mut TcpStream, status: &str, more: &str, promised: usize, body: &[u8]) {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {promised}\r\n{more}Connection: close\r\n\r\n"
        );
        // The other side may have had enough.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(body);
    }

    fn send_from(stream: &mut TcpStream, body: &[u8], start: usize, cut: usize) {
        let rest = &body[start..];
        let (status, more) = match start {
            0 => ("200 OK", String::new()),
            _ => (
                "206 Partial Content",
                format!(
                    "Content-Range: bytes {start}-{}/{}\r\n",
                    body.len() - 1,
                    body.len()
                ),
            ),
        };
        send(
            stream,
            status,
            &more,
            rest.len(),
            &rest[..cut.min(rest.len())],
        );
    }

    /// Serves `body` at every path; honours Range; sends at most `cut` bytes of
    /// the first answer while promising all of it.
    fn server(body: Vec<u8>, cut: Option<usize>) -> String {
        let (address, _) = scripted(move |number, start, stream| {
            let cut = cut.filter(|_| number == 0).unwrap_or(usize::MAX);
            send_from(stream, &body, start, cut);
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

    /// Of weights the beginning of a sum is published, which is held to; they lie beside data sets.
    #[test]
    fn weights_are_checked_by_what_is_known_of_their_sum() {
        let content = noise(300_000);
        let cache = tempfile::tempdir().unwrap();
        let weights = |base: String, sum: &str| WeightsCard {
            file: CardFile {
                name: "data".into(),
                bytes: None,
                sha256: Some(sum.into()),
            },
            sources: vec![Source::Url {
                base,
                suffix: String::new(),
            }],
            ..crate::weights_cards()[0].clone()
        };
        let bring = |card: &WeightsCard| {
            let wares = Wares::of_weights(card);
            let folder = WeightsCard::folder(cache.path());
            fetch_with(&wares, &folder, &ONCE, &mut |_| {})
        };
        let known = &sha256(&content)[..8];
        let other = weights(server(content.clone(), None), "00000000");
        let error = bring(&other).unwrap_err();
        assert!(!error.is_usage());
        let (said, path) = (error.to_string(), other.path(cache.path()));
        assert!(said.contains("wrong checksum") && !path.exists(), "{said}");
        // A port that nobody listens to, as without a network.
        let nobody = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = bring(&weights(format!("http://{nobody}/models"), known)).unwrap_err();
        for said in [
            format!("weights '{}'", other.name),
            format!("http://{nobody}/models/data"),
            format!("put the file at {}", path.display()),
            format!("its SHA-256 must begin with {known}"),
        ] {
            assert!(error.to_string().contains(&said), "{said}: {error}");
        }
        // Half of it comes, then the rest.
        let broken = weights(server(content.clone(), Some(100_000)), known);
        assert!(bring(&broken).is_err());
        bring(&broken).unwrap();
        assert_eq!(fs::read(broken.path(cache.path())).unwrap(), content);
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

    /// A stop ends a download, a pause and a wait for the lock; what came stays for the next.
    #[test]
    fn a_stop_leaves_what_has_come() {
        let content = noise(400_000);
        let body = content.clone();
        let (address, starts) = scripted(move |number, start, stream| match number {
            0 => {
                send(stream, "200 OK", "", body.len(), &body[..100_000]);
                thread::sleep(Duration::from_millis(200));
                let _ = stream.write_all(&body[100_000..200_000]);
                thread::sleep(Duration::from_millis(500));
            }
            1 => send(stream, "503 Service Unavailable", "", 0, &[]),
            _ => send_from(stream, &body, start, usize::MAX),
        });
        let cache = tempfile::tempdir().unwrap();
        let card = card(address, "", &content);
        let stop = AtomicBool::new(false);
        let patience = Patience {
            stop: Some(&stop),
            pauses: const { &[Duration::from_secs(60); 2] },
            silence: Duration::from_secs(10),
            ..QUICK
        };
        let stopped = |at: &dyn Fn(&FetchEvent<'_>) -> bool| {
            stop.store(false, Ordering::Relaxed);
            let begin = std::time::Instant::now();
            let ended = fetch_with(&Wares::of(&card), cache.path(), &patience, &mut |e| {
                if at(&e) {
                    stop.store(true, Ordering::Relaxed);
                }
            });
            assert!(matches!(ended, Err(DataError::Stopped)), "{ended:?}");
            assert!(begin.elapsed() < Duration::from_secs(5));
        };
        stopped(&|e| matches!(e, FetchEvent::Bytes(..)));
        let part = cache.path().join("tiny/data.part");
        let came = fs::metadata(&part).unwrap().len();
        assert!(came > 0);
        stopped(&|e| matches!(e, FetchEvent::Again(..)));
        let held = SetLock::at_once(cache.path(), "tiny").unwrap();
        stopped(&|e| matches!(e, FetchEvent::Waiting));
        drop(held);
        assert_eq!(fs::metadata(&part).unwrap().len(), came);
        stop.store(false, Ordering::Relaxed);
        fetch_with(&Wares::of(&card), cache.path(), &patience, &mut |_| {}).unwrap();
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
        assert_eq!(starts.lock().unwrap()[2], came as usize, "it went on there");
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
        let error = fetch(&card, cache.path(), &mut |_| {}).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("http://127.0.0.1:9/data"), "{text}");
        // The cause is there for programs too, down to the deepest.
        let causes = std::iter::successors(error.source(), |&e| e.source());
        let deepest = causes.last().unwrap();
        assert!(deepest.is::<ureq::Error>(), "{deepest:?}");
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

    /// Fetches with patience; the events as they are written.
    fn patiently(card: &Card, cache: &Path) -> (Result<(), DataError>, String) {
        let mut events = String::new();
        let got = fetch_with(&Wares::of(card), cache, &QUICK, &mut |e| {
            if !matches!(e, FetchEvent::Bytes(..)) {
                events.push_str(&format!("{e:?}\n"));
            }
        });
        (got, events)
    }

    #[test]
    fn a_server_that_breaks_off_again_and_again_is_asked_again_while_more_comes() {
        let content = noise(700_000);
        let body = content.clone();
        let (address, starts) = scripted(move |_, start, stream| {
            send_from(stream, &body, start, 70_000);
        });
        let cache = tempfile::tempdir().unwrap();
        let (got, events) = patiently(&card(address, "", &content), cache.path());
        got.unwrap();
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
        let starts = starts.lock().unwrap();
        assert!(starts.len() > QUICK.pauses.len() + 1, "{starts:?}");
        assert!(starts.is_sorted_by(|a, b| a < b), "{starts:?}");
        assert!(
            events.contains("Again(\"the download broke off"),
            "{events}"
        );
    }

    #[test]
    fn a_server_that_goes_silent_is_asked_again() {
        let content = noise(100_000);
        let body = content.clone();
        let (address, starts) = scripted(move |number, start, stream| match number {
            0 => {
                let mut open = stream.try_clone().unwrap();
                send_from(&mut open, &body, start, 50_000);
                thread::spawn(move || {
                    thread::sleep(Duration::from_secs(30));
                    drop(open);
                });
            }
            _ => send_from(stream, &body, start, usize::MAX),
        });
        let cache = tempfile::tempdir().unwrap();
        let begun = SystemTime::now();
        let (got, events) = patiently(&card(address, "", &content), cache.path());
        got.unwrap();
        assert!(begun.elapsed().unwrap() < Duration::from_secs(10));
        assert!(events.contains("timeout"), "{events}");
        assert_eq!(*starts.lock().unwrap(), [0, 50_000]);
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
    }

    /// Servers that ignore what is asked for, or answer with another part of the file.
    #[test]
    fn a_part_that_was_not_asked_for_is_never_appended() {
        let content = noise(90_000);
        for odd in ["ignores", "other part", "does not say"] {
            let body = content.clone();
            let (address, _) = scripted(move |number, start, stream| match (number, odd) {
                (0, _) => send_from(stream, &body, 0, 40_000),
                (1, "ignores") => send_from(stream, &body, 0, usize::MAX),
                (1, "other part") => {
                    let range = "Content-Range: bytes 30000-89999/90000\r\n";
                    send(
                        stream,
                        "206 Partial Content",
                        range,
                        60_000,
                        &body[30_000..],
                    );
                }
                (1, _) => send(stream, "206 Partial Content", "", 60_000, &body[30_000..]),
                _ => send_from(stream, &body, start, usize::MAX),
            });
            let cache = tempfile::tempdir().unwrap();
            let (got, events) = patiently(&card(address, "", &content), cache.path());
            got.unwrap();
            let came = fs::read(cache.path().join("tiny/data")).unwrap();
            assert!(came == content, "{odd}");
            let said = events.contains("another part of the file");
            assert_eq!(said, odd != "ignores", "{odd}: {events}");
        }
    }

    #[test]
    fn a_half_of_another_file_is_given_up() {
        let content = noise(50_000);
        for before in [20_000, 50_000, 60_000] {
            let body = content.clone();
            let (address, starts) = scripted(move |_, start, stream| match start < body.len() {
                true => send_from(stream, &body, start, usize::MAX),
                false => {
                    let range = format!("Content-Range: bytes */{}\r\n", body.len());
                    send(stream, "416 Range Not Satisfiable", &range, 0, &[]);
                }
            });
            let cache = tempfile::tempdir().unwrap();
            let card = card(address, "", &content);
            fs::create_dir(cache.path().join("tiny")).unwrap();
            fs::write(cache.path().join("tiny/data.part"), vec![1; before]).unwrap();
            let (got, events) = patiently(&card, cache.path());
            got.unwrap();
            assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
            assert_eq!(*starts.lock().unwrap(), [before, 0], "{events}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let content = noise(1000);
        for (status, tries) in [("503 Service Unavailable", 4), ("404 Not Found", 1)] {
            let (address, starts) = scripted(move |_, _, stream| send(stream, status, "", 0, &[]));
            let cache = tempfile::tempdir().unwrap();
            let (got, _) = patiently(&card(address, "", &content), cache.path());
            let said = got.unwrap_err().to_string();
            assert!(
                said.contains(&format!("the server answered {}", &status[..3])),
                "{said}"
            );
            assert_eq!(starts.lock().unwrap().len(), tries, "{status}");
        }
    }

    #[test]
    fn of_two_fetches_at_once_one_waits_for_what_the_other_brings() {
        let content = noise(50_000);
        let body = content.clone();
        let (address, starts) = scripted(move |_, start, stream| {
            thread::sleep(Duration::from_millis(300));
            send_from(stream, &body, start, usize::MAX);
        });
        let cache = tempfile::tempdir().unwrap();
        let card = card(address, "", &content);
        let events = thread::scope(|scope| {
            let both = [0, 1].map(|_| {
                scope.spawn(|| {
                    let (got, events) = patiently(&card, cache.path());
                    got.unwrap();
                    events
                })
            });
            both.map(|one| one.join().unwrap()).concat()
        });
        assert_eq!(*starts.lock().unwrap(), [0], "it came once");
        for said in ["Waiting", "Done(\"data\")", "Present(\"data\")"] {
            assert_eq!(events.matches(said).count(), 1, "{events}");
        }
        assert_eq!(fs::read(cache.path().join("tiny/data")).unwrap(), content);
    }

    #[test]
    fn a_fetch_that_was_killed_leaves_nothing_to_the_next() {
        let content = noise(5000);
        let cache = tempfile::tempdir().unwrap();
        let mut card = card(server(content.clone(), None), "", &content);
        card.sources.push(Source::Debian {
            package: "p".into(),
            path: Some("x".into()),
            suffix: String::new(),
        });
        let dir = cache.path().join("tiny");
        for folder in [".packageAbC/apt", ".p/usr"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let old = fs::File::create(dir.join(".tmpAbC")).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        drop(old);
        fs::write(dir.join("data"), "damaged").unwrap();
        let (got, events) = patiently(&card, cache.path());
        got.unwrap();
        assert!(events.contains("Anew(\"data\")"), "{events}");
        let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(fs::read(dir.join("data")).unwrap(), content);
    }
}
