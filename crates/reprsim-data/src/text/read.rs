//! Reads a corpus from wherever it is, document by document.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::corpus::{Corpus, Place, card_sum, is_json_lines, text_files};
use super::documents::documents_of;
use crate::DataError;
use crate::card::{Card, CardFile, CardText};
use crate::catalog::FATHER_BROWN;
use crate::checksum::sum_of_file;
use crate::readers::tarball;
use crate::readers::zipped::Zip;

/// No member of an archive of text is larger.
const LARGEST_MEMBER: u64 = 4 << 30;
/// The field of JSON lines that holds the text, unless another is named.
const FIELD: &str = "text";

/// Calls `each` with every document of a corpus, in order; `cache` holds the files of
/// cards.
pub(crate) fn read(
    corpus: &Corpus,
    cache: &Path,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let rules = &corpus.rules;
    match &corpus.place {
        Place::BuiltIn(bytes) => text(Path::new(FATHER_BROWN), None, bytes, rules, each),
        Place::File(path) => file(path, rules, each),
        Place::Folder(root) => text_files(root)?
            .iter()
            .try_for_each(|(_, path)| file(path, rules, each)),
        Place::Card(card) => card
            .files
            .iter()
            .try_for_each(|of_card| card_file(card, of_card, cache, rules, each)),
    }
}

fn card_file(
    card: &Card,
    of_card: &CardFile,
    cache: &Path,
    rules: &CardText,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let path = cache.join(&card.name).join(&of_card.name);
    if !path.exists() {
        return Err(DataError::NotFetched {
            name: card.name.clone(),
            path,
        });
    }
    // The checksum is part of the ids of the samples, so it must be the text's own.
    let (_, sum) = sum_of_file(&path).map_err(|e| DataError::io(&path, e))?;
    if sum != card_sum(card, of_card, cache)? {
        return Err(DataError::damaged(
            path,
            0,
            format!(
                "not the file that it should be, its SHA-256 is {sum}; run: reprsim data fetch {}",
                card.name
            ),
        ));
    }
    let wanted = |member: &str| {
        member.starts_with(&rules.prefix)
            && member.ends_with(&rules.suffix)
            && !rules.exclude.iter().any(|excluded| excluded == member)
    };
    let name = of_card.name.as_str();
    if [".tgz", ".tar.gz", ".tar"]
        .iter()
        .any(|e| name.ends_with(e))
    {
        // Debian's archives call their members `./usr`, others `usr`.
        let members = tarball::members(&path, |member| {
            wanted(member.trim_start_matches("./")).then_some(LARGEST_MEMBER)
        })?;
        for (member, bytes) in &members {
            content(&path, member, bytes, rules, each)?;
        }
        return Ok(());
    }
    if [".zip", ".whl"].iter().any(|e| name.ends_with(e)) {
        let mut archive = Zip::open(&path)?;
        let mut members = archive.names()?;
        members.retain(|member| wanted(member) && !member.ends_with('/'));
        members.sort_unstable();
        for member in members {
            let (_, bytes) = archive.member(&member, LARGEST_MEMBER)?;
            content(&path, &member, &bytes, rules, each)?;
        }
        return Ok(());
    }
    file(&path, rules, each)
}

/// The content of a member of an archive.
fn content(
    path: &Path,
    member: &str,
    bytes: &[u8],
    rules: &CardText,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    if is_json_lines(member) {
        json_lines(path, bytes, rules, each)
    } else {
        text(path, Some(member), bytes, rules, each)
    }
}

fn file(path: &Path, rules: &CardText, each: &mut dyn FnMut(&str)) -> Result<(), DataError> {
    let failed = |e| DataError::io(path, e);
    if is_json_lines(&path.to_string_lossy()) {
        let file = File::open(path).map_err(failed)?;
        return json_lines(path, BufReader::with_capacity(1 << 16, file), rules, each);
    }
    let bytes = fs::read(path).map_err(failed)?;
    text(path, None, &bytes, rules, each)
}

/// The documents of a plain text.
fn text(
    path: &Path,
    member: Option<&str>,
    bytes: &[u8],
    rules: &CardText,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let text = utf8(path, member, bytes, 0, rules)?;
    match rules.separator.as_deref() {
        None => documents_of(&text, each),
        Some(separator) => text
            .split(separator)
            .for_each(|document| documents_of(document.trim_matches(['\r', '\n']), each)),
    }
    Ok(())
}

/// `bytes` as text; they begin at `offset` of the file or member.
fn utf8<'a>(
    path: &Path,
    member: Option<&str>,
    bytes: &'a [u8],
    offset: u64,
    rules: &CardText,
) -> Result<Cow<'a, str>, DataError> {
    if rules.lossy {
        return Ok(String::from_utf8_lossy(bytes));
    }
    std::str::from_utf8(bytes).map(Cow::from).map_err(|e| {
        let member = member.map_or(String::new(), |m| format!("{m}: "));
        DataError::Damaged {
            path: path.into(),
            offset: offset + e.valid_up_to() as u64,
            reason: format!(
                "{member}not UTF-8; convert it, for example with: iconv -f latin1 -t utf-8"
            ),
            source: Some(e.into()),
        }
    })
}

/// The documents of JSON lines: every line is an object with the text in a field.
fn json_lines(
    path: &Path,
    mut lines: impl BufRead,
    rules: &CardText,
    each: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let fields: Vec<&str> = rules.field.as_deref().unwrap_or(FIELD).split('+').collect();
    let (mut bytes, mut offset, mut line) = (Vec::new(), 0, 0);
    loop {
        bytes.clear();
        let read = lines
            .read_until(b'\n', &mut bytes)
            .map_err(|e| DataError::io(path, e))?;
        if read == 0 {
            return Ok(());
        }
        line += 1;
        let json = utf8(path, None, &bytes, offset, rules)?;
        offset += read as u64;
        if json.trim().is_empty() {
            continue;
        }
        let document = document(&json, &fields).map_err(|e| DataError::Line {
            path: path.into(),
            line,
            source: e.into(),
        })?;
        documents_of(&document, each);
    }
}

/// Why a line of JSON gives no text.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the field '{0}' is not a string; name another as field")]
    NoString(String),
    #[error("no field '{field}'; name the one with the text as field, there are: {there}")]
    NoField { field: String, there: String },
}

/// The text of one JSON line; of more fields than one, each trimmed, on lines of
/// their own.
fn document(json: &str, fields: &[&str]) -> Result<String, LineError> {
    let object: Map<String, Value> = serde_json::from_str(json)?;
    let text = |field: &&str| match object.get(*field) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(LineError::NoString((*field).into())),
        None => Err(LineError::NoField {
            field: (*field).into(),
            there: object.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
    };
    match fields {
        [field] => text(field).map(String::from),
        _ => {
            let texts = fields.iter().map(text).collect::<Result<Vec<_>, _>>()?;
            let texts: Vec<&str> = texts.iter().map(|t| t.trim()).collect();
            Ok(texts.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TextSettings;
    use super::super::corpus::corpora;
    use super::*;

    fn read_all(corpus: &Corpus, cache: &Path) -> Result<Vec<String>, DataError> {
        let mut found = Vec::new();
        read(corpus, cache, &mut |d| found.push(d.to_string()))?;
        Ok(found)
    }

    /// Writes `bytes` to a file and reads it as a corpus.
    fn of_file(name: &str, bytes: &[u8], field: Option<&str>) -> Result<Vec<String>, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let settings = TextSettings {
            corpora: vec![path.display().to_string()],
            field: field.map(String::from),
            ..TextSettings::default()
        };
        read_all(&corpora(&settings).unwrap()[0], dir.path())
    }

    #[test]
    fn json_lines_are_documents() {
        let lines =
            "{\"text\": \"one\\r\\ntwo\", \"id\": 1}\n\n{\"text\": \"\"}\n{\"text\": \"three\"}";
        let read = of_file("a.jsonl", lines.as_bytes(), None).unwrap();
        assert_eq!(read, ["one\ntwo", "three"]);
        let pairs = "{\"prompt\": \" ask \", \"response\": \"say\\n\"}\r\n";
        let read = of_file("a.jsonl", pairs.as_bytes(), Some("prompt+response")).unwrap();
        assert_eq!(read, ["ask\nsay"]);
    }

    #[test]
    fn odd_json_lines_are_refused_by_line() {
        let error = |lines: &str| {
            let error = of_file("a.jsonl", lines.as_bytes(), None).unwrap_err();
            assert!(matches!(error, DataError::Line { .. }), "{error}");
            error.to_string()
        };
        let broken = error("{\"text\": \"x\"}\n{\"text\": ");
        assert!(
            broken.contains("a.jsonl") && broken.contains("(line 2)"),
            "{broken}"
        );
        assert!(error("[1]").contains("not a JSON object"));
        let whole = of_file("a.jsonl", b"[1]", None).unwrap_err();
        let causes = std::iter::successors(std::error::Error::source(&whole), |e| e.source());
        assert!(causes.last().unwrap().is::<serde_json::Error>());
        let missing = error("{\"body\": \"x\"}");
        assert!(missing.contains("no field 'text'"), "{missing}");
        assert!(missing.contains("there are: body"), "{missing}");
        assert!(error("\n{\"text\": 5}").contains("'text' is not a string"));
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let error = of_file("a.txt", b"good \xe9t\xe9", None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a.txt") && error.contains("(at byte 5)"),
            "{error}"
        );
        assert!(error.contains("not UTF-8"), "{error}");
        let lines = b"{\"text\": \"x\"}\n{\"text\": \"\xe9\"}";
        let error = of_file("a.jsonl", lines, None).unwrap_err().to_string();
        assert!(error.contains("(at byte 24)"), "{error}");
    }

    #[test]
    fn separators_part_documents() {
        let rules = CardText {
            separator: Some("<|endoftext|>".into()),
            ..CardText::default()
        };
        let mut found = Vec::new();
        let stories = b"one\ntwo\n<|endoftext|>\n\n<|endoftext|>\nthree<|endoftext|>";
        text(Path::new("x"), None, stories, &rules, &mut |d| {
            found.push(d.to_string());
        })
        .unwrap();
        assert_eq!(found, ["one\ntwo", "three"]);
    }

    /// A card whose one file is `name` with these bytes, in a cache of its own.
    fn of_card(name: &str, rules: CardText, write: impl Fn(&Path)) -> (Corpus, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("father-brown").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path);
        let mut card = crate::card::tests::text_card("father-brown", rules.clone());
        card.files = vec![CardFile {
            name: name.into(),
            bytes: None,
            sha256: Some(sum_of_file(&path).unwrap().1),
        }];
        let corpus = Corpus {
            name: card.name.clone(),
            place: Place::Card(Box::leak(Box::new(card))),
            rules,
        };
        (corpus, dir)
    }

    fn rules(prefix: &str, suffix: &str) -> CardText {
        CardText {
            prefix: prefix.into(),
            suffix: suffix.into(),
            ..CardText::default()
        }
    }

    /// The formats of the registries: a package of npm, a wheel, a Debian tar.
    #[test]
    fn members_of_archives_are_documents() {
        let members = [
            ("package/data/b.txt", b"second".to_vec()),
            ("package/data/a.txt", b"first".to_vec()),
            ("package/data/a.json", b"{}".to_vec()),
            ("package/readme.txt", b"not this".to_vec()),
        ];
        let (corpus, dir) = of_card("p-1.0.0.tgz", rules("package/data/", ".txt"), |path| {
            tarball::write(path, &members);
        });
        assert_eq!(read_all(&corpus, dir.path()).unwrap(), ["first", "second"]);

        let (corpus, dir) = of_card(
            "p-1.0.0-py3-none-any.whl",
            rules("package/data/", ".txt"),
            |path| {
                let mut zip = zip::ZipWriter::new(File::create(path).unwrap());
                for (name, bytes) in &members {
                    zip.start_file(*name, zip::write::SimpleFileOptions::default())
                        .unwrap();
                    std::io::Write::write_all(&mut zip, bytes).unwrap();
                }
                zip.finish().unwrap();
            },
        );
        assert_eq!(read_all(&corpus, dir.path()).unwrap(), ["first", "second"]);

        let (corpus, dir) = of_card("p.tar", rules("usr/share/doc/", ".rst.txt"), |path| {
            let mut archive = tar::Builder::new(File::create(path).unwrap());
            for name in ["./usr/share/doc/x.rst.txt", "./usr/share/doc/x.html"] {
                let mut header = tar::Header::new_gnu();
                header.set_size(4);
                archive
                    .append_data(&mut header, name, &b"text"[..])
                    .unwrap();
            }
            archive.finish().unwrap();
        });
        assert_eq!(read_all(&corpus, dir.path()).unwrap(), ["text"]);

        let lines = [(
            "l/x.jsonl",
            b"{\"text\": \"one\"}\n{\"text\": \"two\"}".to_vec(),
        )];
        let (corpus, dir) = of_card("p.tgz", rules("l/", ".jsonl"), |path| {
            tarball::write(path, &lines);
        });
        assert_eq!(read_all(&corpus, dir.path()).unwrap(), ["one", "two"]);
    }

    #[test]
    fn members_that_are_no_text_are_named_unless_the_card_allows_them() {
        let latin = [("d/x.txt", b"caf\xe9".to_vec())];
        let (mut corpus, dir) = of_card("p.tgz", rules("d/", ".txt"), |path| {
            tarball::write(path, &latin);
        });
        let error = read_all(&corpus, dir.path()).unwrap_err().to_string();
        assert!(error.contains("p.tgz: d/x.txt: not UTF-8"), "{error}");
        assert!(error.contains("(at byte 3)"), "{error}");
        corpus.rules.lossy = true;
        assert_eq!(read_all(&corpus, dir.path()).unwrap(), ["caf\u{fffd}"]);
    }

    #[test]
    fn files_of_a_card_must_be_there_and_right() {
        let (corpus, dir) = of_card("x.txt", CardText::default(), |path| {
            fs::write(path, "text").unwrap();
        });
        assert_eq!(read_all(&corpus, dir.path()).unwrap(), ["text"]);
        let path = dir.path().join("father-brown/x.txt");
        fs::write(&path, "other text").unwrap();
        let error = read_all(&corpus, dir.path()).unwrap_err().to_string();
        assert!(error.contains("not the file that it should be"), "{error}");
        fs::remove_file(&path).unwrap();
        let error = read_all(&corpus, dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("run: reprsim data fetch father-brown"),
            "{error}"
        );
    }
}
