//! Names that look the same and are not: an accent may be a character of its own behind its letter
//! (as file systems of Apple's write it) or one with it.

use std::collections::BTreeMap;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Two of these names that look the same, the one with accents apart last.
pub(super) fn alike(names: &[String]) -> Option<(&str, &str)> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    names.iter().find_map(|name| {
        let other = known.insert(name.nfc().collect(), name)?;
        match name.as_str() {
            same if same == other => None,
            name if is_nfc(name) => Some((name, other)),
            name => Some((other, name)),
        }
    })
}

/// Whether two names look the same.
pub(super) fn look_alike(a: &str, b: &str) -> bool {
    a.nfc().eq(b.nfc())
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
            ("\u{e9}", "e\u{300}"),
            ("\u{ac00}", "\u{1102}\u{1161}"),
        ] {
            assert!(!look_alike(a, b), "{a} {b}");
            assert_eq!(alike(&[a.to_string(), b.to_string()]), None);
        }
        assert_eq!(alike(&[String::new(), "a".into()]), None);
    }
}
