//! The k nearest neighbours of each sample by cosine similarity.
//!
//! The device multiplies row tiles in f32; the host keeps a running list of
//! candidates a row and orders them by products taken again in f64, so that the
//! lists are the same on every device. Of equals those come first that a random order,
//! another for each layer and sample, puts first: by place in both layers alike, copies and
//! codes of few values would agree where nothing is shared.

use std::ops::Range;
use std::sync::Once;

use rand::RngExt;
use rayon::prelude::*;
use reprsim_base::Stream;

use crate::lanes::dot;
use crate::null::Part;
use crate::pair::NeighborPair;
use crate::permutations::Permutations;
use crate::tiles::{GramTiles, tiles};
use crate::view::{ColumnMap, RowMap, Transform, View};
use crate::{MetricError, Undefined};

/// Which rows are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// The activations as they are.
    Cosine,
    /// After the published preprocessing.
    ClampedCosine,
}

impl Space {
    pub(crate) fn transform(self, threshold: f64) -> Transform {
        Transform {
            rows: match self {
                Self::Cosine => RowMap::Unit,
                Self::ClampedCosine => RowMap::ClampedUnit { threshold },
            },
            // A common offset would leave f32 no digits to tell neighbours by; the
            // view keeps what it took off.
            columns: ColumnMap::Centred,
        }
    }
}

/// The order of a layer's samples that are equally near to one: a random one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ties {
    stream: u64,
}

impl Ties {
    /// That of a layer of this name, of the model of that number.
    pub fn of(model: usize, layer: &str) -> Self {
        let stream = Stream::new(0).child("ties").child(model.to_string());
        Self {
            stream: stream.child(layer).rng().random(),
        }
    }

    /// Where sample `j` stands among those that are equally near to sample `i`.
    fn place(self, i: u32, j: u32) -> u64 {
        mixed(self.stream ^ (u64::from(i) << 32 | u64::from(j)))
    }
}

/// SplitMix64's output function (Steele, Lea and Flood 2014).
fn mixed(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The most that a cosine is moved by f32 products, where rows are of length 1.
const ROUNDING: f64 = 2e-6;

/// Cosines that differ by less are equal: that is what rounding makes of them in f64.
const EQUAL: f64 = 2e-15;

/// Share of samples with ties beyond which it is said.
const MANY: f64 = 0.1;

/// Candidates beyond k: as many places as rounding to f32 may move a neighbour.
const SPARE: usize = 16;

/// Columns of a tile that are turned into rows at once.
const TURNED: usize = 16;

/// The k nearest neighbours of one layer's samples.
pub(crate) struct Neighbors {
    /// `n * k`, nearest first.
    pub lists: Vec<u32>,
    /// Kernel values of those pairs.
    pub kernel: Vec<f64>,
}

impl Neighbors {
    /// Finds them. `view` has rows of length 1, centred, and is not degenerate;
    /// n > k. A cosine is then `c_i c_j + o_i + o_j` and a constant, of which the
    /// neighbours of i see `c_i c_j + o_j`.
    pub fn find(view: &View, k: usize, ties: Ties) -> Result<Self, MetricError> {
        let n = view.rows();
        let rows = view.read(0..n)?;
        let offsets: Vec<f32> = view.offsets.iter().map(|o| *o as f32).collect();
        let wanted = (k + SPARE).min(n - 1);
        let mut best: Vec<Candidates> = vec![Candidates::new(wanted); n];
        // Similarity is symmetric: a tile above the diagonal is offered to the
        // samples of its rows and, turned, to those of its columns.
        let gram = GramTiles::of_rows(view, &rows)?;
        for (here, there) in tiles(n, 1) {
            let values = gram.tile(&here, &there)?;
            let width = there.len();
            best[here.clone()]
                .par_iter_mut()
                .zip(values.par_chunks(width))
                .zip(here.clone().into_par_iter())
                .for_each(|((best, values), i)| best.offer(values, &offsets, &there, i));
            if here == there {
                continue;
            }
            best[there.clone()]
                .par_chunks_mut(TURNED)
                .enumerate()
                .for_each_init(
                    || vec![0.0f32; TURNED * here.len()],
                    |turned, (strip, best)| {
                        let first = strip * TURNED;
                        for (r, row) in values.chunks_exact(width).enumerate() {
                            for (c, v) in row[first..first + best.len()].iter().enumerate() {
                                turned[c * here.len() + r] = *v;
                            }
                        }
                        for (c, best) in best.iter_mut().enumerate() {
                            let values = &turned[c * here.len()..][..here.len()];
                            best.offer(values, &offsets, &here, there.start + first + c);
                        }
                    },
                );
        }
        let ordered =
            |(i, best): (usize, Candidates)| best.ordered(&rows, &view.offsets, i, k, ties);
        let found: Vec<(Vec<u32>, bool)> = best.into_par_iter().enumerate().map(ordered).collect();
        let tied = found.iter().filter(|(_, tied)| *tied).count();
        if tied as f64 > MANY * n as f64 {
            // A sweep would say it of every cell.
            static SAID: Once = Once::new();
            SAID.call_once(|| {
                log::info!(
                    "layer {}: {tied} of {n} samples have more equally near neighbours than {k}; of \
                     these a random part is taken (said of the first such layer only)",
                    view.name()
                );
            });
        }
        let lists = found.into_iter().flat_map(|(list, _)| list).collect();
        Ok(Self {
            lists,
            kernel: vec![],
        })
    }

    /// Fills in the kernel values between each sample and its neighbours: cosines
    /// if `view` is of rows of length 1, else inner products, U-centred.
    ///
    /// U-centring (Szekely and Rizzo 2014) of a Gram matrix of which row i has the sum s_i without
    /// the diagonal is `x_i x_j - (s_i + s_j) / (n-2) + sum s / ((n-1)(n-2))`.
    pub fn add_kernel(&mut self, view: &View, k: usize, cosines: bool) -> Result<(), MetricError> {
        let (n, d) = (view.rows(), view.width());
        let rows = view.read(0..n)?;
        let size = n as f64;
        let total: f64 = view.off.iter().sum();
        let mean = view.grand_mean();
        self.kernel = self
            .lists
            .par_chunks(k)
            .enumerate()
            .flat_map_iter(|(i, list)| {
                let rows = &rows;
                list.iter().map(move |j| {
                    let j = *j as usize;
                    let product = dot(&rows[i * d..][..d], &rows[j * d..][..d]);
                    if cosines {
                        product + view.offsets[i] + view.offsets[j] + mean
                    } else {
                        product - (view.off[i] + view.off[j]) / (size - 2.0)
                            + total / ((size - 1.0) * (size - 2.0))
                    }
                })
            })
            .collect();
        Ok(())
    }

    /// The lists and kernel values with the samples of this layer renamed: what
    /// was sample `map[i]` is matched with sample i.
    pub fn permuted(&self, map: &[u32], k: usize) -> Self {
        let mut name = vec![0u32; map.len()];
        for (i, j) in map.iter().enumerate() {
            name[*j as usize] = i as u32;
        }
        let rows = || map.par_iter().map(|j| *j as usize * k);
        Self {
            lists: rows()
                .flat_map_iter(|start| {
                    let name = &name;
                    self.lists[start..start + k]
                        .iter()
                        .map(move |j| name[*j as usize])
                })
                .collect(),
            kernel: match self.kernel.is_empty() {
                true => vec![],
                false => rows()
                    .flat_map_iter(|start| self.kernel[start..start + k].iter().copied())
                    .collect(),
            },
        }
    }
}

/// The best columns of a row so far, in no order; of equals the first column.
#[derive(Clone)]
struct Candidates {
    wanted: usize,
    /// Twice as many as wanted at most: the worse half is then dropped at once.
    best: Vec<(f32, u32)>,
    /// What a value must exceed.
    worst: f32,
}

impl Candidates {
    fn new(wanted: usize) -> Self {
        Self {
            wanted,
            best: Vec::with_capacity(2 * wanted),
            worst: f32::NEG_INFINITY,
        }
    }

    /// Offers the similarities of sample `i` with `columns`: `values` and the
    /// columns' `offsets`.
    fn offer(&mut self, values: &[f32], offsets: &[f32], columns: &Range<usize>, i: usize) {
        let offsets = &offsets[columns.clone()];
        // Blocks are first asked whether any of them is good enough, which the
        // compiler turns into a few vector instructions.
        const BLOCK: usize = 32;
        for (b, (block, offsets)) in values.chunks(BLOCK).zip(offsets.chunks(BLOCK)).enumerate() {
            let pairs = || block.iter().zip(offsets).map(|(v, o)| v + o);
            let worst = self.worst;
            if !pairs().fold(false, |any, v| any | (v > worst)) {
                continue;
            }
            for (c, v) in pairs().enumerate() {
                let j = columns.start + b * BLOCK + c;
                if v > self.worst && j != i {
                    self.best.push((v, j as u32));
                    if self.best.len() == 2 * self.wanted {
                        self.prune();
                    }
                }
            }
        }
    }

    /// Keeps the wanted ones.
    fn prune(&mut self) {
        if self.best.len() > self.wanted {
            let order = |(v, i): &(f32, u32), (w, j): &(f32, u32)| w.total_cmp(v).then(i.cmp(j));
            let (_, last, _) = self.best.select_nth_unstable_by(self.wanted - 1, order);
            self.worst = last.0;
            self.best.truncate(self.wanted);
        }
    }

    /// The k best by f64 products, and whether there are more as good as the last.
    fn ordered(
        mut self,
        rows: &[f64],
        offsets: &[f64],
        i: usize,
        k: usize,
        ties: Ties,
    ) -> (Vec<u32>, bool) {
        let n = offsets.len();
        let d = rows.len() / n;
        let row = &rows[i * d..][..d];
        self.prune();
        let exact = |j: u32| {
            let at = j as usize;
            let value = dot(row, &rows[at * d..][..d]) + offsets[at];
            (value, ties.place(i as u32, j), j)
        };
        type Exact = (f64, u64, u32);
        let sort = |all: &mut Vec<Exact>| {
            all.sort_by(|(v, _, i), (w, _, j)| w.total_cmp(v).then(i.cmp(j)));
            for equals in all.chunk_by_mut(|x, y| x.0 - y.0 <= EQUAL) {
                equals.sort_by_key(|(_, place, j)| (*place, *j));
            }
        };
        let is_short = self.best.len() < n - 1;
        let mut all: Vec<Exact> = self.best.iter().map(|(_, j)| exact(*j)).collect();
        sort(&mut all);
        // Those that were not kept may be as near as the last that is: then all are looked at.
        let last = |all: &[Exact]| {
            let kept = all.iter().take(k).map(|(value, ..)| *value);
            kept.fold(f64::INFINITY, f64::min)
        };
        if is_short && last(&all) - f64::from(self.worst) <= ROUNDING {
            all = (0..n as u32)
                .filter(|j| *j != i as u32)
                .map(exact)
                .collect();
            sort(&mut all);
        }
        let last = last(&all);
        let tied = (all.get(k)).is_some_and(|(value, ..)| (value - last).abs() <= EQUAL);
        (all.into_iter().take(k).map(|(.., j)| j).collect(), tied)
    }
}

/// Neighbours of all layers of a set.
pub(crate) struct NeighborStage {
    layers: Vec<Result<Neighbors, Undefined>>,
    k: usize,
}

impl NeighborStage {
    /// Finds the neighbours in `views`.
    pub fn new(
        views: impl Iterator<Item = Result<View, MetricError>>,
        ties: impl Iterator<Item = Ties>,
        k: usize,
    ) -> Result<Self, MetricError> {
        let mut layers = Vec::new();
        for (view, ties) in views.zip(ties) {
            let view = view?;
            layers.push(match view.degenerate {
                Some(reason) => Err(reason),
                None if view.rows() <= k => Err(Undefined::TooFewSamples {
                    needed: k.saturating_add(1),
                }),
                None => Ok(Neighbors::find(&view, k, ties)?),
            });
        }
        Ok(Self { layers, k })
    }

    /// Fills in kernel values; a layer without them has no neighbours either.
    pub fn add_kernels(
        &mut self,
        views: impl Iterator<Item = Result<View, MetricError>>,
        cosines: bool,
    ) -> Result<(), MetricError> {
        for (layer, view) in self.layers.iter_mut().zip(views) {
            let view = view?;
            if let (Some(reason), Ok(_)) = (view.degenerate, &layer) {
                *layer = Err(reason);
            }
            if let Ok(layer) = layer {
                layer.add_kernel(&view, self.k, cosines)?;
            }
        }
        Ok(())
    }

    /// Tells `heard` what `of` makes of each of `pairs`, as it is and under permutations, until it says
    /// that no more are needed.
    pub fn compare<T: Send>(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        of: impl Fn(&NeighborPair) -> T + Sync,
        heard: &mut dyn FnMut(Part<'_, T>) -> bool,
    ) {
        let observed = |(i, j): &(usize, usize)| {
            let (a, b) = self.both(*i, *j)?;
            Ok(of(&self.pair(a, b)))
        };
        heard(Part::Observed(
            &pairs.iter().map(observed).collect::<Vec<_>>(),
        ));
        let one = |map: &&[u32]| -> Vec<Option<T>> {
            let mut seconds: Vec<Option<Neighbors>> = self.layers.iter().map(|_| None).collect();
            let of_pair = |(i, j): &(usize, usize)| {
                let (a, b) = self.both(*i, *j).ok()?;
                let b = seconds[*j].get_or_insert_with(|| b.permuted(map, self.k));
                Some(of(&self.pair(a, b)))
            };
            pairs.iter().map(of_pair).collect()
        };
        for batch in permutations.batches() {
            let of_maps: Vec<Vec<Option<T>>> = batch.maps.par_iter().map(one).collect();
            let mut permuted: Vec<Vec<T>> = pairs.iter().map(|_| vec![]).collect();
            for of_map in of_maps {
                for (permuted, value) in permuted.iter_mut().zip(of_map) {
                    permuted.extend(value);
                }
            }
            if !heard(Part::Permuted(&permuted)) {
                break;
            }
        }
    }

    /// Number of neighbours.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The neighbours in two layers.
    pub fn both(&self, i: usize, j: usize) -> Result<(&Neighbors, &Neighbors), Undefined> {
        match (&self.layers[i], &self.layers[j]) {
            (Ok(a), Ok(b)) => Ok((a, b)),
            (Err(reason), _) | (_, Err(reason)) => Err(*reason),
        }
    }

    /// What formulas are written in.
    pub fn pair<'a>(&self, a: &'a Neighbors, b: &'a Neighbors) -> NeighborPair<'a> {
        NeighborPair {
            k: self.k,
            a: &a.lists,
            b: &b.lists,
            kernel_a: &a.kernel,
            kernel_b: &b.kernel,
        }
    }
}
