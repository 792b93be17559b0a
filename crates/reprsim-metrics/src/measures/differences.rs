//! Distances as similarities.

/// What larger is more alike of: a distance with its sign turned, 0 for none. Rounding may leave a
/// distance that is none below zero.
pub(crate) fn negative(distance: f64) -> f64 {
    0.0 - distance.max(0.0)
}

/// How far apart one number is in two layers, as a similarity.
pub(crate) fn negative_difference(a: &[f64], b: &[f64]) -> f64 {
    negative(a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum())
}
