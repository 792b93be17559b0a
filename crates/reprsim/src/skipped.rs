//! What was left out of a data set's folder, in words.

use reprsim_data::Skipped;

/// So many are named one by one.
const SHOWN: usize = 10;

/// A line each, and one for those that are not named.
pub(crate) fn lines(skipped: &[Skipped]) -> Vec<String> {
    let line = |file: &Skipped| format!("data set: {}: {}", file.path.display(), file.reason);
    let mut lines: Vec<String> = skipped.iter().take(SHOWN).map(line).collect();
    if skipped.len() > SHOWN {
        lines.push(format!("data set: and {} more", skipped.len() - SHOWN));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_counted() {
        let of = |count: usize| -> Vec<Skipped> {
            let file = |i: usize| Skipped {
                path: format!("a/{i}").into(),
                reason: "left out: hidden".into(),
            };
            (0..count).map(file).collect()
        };
        assert!(lines(&of(0)).is_empty());
        assert_eq!(lines(&of(1)), ["data set: a/0: left out: hidden"]);
        assert_eq!(lines(&of(SHOWN)).len(), SHOWN);
        assert_eq!(lines(&of(37)).last().unwrap(), "data set: and 27 more");
    }
}
