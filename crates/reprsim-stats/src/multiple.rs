//! Several tests at once.

/// Q-values: the least expected share of false findings among all tests with a p-value up to this one
/// (Benjamini and Hochberg 1995), which holds for tests that are independent or go the same way.
/// Missing ones, and NaN, stay missing and do not count.
pub fn benjamini_hochberg(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let tests = sorted(p);
    let mut adjusted = vec![None; p.len()];
    let mut least: f64 = 1.0;
    for (place, (i, p)) in tests.iter().enumerate().rev() {
        least = least.min(p * tests.len() as f64 / (place + 1) as f64);
        adjusted[*i] = Some(least);
    }
    adjusted
}

/// The tests that there are, with their places, from the least p-value.
fn sorted(p: &[Option<f64>]) -> Vec<(usize, f64)> {
    let mut tests: Vec<(usize, f64)> = p
        .iter()
        .enumerate()
        .filter_map(|(i, p)| p.filter(|p| !p.is_nan()).map(|p| (i, p)))
        .collect();
    tests.sort_by(|a, b| a.1.total_cmp(&b.1));
    tests
}

/// P-values adjusted so that the chance of any false finding among all tests stays
/// below the level (Holm 1979). Missing ones, and NaN, stay missing and do not count.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let tests = sorted(p);
    let mut adjusted = vec![None; p.len()];
    let mut largest: f64 = 0.0;
    for (place, (i, p)) in tests.iter().enumerate() {
        largest = largest.max(p * (tests.len() - place) as f64).min(1.0);
        adjusted[*i] = Some(largest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By SciPy 1.17.1: scipy.stats.false_discovery_control([.01, .02, .03, .04, .05, .5, .04]).
    #[test]
    fn q_values_are_those_of_scipy() {
        let p = [0.01, 0.02, 0.03, 0.04, 0.05, 0.5, 0.04].map(Some);
        let expected = [0.056, 0.056, 0.056, 0.056, 0.175 / 3.0, 0.5, 0.056];
        for (found, expected) in benjamini_hochberg(&p).iter().zip(expected) {
            assert!(
                (found.unwrap_or(2.0) - expected).abs() < 1e-12,
                "{found:?} {expected}"
            );
        }
        let with_gaps = [None, Some(0.02), Some(f64::NAN), Some(0.9)];
        assert_eq!(
            benjamini_hochberg(&with_gaps),
            [None, Some(0.04), None, Some(0.9)]
        );
        assert_eq!(benjamini_hochberg(&[]), []);
    }
}
