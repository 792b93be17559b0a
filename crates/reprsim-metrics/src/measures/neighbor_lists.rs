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

/// The same of what is no whole number.
pub(crate) fn mean_of_shares(
    pair: &NeighborPair,
    of: impl Fn(&NeighborPair, usize) -> f64 + Sync,
) -> f64 {
    let n = pair.a.len() / pair.k;
    // Added up in the order of the samples, whichever thread is done first.
    let values: Vec<f64> = (0..n).into_par_iter().map(|i| of(pair, i)).collect();
    values.iter().sum::<f64>() / n as f64
}

/// Of sample i, the neighbours that the layers have in common over those that it has in either.
pub(crate) fn jaccard(pair: &NeighborPair, i: usize) -> f64 {
    let common = ranks(pair, i).count();
    common as f64 / (2 * pair.k - common) as f64
}

/// How alike the ranks of the neighbours are that sample i has in both layers (Wang et al. 2020): 1 if
/// they are the same from the first on, 0 if there are none.
pub(crate) fn rank_similarity(pair: &NeighborPair, i: usize) -> f64 {
    let (mut sum, mut largest) = (0.0, 0.0);
    for (count, (a, b)) in ranks(pair, i).enumerate() {
        sum += rank_weight(a, b);
        largest += 1.0 / (count + 1) as f64;
    }
    match largest > 0.0 {
        true => sum / largest,
        false => 0.0,
    }
}

/// What a common neighbour counts that is the a-th of one layer and the b-th of the other, from 1 on.
pub(crate) fn rank_weight(a: usize, b: usize) -> f64 {
    2.0 / ((1 + a.abs_diff(b)) * (a + b)) as f64
}

/// The ranks, from 1 on, of the neighbours that sample i has in both layers.
fn ranks(pair: &NeighborPair, i: usize) -> impl Iterator<Item = (usize, usize)> {
    let (a, b) = lists(pair, i);
    (a.iter().enumerate()).filter_map(|(at, j)| {
        let other = b.iter().position(|other| other == j)?;
        Some((at + 1, other + 1))
    })
}

/// The neighbours that sample i has in either layer, each once.
pub(crate) fn either(pair: &NeighborPair, i: usize) -> Vec<u32> {
    let (a, b) = lists(pair, i);
    let mut all = [a, b].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// The mean, over all permutations of the samples of one layer, of what `of` makes of the number of
/// neighbours in common: that is how many of k are among k of n - 1 drawn at random.
pub(crate) fn expected(n: usize, k: usize, of: impl Fn(usize) -> f64) -> Option<f64> {
    if k == 0 || n <= k {
        return None;
    }
    let (others, k) = (n - 1, k.min(n - 1));
    let fewest = (2 * k).saturating_sub(others);
    // Each probability from the one before; all are divided by their sum.
    let (mut sum, mut total, mut share) = (0.0, 0.0, 1.0);
    for common in fewest..=k {
        sum += share * of(common);
        total += share;
        let left = (k - common) as f64;
        share *= left * left / ((common + 1) * (others + common + 1 - 2 * k)) as f64;
        // However many samples there are.
        if share > 1e200 {
            (sum, total, share) = (sum / share, total / share, 1.0);
        }
    }
    Some(sum / total)
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
