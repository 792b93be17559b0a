//! Squared distances between samples, and their order.
//!
//! `|x|^2 + |y|^2 - 2 xy` loses in f32 what lengths have more digits than distances: of samples that
//! are near each other and far from all else nothing is left. Where that would be seen, differences
//! are taken in f64 on the host.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::MetricError;
use crate::lanes::{self, square_apart};
use crate::tiles::{GramTiles, tiles};
use crate::view::View;

/// Where the products come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// The device, in f32.
    Single,
    /// The host, in f64.
    Double,
}

/// Squared distances of some samples from others, row-major, in f64.
pub(crate) fn double(view: &View, rows: &[u32], columns: &[u32]) -> Result<Vec<f64>, MetricError> {
    let d = view.width();
    let (x, y) = (view.read_each(rows)?, view.read_each(columns)?);
    let row = |x| y.chunks_exact(d).map(move |y| square_apart(x, y));
    Ok(x.par_chunks_exact(d).flat_map_iter(row).collect())
}

/// Squared distances of some samples from others, row-major, from their products in f32.
pub(crate) fn single(view: &View, products: &[f32], rows: &[u32], columns: &[u32]) -> Vec<f64> {
    let square = |i: &u32| view.squares[*i as usize];
    let squares: Vec<f64> = columns.iter().map(square).collect();
    let mut out = vec![0.0; products.len()];
    for ((out, products), i) in (out.chunks_exact_mut(columns.len()))
        .zip(products.chunks_exact(columns.len()))
        .zip(rows)
    {
        lanes::distances(out, products, &squares, square(i));
    }
    out
}

/// Counts of the bins of the squared distances of all pairs of samples.
pub(crate) fn histogram(
    view: &View,
    precision: Precision,
    bins: usize,
    bin: impl Fn(f64, usize, usize) -> Option<usize> + Sync,
) -> Result<Vec<u64>, MetricError> {
    let gram = match precision {
        Precision::Single => Some(GramTiles::new(view)?),
        Precision::Double => None,
    };
    let numbers = |of: &Range<usize>| (of.start as u32..of.end as u32).collect::<Vec<u32>>();
    let count = |tiles: &[(Range<usize>, Range<usize>)]| {
        let mut counts = vec![0u64; bins];
        for (rows, columns) in tiles {
            let (of, with) = (numbers(rows), numbers(columns));
            let distances = match &gram {
                None => double(view, &of, &with)?,
                Some(gram) => single(view, &gram.tile(rows, columns)?, &of, &with),
            };
            for (row, i) in distances.chunks_exact(columns.len()).zip(rows.clone()) {
                // Each pair once.
                let first = columns.start.max(i + 1);
                for (v, j) in row[first - columns.start..].iter().zip(first..) {
                    if let Some(bin) = bin(*v, i, j) {
                        counts[bin] += 1;
                    }
                }
            }
        }
        Ok(counts)
    };
    let tiles = tiles(view.rows(), 1);
    let share = tiles.len().div_ceil(rayon::current_num_threads()).max(1);
    let parts = (tiles.par_chunks(share).map(count)).collect::<Result<Vec<_>, MetricError>>()?;
    let mut counts = vec![0u64; bins];
    for part in parts {
        (counts.iter_mut().zip(part)).for_each(|(count, more)| *count += more);
    }
    Ok(counts)
}

/// The square of the median Euclidean distance between samples, `None` if it is zero, and the
/// precision that distances of that size need. For an even number of pairs it is the mean of the
/// middle two.
pub(crate) fn median_square(view: &View) -> Result<(Option<f64>, Precision), MetricError> {
    let median = median_of(view, Precision::Single)?;
    match needs_double(view, median.unwrap_or(0.0)) {
        false => Ok((median, Precision::Single)),
        true => Ok((median_of(view, Precision::Double)?, Precision::Double)),
    }
}

/// How many times the square of a distance those of lengths may be for f32 to tell it to six
/// digits.
const LENGTHS: f64 = 32.0;

/// Medians beyond which a distance is as good as infinite: a Gaussian kernel is below 1e-14 there.
const APART: f64 = 8.0;

/// Squared distances below this are lost in f32, where lengths are about 1.
const SMALL: f64 = 1e-30;

/// Whether some samples, further from the origin than f32 allows for distances of the size of
/// `median`, squared, may be near to each other: samples of lengths that differ are apart.
fn needs_double(view: &View, median: f64) -> bool {
    if median < SMALL {
        return true;
    }
    let mut lengths: Vec<f64> = view.squares.iter().map(|r| r.sqrt()).collect();
    lengths.sort_by(f64::total_cmp);
    let apart = APART * median.sqrt();
    lengths.windows(2).any(|pair| {
        let long = pair[0] * pair[0] > LENGTHS * median;
        long && pair[1] - pair[0] <= apart.max(f64::EPSILON.sqrt() * pair[1])
    })
}

/// Bits that one pass over the distances counts.
const PASS: u32 = 20;

/// Bits of a number that two passes leave out: it is known to eight digits.
const LEFT_OUT: u32 = 64 - 2 * PASS;

/// Without keeping the distances: positive numbers sort as their bits do, so one pass counts the
/// leading bits and another, of the numbers that share those of the median, the next ones.
fn median_of(view: &View, precision: Precision) -> Result<Option<f64>, MetricError> {
    let n = view.rows() as u64;
    let pairs = n * (n - 1) / 2;
    if pairs == 0 {
        return Ok(None);
    }
    let bits = |square: f64| (square.to_bits() >> LEFT_OUT) as usize;
    let low_bits = (1 << PASS) - 1;
    let upper = histogram(view, precision, 1 << PASS, |v, _, _| Some(bits(v) >> PASS))?;
    let ranks = [(pairs - 1) / 2, pairs / 2];
    let buckets = ranks.map(|rank| at_rank(&upper, rank));
    let mut distances = [0.0; 2];
    let mut lower: Option<(usize, Vec<u64>)> = None;
    for (distance, (bucket, within)) in distances.iter_mut().zip(buckets) {
        let counts = match lower.take() {
            Some((of, counts)) if of == bucket => counts,
            _ => histogram(view, precision, 1 << PASS, |v, _, _| {
                let bits = bits(v);
                (bits >> PASS == bucket).then_some(bits & low_bits)
            })?,
        };
        let (low, _) = at_rank(&counts, within);
        *distance = f64::from_bits(((bucket << PASS | low) as u64) << LEFT_OUT).sqrt();
        lower = Some((bucket, counts));
    }
    let median = (distances[0] + distances[1]) / 2.0;
    Ok((median > 0.0).then_some(median * median))
}

/// The bin that holds the entry of `rank`, and its rank within the bin.
fn at_rank(counts: &[u64], rank: u64) -> (usize, u64) {
    let mut before = 0;
    for (bin, count) in counts.iter().enumerate() {
        if before + count > rank {
            return (bin, rank - before);
        }
        before += count;
    }
    (counts.len() - 1, 0)
}

/// The rank of a distance among those of all pairs of samples, less the mean rank, over their
/// number; ties share their mean rank.
pub(crate) enum Ranks {
    /// `n * n`, from distances in f64, where samples are few: there one rank swapped by rounding
    /// would show in the sixth digit.
    Exact(Vec<f32>),
    /// The mean rank of each bin of distances, where there are so many that it does not show.
    Binned {
        /// That in which distances are taken.
        precision: Precision,
        /// Where the bins are.
        bins: Bins,
        /// The mean rank of each.
        ranks: Vec<f32>,
    },
}

/// Samples up to which ranks are exact.
const EXACT_UP_TO: usize = 1024;

/// Share of all pairs that may be of one rank, or told by f32 from the next by a few bits, without
/// it showing.
const ALIKE: f64 = 1.0 / 256.0;

/// A distance that is this share of the lengths has few bits left in f32, squared.
const FEW_BITS: f64 = 1.0 / (1 << 16) as f64;

impl Ranks {
    pub fn new(view: &View) -> Result<Self, MetricError> {
        if view.rows() <= EXACT_UP_TO {
            return Ok(Self::Exact(exact_ranks(view)?));
        }
        let (few, found) = Self::binned(view, Precision::Single)?;
        match few {
            false => Ok(found),
            true => Ok(Self::binned(view, Precision::Double)?.1),
        }
    }

    /// The ranks, and whether many pairs are not told apart.
    fn binned(view: &View, precision: Precision) -> Result<(bool, Self), MetricError> {
        let largest = view.squares.iter().copied().fold(0.0, f64::max);
        let coarse = Coarse::new(largest, precision);
        let bins = match precision {
            Precision::Single => Bins::even(coarse),
            Precision::Double => {
                let place = |v, _, _| Some(coarse.place(v).0);
                let counts = histogram(view, precision, coarse.len(), place)?;
                Bins::new(coarse, &counts)
            }
        };
        let of_few = AtomicU64::new(0);
        let counts = histogram(view, precision, bins.len(), |v, i, j| {
            if v < FEW_BITS * (view.squares[i] + view.squares[j]) {
                of_few.fetch_add(1, Ordering::Relaxed);
            }
            Some(bins.place(v))
        })?;
        let total: u64 = counts.iter().sum();
        let most = (counts.iter().copied().max()).max(Some(of_few.into_inner()));
        let most = most.unwrap_or(0);
        let mut before = 0.0;
        let mean_rank = |count: &u64| {
            let rank = before + *count as f64 / 2.0;
            before += *count as f64;
            ((rank - total as f64 / 2.0) / total as f64) as f32
        };
        let ranks = Self::Binned {
            precision,
            ranks: counts.iter().map(mean_rank).collect(),
            bins,
        };
        Ok((most as f64 > ALIKE * total as f64, ranks))
    }
}

/// Bits of the mantissa that tell a coarse bin.
const COARSE_BITS: u32 = 7;

/// Bits that all bins together have places for.
const FINE_BITS: u32 = 18;

/// Codes have distances that are round numbers but for rounding: multiplied by this (3 / pi) none of
/// them is the edge of a bin.
const UNEVEN: f64 = 3.0 * std::f64::consts::FRAC_1_PI;

/// Bins as fine, relative to a distance, everywhere.
struct Coarse {
    /// The leading bits of the first.
    base: u64,
    /// Powers of two that have bins.
    powers: u64,
    /// As many bins at most may one be parted into: distances that agree in more bits are equal but
    /// for rounding.
    parts: f64,
}

impl Coarse {
    /// Bins of the squared distances of samples whose squared length is `largest` at most.
    fn new(largest: f64, precision: Precision) -> Self {
        // What is smaller than the first is what rounding makes of copies.
        let (powers, bits) = match precision {
            Precision::Single => (23, 14),
            Precision::Double => (100, COARSE_BITS + FINE_BITS),
        };
        let top = (4.0 * largest).to_bits() >> 52;
        Self {
            base: top.saturating_sub(powers) << COARSE_BITS,
            powers: powers + 1,
            parts: f64::from(1u32 << (bits - COARSE_BITS)),
        }
    }

    fn len(&self) -> usize {
        (self.powers << COARSE_BITS) as usize
    }

    /// The bin of a squared distance, and where in the bin it is, from 0 to 1.
    fn place(&self, square: f64) -> (usize, f64) {
        const REST: u32 = 52 - COARSE_BITS;
        let bits = (square * UNEVEN).to_bits();
        let place = (bits >> REST).saturating_sub(self.base) as usize;
        let within = (bits & ((1 << REST) - 1)) as f64 / (1u64 << REST) as f64;
        match place {
            0 => (0, 0.0),
            place if place < self.len() => (place, within),
            _ => (self.len() - 1, 1.0 - f64::EPSILON),
        }
    }
}

/// Bins of as many parts each, or, in f64, of more where there are many distances: so however near to
/// each other all of them are, few share one.
pub(crate) struct Bins {
    coarse: Coarse,
    /// Of each coarse bin its first part, and how many parts it has.
    parts: Vec<(usize, f64)>,
    count: usize,
}

impl Bins {
    fn even(coarse: Coarse) -> Self {
        let counts = vec![1; coarse.len()];
        Self::of(coarse, &counts, f64::INFINITY)
    }

    fn new(coarse: Coarse, counts: &[u64]) -> Self {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        Self::of(coarse, counts, f64::from(1u32 << FINE_BITS) / total)
    }

    /// Bins of which each has `each` parts for each of its `counts`, within bounds.
    fn of(coarse: Coarse, counts: &[u64], each: f64) -> Self {
        let mut count = 0;
        let parts = (counts.iter().enumerate())
            .map(|(at, of)| {
                let wanted = match (at, of) {
                    (0, _) | (_, 0) => 1.0,
                    (_, of) => (*of as f64 * each).ceil().clamp(1.0, coarse.parts),
                };
                let first = count;
                count += wanted as usize;
                (first, wanted)
            })
            .collect();
        Self {
            coarse,
            parts,
            count,
        }
    }

    fn len(&self) -> usize {
        self.count
    }

    /// The bin of a squared distance.
    pub fn place(&self, square: f64) -> usize {
        let (place, within) = self.coarse.place(square);
        let (first, count) = self.parts[place];
        first + (within * count) as usize
    }
}

/// All pairs of samples from the nearest to the furthest.
pub(crate) struct InOrder {
    pub pairs: Vec<(u32, u32)>,
    /// Where each run of pairs that are as far apart, but for rounding, ends.
    pub ends: Vec<usize>,
}

/// Sorts all pairs of samples by how far apart they are.
pub(crate) fn in_order(view: &View) -> Result<InOrder, MetricError> {
    let (n, d) = (view.rows(), view.width());
    let rows = view.read(0..n)?;
    let row = |i: usize| &rows[i * d..][..d];
    let mut pairs: Vec<(f64, u32, u32)> = (0..n)
        .into_par_iter()
        .flat_map_iter(|i| {
            (i + 1..n).map(move |j| (square_apart(row(i), row(j)), i as u32, j as u32))
        })
        .collect();
    pairs.par_sort_unstable_by(|x, y| x.0.total_cmp(&y.0).then((x.1, x.2).cmp(&(y.1, y.2))));
    // Equal but for rounding is a tie.
    let (least, share) = view.told_apart();
    let reach = |square: f64| square.sqrt() * (1.0 + share) + least;
    let mut ends = vec![];
    let mut start = 0;
    while start < pairs.len() {
        let end = reach(pairs[start].0);
        let ties = pairs[start..]
            .iter()
            .take_while(|pair| pair.0.sqrt() <= end)
            .count();
        start += ties.max(1);
        ends.push(start);
    }
    let pairs = pairs.into_iter().map(|(_, i, j)| (i, j)).collect();
    Ok(InOrder { pairs, ends })
}

/// The centred, scaled rank of each pair of samples.
fn exact_ranks(view: &View) -> Result<Vec<f32>, MetricError> {
    let n = view.rows();
    let InOrder { pairs, ends } = in_order(view)?;
    let total = pairs.len() as f64;
    let mut ranks = vec![0.0f32; n * n];
    let mut start = 0;
    for end in ends {
        let ties = end - start;
        let rank = (start as f64 + ties as f64 / 2.0 - total / 2.0) / total;
        for (i, j) in &pairs[start..end] {
            ranks[*i as usize * n + *j as usize] = rank as f32;
            ranks[*j as usize * n + *i as usize] = rank as f32;
        }
        start = end;
    }
    Ok(ranks)
}
