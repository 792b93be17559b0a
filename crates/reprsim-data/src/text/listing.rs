//! Which files of the user's own a corpus is read from, how, and which are left out.

use std::fs;
use std::path::{Path, PathBuf};

use super::form::{Form, Promise};
use super::source::Source;
use crate::{DataError, Skipped};

/// Folders below a corpus are followed so far.
const DEEPEST: usize = 16;
/// Names, less their endings, of files that say what is in a folder of JSON lines.
const ABOUT: [&str; 8] = [
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "changelog",
    "citation",
];

/// A file of a corpus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TextFile {
    /// Its path below the corpus, with `/` whatever the system; its name if it is the corpus.
    pub relative: String,
    pub path: PathBuf,
    pub form: Form,
}

/// What a corpus is read from, in the order of the paths.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub files: Vec<TextFile>,
    pub skipped: Vec<Skipped>,
}

/// A corpus that is one file.
pub(super) fn file(path: &Path) -> Result<Listing, DataError> {
    // A pipe gives its text once; it is read more often.
    if !path.is_file() {
        return Err(DataError::NoText {
            path: path.into(),
            reason: "neither a file nor a folder; write the text to a file".into(),
        });
    }
    let found = TextFile {
        relative: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into(),
        path: path.into(),
        form: form(path, Promise::of(path))?,
    };
    Ok(Listing {
        files: vec![found],
        skipped: vec![],
    })
}

/// Whether a folder holds files of text, and more of them than of anything else, or a file of text that
/// is damaged: whoever reads it as text says what is wrong.
pub fn is_folder_of_text(path: &Path) -> bool {
    let others = |found: &Listing| found.skipped.iter().filter(|file| !is_hidden(file)).count();
    path.is_dir() && folder(path).map_or(true, |found| found.files.len() > others(&found))
}

/// Whether a file was left out because it is hidden: it is there for other programs.
pub(super) fn is_hidden(file: &Skipped) -> bool {
    file.reason == HIDDEN
}

/// A corpus that is the text files at or below a folder. Hidden ones are none of it.
pub(super) fn folder(root: &Path) -> Result<Listing, DataError> {
    let mut found = Listing::default();
    walk(root, "", 0, &mut found)?;
    if found.files.iter().any(|file| file.form != Form::Plain) {
        let about = |file: &mut TextFile| file.form == Form::Plain && is_about(&file.path);
        let taken = found.files.extract_if(.., about);
        found.skipped.extend(taken.map(|file| Skipped {
            path: file.relative.into(),
            reason: "said to be about the JSON beside it, by its name".into(),
        }));
    }
    found.files.sort_unstable();
    found.skipped.sort_unstable();
    Ok(found)
}

fn form(path: &Path, promise: Promise) -> Result<Form, DataError> {
    Source::open(path)?.form(path, promise)
}

fn is_about(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    ABOUT.iter().any(|about| stem.eq_ignore_ascii_case(about))
}

fn walk(dir: &Path, prefix: &str, depth: usize, found: &mut Listing) -> Result<(), DataError> {
    let failed = |e| DataError::io(dir, e);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let relative = format!("{prefix}{name}");
        let read = if name.starts_with('.') {
            Err(HIDDEN.into())
        } else if path.is_dir() {
            match () {
                () if path.is_symlink() => Err("a link to a folder, which is not followed".into()),
                () if depth == DEEPEST => Err(format!("more than {DEEPEST} folders deep")),
                () => {
                    walk(&path, &format!("{relative}/"), depth + 1, found)?;
                    continue;
                }
            }
        } else {
            text_form(&path)?
        };
        match read {
            Ok(form) => found.files.push(TextFile {
                relative,
                path,
                form,
            }),
            Err(reason) => found.skipped.push(Skipped {
                path: relative.into(),
                reason,
            }),
        }
    }
    Ok(())
}

/// The form of a file of a folder, or why it is left out. A file that is named as text
/// and is none is an error: nobody put it there to be left out. Text in a form that is not read
/// describes something more often.
fn text_form(path: &Path) -> Result<Result<Form, String>, DataError> {
    if !path.is_file() {
        return Ok(Err("neither a file nor a folder".into()));
    }
    let promise = Promise::of(path);
    let source = match (Source::open(path), promise) {
        (
            Err(DataError::NoText { reason, .. }),
            Promise::Json | Promise::Table | Promise::Nothing,
        ) => {
            return Ok(Err(reason));
        }
        (_, Promise::Nothing) => return Ok(Err(NOT_NAMED.into())),
        (source, _) => source?,
    };
    match source.form(path, promise) {
        Err(DataError::NoText { reason, .. }) => Ok(Err(reason)),
        form => form.map(Ok),
    }
}

const HIDDEN: &str = "hidden";
const NOT_NAMED: &str =
    "not named as text; of a folder .txt, .md, .rst, .jsonl, .ndjson and .json are read";

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut gz = flate2::read::GzEncoder::new(bytes, flate2::Compression::default());
        std::io::Read::read_to_end(&mut gz, &mut packed).unwrap();
        packed
    }

    fn names(found: &Listing) -> Vec<&str> {
        found.files.iter().map(|f| f.relative.as_str()).collect()
    }

    fn reason<'a>(found: &'a Listing, name: &str) -> &'a str {
        let skipped = found.skipped.iter().find(|s| s.path == Path::new(name));
        &skipped.unwrap().reason
    }

    #[test]
    fn folders_give_their_text_in_order_and_say_what_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("b.TXT", &b"x"[..]),
            ("a/z.RST", b"x"),
            ("a/b.md", b"x"),
            ("a/README.md", b"text like the others"),
            (".git/x.txt", b"x"),
            ("a/.h.txt", b"x"),
            ("c.html", b"<p>"),
            ("paper", b"%PDF-1.4"),
            ("table.csv", b"a,b\n"),
            ("about.json", b"{\n\"by\": [1]}"),
            ("page.txt", b"<html><p>x"),
            ("rows.txt", b"text,label\nx,1\ny,2\n"),
            ("notes.gz", &gzip(b"words")),
            ("picture.gz", &gzip(b"\x89PNG\r\n\x1a\n\0\0\0")),
            ("twice.gz", &gzip(&gzip(b"words"))),
            ("cut.gz", &gzip(b"words")[..12]),
        ] {
            write(&dir.path().join(name), bytes);
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("link")).unwrap();
        let found = folder(dir.path()).unwrap();
        assert_eq!(names(&found), ["a/README.md", "a/b.md", "a/z.RST", "b.TXT"]);
        assert!(reason(&found, "c.html").contains("not named as text"));
        assert!(reason(&found, "paper").contains("a PDF"));
        assert!(reason(&found, "table.csv").contains("a table"));
        assert!(reason(&found, "about.json").contains("neither lines of objects"));
        #[cfg(unix)]
        assert!(reason(&found, "link").contains("not followed"));
        assert!(reason(&found, "page.txt").contains("HTML"));
        assert!(reason(&found, "rows.txt").contains("a table"));
        assert!(reason(&found, "notes.gz").contains("not named as text"));
        assert!(reason(&found, "picture.gz").contains("a picture"));
        assert!(reason(&found, "twice.gz").contains("gzip twice"));
        assert!(reason(&found, "cut.gz").contains("cut off"));
        assert_eq!(reason(&found, ".git"), "hidden");
        assert_eq!(reason(&found, "a/.h.txt"), "hidden");
        assert_eq!(found.skipped.len(), 12 + usize::from(cfg!(unix)));
    }

    /// What other programs keep in a folder says nothing of what it is.
    #[test]
    fn hidden_files_make_no_folder_of_pictures() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.txt", ".git/x", ".DS_Store"] {
            write(&dir.path().join(name), b"x");
        }
        assert!(is_folder_of_text(dir.path()));
    }

    #[test]
    fn json_is_read_of_a_folder_and_what_is_said_about_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let line = b"{\"text\": \"x\"}\n";
        for name in ["a.JSONL", "b.ndjson", "c.json", "d.txt"] {
            write(&dir.path().join(name), line);
        }
        for name in ["README.md", "Licence.txt", "prose.txt"] {
            write(&dir.path().join(name), b"prose");
        }
        let found = folder(dir.path()).unwrap();
        assert_eq!(
            names(&found),
            ["a.JSONL", "b.ndjson", "c.json", "d.txt", "prose.txt"]
        );
        let forms: Vec<Form> = found.files.iter().map(|f| f.form).collect();
        assert_eq!(forms[..4], [Form::JsonLines; 4]);
        assert_eq!(forms[4], Form::Plain);
        let skipped: Vec<_> = found.skipped.iter().map(|s| s.path.clone()).collect();
        assert_eq!(skipped, [Path::new("Licence.txt"), Path::new("README.md")]);
    }

    #[test]
    fn what_is_named_as_text_and_is_none_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.txt", "a.jsonl"] {
            write(&dir.path().join(name), b"PK\x03\x04....word/document.xml");
            let error = folder(dir.path()).unwrap_err();
            assert!(error.is_usage());
            let said = error.to_string();
            assert!(
                said.contains(name) && said.contains("a Word document"),
                "{said}"
            );
            fs::remove_file(dir.path().join(name)).unwrap();
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_can_be_read_once_only_is_refused() {
        let error = file(Path::new("/dev/null")).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains("neither a file"),
            "{error}"
        );
    }

    #[test]
    fn folders_too_deep_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", DEEPEST).collect();
        write(&dir.path().join(&deep).join("last.txt"), b"x");
        write(&dir.path().join(&deep).join("d/lost.txt"), b"x");
        let found = folder(dir.path()).unwrap();
        assert_eq!(found.files.len(), 1);
        assert_eq!(found.skipped[0].path, deep.join("d"));
        assert!(found.skipped[0].reason.contains("16 folders deep"));
    }
}
