//! Names that look the same and are not: an accent may be a character of its own behind its letter
//! (as file systems of Apple's write it) or one with it.

use std::collections::BTreeMap;

/// Two of these names that look the same, of which one has accents apart.
pub(super) fn alike(names: &[String]) -> Option<(&str, &str)> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        groups.entry(outline(name)).or_default().push(name);
    }
    groups.values().find_map(|group| {
        let apart = group.iter().filter(|name| name.contains(is_joined));
        let mut pairs = apart.flat_map(|a| group.iter().map(move |b| (*b, *a)));
        pairs.find(|(a, b)| a != b && look_alike(a, b))
    })
}

/// Whether two different names look the same.
pub(super) fn look_alike(a: &str, b: &str) -> bool {
    let (a, b) = (letters(a), letters(b));
    let same =
        |(a, b): (&&str, &&str)| a == b || is_apart(a) != is_apart(b) && is_odd(a) && is_odd(b);
    a.len() == b.len() && a.iter().zip(&b).all(same)
}

/// What names that look the same have in common.
fn outline(name: &str) -> String {
    let letters = letters(name);
    (letters
        .iter()
        .map(|letter| if is_odd(letter) { "*" } else { letter }))
    .collect()
}

/// The letters of a name, each with what joins it.
fn letters(name: &str) -> Vec<&str> {
    let starts = name.char_indices().filter(|(_, c)| !is_joined(*c));
    let mut ends: Vec<usize> = starts.map(|(at, _)| at).skip(1).collect();
    ends.push(name.len());
    let mut from = 0;
    let letter = |end| &name[std::mem::replace(&mut from, end)..end];
    ends.into_iter().map(letter).collect()
}

/// Whether a letter has something apart that joins it.
fn is_apart(letter: &str) -> bool {
    letter.chars().nth(1).is_some()
}

/// Whether a letter may be written in several ways.
fn is_odd(letter: &str) -> bool {
    is_apart(letter) || !letter.is_ascii()
}

/// Whether a character joins the one before: an accent, a voicing mark, or all but the first part of a
/// Korean syllable.
fn is_joined(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{3099}'..='\u{309a}' | '\u{1161}'..='\u{11ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_apart_and_not_look_the_same() {
        for (a, b) in [
            ("caf\u{e9}", "cafe\u{301}"),
            ("\u{c5}ngstr\u{f6}m", "A\u{30a}ngstro\u{308}m"),
            ("\u{1ebf}", "e\u{302}\u{301}"),
            (
                "\u{d55c}\u{ad6d}",
                "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}",
            ),
            ("\u{304c}", "\u{304b}\u{3099}"),
        ] {
            assert!(look_alike(a, b) && look_alike(b, a), "{a} {b}");
            let names = ["x".to_string(), b.to_string(), a.to_string()];
            assert_eq!(alike(&names), Some((a, b)));
        }
        for (a, b) in [
            ("cafe", "cafe\u{301}"),
            ("caf\u{e9}", "cafe"),
            ("caf\u{e9}", "caf\u{e8}"),
            ("\u{e9}a", "e\u{301}b"),
            ("\u{4e00}", "\u{4e8c}"),
            ("e\u{301}", "e\u{300}"),
        ] {
            assert!(!look_alike(a, b), "{a} {b}");
            assert_eq!(alike(&[a.to_string(), b.to_string()]), None);
        }
        assert_eq!(alike(&[String::new(), "a".into()]), None);
    }
}
