//! Samples by class, and two models' samples with a part in common.

use super::round::round_half_even;
use crate::DataError;

/// Refuses an overlap that is no share.
pub(super) fn check_share(kind: &str, overlap: f64) -> Result<(), DataError> {
    match (0.0..=1.0).contains(&overlap) {
        true => Ok(()),
        false => Err(DataError::Split(format!(
            "{kind} overlap {overlap} is not between 0 and 1"
        ))),
    }
}

/// The samples of each class, in their order.
pub(super) fn by_class(labels: &[u32], classes: usize) -> Result<Vec<Vec<u32>>, DataError> {
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        let Some(class) = members.get_mut(label as usize) else {
            return Err(DataError::Split(format!(
                "sample {index} has label {label}; there are {classes} classes"
            )));
        };
        class.push(index as u32);
    }
    Ok(members)
}

/// Refuses a class that models are to learn and of which there is no sample.
pub(super) fn check_any(members: &[u32], class: &str) -> Result<(), DataError> {
    match members.is_empty() {
        false => Ok(()),
        true => Err(DataError::Split(format!(
            "there is no training sample of class '{class}', which models are to learn\n  complete the \
             data set, or take another label"
        ))),
    }
}

/// The first round(f n) (ties to even) of `pool` for both models, the next n less
/// that for a alone, as many after those for b alone; the rest is unused. The pool is
/// in random order already.
///
/// # Errors
/// The number of samples that would be needed, if the pool has fewer or `n` is 0.
pub(super) fn share(pool: &[u32], n: usize, overlap: f64) -> Result<(Vec<u32>, Vec<u32>), usize> {
    let shared = round_half_even(overlap * n as f64);
    let needed = 2 * n - shared;
    if n == 0 || needed > pool.len() {
        return Err(needed.max(1));
    }
    let (common, own) = pool.split_at(shared);
    let (of_a, own) = own.split_at(n - shared);
    let of_b = &own[..n - shared];
    Ok(([common, of_a].concat(), [common, of_b].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_labels_are_checked() {
        assert!(check_share("data", 0.0).is_ok() && check_share("data", 1.0).is_ok());
        for odd in [-0.1, 1.5, 3.0, f64::NAN, f64::INFINITY] {
            let error = check_share("data", odd).unwrap_err();
            assert!(error.is_usage());
            assert!(error.to_string().starts_with("data overlap"), "{error}");
        }
        assert_eq!(
            by_class(&[1, 0, 1], 3).unwrap(),
            [vec![1], vec![0, 2], vec![]]
        );
        let error = by_class(&[1, 3], 3).unwrap_err().to_string();
        assert_eq!(error, "sample 1 has label 3; there are 3 classes");
    }
}
