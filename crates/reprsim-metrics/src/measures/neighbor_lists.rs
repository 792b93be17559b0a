//! What the measures on neighbour lists ask of one sample's two lists.

use rayon::prelude::*;

use crate::pair::NeighborPair;

/// The mean over samples of what `of` says of a sample.
pub(crate) fn mean_of(
    pair: &NeighborPair,
    of: impl Fn(&NeighborPair, usize) -> usize + Sync,
) -> f64 {
    let n = pair.a.len() / pair.k;
    // Whole numbers: their sum does not depend on the order.
    let total: usize = (0..n).into_par_iter().map(|i| of(pair, i)).sum();
    total as f64 / n as f64
}

fn lists<'a>(pair: &NeighborPair<'a>, i: usize) -> (&'a [u32], &'a [u32]) {
    let of = i * pair.k..(i + 1) * pair.k;
    (&pair.a[of.clone()], &pair.b[of])
}

/// How many neighbours of a sample the layers have in common, over all samples.
pub(crate) fn common(pair: &NeighborPair) -> usize {
    let n = pair.a.len() / pair.k;
    // A mark a sample says whose neighbour it was last: a list is then looked through
    // once, where comparing all its entries with all of the other's takes k times as long.
    (0..n as u32)
        .into_par_iter()
        .with_min_len(256)
        .map_init(
            || vec![u32::MAX; n],
            |marks, i| {
                let (a, b) = lists(pair, i as usize);
                a.iter().for_each(|j| marks[*j as usize] = i);
                b.iter().filter(|j| marks[**j as usize] == i).count()
            },
        )
        .sum()
}

/// The neighbours of sample i that the layers have in common, with the kernel
/// values of both.
pub(crate) fn both(pair: &NeighborPair, i: usize) -> Vec<(u32, f64, f64)> {
    let (a, b) = lists(pair, i);
    let of = i * pair.k..(i + 1) * pair.k;
    let (kernel_a, kernel_b) = (&pair.kernel_a[of.clone()], &pair.kernel_b[of]);
    (a.iter().zip(kernel_a))
        .filter_map(|(j, k)| {
            let at = b.iter().position(|other| other == j)?;
            Some((*j, *k, kernel_b[at]))
        })
        .collect()
}

/// 1 if sample i is among the first layer's neighbours of any of its neighbours
/// in the second.
pub(crate) fn returns(pair: &NeighborPair, i: usize) -> usize {
    let (_, b) = lists(pair, i);
    let back = |j: &u32| lists(pair, *j as usize).0.contains(&(i as u32));
    usize::from(b.iter().any(back))
}

/// Length of the longest common subsequence of the two lists of sample i.
pub(crate) fn longest_common_subsequence(pair: &NeighborPair, i: usize) -> usize {
    let (a, b) = lists(pair, i);
    // Row by row of the usual table; `above[j]` is the row before.
    let mut above = vec![0usize; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let here = if x == y {
                diagonal + 1
            } else {
                above[j + 1].max(above[j])
            };
            diagonal = std::mem::replace(&mut above[j + 1], here);
        }
    }
    above[b.len()]
}

/// Levenshtein distance between the two lists of sample i.
pub(crate) fn edit_distance(pair: &NeighborPair, i: usize) -> usize {
    let (a, b) = lists(pair, i);
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut above[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let here = (above[j] + 1)
                .min(above[j + 1] + 1)
                .min(diagonal + usize::from(x != y));
            diagonal = std::mem::replace(&mut above[j + 1], here);
        }
    }
    above[b.len()]
}
