//! What names text on any machine.

use std::path::Path;

use reprsim_base::sha256;

use super::corpus::{Place, corpora};
use super::settings::TextSettings;
use super::token_file::VERSION;
use crate::DataError;

/// Names the content of the corpora as far as their names do not: of those that are
/// given by their paths the text, of all how text is cut and divided.
///
/// # Errors
/// [`DataError`] if a corpus is not known or cannot be read.
pub fn content_of_text(settings: &TextSettings) -> Result<String, DataError> {
    let mut lines = format!("{VERSION}\n");
    for corpus in corpora(settings)? {
        if let Place::File(_) | Place::Folder(_) = corpus.place {
            // Only cards have files in the cache.
            let content = corpus.content(Path::new(""))?;
            lines.push_str(&format!("{} {content}\n", corpus.name));
        }
    }
    Ok(sha256(lines)[..16].to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::catalog::FATHER_BROWN;

    fn write(path: &Path, text: &str) -> String {
        fs::write(path, text).unwrap();
        path.display().to_string()
    }

    #[test]
    fn the_fingerprint_is_of_the_text_not_of_the_place() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let print = |corpora: &[&str]| {
            let settings = TextSettings {
                corpora: corpora.iter().map(ToString::to_string).collect(),
                ..TextSettings::default()
            };
            content_of_text(&settings).unwrap()
        };
        let first = write(&a.path().join("x.txt"), "one");
        let second = write(&b.path().join("x.txt"), "one");
        assert_eq!(print(&[&first]), print(&[&second]));
        assert_eq!(print(&[&first]), print(&[&first, FATHER_BROWN]));
        let before = print(&[&second]);
        write(&b.path().join("x.txt"), "two");
        assert_ne!(print(&[&second]), before);
        let folder = a.path().display().to_string();
        let before = print(&[&folder]);
        fs::rename(a.path().join("x.txt"), a.path().join("y.txt")).unwrap();
        assert_ne!(print(&[&folder]), before, "the order is that of the names");
    }
}
