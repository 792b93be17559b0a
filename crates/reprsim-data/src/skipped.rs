//! What is left out of a data set, and how it is said.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// So many are named one by one.
const SHOWN: usize = 10;

/// A file or folder of a data set that was left out, or is not used as one would think.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path, relative to the data set's folder, or the corpus and the file in it.
    pub path: PathBuf,
    /// What became of it, and why.
    pub reason: String,
}

impl Skipped {
    /// What concerns more comes first: parts and classes before their files.
    fn order(&self) -> (usize, &Path, &str) {
        (self.path.components().count(), &self.path, &self.reason)
    }

    /// Those of several parts of a data set, each once, in order.
    pub fn merged(parts: &[&[Self]]) -> Vec<Self> {
        let mut all = parts.concat();
        all.sort();
        all.dedup();
        all
    }

    /// A line each; of many the first ones, and one line with the number of the others and, where
    /// there is one, the file that holds `all`.
    pub fn lines(skipped: &[Self], all: Option<&str>) -> Vec<String> {
        let line = |file: &Self| format!("{}: {}", file.path.display(), file.reason);
        let mut lines: Vec<String> = skipped.iter().take(SHOWN).map(line).collect();
        if skipped.len() > SHOWN {
            let place = all.map_or(String::new(), |file| format!("; {file} has all"));
            lines.push(format!("and {} more{place}", skipped.len() - SHOWN));
        }
        lines
    }
}

impl Ord for Skipped {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Skipped {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize) -> Vec<Skipped> {
        let file = |i: usize| Skipped {
            path: format!("a/{i}").into(),
            reason: "left out: hidden".into(),
        };
        (0..count).map(file).collect()
    }

    #[test]
    fn many_are_counted() {
        let lines = |count| Skipped::lines(&of(count), None);
        assert!(lines(0).is_empty());
        assert_eq!(lines(1), ["a/0: left out: hidden"]);
        assert_eq!(lines(SHOWN).len(), SHOWN);
        assert_eq!(lines(37).last().unwrap(), "and 27 more");
        let lines = |count| Skipped::lines(&of(count), Some("skipped.json"));
        assert_eq!(
            lines(37).last().unwrap(),
            "and 27 more; skipped.json has all"
        );
        assert!(!lines(SHOWN).concat().contains("skipped.json"));
    }

    #[test]
    fn what_two_parts_say_is_said_once() {
        let mut test = of(3);
        test.push(Skipped {
            path: "b".into(),
            reason: "a class without an image".into(),
        });
        let merged = Skipped::merged(&[&of(3), &test]);
        assert_eq!(merged.len(), 4);
        assert_eq!(merged[0].path, Path::new("b"), "classes before files");
    }
}
