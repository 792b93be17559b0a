//! What is in files of text and is none: byte order marks that were left where files were put
//! together, and control characters.

use std::collections::BTreeMap;
use std::fmt;

/// The mark that a part of a text may begin with; inside a text it is a space of no width.
pub(super) const MARK: char = '\u{feff}';
/// How the control characters below the space are called (ISO 646).
const NAMES: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR",
    "SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC",
    "FS", "GS", "RS", "US",
];
/// So many kinds of control characters are named.
const NAMED: usize = 4;

/// Whether a character is kept as it is: all but marks and control characters, of which tabs, ends of
/// lines (U+0085 is one) and of pages are text.
fn is_text(c: char) -> bool {
    match c {
        '\t' | '\n' | '\u{c}' | '\r' | '\u{85}' => true,
        MARK => false,
        c => !c.is_control(),
    }
}

/// What was taken out of a text, by character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken(BTreeMap<char, u64>);

impl Taken {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts one more.
    pub fn count(&mut self, c: char) {
        *self.0.entry(c).or_default() += 1;
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marks = self.0.get(&MARK).copied().unwrap_or(0);
        let mut controls: Vec<(char, u64)> = (self.0.iter())
            .filter(|(c, _)| **c != MARK)
            .map(|(c, n)| (*c, *n))
            .collect();
        controls.sort_by_key(|&(c, n)| (std::cmp::Reverse(n), c));
        let all: u64 = controls.iter().map(|(_, n)| n).sum();
        f.write_str("taken out of the text: ")?;
        if marks > 0 {
            write!(f, "byte order marks inside it ({marks})")?;
        }
        if all == 0 {
            return Ok(());
        }
        let name = |c: char| match NAMES.get(c as usize) {
            Some(name) => (*name).to_string(),
            None => format!("U+{:04X}", c as u32),
        };
        let mut named: Vec<String> = (controls.iter().take(NAMED))
            .map(|&(c, n)| format!("{n} {}", name(c)))
            .collect();
        if controls.len() > NAMED {
            named.push("others".into());
        }
        let and = if marks > 0 { ", " } else { "" };
        write!(f, "{and}control characters ({all}: {})", named.join(", "))
    }
}

/// Where the last piece of a text ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    /// At a carriage return, which may be one end of line with what follows.
    Return,
    /// At ESC.
    Escape,
    /// Inside a sequence of ECMA-48 (5.4): colours of terminals and the like.
    Sequence,
}

/// Takes it out of a text that comes in pieces, and makes ends of lines one character.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    pub taken: Taken,
    state: State,
}

impl Cleaner {
    /// Appends what is text of the next piece.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        let plain = |c: char| c != '\r' && is_text(c);
        if self.state == State::Between && piece.chars().all(plain) {
            return out.push_str(piece);
        }
        for c in piece.chars() {
            match (self.state, c) {
                (State::Return, '\n') => {
                    self.state = State::Between;
                    out.push('\n');
                    continue;
                }
                (State::Return, _) => out.push('\r'),
                (State::Escape, '[') => {
                    self.state = State::Sequence;
                    continue;
                }
                (State::Sequence, ' '..='?') => continue,
                (State::Sequence, '@'..='~') => {
                    self.state = State::Between;
                    continue;
                }
                _ => {}
            }
            self.state = match c {
                '\r' => State::Return,
                '\u{1b}' => State::Escape,
                _ => State::Between,
            };
            if !is_text(c) {
                self.taken.count(c);
            } else if c != '\r' {
                out.push(c);
            }
        }
    }

    /// The end of the text.
    pub fn finish(&mut self, out: &mut String) {
        if std::mem::take(&mut self.state) == State::Return {
            out.push('\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(pieces: &[&str]) -> (String, Cleaner) {
        let (mut cleaner, mut out) = (Cleaner::default(), String::new());
        for piece in pieces {
            cleaner.push(piece, &mut out);
        }
        cleaner.finish(&mut out);
        (out, cleaner)
    }

    #[test]
    fn marks_and_controls_go_and_are_counted() {
        let text = "one\u{feff}two\u{7}\u{1b}[1;31mred\u{1b}[0m\tA\u{c}B\u{85}C\u{1b}D\u{7f}\u{9b}";
        let (out, cleaner) = cleaned(&[text]);
        assert_eq!(out, "onetwored\tA\u{c}B\u{85}CD");
        let said = cleaner.taken.to_string();
        assert_eq!(
            said,
            "taken out of the text: byte order marks inside it (1), control characters (6: 3 ESC, 1 \
             BEL, 1 U+007F, 1 U+009B)"
        );
        let (_, cleaner) = cleaned(&["\u{8}"]);
        assert_eq!(
            cleaner.taken.to_string(),
            "taken out of the text: control characters (1: 1 BS)"
        );
        assert!(
            cleaned(&["prose, ütf-8\r\n\tand more\n"])
                .1
                .taken
                .is_empty()
        );
    }

    proptest! {
        /// However a text is cut into pieces, the same is left of it; and what was text stays.
        #[test]
        fn pieces_do_not_matter(text in "[a\\[1;m\r\n\u{1b}\u{7}\u{feff}é]{0,40}", at in 0usize..40) {
            let at = text.char_indices().map(|(i, _)| i).nth(at).unwrap_or(text.len());
            let (whole, a) = cleaned(&[&text]);
            let (pieces, b) = cleaned(&[&text[..at], &text[at..]]);
            prop_assert_eq!(&whole, &pieces);
            prop_assert_eq!(a.taken, b.taken);
            prop_assert!(whole.chars().all(is_text));
            let plain: String = text.chars().filter(|c| is_text(*c)).collect();
            let (same, none) = cleaned(&[&plain]);
            prop_assert_eq!(same, plain.replace("\r\n", "\n"));
            prop_assert!(none.taken.is_empty());
        }
    }
}
