//! What every format's reader finds in a file.

use crate::elements::Array;
use crate::ids::{Integers, SampleIds};

/// What a format's reader found.
pub(crate) struct Contents {
    pub ids: Option<SampleIds>,
    pub integers: Option<Integers>,
    pub layers: Vec<(String, Array)>,
}

/// Sorts names as people count: `layer2` before `layer10`.
pub(crate) fn natural_key(name: &str) -> Vec<(u64, String)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse().unwrap_or(0);
        rest = &rest[digits..];
        let text = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        key.push((number, rest[..text].to_string()));
        rest = &rest[text..];
    }
    key
}
