//! Sums over pairs of kernel matrices, for a whole set of layers and under
//! permutations, by whichever way costs the set least.
//!
//! - Feature space: `<XX', YY'> = |X'Y|^2`, d x d, for linear kernels.
//! - Gram space: for each tile of the n x n matrices, the entries of all L layers
//!   are one L x tile matrix F, and F F' holds all products: n^2 d L + n^2 L^2
//!   against n d^2 L^2 operations. Ten models of twelve layers are cheaper so.

use std::collections::BTreeSet;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use reprsim_graph::Profile;

use crate::entries::{entries, tile};
use crate::far_products;
use crate::host;
use crate::kernel::{Entry, Kernel, KernelLayer};
use crate::lanes::square_sum;
use crate::null::Part;
use crate::options::{Options, Space};
use crate::pair::{KernelPair, KernelSums};
use crate::permutations::{Batch, Permutations};
use crate::source::HostValues;
use crate::square::{Found, Square};
use crate::tiles::tiles;
use crate::view::{View, rows_within};
use crate::{MetricError, Undefined, Value, cycle};

/// Rows added up in f32 before the sum goes on in f64.
const ROWS_A_PRODUCT: usize = 8192;

/// Columns of several layers that are multiplied at once.
const COLUMNS_A_PRODUCT: usize = 2048;

/// Bytes of rows multiplied at once.
const ROWS_BYTES: usize = 128 << 20;

/// Which way costs fewer operations for these pairs of layers, given their
/// widths; tiles wherever a layer is wider than it has samples.
pub(crate) fn plan(n: usize, widths: &[usize], pairs: &[(usize, usize)]) -> Space {
    let (n, count) = (n as f64, widths.len() as f64);
    let feature: f64 = unordered(pairs)
        .iter()
        .map(|(i, j)| 2.0 * n * widths[*i] as f64 * widths[*j] as f64)
        .sum();
    let total: f64 = widths.iter().map(|d| *d as f64).sum();
    let gram = n * n * total + n * n * count * count;
    // Where dimensions outnumber samples, the diagonal outweighs the rest of a
    // kernel matrix: only tiles can leave it out.
    let wide = widths.iter().any(|d| *d as f64 > n);
    if wide || gram < feature {
        Space::Gram
    } else {
        Space::Feature
    }
}

/// Each pair once, with each layer's pair with itself.
fn unordered(pairs: &[(usize, usize)]) -> BTreeSet<(usize, usize)> {
    pairs
        .iter()
        .flat_map(|(i, j)| [(*i.min(j), *i.max(j)), (*i, *i), (*j, *j)])
        .collect()
}

/// Compares `pairs` of `views` under `kernel`; `heard` is told of what is found, and says whether more
/// permutations are needed.
pub(crate) fn compare(
    kernel: Kernel,
    views: &[View],
    pairs: &[(usize, usize)],
    permutations: &Permutations,
    options: &Options,
    heard: &mut dyn FnMut(Part<'_, KernelPair>) -> bool,
) -> Result<(), MetricError> {
    let mut layers = Vec::with_capacity(views.len());
    for view in views {
        layers.push(match view.degenerate {
            Some(reason) => Err(reason),
            None => KernelLayer::new(kernel, view)?,
        });
    }
    // From here on only layers that can be compared.
    let mut sound: Vec<KernelLayer> = Vec::new();
    let places: Vec<Result<usize, Undefined>> = layers
        .into_iter()
        .map(|layer| {
            sound.push(layer?);
            Ok(sound.len() - 1)
        })
        .collect();
    let placed = |(i, j): (usize, usize)| Ok((places[i]?, places[j]?));
    let known: Vec<(usize, usize)> = pairs.iter().filter_map(|p| placed(*p).ok()).collect();
    let widths: Vec<usize> = sound.iter().map(|l| l.view.width()).collect();
    let n = views.first().map_or(0, View::rows);
    let space = match kernel.is_linear() {
        true => options.space.unwrap_or_else(|| plan(n, &widths, &known)),
        false => Space::Gram,
    };
    let mut found = match known.is_empty() {
        true => None,
        false => replayed(&mut sound, &known, space, permutations)?,
    };
    let products = match (&mut found, known.is_empty(), space) {
        (Some(found), ..) => std::mem::take(&mut found.observed),
        (_, true, _) => Square::new(sound.len()),
        (_, _, Space::Feature) => feature_products(&sound, &unordered(&known))?,
        (_, _, Space::Gram) => gram_products(&mut sound)?,
    };
    let terms: Vec<Terms> = sound.iter().map(|l| Terms::new(l, kernel)).collect();
    // Sums of tiles lack the diagonal.
    let whole = space == Space::Feature;
    let selves: Vec<KernelSums> = (0..sound.len())
        .map(|i| terms[i].with(&terms[i], products.get(i, i), whole, None))
        .collect::<Result<_, _>>()?;

    let assemble = |i: usize, j: usize, product: f64, whole, map: Option<&[u32]>| {
        Ok::<_, MetricError>(KernelPair {
            cross: terms[i].with(&terms[j], product, whole, map)?,
            a: selves[i],
            b: selves[j],
            columns: [terms[i].columns, terms[j].columns],
        })
    };
    let mut observed = Vec::with_capacity(pairs.len());
    for pair in pairs {
        observed.push(match placed(*pair) {
            Ok((i, j)) => Ok(assemble(i, j, products.get(i, j), whole, None)?),
            Err(reason) => Err(reason),
        });
    }
    heard(Part::Observed(&observed));
    if permutations.is_empty() || known.is_empty() {
        return Ok(());
    }
    let null = match found {
        Some(_) => None,
        None => Some(PermutedProducts::new(
            &sound,
            &known,
            kernel,
            permutations,
            options.kernel_bytes,
        )?),
    };
    let whole = match &null {
        Some(null) => matches!(null.way, Way::Feature),
        None => whole,
    };
    let mut replayed = found.into_iter().flat_map(|found| found.permuted);
    for batch in permutations.batches() {
        let maps = &batch.maps;
        let products: Vec<Square> = match &null {
            Some(null) => null.products(&batch)?,
            None => replayed.by_ref().take(maps.len()).collect(),
        };
        let mut permuted: Vec<Vec<KernelPair>> = vec![vec![]; pairs.len()];
        for (pair, permuted) in pairs.iter().zip(&mut permuted) {
            let Ok((i, j)) = placed(*pair) else { continue };
            *permuted = (maps.par_iter().zip(&products))
                .map(|(map, products)| assemble(i, j, products.get(i, j), whole, Some(map)))
                .collect::<Result<_, MetricError>>()?;
        }
        if !heard(Part::Permuted(&permuted)) {
            break;
        }
    }
    Ok(())
}

/// What a GPU finds by replaying recorded products, if it does: all but how they become sums.
#[cfg(feature = "wgpu")]
fn replayed(
    layers: &mut [KernelLayer<'_>],
    pairs: &[(usize, usize)],
    space: Space,
    permutations: &Permutations,
) -> Result<Option<Found>, MetricError> {
    let Some(mut found) = crate::gpu::find(layers, pairs, space, permutations)? else {
        return Ok(None);
    };
    let rows = std::mem::take(&mut found.rows);
    add_rows(layers, rows);
    Ok(Some(found))
}

/// There is none.
#[cfg(not(feature = "wgpu"))]
fn replayed(
    _: &mut [KernelLayer<'_>],
    _: &[(usize, usize)],
    _: Space,
    _: &Permutations,
) -> Result<Option<Found>, MetricError> {
    Ok(None)
}

/// Where the time of such products goes, those of linear kernels; `None` where there are none.
#[cfg(feature = "wgpu")]
pub(crate) fn profile(
    views: &[View],
    pairs: &[(usize, usize)],
    permutations: &Permutations,
) -> Result<Option<Profile>, MetricError> {
    let mut layers = Vec::with_capacity(views.len());
    for view in views {
        match KernelLayer::new(Kernel::Linear, view)? {
            Ok(layer) => layers.push(layer),
            Err(_) => return Ok(None),
        }
    }
    let widths: Vec<usize> = views.iter().map(View::width).collect();
    let space = plan(views.first().map_or(0, View::rows), &widths, pairs);
    crate::gpu::profile(&layers, pairs, space, permutations)
}

/// There are none.
#[cfg(not(feature = "wgpu"))]
pub(crate) fn profile(
    _: &[View],
    _: &[(usize, usize)],
    _: &Permutations,
) -> Result<Option<Profile>, MetricError> {
    Ok(None)
}

/// Fills in the row sums of layers that lack them, from those of their tiles.
fn add_rows(layers: &mut [KernelLayer<'_>], sums: Vec<Vec<f64>>) {
    for (layer, sums) in layers.iter_mut().zip(sums) {
        if layer.lacks_rows() {
            layer.off = sums;
        }
    }
}

/// What a layer adds to the sums, besides the product of entries.
struct Terms<'a> {
    view: &'a View,
    /// The diagonal that products of whole matrices have in them: that of the near samples.
    own: Vec<f64>,
    diagonal: Vec<f64>,
    rows: Vec<f64>,
    off: Vec<f64>,
    offsets: &'a [f64],
    off_total: f64,
    trace: f64,
    columns: (f64, f64),
}

impl<'a> Terms<'a> {
    fn new(layer: &KernelLayer<'a>, kernel: Kernel) -> Self {
        let view = layer.view;
        let (diagonal, off) = (layer.diagonal.clone(), layer.off.clone());
        let mut own = match layer.entry {
            Entry::Product => view.squares.clone(),
            _ => diagonal.clone(),
        };
        view.far.clear(&mut own, 1, 0);
        Self {
            view,
            own,
            rows: off.iter().zip(&diagonal).map(|(r, d)| r + d).collect(),
            offsets: match kernel {
                Kernel::Correlation | Kernel::Cosine => &view.offsets,
                _ => &[],
            },
            off_total: off.iter().sum(),
            trace: diagonal.iter().sum(),
            columns: (view.columns, view.width() as f64),
            diagonal,
            off,
        }
    }

    /// The sums with another layer, its samples in the order of `map`; `product` is that of the near
    /// samples, of `whole` matrices or of all but their diagonals.
    fn with(
        &self,
        other: &Self,
        product: f64,
        whole: bool,
        map: Option<&[u32]>,
    ) -> Result<KernelSums, MetricError> {
        let dot = |a: &[f64], b: &[f64]| match map {
            None => crate::lanes::dot(a, b),
            Some(map) => (a.iter().zip(map))
                .map(|(x, i)| x * b.get(*i as usize).copied().unwrap_or_default())
                .sum(),
        };
        let n = self.rows.len() as f64;
        let own = dot(&self.own, &other.own);
        let near = if whole { product - own } else { product };
        let far = match self.view.far.is_empty() && other.view.far.is_empty() {
            true => 0.0,
            false => far_products::sum(self.view, other.view, map)?,
        };
        // Of entries x_i x_j + a_i + a_j and y_i y_j + b_i + b_j, a and b of mean 0.
        let offsets = match (self.offsets, other.offsets) {
            ([], _) | (_, []) => 0.0,
            (a, b) => {
                2.0 * dot(&self.view.off, b)
                    + 2.0 * dot(a, &other.view.off)
                    + 2.0 * (n - 2.0) * dot(a, b)
            }
        };
        Ok(KernelSums {
            n,
            off_product: near + far + offsets,
            diagonal: dot(&self.diagonal, &other.diagonal),
            rows: dot(&self.rows, &other.rows),
            off_rows: dot(&self.off, &other.off),
            off_totals: (self.off_total, other.off_total),
            traces: (self.trace, other.trace),
            size: (near + own).abs() + far.abs(),
        })
    }
}

/// Layers that are multiplied together: neighbours whose widths add up to no
/// more than [`COLUMNS_A_PRODUCT`], or one wider layer.
fn groups(layers: &[usize], width: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut filled = 0;
    for layer in layers {
        filled += width(*layer);
        match groups.last_mut() {
            Some(group) if filled <= COLUMNS_A_PRODUCT => group.push(*layer),
            _ => {
                groups.push(vec![*layer]);
                filled = width(*layer);
            }
        }
    }
    groups
}

/// |X'Y|^2 of the pairs, a group of layers against another at once.
fn feature_products(
    layers: &[KernelLayer],
    pairs: &BTreeSet<(usize, usize)>,
) -> Result<Square, MetricError> {
    let mut out = Square::new(layers.len());
    // Self products one by one; the others by runs of the layers they join.
    for i in 0..layers.len() {
        let value = cross_products(layers, &[i], &[i], None)?;
        out.add(i, i, value[0]);
    }
    let cross: Vec<(usize, usize)> = pairs.iter().copied().filter(|(i, j)| i != j).collect();
    let firsts: BTreeSet<usize> = cross.iter().map(|(i, _)| *i).collect();
    let seconds: BTreeSet<usize> = cross.iter().map(|(_, j)| *j).collect();
    let list = |set: BTreeSet<usize>| set.into_iter().collect::<Vec<_>>();
    let width = |i: usize| layers[i].view.width();
    for a in groups(&list(firsts), width) {
        for b in groups(&list(seconds.clone()), width) {
            // Only the layers of the two groups that some pair wants.
            let wanted = |i: usize, j: usize| pairs.contains(&(i, j)) && i != j;
            let a: Vec<usize> = (a.iter().copied())
                .filter(|i| b.iter().any(|j| wanted(*i, *j)))
                .collect();
            let b: Vec<usize> = (b.iter().copied())
                .filter(|j| a.iter().any(|i| wanted(*i, *j)))
                .collect();
            if a.is_empty() {
                continue;
            }
            let values = cross_products(layers, &a, &b, None)?;
            for (x, i) in a.iter().enumerate() {
                for (y, j) in b.iter().enumerate() {
                    if wanted(*i, *j) {
                        out.add(*i, *j, values[x * b.len() + y]);
                        out.add(*j, *i, values[x * b.len() + y]);
                    }
                }
            }
        }
    }
    Ok(out)
}

/// |X'Y|^2 of each layer of `a` with each of `b`, whose samples are taken in the
/// order of `map`.
fn cross_products(
    layers: &[KernelLayer],
    a: &[usize],
    b: &[usize],
    map: Option<&[u32]>,
) -> Result<Vec<f64>, MetricError> {
    let n = layers[a[0]].view.rows();
    let widths = |of: &[usize]| {
        of.iter()
            .map(|i| layers[*i].view.width())
            .collect::<Vec<_>>()
    };
    let (widths_a, widths_b) = (widths(a), widths(b));
    let views = |of: &[usize]| of.iter().map(|i| layers[*i].view).collect::<Vec<_>>();
    if layers[a[0]].view.on_host() {
        if let (None, [i], [j]) = (map, a, b)
            && i == j
        {
            return Ok(vec![lower_square(
                &host::own(layers[*i].view)?,
                widths_a[0],
            )]);
        }
        let of = |total: &[f64]| squares(total, &widths_a, &widths_b);
        let (a, b) = (views(a), views(b));
        return match map {
            None => Ok(of(&host::cross(&a, &b)?)),
            Some(map) => Ok(host::permuted(&a, &b, &[map], of)?.concat()),
        };
    }
    let (height, width): (usize, usize) = (widths_a.iter().sum(), widths_b.iter().sum());
    let join = |parts: Vec<Tensor<2>>| match parts.len() {
        1 => parts.into_iter().next(),
        _ => Some(Tensor::cat(parts, 1)),
    };
    let mut total: Vec<f64> = Vec::new();
    let step = ROWS_A_PRODUCT.min(rows_within(ROWS_BYTES, 4 * height.max(width)));
    for start in (0..n).step_by(step) {
        let rows = start..(start + step).min(n);
        let left = (a.iter())
            .map(|i| layers[*i].view.chunk(rows.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let right = (b.iter())
            .map(|j| match map {
                None => layers[*j].view.chunk(rows.clone()),
                Some(map) => layers[*j].view.gather(&map[rows.clone()]),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (Some(left), Some(right)) = (join(left), join(right)) else {
            continue;
        };
        let part = HostValues::of(left.transpose().matmul(right))?;
        if total.is_empty() {
            total = part.iter().copied().map(f64::from).collect();
        } else {
            (total.iter_mut().zip(part.iter())).for_each(|(t, v)| *t += f64::from(*v));
        }
    }
    Ok(squares(&total, &widths_a, &widths_b))
}

/// The squared length of each block of a matrix of blocks of these heights and widths.
fn squares(total: &[f64], heights: &[usize], widths: &[usize]) -> Vec<f64> {
    let width: usize = widths.iter().sum();
    let mut out = Vec::with_capacity(heights.len() * widths.len());
    let mut top = 0;
    for height in heights {
        let mut left = 0;
        for across in widths {
            let row = |row| &total[row * width + left..][..*across];
            out.push((top..top + height).map(|r| square_sum(row(r))).sum());
            left += across;
        }
        top += height;
    }
    out
}

/// The squared length of a symmetric matrix of which only the lower half is there.
fn lower_square(lower: &[f64], d: usize) -> f64 {
    let row = |(i, row): (usize, &[f64])| 2.0 * square_sum(&row[..i]) + row[i] * row[i];
    lower.chunks_exact(d).enumerate().map(row).sum()
}

/// All products of all layers, tile by tile; fills in the row sums that are
/// still lacking.
fn gram_products(layers: &mut [KernelLayer]) -> Result<Square, MetricError> {
    let count = layers.len();
    let n = layers[0].view.rows();
    let mut out = Square::new(count);
    let lacking = layers.iter().any(KernelLayer::lacks_rows);
    let mut sums = vec![vec![0.0; if lacking { n } else { 0 }]; count];
    let tiles = tiles(n, count);
    // A tile a thread at a time bounds the memory; adding up in the order of the
    // tiles makes the sums the same on any number of threads.
    for tiles in tiles.chunks(rayon::current_num_threads()) {
        let parts = (tiles.par_iter())
            .map(|(rows, columns)| TileSums::of(layers, rows, columns))
            .collect::<Result<Vec<TileSums>, MetricError>>()?;
        for ((rows, columns), part) in tiles.iter().zip(parts) {
            let mirrored = rows != columns;
            let weight = if mirrored { 2.0 } else { 1.0 };
            for (total, v) in out.values.iter_mut().zip(part.products.iter()) {
                *total += weight * v;
            }
            for (i, along, down) in part.rows {
                add(&mut sums[i][rows.clone()], &along);
                if mirrored {
                    add(&mut sums[i][columns.clone()], &down);
                }
            }
        }
    }
    add_rows(layers, sums);
    Ok(out)
}

/// What one tile of all layers adds.
struct TileSums {
    /// Of each layer with each.
    products: Vec<f64>,
    /// Of layers whose row sums are lacking: sums along rows and down columns.
    rows: Vec<(usize, Vec<f64>, Vec<f64>)>,
}

impl TileSums {
    fn of(
        layers: &[KernelLayer],
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<Self, MetricError> {
        match layers[0].view.on_host() {
            true => Self::on_host(layers, rows, columns),
            false => Self::on_device(layers, rows, columns),
        }
    }

    fn on_host(
        layers: &[KernelLayer],
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<Self, MetricError> {
        let mut flat = Vec::with_capacity(layers.len() * rows.len() * columns.len());
        let mut sums = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let start = flat.len();
            let values = entries(layer, rows, columns, None)?;
            flat.extend(values.iter().copied().map(f64::from));
            if layer.lacks_rows() {
                let mut along = Vec::with_capacity(rows.len());
                let mut down = vec![0.0; columns.len()];
                for row in flat[start..].chunks_exact(columns.len()) {
                    along.push(row.iter().sum());
                    down.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
                }
                sums.push((i, along, down));
            }
        }
        Ok(Self {
            products: host::with_each_other(&flat, layers.len()),
            rows: sums,
        })
    }

    fn on_device(
        layers: &[KernelLayer],
        rows: &Range<usize>,
        columns: &Range<usize>,
    ) -> Result<Self, MetricError> {
        let read = |tensor| {
            Ok(HostValues::of::<2>(tensor)?
                .iter()
                .map(|v| f64::from(*v))
                .collect())
        };
        let mut flat = Vec::with_capacity(layers.len());
        let mut sums = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let tile = beside(layers, tile(layer, rows, columns, None)?);
            if layer.lacks_rows() {
                let along: Result<_, MetricError> = read(tile.clone().sum_dim(1));
                sums.push((i, along?, read(tile.clone().sum_dim(0))?));
            }
            flat.push(tile.reshape([1, rows.len() * columns.len()]));
        }
        let flat = Tensor::cat(flat, 0);
        Ok(Self {
            products: read(flat.clone().matmul(flat.transpose()))?,
            rows: sums,
        })
    }
}

/// Entries where they are multiplied: on the host if those of one of the layers are told there, for
/// whose digits a device's long sums would be too coarse.
fn beside(layers: &[KernelLayer], tile: Tensor<2>) -> Tensor<2> {
    match layers.iter().any(KernelLayer::on_host) {
        true => tile.to_device(&Device::flex()),
        false => tile,
    }
}

fn add(sums: &mut [f64], part: &[f64]) {
    sums.iter_mut().zip(part).for_each(|(s, v)| *s += v);
}

/// Products of the pairs under one permutation after the other.
struct PermutedProducts<'a> {
    layers: &'a [KernelLayer<'a>],
    /// Each once.
    pairs: Vec<(usize, usize)>,
    a: Vec<usize>,
    b: Vec<usize>,
    way: Way,
}

enum Way {
    /// One product of features a permutation.
    Feature,
    /// Kernel matrices kept on the host: the entries below the diagonal, row
    /// after row, and only then rearranged.
    Kept(Vec<Option<Vec<f32>>>),
    /// Tiles computed again for each permutation.
    Tiles,
    /// Of shifts: their diagonals, all shifts at once.
    Diagonals,
}

impl<'a> PermutedProducts<'a> {
    fn new(
        layers: &'a [KernelLayer<'a>],
        pairs: &[(usize, usize)],
        kernel: Kernel,
        permutations: &Permutations,
        kernel_bytes: usize,
    ) -> Result<Self, MetricError> {
        let set = |of: &dyn Fn(&(usize, usize)) -> usize| {
            let set: BTreeSet<usize> = pairs.iter().map(of).collect();
            set.into_iter().collect::<Vec<_>>()
        };
        let (a, b) = (set(&|p| p.0), set(&|p| p.1));
        let n = layers[0].view.rows();
        let involved: BTreeSet<usize> = a.iter().chain(&b).copied().collect();
        let bytes = n.saturating_mul(n).saturating_mul(4 * involved.len());
        let fits = bytes <= kernel_bytes;
        let width = |of: &[usize]| of.iter().map(|i| layers[*i].view.width()).sum::<usize>() as f64;
        // In multiplications of features, which run forty times as fast as those that gather their
        // entries and twice as fast as those that need not.
        let (size, square) = (n as f64, n as f64 * n as f64 / 2.0);
        let feature = size * width(&a) * width(&b);
        let products = (a.len() * b.len()) as f64;
        let pairs: BTreeSet<(usize, usize)> = pairs.iter().copied().collect();
        let gram = 40.0 * square * (b.len() as f64 + products);
        let all: Vec<usize> = involved.iter().copied().collect();
        let count = permutations.len() as f64;
        let diagonals = square * (1.5 * width(&all) / count + 2.0 * pairs.len() as f64);
        let wide = involved.iter().any(|i| layers[*i].view.width() > n);
        let feature_best = kernel.is_linear() && !wide;
        let way = if permutations.are_shifts()
            && layers[0].view.on_host()
            && !(feature_best && feature <= diagonals)
        {
            Way::Diagonals
        } else if feature_best && (feature <= gram || !fits) {
            Way::Feature
        } else if fits {
            let mut kept = vec![None; layers.len()];
            for i in involved {
                kept[i] = Some(whole(&layers[i])?);
            }
            Way::Kept(kept)
        } else {
            Way::Tiles
        };
        Ok(Self {
            layers,
            pairs: pairs.into_iter().collect(),
            a,
            b,
            way,
        })
    }

    /// The products under each permutation of a batch.
    fn products(&self, batch: &Batch<'_>) -> Result<Vec<Square>, MetricError> {
        match (&self.way, &batch.cycle) {
            (Way::Diagonals, Some(cycle)) => cycle::products(self.layers, &self.pairs, cycle),
            (Way::Feature, _) if self.layers[0].view.on_host() => self.features(&batch.maps),
            _ => batch.maps.iter().map(|map| self.of_one(map)).collect(),
        }
    }

    /// Those of features, each permutation on a thread.
    fn features(&self, maps: &[&[u32]]) -> Result<Vec<Square>, MetricError> {
        let mut out = vec![Square::new(self.layers.len()); maps.len()];
        let width = |i: usize| self.layers[i].view.width();
        let views = |of: &[usize]| of.iter().map(|i| self.layers[*i].view).collect::<Vec<_>>();
        for a in groups(&self.a, width) {
            for b in groups(&self.b, width) {
                let widths = |of: &[usize]| of.iter().map(|i| width(*i)).collect::<Vec<_>>();
                let (heights, widths) = (widths(&a), widths(&b));
                let values = host::permuted(&views(&a), &views(&b), maps, |total| {
                    squares(total, &heights, &widths)
                })?;
                for (out, values) in out.iter_mut().zip(values) {
                    for ((i, j), value) in itertools::iproduct!(&a, &b).zip(values) {
                        out.add(*i, *j, value);
                    }
                }
            }
        }
        Ok(out)
    }

    fn of_one(&self, map: &[u32]) -> Result<Square, MetricError> {
        let mut out = Square::new(self.layers.len());
        let width = |i: usize| self.layers[i].view.width();
        match &self.way {
            Way::Feature => {
                for a in groups(&self.a, width) {
                    for b in groups(&self.b, width) {
                        let values = cross_products(self.layers, &a, &b, Some(map))?;
                        for (x, i) in a.iter().enumerate() {
                            for (y, j) in b.iter().enumerate() {
                                out.add(*i, *j, values[x * b.len() + y]);
                            }
                        }
                    }
                }
            }
            Way::Kept(kept) => {
                for j in &self.b {
                    let Some(second) = &kept[*j] else { continue };
                    let firsts: Vec<&[f32]> = (self.a.iter())
                        .filter_map(|i| kept[*i].as_deref())
                        .collect();
                    for (i, value) in self.a.iter().zip(gathered(&firsts, second, map)) {
                        out.add(*i, *j, value);
                    }
                }
            }
            Way::Tiles | Way::Diagonals => {
                for (rows, columns) in tiles(map.len(), self.a.len() + self.b.len()) {
                    let weight = if rows == columns { 1.0 } else { 2.0 };
                    let flat = |of: &[usize], map: Option<&[u32]>| {
                        let size = rows.len() * columns.len();
                        (of.iter())
                            .map(|i| {
                                Ok(beside(
                                    self.layers,
                                    tile(&self.layers[*i], &rows, &columns, map)?,
                                )
                                .reshape([1, size]))
                            })
                            .collect::<Result<Vec<Tensor<2>>, MetricError>>()
                            .map(|tiles| Tensor::cat(tiles, 0))
                    };
                    let (first, second) = (flat(&self.a, None)?, flat(&self.b, Some(map))?);
                    let part = HostValues::of(first.matmul(second.transpose()))?;
                    for (at, v) in part.iter().enumerate() {
                        let (i, j) = (self.a[at / self.b.len()], self.b[at % self.b.len()]);
                        out.add(i, j, weight * f64::from(*v));
                    }
                }
            }
        }
        Ok(out)
    }
}

/// A layer's whole kernel matrix on the host.
fn whole(layer: &KernelLayer) -> Result<Vec<f32>, MetricError> {
    let n = layer.view.rows();
    let mut out = vec![0.0f32; n * n];
    for (rows, columns) in tiles(n, 1) {
        let values = HostValues::of(tile(layer, &rows, &columns, None)?)?;
        for (row, i) in values.chunks_exact(columns.len()).zip(rows.clone()) {
            out[i * n + columns.start..i * n + columns.end].copy_from_slice(row);
        }
        if rows != columns {
            let height = rows.len();
            for j in columns.clone() {
                let c = j - columns.start;
                for r in 0..height {
                    out[j * n + rows.start + r] = values[r * columns.len() + c];
                }
            }
        }
    }
    Ok(out)
}

/// The sum of K_ij L_p(i)p(j) for each K.
fn gathered(firsts: &[&[f32]], second: &[f32], map: &[u32]) -> Vec<f64> {
    let n = map.len();
    let rows: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map_init(
            || vec![0.0f32; n],
            |buffer, i| {
                let row = &second[map[i] as usize * n..][..n];
                // The matrices are symmetric: half of each row, twice.
                for (to, j) in buffer[..i].iter_mut().zip(map) {
                    *to = row[*j as usize];
                }
                let own = f64::from(row[map[i] as usize]);
                firsts
                    .iter()
                    .map(|first| {
                        let first = &first[i * n..][..n];
                        2.0 * f64::from(dot_f32(&first[..i], &buffer[..i]))
                            + f64::from(first[i]) * own
                    })
                    .collect()
            },
        )
        .collect();
    let mut out = vec![0.0; firsts.len()];
    for row in rows {
        out.iter_mut().zip(row).for_each(|(o, v)| *o += v);
    }
    out
}

fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut lanes = [0.0f32; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = (a_lanes.remainder().iter().zip(b_lanes.remainder()))
        .map(|(x, y)| x * y)
        .sum();
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    rest + lanes.iter().sum::<f32>()
}

/// The value of `formula` for a pair, in whose terms it is linear, over all
/// permutations of the samples: its exact chance level.
pub(crate) fn exact_null_mean(
    pair: &KernelPair,
    formula: impl Fn(&KernelPair) -> Value,
) -> Option<f64> {
    let mean = formula(&KernelPair {
        cross: pair.cross.expected(),
        ..*pair
    });
    // What rounding leaves of zero is zero.
    mean.ok().map(|v| if v.abs() < 1e-12 { 0.0 } else { v })
}
