//! Colours of numbers.

/// Viridis, which keeps its order in grey print and for colour-blind eyes.
const COLOURS: [[u8; 3]; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 73, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [110, 206, 88],
    [181, 222, 43],
    [253, 231, 37],
];

/// The colour of a share from 0 (dark) to 1 (light); what lies outside has that of the end.
pub(crate) fn viridis(share: f64) -> [u8; 3] {
    let last = COLOURS.len() - 1;
    let share = if share.is_nan() { 0.0 } else { share };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let low = (at.floor() as usize).min(last - 1);
    let mix = |c: usize| {
        let (from, to) = (f64::from(COLOURS[low][c]), f64::from(COLOURS[low + 1][c]));
        (from + (to - from) * (at - low as f64)).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// A colour as CSS has it.
pub(crate) fn css([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The class of letters that can be read on a colour.
pub(crate) fn ink([r, g, b]: [u8; 3]) -> &'static str {
    let light = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    if light > 140.0 { "on-light" } else { "on-dark" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_run_from_dark_to_light() {
        let grey =
            |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
        let steps: Vec<f64> = (0..=50)
            .map(|i| grey(viridis(f64::from(i) / 50.0)))
            .collect();
        assert!(steps.is_sorted());
    }
}
