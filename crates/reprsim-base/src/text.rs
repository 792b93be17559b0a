//! Text from elsewhere (names of layers, files, columns) on its way out: one function for each kind
//! of reader that could take it for more than text.

use std::borrow::Cow;

/// `text` for a terminal, a page or a figure: characters that would steer it instead of being seen
/// (controls other than line ends and tabs, and those that turn the direction of writing) as
/// escapes, such as `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && !matches!(c, '\n' | '\t'))
}

/// The same for a table or a message of one line: line ends and tabs are escapes too.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// `text` for a field of a CSV file: controls as escapes, and text that a spreadsheet would take for
/// a formula (`=`, `+`, `-` or `@` first, and no number) after an apostrophe, as OWASP advises
/// ("CSV Injection").
pub fn csv_field(text: &str) -> Cow<'_, str> {
    let shown = escaped(text, |c| steers(c) && c != '\n');
    let formula = shown.trim_start().starts_with(['=', '+', '-', '@']);
    match formula && shown.trim().parse::<f64>().is_err() {
        true => format!("'{shown}").into(),
        false => shown,
    }
}

/// JSON for a terminal: what steers it is written as JSON writes it, and reads back as it was.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let steers = |c: char| steers(c) && !matches!(c, '\n' | '\t');
    match json.contains(steers) {
        false => json.into(),
        true => (json.chars())
            .map(|c| match steers(c) {
                // All of them are below 2^16.
                true => format!("\\u{:04x}", u32::from(c)),
                false => c.to_string(),
            })
            .collect(),
    }
}

/// Whether a character is no part of what is seen. Source of the last: Unicode's bidirectional
/// controls (UAX 9, section 2).
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

fn escaped(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&which) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match which(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_seen() {
        assert_eq!(printable("a\u{1b}[31mb\n\tc"), "a\\u{1b}[31mb\n\tc");
        assert_eq!(printable("a\rb\u{202e}c\u{9b}d"), "a\\rb\\u{202e}c\\u{9b}d");
        assert_eq!(printable_line("a\nb\tc"), "a\\nb\\tc");
        assert!(matches!(printable("Größe 50 % – é"), Cow::Borrowed(_)));
    }

    #[test]
    fn formulas_are_text_and_numbers_are_numbers() {
        for formula in ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1", "-"] {
            assert_eq!(csv_field(formula), format!("'{formula}"));
        }
        for plain in ["-1.5e-7", "+3", "layer-1", "", "NaN", "-inf", "a=b"] {
            assert_eq!(csv_field(plain), plain);
        }
        assert_eq!(csv_field("a\rb"), "a\\rb");
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let text = "a\u{9b}\u{202e}b\n\u{7f}";
        let json = serde_json::to_string(&[text]).unwrap();
        let shown = printable_json(&json);
        assert!(!shown.chars().any(steers), "{shown}");
        let back: [String; 1] = serde_json::from_str(&shown).unwrap();
        assert_eq!(back, [text]);
    }

    proptest! {
        #[test]
        fn nothing_that_steers_is_left(text in ".*") {
            prop_assert!(!printable_line(&text).chars().any(steers));
            prop_assert!(!csv_field(&text).contains('\r'));
        }
    }
}
