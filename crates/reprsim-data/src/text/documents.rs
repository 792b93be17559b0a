//! Text as documents: the pieces that a corpus is divided by.

use std::borrow::Cow;

/// A document of more bytes is cut.
///
/// A corpus that is one file must still be divided by document, and permutation
/// tests, which move whole documents, need many of them: so the sections of a book
/// count as documents. Four kilobytes are a few windows of usual length.
const LONGEST: usize = 4 << 10;
/// A cut at a blank line or line end must leave a section of so much; else it is
/// made further on.
const SHORTEST: usize = LONGEST / 4;

/// Calls `each` with the documents of a text: the text itself, or its sections
/// where it is long. What is only white space is no document.
pub(crate) fn documents_of(text: &str, each: &mut dyn FnMut(&str)) {
    let text: Cow<'_, str> = match text.contains("\r\n") {
        true => text.replace("\r\n", "\n").into(),
        false => text.into(),
    };
    for section in sections(&text).filter(|s| !s.trim().is_empty()) {
        each(section);
    }
}

/// The sections of a text; together they are the text.
fn sections(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (section, after) = rest.split_at(section_end(rest));
        rest = after;
        (!section.is_empty()).then_some(section)
    })
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

    fn documents(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        documents_of(text, &mut |d| found.push(d.to_string()));
        found
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
        fn sections_are_the_text(
            pieces in prop::collection::vec(("[ a-zäß\n]{0,40}", 1usize..400), 0..12),
        ) {
            let text: String = pieces.iter().map(|(piece, n)| piece.repeat(*n)).collect();
            let found: Vec<&str> = sections(&text).collect();
            prop_assert_eq!(found.concat(), text.clone());
            let (last, others) = found.split_last().unwrap_or((&"", &[]));
            prop_assert!(last.len() <= LONGEST);
            prop_assert!(others.iter().all(|s| (SHORTEST..=LONGEST).contains(&s.len())));
        }
    }
}
