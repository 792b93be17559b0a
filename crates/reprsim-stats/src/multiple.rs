//! Several tests at once.

/// P-values adjusted so that the chance of any false finding among all tests stays
/// below the level (Holm 1979). Missing ones, and NaN, stay missing and do not count.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut tests: Vec<(usize, f64)> = p
        .iter()
        .enumerate()
        .filter_map(|(i, p)| p.filter(|p| !p.is_nan()).map(|p| (i, p)))
        .collect();
    tests.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; p.len()];
    let mut largest: f64 = 0.0;
    for (place, (i, p)) in tests.iter().enumerate() {
        largest = largest.max(p * (tests.len() - place) as f64).min(1.0);
        adjusted[*i] = Some(largest);
    }
    adjusted
}
