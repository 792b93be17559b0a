//! Text as documents: the pieces that a corpus is divided by.

use reprsim_base::OverBudget;

use super::cleaning::{Cleaner, MARK, Taken};

/// A document of more bytes is cut.
///
/// A corpus that is one file must still be divided by document, and permutation
/// tests, which move whole documents, need many of them: so the sections of a book
/// count as documents. Four kilobytes are a few windows of usual length.
const LONGEST: usize = 4 << 10;
/// A cut at a blank line or line end must leave a section of so much; else it is
/// made further on.
const SHORTEST: usize = LONGEST / 4;

/// What becomes of a document; that it does not fit into memory ends the reading.
pub(crate) type Each<'a> = dyn FnMut(&str) -> Result<(), OverBudget> + 'a;

/// Makes documents of texts: each text itself, or its sections where it is long, without what
/// is no text. What is only white space is no document.
pub(crate) struct Documents<'a> {
    each: &'a mut Each<'a>,
    cleaner: Cleaner,
    /// What is not yet given of the text that is coming.
    waiting: String,
    /// Documents that came since this was asked.
    found: usize,
}

impl<'a> Documents<'a> {
    pub fn new(each: &'a mut Each<'a>) -> Self {
        Self {
            each,
            cleaner: Cleaner::default(),
            waiting: String::new(),
            found: 0,
        }
    }

    /// Takes a whole text.
    pub fn take(&mut self, text: &str) -> Result<(), OverBudget> {
        self.push(text)?;
        self.finish()
    }

    /// Takes the next piece of a text.
    pub fn push(&mut self, piece: &str) -> Result<(), OverBudget> {
        self.cleaner.push(piece, &mut self.waiting);
        let mut given = 0;
        while self.waiting.len() - given > LONGEST {
            given += self.give(given)?;
        }
        self.waiting.drain(..given);
        Ok(())
    }

    /// Ends a text.
    pub fn finish(&mut self) -> Result<(), OverBudget> {
        self.cleaner.finish(&mut self.waiting);
        let mut given = 0;
        while given < self.waiting.len() {
            given += self.give(given)?;
        }
        self.waiting.clear();
        Ok(())
    }

    /// Gives the first section of what waits from `start` on; its length.
    fn give(&mut self, start: usize) -> Result<usize, OverBudget> {
        let rest = &self.waiting[start..];
        let section = &rest[..section_end(rest)];
        if !section.trim().is_empty() {
            (self.each)(section)?;
            self.found += 1;
        }
        Ok(section.len())
    }

    /// A text without the marks that it begins with, which are counted.
    pub fn unmarked<'t>(&mut self, text: &'t str) -> &'t str {
        let rest = text.trim_start_matches(MARK);
        let marks = (text.len() - rest.len()) / MARK.len_utf8();
        (0..marks).for_each(|_| self.cleaner.taken.count(MARK));
        rest
    }

    /// How many documents there were since this was asked.
    pub fn found(&mut self) -> usize {
        std::mem::take(&mut self.found)
    }

    /// What was taken out of the texts since this was asked.
    pub fn taken(&mut self) -> Taken {
        std::mem::take(&mut self.cleaner.taken)
    }
}

/// Where the first section of a text ends: after a blank line, else after a line,
/// else before a space, else between two characters.
fn section_end(text: &str) -> usize {
    if text.len() <= LONGEST {
        return text.len();
    }
    let limit = text.floor_char_boundary(LONGEST);
    let head = &text[..limit];
    let (mut blank, mut line, mut start) = (None, None, 0);
    for (at, _) in head.match_indices('\n') {
        if at + 1 >= SHORTEST {
            line = Some(at + 1);
            if head[start..at].trim().is_empty() {
                blank = line;
            }
        }
        start = at + 1;
    }
    let space = head.rfind(' ').filter(|&at| at >= SHORTEST);
    blank.or(line).or(space).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_pieces(pieces: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut each = |document: &str| {
            found.push(document.to_string());
            Ok(())
        };
        let mut documents = Documents::new(&mut each);
        for piece in pieces {
            documents.push(piece).unwrap();
        }
        documents.finish().unwrap();
        drop(documents);
        found
    }

    fn documents(text: &str) -> Vec<String> {
        of_pieces(&[text])
    }

    #[test]
    fn short_texts_are_one_document() {
        assert_eq!(documents("a\r\n\r\nb"), ["a\n\nb"]);
        assert!(documents("").is_empty());
        assert!(documents(" \n\t\r\n").is_empty());
    }

    #[test]
    fn long_texts_are_cut_at_blank_lines() {
        let paragraph = format!("{}\n \n", "word ".repeat(300));
        let found = documents(&paragraph.repeat(20));
        assert_eq!(found.concat(), paragraph.repeat(20));
        assert!(found.len() > 3);
        assert!(
            found
                .iter()
                .all(|d| d.starts_with("word") && d.ends_with("\n \n"))
        );
        assert!(found.iter().all(|d| d.len() <= LONGEST));
    }

    #[test]
    fn other_texts_are_cut_where_it_hurts_least() {
        let lines = documents(&format!("{}\n", "x".repeat(99)).repeat(400));
        assert!(lines.len() > 3 && lines.iter().all(|d| d.ends_with('\n')));
        let words = documents(&"speech ".repeat(5000));
        assert!(words[1..].iter().all(|d| d.starts_with(' ')));
        let nothing = documents(&"ä".repeat(10_000));
        assert_eq!(nothing.concat(), "ä".repeat(10_000));
        assert_eq!(nothing[0].len(), LONGEST);
        // Blank lines too near to the beginning are no place to cut.
        let early = documents(&format!("a\n\n{}", "word word\n".repeat(2000)));
        assert!(early[0].len() > SHORTEST);
    }

    proptest! {
        #[test]
        fn sections_are_the_text_however_it_comes(
            pieces in prop::collection::vec(("[ a-zäß\n]{0,40}x", 1usize..400), 0..12),
        ) {
            let pieces: Vec<String> = pieces.iter().map(|(piece, n)| piece.repeat(*n)).collect();
            let text = pieces.concat();
            let found = documents(&text);
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(&found, &of_pieces(&pieces));
            // No section of this text is blank.
            prop_assert_eq!(found.concat(), text);
            if let Some((last, others)) = found.split_last() {
                prop_assert!(last.len() <= LONGEST);
                prop_assert!(others.iter().all(|s| (SHORTEST..=LONGEST).contains(&s.len())));
            }
        }
    }
}
