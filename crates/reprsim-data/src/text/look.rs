//! What there is in text before it is cut into samples: documents by part and corpus, and files
//! that are copies of others.

use std::collections::HashMap;
use std::path::Path;

use reprsim_base::{Digest, sha256};

use super::corpus::{Corpus, corpora};
use super::documents::Documents;
use super::open::left_out;
use super::read::read_file;
use super::settings::TextSettings;
use super::token_file::stream;
use crate::{DataError, Part, Skipped};

/// What there is in the corpora of a data set.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Documents of each part and corpus, in the order of the corpora.
    pub documents: Vec<(Part, Vec<(String, usize)>)>,
    /// Files that are copies.
    pub copies: Vec<FileCopy>,
    /// What is not read, and what was taken out.
    pub skipped: Vec<Skipped>,
    /// Names what the corpora hold.
    pub content: String,
}

/// A file of the user's own that gives the documents of an earlier one, however both are written and
/// packed. Both are named by their corpora and paths.
#[derive(Debug)]
pub(crate) struct FileCopy {
    pub file: String,
    pub of: String,
    /// Whether both are of one corpus.
    pub same_corpus: bool,
}

/// Reads all corpora of a data set.
pub(crate) fn look(settings: &TextSettings, cache: &Path) -> Result<Look, DataError> {
    let mut look = Look::default();
    let parts = [Part::Train, Part::Validation, Part::Test];
    let mut documents = parts.map(|part| (part, vec![]));
    let mut first: HashMap<[u8; 32], (String, usize)> = HashMap::new();
    let mut contents = String::new();
    for (number, corpus) in corpora(settings)?.iter().enumerate() {
        let content = corpus.content(cache)?;
        let stream = stream(corpus, &content, settings.tokenizer, cache)?;
        for (part, of_part) in &mut documents {
            of_part.push((corpus.name.clone(), stream.documents(*part).len()));
        }
        look.skipped.extend(left_out(corpus, &stream)?);
        contents += &format!("{} {content}\n", corpus.name);
        for (file, digest) in digests(corpus)? {
            let name = format!("{}/{file}", corpus.name);
            match first.get(&digest) {
                Some((of, class)) => look.copies.push(FileCopy {
                    file: name,
                    of: of.clone(),
                    same_corpus: *class == number,
                }),
                None => drop(first.insert(digest, (name, number))),
            }
        }
    }
    look.documents = documents.into();
    look.content = sha256(contents)[..16].into();
    Ok(look)
}

/// Digests of the documents of each file of the user's own that has any.
fn digests(corpus: &Corpus) -> Result<Vec<(String, [u8; 32])>, DataError> {
    let mut found = Vec::new();
    for file in corpus.listing()?.files {
        let (mut digest, mut any) = (Digest::new(), false);
        let mut each = |document: &str| {
            digest.update(document.len().to_le_bytes());
            digest.update(document);
            any = true;
            Ok(())
        };
        read_file(&file, &corpus.rules, &mut Documents::new(&mut each))?;
        if any {
            found.push((file.relative, digest.bytes()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Tokenizer;

    #[test]
    fn copies_are_named_by_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/1.txt", "one");
        write("a/2.txt", "two");
        write("a/3.txt", "three");
        write("a/deep/4.txt", "\u{feff}one");
        write("b/1.txt", "four");
        write("b/2.jsonl", "{\"text\": \"two\"}\n");
        write("b/3.txt", "five");
        write("b/4.txt", " \n");
        write("b/5.txt", "\n");
        write("b/6.txt", "six");
        let corpus = |name: &str| dir.path().join(name).display().to_string();
        let settings = TextSettings {
            corpora: vec![corpus("a"), corpus("b")],
            tokenizer: Tokenizer::Bytes,
            ..TextSettings::default()
        };
        let found = look(&settings, dir.path()).unwrap();
        let copies: Vec<String> = (found.copies.iter())
            .map(|c| format!("{} {} {}", c.file, c.of, c.same_corpus))
            .collect();
        assert_eq!(
            copies,
            ["a/deep/4.txt a/1.txt true", "b/2.jsonl a/2.txt false"]
        );
        let all: usize = (found.documents.iter())
            .flat_map(|(_, of)| of)
            .map(|(_, n)| n)
            .sum();
        assert_eq!(all, 3 + 4, "each document once");
    }
}
