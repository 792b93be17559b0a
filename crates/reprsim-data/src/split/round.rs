//! Rounding as the reference does it, and levels as people write them.

/// How far a level may be from a reachable one: `0.33` means one third.
const TOLERANCE: f64 = 0.005;

/// `round(x)` with ties to the even neighbour, like Python's.
pub(super) fn round_half_even(x: f64) -> usize {
    x.round_ties_even().max(0.0) as usize
}

/// Whether `level` is one of `reachable`, up to rounding to two decimals.
pub fn is_reachable(level: f64, reachable: &[f64]) -> bool {
    reachable.iter().any(|r| (r - level).abs() <= TOLERANCE)
}

/// Levels for a message, such as `0, 0.5, 1`; long lists are shortened.
pub fn levels_text(levels: &[f64]) -> String {
    let text = |level: &f64| {
        format!("{level:.3}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_string()
    };
    if levels.len() <= 13 {
        levels.iter().map(text).collect::<Vec<_>>().join(", ")
    } else {
        let head: Vec<String> = levels[..3].iter().map(text).collect();
        format!(
            "{}, ... 1 (steps of 1/{})",
            head.join(", "),
            levels.len() - 1
        )
    }
}
