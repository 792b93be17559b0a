//! Two models' samples with a part in common.

use super::round::round_half_even;

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
