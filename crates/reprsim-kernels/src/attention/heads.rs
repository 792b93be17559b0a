//! Attention on slices. Some queries at a time meet all the keys that they may see; what they weigh
//! them by is forgotten, and computed again for the derivative from the logarithms of its sums (Dao et
//! al. 2022, arXiv 2205.14135, with whole rows).

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::exponential::exp;
use crate::sums::sum;

/// Queries at a time.
const QUERIES: usize = 64;

/// The sizes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// Sequences.
    pub n: usize,
    /// Positions of each.
    pub time: usize,
    pub heads: usize,
    /// Length of a query.
    pub size: usize,
    /// Whether a position sees none after it.
    pub causal: bool,
}

impl Heads {
    pub fn width(&self) -> usize {
        self.heads * self.size
    }

    /// Operations of the product of all queries with the keys that they see.
    pub fn operations(&self) -> usize {
        let seen: usize = self.blocks().map(|(_, count, keys)| count * keys).sum();
        2 * self.n * self.width() * seen
    }

    fn scale(&self) -> f32 {
        (self.size as f32).sqrt().recip()
    }

    /// The first of each block of queries, how many there are, and how many keys they see.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (time, causal) = (self.time, self.causal);
        (0..time).step_by(QUERIES).map(move |first| {
            let count = QUERIES.min(time - first);
            let keys = if causal { first + count } else { time };
            (first, count, keys)
        })
    }

    /// Queries (0), keys (1) or values (2) of one head in the rows of one sequence.
    fn part<'a>(&self, rows: &'a [f32], part: usize, head: usize) -> MatRef<'a, f32> {
        let width = 3 * self.width();
        MatRef::from_row_major_slice(rows, self.time, width)
            .subcols(self.column(part, head), self.size)
    }

    fn column(&self, part: usize, head: usize) -> usize {
        part * self.width() + head * self.size
    }
}

/// What [`attend`] returns.
pub(super) struct Attended {
    /// `[n, time, width]`.
    pub output: Vec<f32>,
    /// `[n, heads, time]`.
    pub logs: Vec<f32>,
}

/// Attention from `all` (`[n, time, 3 width]`).
pub(super) fn attend(all: &[f32], heads: &Heads) -> Attended {
    let (time, width) = (heads.time, heads.width());
    let mut output = vec![0.0; heads.n * time * width];
    let mut logs = vec![0.0; heads.n * heads.heads * time];
    (output.par_chunks_exact_mut((time * width).max(1)))
        .zip(logs.par_chunks_exact_mut((heads.heads * time).max(1)))
        .zip(all.par_chunks_exact((3 * time * width).max(1)))
        .for_each(|((output, logs), all)| {
            let mut weights = vec![0.0; QUERIES * time];
            let mut output = MatMut::from_row_major_slice_mut(output, time, width);
            for (head, logs) in logs.chunks_exact_mut(time).enumerate() {
                let [queries, keys, values] = [0, 1, 2].map(|part| heads.part(all, part, head));
                for (first, count, seen) in heads.blocks() {
                    let weights = &mut weights[..count * seen];
                    let queries = queries.subrows(first, count);
                    score(weights, queries, keys.subrows(0, seen), heads.scale());
                    Arch::new().dispatch(Softmax {
                        scores: weights,
                        keys: seen,
                        first: heads.causal.then_some(first),
                        logs: &mut logs[first..first + count],
                    });
                    let into =
                        output
                            .as_mut()
                            .submatrix_mut(first, head * heads.size, count, heads.size);
                    let weights = MatRef::from_row_major_slice(weights, count, seen);
                    let values = values.subrows(0, seen);
                    matmul(into, Accum::Replace, weights, values, 1.0, Par::Seq);
                }
            }
        });
    Attended { output, logs }
}

fn score(scores: &mut [f32], queries: MatRef<'_, f32>, keys: MatRef<'_, f32>, scale: f32) {
    let scores = MatMut::from_row_major_slice_mut(scores, queries.nrows(), keys.nrows());
    matmul(
        scores,
        Accum::Replace,
        queries,
        keys.transpose(),
        scale,
        Par::Seq,
    );
}

/// The derivative of a sum weighted by `gradient` (`[n, time, width]`) of [`attend`]'s `output`, in
/// `all`.
pub(super) fn attend_back(
    all: &[f32],
    output: &[f32],
    logs: &[f32],
    gradient: &[f32],
    heads: &Heads,
) -> Vec<f32> {
    let (time, width) = (heads.time, heads.width());
    let mut found = vec![0.0; all.len()];
    (found.par_chunks_exact_mut((3 * time * width).max(1)))
        .zip(all.par_chunks_exact((3 * time * width).max(1)))
        .zip(output.par_chunks_exact((time * width).max(1)))
        .zip(gradient.par_chunks_exact((time * width).max(1)))
        .zip(logs.par_chunks_exact((heads.heads * time).max(1)))
        .for_each(|((((found, all), output), gradient), logs)| {
            let mut room = [vec![0.0; QUERIES * time], vec![0.0; QUERIES * time]];
            let mut found = MatMut::from_row_major_slice_mut(found, time, 3 * width);
            for (head, logs) in logs.chunks_exact(time).enumerate() {
                let [queries, keys, values] = [0, 1, 2].map(|part| heads.part(all, part, head));
                let columns = head * heads.size..(head + 1) * heads.size;
                let of_head = |rows| {
                    MatRef::from_row_major_slice(rows, time, width)
                        .subcols(columns.start, heads.size)
                };
                for (first, count, seen) in heads.blocks() {
                    let [weights, slopes] = &mut room;
                    let (weights, slopes) =
                        (&mut weights[..count * seen], &mut slopes[..count * seen]);
                    let (queries, keys) = (queries.subrows(first, count), keys.subrows(0, seen));
                    score(weights, queries, keys, heads.scale());
                    let gradients = of_head(gradient).subrows(first, count);
                    // Of the weights, for now.
                    let values = values.subrows(0, seen);
                    score(slopes, gradients, values, 1.0);
                    let rows = first..first + count;
                    let means: Vec<f32> = rows
                        .clone()
                        .map(|row| {
                            let at = row * width + columns.start..row * width + columns.end;
                            let products = output[at.clone()].iter().zip(&gradient[at]);
                            products.map(|(y, d)| y * d).sum()
                        })
                        .collect();
                    Arch::new().dispatch(SoftmaxBack {
                        scores: weights,
                        slopes,
                        keys: seen,
                        first: heads.causal.then_some(first),
                        logs: &logs[rows],
                        means: &means,
                        scale: heads.scale(),
                    });
                    let weights = MatRef::from_row_major_slice(weights, count, seen);
                    let slopes = MatRef::from_row_major_slice(slopes, count, seen);
                    let mut add = |part, row, rows, a, b, accumulate| {
                        let column = heads.column(part, head);
                        let into = found.as_mut().submatrix_mut(row, column, rows, heads.size);
                        matmul(into, accumulate, a, b, 1.0, Par::Seq);
                    };
                    add(0, first, count, slopes, keys, Accum::Replace);
                    add(1, 0, seen, slopes.transpose(), queries, Accum::Add);
                    add(2, 0, seen, weights.transpose(), gradients, Accum::Add);
                }
            }
        });
    found
}

// Types, so that the compiler puts them inside the function that has the processor's
// vector instructions.

/// Rows of scores become weights whose sum is 1.
struct Softmax<'a> {
    scores: &'a mut [f32],
    keys: usize,
    /// The position of the first row, where a position sees none after it.
    first: Option<usize>,
    logs: &'a mut [f32],
}

/// Keys that row `row` sees.
#[inline(always)]
fn seen(keys: usize, first: Option<usize>, row: usize) -> usize {
    first.map_or(keys, |first| first + row + 1)
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.scores.chunks_exact_mut(self.keys).zip(self.logs);
        for (row, (scores, log)) in rows.enumerate() {
            let (scores, hidden) = scores.split_at_mut(seen(self.keys, self.first, row));
            hidden.fill(0.0);
            let mut largest = f32::NEG_INFINITY;
            for score in scores.iter() {
                largest = if *score > largest { *score } else { largest };
            }
            for score in scores.iter_mut() {
                *score = exp(*score - largest);
            }
            let total = sum(scores, |weight| weight);
            let share = 1.0 / total;
            for score in scores.iter_mut() {
                *score *= share;
            }
            *log = largest + total.ln();
        }
    }
}

/// Rows of scores become weights again, and the derivatives in weights those in scores before they
/// were scaled.
struct SoftmaxBack<'a> {
    scores: &'a mut [f32],
    slopes: &'a mut [f32],
    keys: usize,
    first: Option<usize>,
    logs: &'a [f32],
    /// Of each row the mean of the derivatives in its weights, weighted by these.
    means: &'a [f32],
    scale: f32,
}

impl WithSimd for SoftmaxBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.scores.chunks_exact_mut(self.keys);
        let rows = rows.zip(self.slopes.chunks_exact_mut(self.keys));
        for (row, (scores, slopes)) in rows.enumerate() {
            let seen = seen(self.keys, self.first, row);
            let (scores, hidden) = scores.split_at_mut(seen);
            hidden.fill(0.0);
            let (slopes, hidden) = slopes.split_at_mut(seen);
            hidden.fill(0.0);
            let (log, mean) = (self.logs[row], self.means[row]);
            for (score, slope) in scores.iter_mut().zip(slopes) {
                let weight = exp(*score - log);
                *score = weight;
                *slope = weight * (*slope - mean) * self.scale;
            }
        }
    }
}
