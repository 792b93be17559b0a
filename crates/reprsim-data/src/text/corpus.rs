//! Which corpora there are, and what names the content of one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use reprsim_base::{hint, sha256};

use super::form::Form;
use super::json::FIELD;
use super::listing::{self, Listing};
use super::settings::TextSettings;
use crate::DataError;
use crate::card::{Card, CardFile, CardText};
use crate::catalog::{FATHER_BROWN, TEXT, corpus_cards, corpus_names};
use crate::checksum::{record, recorded, sum_of_file};

/// The text of the built-in corpus.
static FATHER_BROWN_TEXT: &[u8] = include_bytes!("../../../../datasets/father-brown.txt");

/// One corpus: a name, where it is, and how it is read.
#[derive(Clone, Debug)]
pub(crate) struct Corpus {
    pub name: String,
    pub place: Place,
    /// How its files are read.
    pub rules: CardText,
}

/// Where a corpus is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the program.
    BuiltIn(&'static [u8]),
    /// The files of a card.
    Card(&'static Card),
    /// A file of the user's own.
    File(PathBuf),
    /// A folder of the user's own.
    Folder(PathBuf),
}

/// The corpora of a data set.
pub(crate) fn corpora(settings: &TextSettings) -> Result<Vec<Corpus>, DataError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for given in &settings.corpora {
        let corpus = Corpus::find(given, settings.field.as_deref())?;
        if let Some(other) = seen.insert(corpus.name.clone(), given) {
            return Err(DataError::Setting {
                dataset: TEXT.into(),
                reason: format!(
                    "two corpora are called '{}': '{other}' and '{given}'; a corpus is named \
                     after its file or folder, so rename one",
                    corpus.name
                ),
            });
        }
        found.push(corpus);
    }
    Ok(found)
}

impl Corpus {
    fn find(given: &str, field: Option<&str>) -> Result<Self, DataError> {
        if given == FATHER_BROWN {
            return Ok(Self {
                name: given.into(),
                place: Place::BuiltIn(FATHER_BROWN_TEXT),
                rules: CardText::default(),
            });
        }
        if let Some(card) = corpus_cards().find(|c| c.name == given) {
            return Ok(Self {
                name: given.into(),
                place: Place::Card(card),
                rules: card.text.clone().unwrap_or_default(),
            });
        }
        let path = Path::new(given);
        if !path.exists() {
            let names = corpus_names();
            return Err(DataError::Corpus {
                corpus: given.into(),
                reason: format!(
                    "neither a known corpus nor a file or folder that is there{}; known: {}",
                    hint(given, names.iter().copied()),
                    names.join(", ")
                ),
            });
        }
        let rules = CardText {
            field: field.map(String::from),
            ..CardText::default()
        };
        // Also for `.` and `..`.
        let whole = fs::canonicalize(path).map_err(|e| DataError::io(path, e))?;
        let (name, place) = if path.is_dir() {
            (whole.file_name(), Place::Folder(path.into()))
        } else {
            (stem(&whole), Place::File(path.into()))
        };
        Ok(Self {
            name: name.map_or(given.into(), |n| n.to_string_lossy().into_owned()),
            place,
            rules,
        })
    }

    pub fn error(&self, reason: String) -> DataError {
        DataError::Corpus {
            corpus: self.name.clone(),
            reason,
        }
    }

    /// The files of the user's own that it is read from, and those that are left out.
    pub fn listing(&self) -> Result<Listing, DataError> {
        match &self.place {
            Place::BuiltIn(_) | Place::Card(_) => Ok(Listing::default()),
            Place::File(path) => listing::file(path),
            Place::Folder(root) => listing::folder(root),
        }
    }

    /// What names the text on any machine, whatever its files are called: their
    /// checksums and how they are read. Part of the ids of the samples, and what the
    /// division by document is drawn from. `cache` holds the files of cards.
    pub fn content(&self, cache: &Path) -> Result<String, DataError> {
        let mut lines = String::new();
        let summed = |path: &Path| sum_of_file(path).map_err(|e| DataError::io(path, e));
        match &self.place {
            Place::BuiltIn(bytes) => lines.push_str(&sha256(bytes)),
            Place::Card(card) => {
                for file in &card.files {
                    lines.push_str(&format!("{}\n", card_sum(card, file, cache)?));
                }
            }
            Place::File(_) | Place::Folder(_) => {
                for file in self.listing()?.files {
                    let of_file = summed(&file.path)?.1 + &self.how(file.form);
                    match self.place {
                        Place::Folder(_) => {
                            lines.push_str(&format!("{} {of_file}\n", file.relative));
                        }
                        _ => lines = of_file,
                    }
                }
                return Ok(sha256(lines));
            }
        }
        let CardText {
            prefix,
            suffix,
            exclude,
            field,
            separator,
            lossy,
        } = &self.rules;
        let rules = (prefix, suffix, exclude, field, separator, lossy);
        if self.rules != CardText::default() {
            lines.push_str(&serde_json::to_string(&rules).unwrap_or_default());
        }
        Ok(sha256(lines))
    }

    /// How a file of that form is read, less what its bytes tell: the same bytes under
    /// another name may give other documents.
    fn how(&self, form: Form) -> String {
        let field = self.rules.field.as_deref().unwrap_or(FIELD);
        match form {
            Form::Plain => String::new(),
            Form::JsonLines => format!(" JSON lines, {field}"),
            Form::JsonArray => format!(" JSON array, {field}"),
        }
    }
}

/// A file's name without its ending, that of gzip and the one before it.
fn stem(path: &Path) -> Option<&OsStr> {
    let stem = path.file_stem()?;
    match path.extension() {
        Some(gz) if gz.eq_ignore_ascii_case("gz") => Path::new(stem).file_stem(),
        _ => Some(stem),
    }
}

/// The checksum of a card's file: the card's, else what was recorded when the file
/// was first seen, which may be now.
pub(crate) fn card_sum(card: &Card, file: &CardFile, cache: &Path) -> Result<String, DataError> {
    let path = cache.join(&card.name).join(&file.name);
    if let Some(sum) = file.sha256.clone().or_else(|| recorded(&path)) {
        return Ok(sum);
    }
    if !path.exists() {
        return Err(DataError::NotFetched {
            name: card.name.clone(),
            path,
        });
    }
    let (_, sum) = sum_of_file(&path).map_err(|e| DataError::io(&path, e))?;
    // A cache that cannot be written is done without.
    let _ = record(&path, &sum);
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(corpora: &[&str]) -> TextSettings {
        TextSettings {
            corpora: corpora.iter().map(ToString::to_string).collect(),
            ..TextSettings::default()
        }
    }

    fn write(path: &Path, text: &str) -> String {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        path.display().to_string()
    }

    #[test]
    fn names_are_those_of_cards_or_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = write(&dir.path().join("diary.txt"), "x");
        let nested = write(&dir.path().join("letters/a/1.md"), "x");
        let folder = dir.path().join("letters").display().to_string();
        let found = corpora(&given(&[FATHER_BROWN, &file, &folder, &nested])).unwrap();
        let names: Vec<&str> = found.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, [FATHER_BROWN, "diary", "letters", "1"]);
        let here = corpora(&given(&[&format!("{folder}/a/..")])).unwrap();
        assert_eq!(here[0].name, "letters");
        let packed = write(&dir.path().join("notes.txt.GZ"), "x");
        assert_eq!(corpora(&given(&[&packed])).unwrap()[0].name, "notes");
    }

    #[test]
    fn unknown_and_doubled_names_are_refused() {
        let error = corpora(&given(&["father-browm"])).unwrap_err();
        assert!(error.is_usage());
        let error = error.to_string();
        assert!(error.contains("did you mean 'father-brown'?"), "{error}");
        assert!(error.contains("known: "), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let a = write(&dir.path().join("a/x.txt"), "x");
        let b = write(&dir.path().join("b/x.jsonl"), "x");
        let error = corpora(&given(&[&a, &b])).unwrap_err().to_string();
        assert!(error.contains("two corpora are called 'x'"), "{error}");
        assert!(error.contains(&a) && error.contains(&b), "{error}");
        assert!(corpora(&given(&[FATHER_BROWN, FATHER_BROWN])).is_err());
    }

    /// The same bytes that are read in another way are another content, and only then.
    #[test]
    fn the_content_says_how_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let content = |name: &str, text: &str, field: Option<&str>| {
            let settings = TextSettings {
                field: field.map(String::from),
                ..given(&[&write(&dir.path().join(name), text)])
            };
            corpora(&settings).unwrap()[0].content(dir.path()).unwrap()
        };
        let lines = "{\"text\": \"a\", \"body\": \"b\"}\n";
        let as_lines = content("a.jsonl", lines, None);
        assert_eq!(content("b.txt", lines, None), as_lines, "by its bytes");
        assert_eq!(content("b.txt", lines, Some("text")), as_lines);
        assert_ne!(content("b.txt", lines, Some("body")), as_lines);
        // Prose is prose, and broken as JSON lines.
        let prose = content("c.txt", "prose", None);
        assert_ne!(content("c.jsonl", "prose", None), prose);
        assert_eq!(
            content("d.txt", "prose", Some("body")),
            prose,
            "which has no fields"
        );
    }
}
