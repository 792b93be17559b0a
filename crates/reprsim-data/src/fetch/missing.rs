//! Fetches what is missing of a data set.

use std::fs;
use std::path::Path;

use super::error::{Attempt, Attempts};
use super::event::FetchEvent;
use super::source::{from_source, may_have};
use super::wanted::Wanted;
use crate::DataError;
use crate::card::Card;

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
        let mut attempts = Attempts::default();
        let mut done = false;
        for source in card.sources.iter().filter(|s| may_have(s, file)) {
            let (label, got) = from_source(source, file, &dir, event);
            match got.and_then(|came| wanted.accept(&came, &target)) {
                Ok(sum) => {
                    if !wanted.record(&target, &sum, event)? {
                        event(FetchEvent::Done(&file.name));
                    }
                    done = true;
                    break;
                }
                Err(source) => attempts.0.push(Attempt {
                    from: label,
                    source,
                }),
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use std::error::Error as _;

    use super::*;
    use crate::card::tests::text_card;
    use crate::card::{CardFile, CardText, Source};
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
}
