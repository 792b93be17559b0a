//! Rounding as the reference does it.

/// `round(x)` with ties to the even neighbour, like Python's.
pub(super) fn round_half_even(x: f64) -> usize {
    x.round_ties_even().max(0.0) as usize
}

/// The count `c` of `whole` with `c / whole == level`, if there is one.
pub(super) fn exact_count(level: f64, whole: usize) -> Option<usize> {
    let count = round_half_even(level * whole as f64);
    ((count as f64 / whole as f64) - level)
        .abs()
        .le(&0.005)
        .then_some(count)
}

/// The levels 0/whole .. whole/whole, for an error message.
pub(super) fn levels_text(whole: usize) -> String {
    let levels: Vec<String> = (0..=whole)
        .map(|c| {
            let level = c as f64 / whole as f64;
            let text = format!("{level:.3}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if text.is_empty() {
                "0".into()
            } else {
                text.to_string()
            }
        })
        .collect();
    if levels.len() <= 13 {
        levels.join(", ")
    } else {
        format!(
            "{}, {}, {}, ... 1 (steps of 1/{whole})",
            levels[0], levels[1], levels[2]
        )
    }
}
