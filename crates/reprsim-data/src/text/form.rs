//! What a file is, told by its first bytes; its name is asked only what they cannot tell.

use std::path::Path;

use serde::de::IgnoredAny;

use super::cleaning::MARK;
use super::{markup, table};

/// Bytes that are looked at.
pub(super) const HEAD: usize = 64 << 10;
/// How gzip begins.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How a text gives documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// It is one itself, or several by its length.
    Plain,
    /// Every line is an object of JSON with a document in a field.
    JsonLines,
    /// Every element of an array of JSON is.
    JsonArray,
}

/// What a name promises of the text in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// `.txt`.
    Plain,
    /// `.md`, `.rst`: prose that may hold elements of HTML.
    Light,
    /// `.jsonl`, `.ndjson`.
    JsonLines,
    /// `.json`.
    Json,
    /// `.csv`, `.tsv`.
    Table,
    /// Any other ending.
    Nothing,
}

impl Promise {
    /// That of a name, whatever its case and whether or not it ends in `.gz`.
    pub fn of(name: &Path) -> Self {
        let ending = |name: &Path| {
            let ending = name.extension().unwrap_or_default();
            ending.to_string_lossy().to_ascii_lowercase()
        };
        let found = match ending(name).as_str() {
            "gz" => ending(Path::new(name.file_stem().unwrap_or_default())),
            _ => ending(name),
        };
        match found.as_str() {
            "txt" => Self::Plain,
            "md" | "rst" => Self::Light,
            "jsonl" | "ndjson" => Self::JsonLines,
            "json" => Self::Json,
            "csv" | "tsv" => Self::Table,
            _ => Self::Nothing,
        }
    }
}

/// How files begin that are no text, what they are, and how to get the text out of them.
const FOREIGN: [(&[u8], &str, &str); 16] = [
    (b"%PDF-", "a PDF", TEXT_OF_PDF),
    (b"{\\rtf", "a document in RTF", BY_PANDOC),
    (
        b"\xd0\xcf\x11\xe0",
        "a document of an old Office",
        BY_OFFICE,
    ),
    (b"PAR1", "a table in Parquet", AS_JSON_LINES),
    (b"ARROW1", "a table in Arrow", AS_JSON_LINES),
    (b"SQLite format 3\0", "an SQLite database", AS_JSON_LINES),
    (b"BZh", "compressed with bzip2", "unpack it with bunzip2"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it with unxz"),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd",
        "unpack it with unzstd",
    ),
    (&GZIP, "compressed with gzip twice", "unpack it with gunzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"\x89PNG", "a picture", NO_TEXT),
    (b"\xff\xd8\xff", "a picture", NO_TEXT),
    (b"\x7fELF", "a program", NO_TEXT),
    (b"\xff\xfe\0\0", "UTF-32", FROM_UTF_32),
    (b"\0\0\xfe\xff", "UTF-32", FROM_UTF_32),
];
const TEXT_OF_PDF: &str = "take its text out, for example with: pdftotext";
const BY_PANDOC: &str = "take its text out, for example with: pandoc -t plain";
const BY_OFFICE: &str = "save it as plain text in UTF-8";
const AS_JSON_LINES: &str =
    "write the column that holds the text as JSON lines, {\"text\": \"...\"} a row";
const UNPACK: &str = "unpack it and give the folder";
const NO_TEXT: &str = "give a file of text";
const FROM_UTF_32: &str = "convert it with: iconv -f utf-32 -t utf-8";
/// What a zip archive holds near its beginning, where it is a document.
const ZIPPED: [(&[u8], &str, &str); 5] = [
    (b"word/", "a Word document", BY_PANDOC),
    (b"xl/", "an Excel table", AS_JSON_LINES),
    (b"opendocument", "an OpenDocument file", BY_PANDOC),
    (b"epub", "an e-book", BY_PANDOC),
    (b"", "a zip archive", UNPACK),
];
/// Where a tar archive says that it is one.
const TAR: std::ops::Range<usize> = 257..262;

/// What bytes are that begin no text, and what to do with them.
pub(super) fn foreign(head: &[u8]) -> Option<String> {
    let (what, remedy) = kind(head)?;
    Some(format!("{what}, which is not read as text; {remedy}"))
}

fn kind(head: &[u8]) -> Option<(&'static str, &'static str)> {
    if head.starts_with(b"PK\x03\x04") {
        let within = |part: &[u8]| part.is_empty() || head.windows(part.len()).any(|w| w == part);
        let (_, what, remedy) = ZIPPED.iter().find(|(part, ..)| within(part))?;
        return Some((what, remedy));
    }
    if head.get(TAR) == Some(b"ustar") {
        return Some(("a tar archive", UNPACK));
    }
    // A text may begin with letters that some format begins with.
    let is_text = !is_binary(head) && valid(head).1;
    let marks = |begin: &[u8]| begin == b"%PDF-" || begin == b"{\\rtf";
    if let Some((_, what, remedy)) =
        (FOREIGN.iter()).find(|(begin, ..)| head.starts_with(begin) && (marks(begin) || !is_text))
    {
        return Some((what, remedy));
    }
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    match (is_binary(head) && !marked).then(|| nuls(head)) {
        Some([0, odd]) if odd * 4 > head.len() => Some((
            "UTF-16 without a byte order mark",
            "convert it with: iconv -f utf-16le -t utf-8",
        )),
        Some([even, 0]) if even * 4 > head.len() => Some((
            "UTF-16 without a byte order mark",
            "convert it with: iconv -f utf-16be -t utf-8",
        )),
        Some(nuls) if is_text_but(head, nuls.iter().sum()) => Some((
            "a text with NUL bytes",
            "take them out, for example with: tr -d '\\000'",
        )),
        Some(_) => Some(("binary", NO_TEXT)),
        None => None,
    }
}

/// Whether what is not one of so many NUL bytes is text, and most of it.
fn is_text_but(head: &[u8], nuls: usize) -> bool {
    let others: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
    nuls * 4 < head.len() && !is_binary(&others) && valid(&others).1
}

/// NUL bytes at even and at odd places.
fn nuls(head: &[u8]) -> [usize; 2] {
    let at = |odd| {
        head.iter()
            .skip(odd)
            .step_by(2)
            .filter(|b| **b == 0)
            .count()
    };
    [at(0), at(1)]
}

/// What is UTF-8 at the beginning of `head`, and whether that is all but a cut character.
fn valid(head: &[u8]) -> (&str, bool) {
    match std::str::from_utf8(head) {
        Ok(text) => (text, true),
        Err(e) => {
            let text = std::str::from_utf8(&head[..e.valid_up_to()]);
            (text.unwrap_or_default(), e.error_len().is_none())
        }
    }
}

/// Whether there is a NUL byte, or one byte in 32, and more than one, is a control character that no
/// text has.
fn is_binary(head: &[u8]) -> bool {
    let odd = |b: &&u8| matches!(b, 0..=7 | 14..=26 | 28..=31);
    head.contains(&0) || head.iter().filter(odd).count() * 32 > head.len().max(32)
}

/// The form of a text that begins with `head`, which may be `whole`, in a file of that
/// promise; else what is wrong with it, and what would be right.
pub(super) fn form(head: &[u8], whole: bool, promise: Promise) -> Result<Form, String> {
    let (valid, _) = valid(head);
    let whole = whole && valid.len() == head.len();
    let blank = |c: char| c.is_whitespace() || c == MARK;
    let begin = valid.trim_start_matches(blank);
    let array = begin.starts_with('[') && begin[1..].trim_start().starts_with('{');
    let parsed = parses(begin, whole);
    let found = match promise {
        Promise::Table => return Err(format!("{TABLE}; {AS_JSON_LINES}")),
        _ if array && parsed.is_ok() => return Ok(Form::JsonArray),
        Promise::JsonLines => return Ok(Form::JsonLines),
        _ if lines_are_objects(valid, whole) => return Ok(Form::JsonLines),
        Promise::Json if !begin.is_empty() => {
            return Err(match parsed {
                Ok(()) => NEITHER.to_string(),
                Err(_) if values(begin, whole).is_ok_and(|found| found > 0) => NEITHER.to_string(),
                Err(e) => format!("not JSON: {e}"),
            });
        }
        _ => values(begin, whole),
    };
    match found {
        Ok(0) => {}
        Ok(_) => return Err(NEITHER.into()),
        Err(e) if is_begun_object(begin) => {
            let remedy = "mend it, or write it as JSON lines, {\"text\": \"...\"} a document";
            return Err(format!("JSON with a fault ({e}); {remedy}"));
        }
        Err(_) => {}
    }
    if let Some((what, remedy)) = markup::kind(begin, promise == Promise::Light) {
        return Err(format!("{what}, which is not read as text; {remedy}"));
    }
    match table::is_table(begin, whole) {
        true => Err(format!("{TABLE}; {AS_JSON_LINES}")),
        false => Ok(Form::Plain),
    }
}

const TABLE: &str = "a table, which is not read as text";
const NEITHER: &str = "JSON, but neither lines of objects nor one array of objects with a \
                       document each; make it one of them, for example with: jq -c";

/// Whether `text` is JSON, or the beginning of it if it is not `whole`.
fn parses(text: &str, whole: bool) -> Result<(), serde_json::Error> {
    match serde_json::from_str::<IgnoredAny>(text) {
        Err(e) if !whole && e.is_eof() => Ok(()),
        other => other.map(|_| ()),
    }
}

/// The number of arrays and objects of JSON that `text` is, one after the other; none if it begins
/// with something else. Of a text that is not `whole` the last may be cut.
///
/// # Errors
/// What is wrong with the first, where not even that is JSON.
fn values(text: &str, whole: bool) -> Result<usize, serde_json::Error> {
    let mut found = 0;
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    loop {
        let rest = text[values.byte_offset()..].trim_start_matches([' ', '\t', '\r', '\n']);
        if !rest.starts_with(['{', '[']) {
            return Ok(if rest.is_empty() { found } else { 0 });
        }
        match values.next() {
            Some(Ok(_)) => found += 1,
            Some(Err(e)) if !whole && e.is_eof() => return Ok(found + 1),
            Some(Err(e)) if found == 0 => return Err(e),
            Some(Err(_)) => return Ok(0),
            None => return Ok(found),
        }
    }
}

/// Whether a text begins as an object of JSON does, with a name in quotes, of one kind or the other,
/// and a colon.
fn is_begun_object(text: &str) -> bool {
    let inside = text.trim_start_matches('[').trim_start().strip_prefix('{');
    let inside = inside.unwrap_or_default().trim_start();
    let name = ['"', '\''].iter().find_map(|quote| {
        let name = inside.strip_prefix(*quote)?;
        name.split_once(*quote)
    });
    name.is_some_and(|(name, rest)| !name.contains('\n') && rest.trim_start().starts_with(':'))
}

/// Whether every line that is not blank, at least one, is an object of JSON; the last, if
/// the text is not `whole`, the beginning of one. Of four lines or more a quarter may be broken:
/// which ones is said when they are read.
fn lines_are_objects(text: &str, whole: bool) -> bool {
    let blank = |c: char| c.is_whitespace() || c == MARK;
    let lines = text.lines().map(|line| line.trim_start_matches(blank));
    let mut lines = lines.filter(|line| !line.is_empty()).peekable();
    let (mut all, mut objects) = (0, 0);
    while let Some(line) = lines.next() {
        let complete = whole || lines.peek().is_some() || text.ends_with('\n');
        all += 1;
        objects += usize::from(line.starts_with('{') && parses(line, complete).is_ok());
        // Prose is soon told.
        if all >= 4 && objects == 0 {
            return false;
        }
    }
    objects > 0 && (objects == all || all >= 4 && 4 * objects >= 3 * all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, text: &str) -> Result<Form, String> {
        form(text.as_bytes(), true, Promise::of(Path::new(name)))
    }

    #[test]
    fn names_promise_whatever_their_case() {
        for (name, promise) in [
            ("a.TXT", Promise::Plain),
            ("a.md.gz", Promise::Light),
            ("a.JSONL", Promise::JsonLines),
            ("a.ndjson.GZ", Promise::JsonLines),
            ("a.json", Promise::Json),
            ("a.Csv", Promise::Table),
            ("json", Promise::Nothing),
            ("a.html", Promise::Nothing),
        ] {
            assert_eq!(Promise::of(Path::new(name)), promise, "{name}");
        }
    }

    #[test]
    fn json_is_told_by_its_bytes() {
        let lines = "{\"text\": \"a\"}\n\n  {\"text\": \"b\"}\r\n";
        let array = "\n[ {\"text\": \"a\"},\n {\"text\": \"b\"}]\n";
        for name in ["a.txt", "a.json", "a.jsonl", "a.log", "a"] {
            assert_eq!(of(name, lines), Ok(Form::JsonLines), "{name}");
            assert_eq!(of(name, array), Ok(Form::JsonArray), "{name}");
        }
        // A line or an array longer than what is looked at.
        for (begin, form_of) in [
            ("{\"text\": \"", Form::JsonLines),
            ("[{\"text\": \"", Form::JsonArray),
        ] {
            let long = format!("{begin}{}", "é".repeat(HEAD));
            let promise = Promise::of(Path::new("a"));
            assert_eq!(form(&long.as_bytes()[..HEAD], false, promise), Ok(form_of));
        }
        for prose in [
            "[1] A reference.\n",
            "{braces} in prose\n",
            "{\"text\": \"a\"}\nwas a line of JSON, and this is none\n",
            "[link](there)",
            "",
        ] {
            assert_eq!(of("a.txt", prose), Ok(Form::Plain), "{prose}");
        }
        // One broken line of many is a fault of the file, not another form.
        let mended = format!("{}broken\n{lines}", lines.repeat(3));
        assert_eq!(of("a.txt", &mended), Ok(Form::JsonLines));
        // Files that were put together, each with a mark.
        let together = format!("{lines}\u{feff}{lines}");
        assert_eq!(of("a.txt", &together), Ok(Form::JsonLines));
        // What the name promises is read as that, whatever is in it.
        assert_eq!(of("a.jsonl", "{\"text\": "), Ok(Form::JsonLines));
        assert_eq!(of("a.jsonl", "prose"), Ok(Form::JsonLines));
    }

    #[test]
    fn other_json_and_tables_are_refused_with_a_remedy() {
        let object = "{\n  \"data\": [1, 2]\n}\n";
        for (name, text) in [
            ("a.json", object),
            ("a.txt", object),
            ("a.json", "[1, 2]"),
            ("a.txt", "[\"one\",\n\"two\"]"),
            ("a.txt", "{\n\"text\": \"a\"\n}\n{\n\"text\": \"b\"\n}\n"),
            ("a.md", "[\"a\", \"b\"]\n[\"c\", \"d\"]\n"),
        ] {
            let reason = of(name, text).unwrap_err();
            assert!(
                reason.contains("neither") && reason.contains("jq -c"),
                "{reason}"
            );
        }
        let reason = of("a.json", "{\"text\": \"a\"").unwrap_err();
        assert!(reason.starts_with("not JSON: EOF"), "{reason}");
        let reason = of("a.txt", "{\n\"text\": \"a\",\n}").unwrap_err();
        assert!(reason.starts_with("JSON with a fault ("), "{reason}");
        let reason = of("a.txt", "{'text': 'a'}\n{'text': 'b'}\n").unwrap_err();
        assert!(
            reason.contains("JSON lines"),
            "as Python shows it: {reason}"
        );
        let long = format!("[\"{}", "word ".repeat(HEAD));
        let cut = form(&long.as_bytes()[..HEAD], false, Promise::Plain);
        assert!(cut.unwrap_err().contains("neither"));
        for name in ["a.txt", "a.log", "a.md"] {
            let reason = of(name, "text,label\nsome words,1\nothers,2\n").unwrap_err();
            assert!(reason.contains("a table"), "{reason}");
            let reason = of(name, "<!DOCTYPE html>\n<p>words").unwrap_err();
            assert!(
                reason.contains("HTML") && reason.contains("pandoc"),
                "{reason}"
            );
        }
        let reason = of("a.CSV", "text,label\nx,1\n").unwrap_err();
        assert!(
            reason.contains("a table") && reason.contains("JSON lines"),
            "{reason}"
        );
    }

    #[test]
    fn what_is_no_text_is_named() {
        let mut tar = vec![b'a'; 600];
        tar[TAR].copy_from_slice(b"ustar");
        let utf_16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "as Windows writes".encode_utf16().flat_map(bytes).collect()
        };
        let cases: [(&[u8], &str, &str); 13] = [
            (b"%PDF-1.4\nobj", "a PDF", "pdftotext"),
            (b"{\\rtf1 text}", "RTF", "pandoc"),
            (
                b"PK\x03\x04....[Content_Types].xml..word/document.xml",
                "Word",
                "pandoc",
            ),
            (b"PK\x03\x04\x14\0notes.txt", "a zip archive", "unpack"),
            (b"PAR1\x15\x04\x15\0", "Parquet", "JSON lines"),
            (b"\x28\xb5\x2f\xfd\x04", "zstd", "unzstd"),
            (b"BZh91AY&SY\x01\x02\xd9", "bzip2", "bunzip2"),
            (&tar, "a tar archive", "unpack"),
            (&utf_16(u16::to_le_bytes), "UTF-16 without", "utf-16le"),
            (&utf_16(u16::to_be_bytes), "UTF-16 without", "utf-16be"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32", "iconv"),
            (b"text\0and more", "NUL bytes", "tr -d"),
            (b"\0\x01\x02\x03\0\0\0", "binary", "a file of text"),
        ];
        for (bytes, what, remedy) in cases {
            let reason = foreign(bytes).unwrap_or_default();
            assert!(
                reason.contains(what) && reason.contains(remedy),
                "{what}: {reason}"
            );
        }
        for text in [
            &b"BZhurda is a name, PAR1 a par"[..],
            b"PAR1 is a word",
            b"caf\xe9 au lait",
            b"\xff\xfea\0b\0",
            b"a\tb\r\n\x0c\x1b[1mbold",
            b"",
        ] {
            assert_eq!(foreign(text), None, "{}", text.escape_ascii());
        }
    }
}
