//! Sums over pairs of kernel matrices, of all pairs of layers at once.
//!
//! As on the CPU there are two ways: `<XX', YY'> = |X'Y|^2` of all columns of all layers
//! joined, a permutation a job; or tiles of the n x n matrices of all layers, a tile under a
//! permutation a job. Sums that grow with the samples are taken in blocks on the device, and
//! what is left is added up in f64 on the host.

use std::collections::BTreeSet;
use std::ops::Range;

use reprsim_graph::{
    Binary, Computation, Gpu, Graph, GraphError, Id, Leaf, Load, Profile, Program, Reduction,
    Region, Session, Shapes, Target, Unary,
};

use super::gram::{device, numbered};
use super::replay::{Replay, Words, at_once, words};
use crate::MetricError;
use crate::kernel::{Entry, KernelLayer};
use crate::options::Space;
use crate::permutations::Permutations;
use crate::source::HostValues;
use crate::square::{Found, Square};

/// Rows and columns of a tile.
const TILE: usize = 256;
/// Parts of a tile whose sums the host adds up.
const PARTS: usize = 16;

/// The layers that are multiplied with others, and their values as the device has them.
struct Side {
    /// Their numbers.
    layers: Vec<usize>,
    widths: Vec<usize>,
    values: Vec<f32>,
    /// Squared lengths of rows, of each layer after another.
    squares: Vec<f32>,
    /// What exponents are multiplied by, of each layer.
    scales: Vec<f32>,
}

/// The products of `pairs` of `layers`; `None` where they are not computed by replaying: on a
/// device that is not wgpu's, with layers that are not kept, of entries that are told on the host,
/// or where memory does not suffice.
pub(crate) fn find(
    layers: &[KernelLayer<'_>],
    pairs: &[(usize, usize)],
    space: Space,
    permutations: &Permutations,
) -> Result<Option<Found>, MetricError> {
    match Ready::new(layers, pairs, space, permutations)? {
        Some(ready) => ready.run(layers.len(), permutations).map(Some),
        None => Ok(None),
    }
}

/// Where the time of some of those products goes, those of one side with the other.
pub(crate) fn profile(
    layers: &[KernelLayer<'_>],
    pairs: &[(usize, usize)],
    space: Space,
    permutations: &Permutations,
) -> Result<Option<Profile>, MetricError> {
    match Ready::new(layers, pairs, space, permutations)? {
        Some(ready) => Ok(Some(ready.session.profile(0)?)),
        None => Ok(None),
    }
}

/// Both sides on the device, and what is to be done with them.
struct Ready {
    session: Session,
    way: Way,
    sides: [Side; 2],
    samples: usize,
}

impl Ready {
    fn new(
        layers: &[KernelLayer<'_>],
        pairs: &[(usize, usize)],
        space: Space,
        permutations: &Permutations,
    ) -> Result<Option<Self>, MetricError> {
        let samples = layers.first().map_or(0, |layer| layer.view.rows());
        if samples == 0
            || layers.iter().any(KernelLayer::on_host)
            || !numbered(samples * layers.len())
        {
            return Ok(None);
        }
        let numbers = |of: fn(&(usize, usize)) -> usize| -> Vec<usize> {
            let set: BTreeSet<usize> = pairs.iter().map(of).collect();
            set.into_iter().collect()
        };
        let first = Side::new(layers, numbers(|pair| pair.0), space)?;
        let second = Side::new(layers, numbers(|pair| pair.1), space)?;
        let (Some((gpu, first)), Some((_, second))) = (first, second) else {
            return Ok(None);
        };
        let sides = [first, second];
        let maps = 1 + permutations.len();
        let way = match space {
            Space::Feature => Way::feature(&gpu, samples, &sides, maps),
            Space::Gram => Way::gram(&gpu, samples, &sides, maps, layers),
        };
        let Some(way) = way else {
            return Ok(None);
        };
        match way.session(&gpu, &sides) {
            Ok(session) => Ok(Some(Self {
                session,
                way,
                sides,
                samples,
            })),
            Err(GraphError::Memory { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Side {
    fn new(
        layers: &[KernelLayer<'_>],
        numbers: Vec<usize>,
        space: Space,
    ) -> Result<Option<(Gpu, Self)>, MetricError> {
        let mut kept = vec![];
        let mut gpu = None;
        for &layer in &numbers {
            let Some((opened, values)) = device(layers[layer].view)? else {
                return Ok(None);
            };
            gpu = Some(opened);
            kept.push(values);
        }
        let widths: Vec<usize> = numbers.iter().map(|&i| layers[i].view.width()).collect();
        let n = numbers.first().map_or(0, |&i| layers[i].view.rows());
        let squares = |i: &usize| layers[*i].view.squares.iter().map(|s| *s as f32);
        let scale = |i: &usize| match layers[*i].entry {
            Entry::Gaussian { scale, .. } => scale as f32,
            _ => 0.0,
        };
        let side = Self {
            values: match space {
                Space::Feature => joined(&kept, &widths, n),
                Space::Gram => stacked(&kept, &widths),
            },
            squares: numbers.iter().flat_map(squares).collect(),
            scales: numbers.iter().map(scale).collect(),
            layers: numbers,
            widths,
        };
        Ok(gpu.map(|gpu| (gpu, side)))
    }

    fn width(&self) -> usize {
        self.widths.iter().sum()
    }

    fn widest(&self) -> usize {
        self.widths.iter().copied().max().unwrap_or(0)
    }

    /// `[columns, layers]`: 1 where a column is of a layer.
    fn membership(&self) -> Vec<f32> {
        let count = self.layers.len();
        let row = |layer: usize| (0..count).map(move |of| f32::from(u8::from(of == layer)));
        (self.widths.iter().enumerate())
            .flat_map(|(layer, &width)| (0..width).flat_map(move |_| row(layer)))
            .collect()
    }
}

/// Columns of all layers next to each other, `[n, columns]`.
fn joined(layers: &[HostValues], widths: &[usize], n: usize) -> Vec<f32> {
    let row = |i: usize| {
        let part = move |(values, &d): (&HostValues, &usize)| values[i * d..(i + 1) * d].to_vec();
        layers.iter().zip(widths).flat_map(part)
    };
    (0..n).flat_map(row).collect()
}

/// Layers one after another, `[layers, n, d]`, d that of the widest, the others filled up with
/// zeros, which no product sees.
fn stacked(layers: &[HostValues], widths: &[usize]) -> Vec<f32> {
    let d = widths.iter().copied().max().unwrap_or(0);
    let rows = |(values, &width): (&HostValues, &usize)| -> Vec<f32> {
        let row = |row: &[f32]| {
            let mut row = row.to_vec();
            row.resize(d, 0.0);
            row
        };
        values.chunks_exact(width).flat_map(row).collect()
    };
    layers.iter().zip(widths).flat_map(rows).collect()
}

/// One of the two ways: programs of the products of the first side with the second, and of each
/// with itself, which give the products of each layer with itself.
struct Way {
    /// First and second, first and first, second and second.
    programs: Vec<Program>,
    shapes: Shapes,
    /// Jobs that each does at once.
    jobs: [usize; 3],
    space: Space,
    /// Whether sums along rows are to be found.
    lacks_rows: bool,
}

/// Which sides a program multiplies.
const PROGRAMS: [[usize; 2]; 3] = [[0, 1], [0, 0], [1, 1]];

impl Way {
    fn feature(gpu: &Gpu, n: usize, sides: &[Side; 2], maps: usize) -> Option<Self> {
        let widths = sides.each_ref().map(Side::width);
        let room = |[a, b]: [usize; 2]| {
            let each = widths[a] * widths[b];
            at_once(gpu.largest_array(), each, 2.0 * n as f64 * each as f64)
        };
        let room = PROGRAMS.map(room);
        let all_jobs = [room[0].min(maps), 1, 1];
        let shapes = Shapes {
            states: widths.iter().map(|width| n * width).collect(),
            constants: sides.each_ref().map(Side::membership).to_vec(),
            ..Shapes::default()
        };
        let program = |([a, b], jobs): ([usize; 2], usize)| {
            let mut graph = Graph::default();
            let left = graph.leaf(Leaf::State(a), &[n, widths[a]]);
            let table = graph.leaf(Leaf::State(b), &[n, widths[b]]);
            let places = graph.leaf(Leaf::Feed(0), &[jobs, n]);
            let right = graph.gather(table, places);
            let product = graph.contract_in_blocks([left, right], [b"ni", b"pnj", b"pij"]);
            let square = graph.binary(Binary::Mul, product, product);
            // Of each column of the first, the sum over those of each layer of the second.
            let count = sides[b].layers.len();
            let of_layer = graph.leaf(Leaf::Constant(b), &[widths[b], count]);
            let sums = graph.contract_in_blocks([square, of_layer], [b"pij", b"jl", b"pil"]);
            let computation = Computation {
                graph,
                outputs: vec![(sums, Target::Read)],
                feeds: vec![jobs * n],
                ..Computation::default()
            };
            Program::new(&computation, &shapes, None, gpu.hardware)
        };
        room.iter().all(|&room| room > 0).then(|| Self {
            programs: (PROGRAMS.into_iter().zip(all_jobs)).map(program).collect(),
            shapes: shapes.clone(),
            jobs: all_jobs,
            space: Space::Feature,
            lacks_rows: false,
        })
    }

    fn gram(
        gpu: &Gpu,
        n: usize,
        sides: &[Side; 2],
        maps: usize,
        layers: &[KernelLayer<'_>],
    ) -> Option<Self> {
        let tile = TILE.min(n);
        let counts = sides.each_ref().map(|side| side.layers.len());
        let widest = sides.each_ref().map(Side::widest);
        let each = 2 * (counts[0] + counts[1]) * tile * tile;
        let depth = widest[0].max(widest[1]) + counts[0] * counts[1];
        let work = each as f64 * depth as f64;
        let room = at_once(gpu.largest_array(), each, work);
        let tiles = squares_of(n, tile).len();
        let all_jobs = [tiles * maps, tiles, tiles].map(|jobs| jobs.min(room));
        let lacks_rows = layers.iter().any(KernelLayer::lacks_rows);
        let shift = layers.iter().find_map(|layer| match layer.entry {
            Entry::Gaussian { shift, .. } => Some(shift as f32),
            _ => None,
        });
        let matrices = |i: usize| counts[i] * n * widest[i];
        let shapes = Shapes {
            states: vec![matrices(0), matrices(1), counts[0] * n, counts[1] * n],
            constants: sides.each_ref().map(|side| side.scales.clone()).to_vec(),
            ..Shapes::default()
        };
        let program = |([a, b], jobs): ([usize; 2], usize)| {
            let mut graph = Graph::default();
            // Which samples a job multiplies, of the first side and of the second.
            let places = [0, 1, 2, 3].map(|feed| graph.leaf(Leaf::Feed(feed), &[jobs, tile]));
            let apart = apart(&mut graph, [places[0], places[1]], jobs, tile);
            let mut entries = |side: usize, places: [Id; 2]| {
                let sizes = [counts[side], jobs, tile];
                let stack = Stack {
                    side,
                    sizes,
                    samples: n,
                    width: widest[side],
                };
                let tiles = stack.tiles(&mut graph, places, shift);
                let apart = graph.expand(apart, &[sizes[0], jobs, tile, tile]);
                graph.binary(Binary::Mul, tiles, apart)
            };
            let left = entries(a, [places[0], places[1]]);
            let right = entries(b, [places[2], places[3]]);
            let sums = sums(
                &mut graph,
                [left, right],
                [counts[a], counts[b]],
                jobs,
                tile,
            );
            let mut outputs = vec![(sums, Target::Read)];
            if lacks_rows && a == b {
                for axis in [3, 2] {
                    let sums = graph.reduce(Reduction::Sum, left, &[axis]);
                    outputs.push((sums, Target::Read));
                }
            }
            let computation = Computation {
                graph,
                outputs,
                feeds: vec![jobs * tile; 4],
                ..Computation::default()
            };
            Program::new(&computation, &shapes, None, gpu.hardware)
        };
        (room > 0).then(|| Self {
            programs: (PROGRAMS.into_iter().zip(all_jobs)).map(program).collect(),
            shapes: shapes.clone(),
            jobs: all_jobs,
            space: Space::Gram,
            lacks_rows,
        })
    }

    fn session(&self, gpu: &Gpu, sides: &[Side; 2]) -> Result<Session, GraphError> {
        let programs = self.programs.iter().cloned().map(Load::from).collect();
        let session = Session::new(gpu, &self.shapes, 1, programs)?;
        for (i, side) in sides.iter().enumerate() {
            session.write(0, Region::State(i), &side.values);
            if let Space::Gram = self.space {
                session.write(0, Region::State(2 + i), &side.squares);
            }
        }
        Ok(session)
    }
}

impl Ready {
    fn run(&self, layers: usize, permutations: &Permutations) -> Result<Found, MetricError> {
        let Self {
            session,
            way,
            sides,
            samples,
        } = self;
        let n = *samples;
        let same: Vec<u32> = (0..n as u32).collect();
        let mut squares = vec![Square::new(layers); 1 + permutations.len()];
        let mut rows = vec![vec![0.0; if way.lacks_rows { n } else { 0 }]; layers];
        for (program, [a, b]) in PROGRAMS.into_iter().enumerate() {
            let itself = program > 0;
            let maps = std::iter::once(same.as_slice());
            let maps: Vec<&[u32]> = match itself {
                true => maps.collect(),
                false => maps.chain(permutations.iter()).collect(),
            };
            let replay = Replay {
                session,
                program,
                at_once: way.jobs[program],
            };
            let (left, right) = (&sides[a], &sides[b]);
            // Of a side with itself only products of layers with themselves are kept, of a layer
            // that is on both sides once.
            let known = |layer| program == 2 && sides[0].layers.contains(&layer);
            let mut add = |map: usize, x: usize, y: usize, value: f64| {
                let (i, j) = (left.layers[x], right.layers[y]);
                let wanted = match itself {
                    true => x == y && !known(i),
                    false => i != j || map > 0,
                };
                if wanted {
                    squares[map].add(i, j, value);
                }
            };
            match way.space {
                Space::Feature => {
                    let jobs = maps.iter().map(|map| vec![words(map.iter().copied())]);
                    let count = right.layers.len();
                    replay.run(jobs, |map, place, outputs| {
                        let size = left.width() * count;
                        let sums = &outputs[0][place * size..][..size];
                        let mut at = 0;
                        for (x, &width) in left.widths.iter().enumerate() {
                            for y in 0..count {
                                let of_column = sums[at..at + width * count].iter();
                                let sum = of_column.skip(y).step_by(count).map(|&v| f64::from(v));
                                add(map, x, y, sum.sum());
                            }
                            at += width * count;
                        }
                    })?;
                }
                Space::Gram => {
                    let tiles = squares_of(n, TILE.min(n));
                    let jobs = (maps.iter()).flat_map(|map| {
                        (tiles.iter()).map(|(rows, columns)| job(rows, columns, map, TILE.min(n)))
                    });
                    let counts = [left.layers.len(), right.layers.len()];
                    let side = TILE.min(n);
                    replay.run(jobs, |job, place, outputs| {
                        let (map, (down, along)) = (job / tiles.len(), &tiles[job % tiles.len()]);
                        let weight = if down == along { 1.0 } else { 2.0 };
                        let size = counts[0] * counts[1];
                        let whole = parts(side) * size;
                        let sums = &outputs[0][place * whole..][..whole];
                        for (at, &sum) in sums.iter().enumerate() {
                            let pair = at % size;
                            let sum = weight * f64::from(sum);
                            add(map, pair / counts[1], pair % counts[1], sum);
                        }
                        if way.lacks_rows && itself {
                            for (x, &layer) in left.layers.iter().enumerate() {
                                if known(layer) {
                                    continue;
                                }
                                let at = (x * way.jobs[program] + place) * side;
                                add_to(&mut rows[layer][down.clone()], &outputs[1][at..]);
                                if down != along {
                                    add_to(&mut rows[layer][along.clone()], &outputs[2][at..]);
                                }
                            }
                        }
                    })?;
                }
            }
        }
        let mut squares = squares.into_iter();
        Ok(Found {
            observed: squares.next().unwrap_or_else(|| Square::new(layers)),
            permuted: squares.collect(),
            rows,
        })
    }
}

fn add_to(sums: &mut [f64], values: &[f32]) {
    (sums.iter_mut().zip(values)).for_each(|(sum, v)| *sum += f64::from(*v));
}

/// Products of which tiles of a product of matrices would leave most of their work unused.
const FEW: usize = 16;

/// Sums over parts of tiles of products of two sides' entries, `[jobs, parts, left, right]`.
fn sums(graph: &mut Graph, sides: [Id; 2], counts: [usize; 2], jobs: usize, tile: usize) -> Id {
    let parts = parts(tile);
    let of_part = tile * tile / parts;
    let [left, right] = counts;
    if left * right > FEW {
        let flat = |graph: &mut Graph, of, count| graph.reshape(of, &[count, jobs, parts, of_part]);
        let flat = [flat(graph, sides[0], left), flat(graph, sides[1], right)];
        return graph.contract_in_blocks(flat, [b"ljsq", b"mjsq", b"jslm"]);
    }
    let shape = [left, right, jobs, parts, of_part];
    let wide = |graph: &mut Graph, of, lengths: [usize; 2]| {
        let [left, right] = lengths;
        let of = graph.reshape(of, &[left, right, jobs, parts, of_part]);
        graph.expand(of, &shape)
    };
    let (x, y) = (
        wide(graph, sides[0], [left, 1]),
        wide(graph, sides[1], [1, right]),
    );
    let product = graph.binary(Binary::Mul, x, y);
    let sums = graph.reduce(Reduction::Sum, product, &[4]);
    let sums = graph.permute(sums, &[2, 3, 0, 1, 4]);
    graph.reshape(sums, &[jobs, parts, left, right])
}

/// Parts of a tile whose sums are taken apart: as many as divide it.
fn parts(tile: usize) -> usize {
    match (tile * tile).is_multiple_of(PARTS) {
        true => PARTS,
        false => 1,
    }
}

/// Square tiles that cover an n x n matrix on and above the diagonal.
fn squares_of(n: usize, side: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let strips: Vec<Range<usize>> = (0..n)
        .step_by(side.max(1))
        .map(|start| start..(start + side).min(n))
        .collect();
    (strips.iter().enumerate())
        .flat_map(|(i, rows)| strips[i..].iter().map(move |c| (rows.clone(), c.clone())))
        .collect()
}

/// The samples of a tile, and those of the second side under a map. A place that is no sample's
/// has the number -1.
fn job(rows: &Range<usize>, columns: &Range<usize>, map: &[u32], side: usize) -> Words {
    let none = (-1f32).to_bits();
    let padded = |mut numbers: Vec<u32>| {
        numbers.resize(side, none);
        numbers
    };
    let plain = |range: &Range<usize>| words(range.start as u32..range.end as u32);
    let mapped = |range: &Range<usize>| words(map[range.clone()].iter().copied());
    vec![
        padded(plain(rows)),
        padded(plain(columns)),
        padded(mapped(rows)),
        padded(mapped(columns)),
    ]
}

/// `[1, jobs, tile, tile]`: 1 where two samples are not the same, and both are samples.
fn apart(graph: &mut Graph, places: [Id; 2], jobs: usize, tile: usize) -> Id {
    let shape = [1, jobs, tile, tile];
    let rows = graph.reshape(places[0], &[1, jobs, tile, 1]);
    let columns = graph.reshape(places[1], &[1, jobs, 1, tile]);
    let (rows, columns) = (graph.expand(rows, &shape), graph.expand(columns, &shape));
    let zero = graph.scalar(0.0, &shape);
    let one = graph.scalar(1.0, &shape);
    let same = graph.binary(Binary::Equal, rows, columns);
    let apart = graph.binary(Binary::Sub, one, same);
    let sample = [rows, columns].map(|of| graph.binary(Binary::GreaterEqual, of, zero));
    let both = graph.binary(Binary::Mul, sample[0], sample[1]);
    graph.binary(Binary::Mul, apart, both)
}

/// The matrices of a side, `[layers, n, d]`.
struct Stack {
    side: usize,
    /// Layers, jobs, rows of a tile.
    sizes: [usize; 3],
    samples: usize,
    width: usize,
}

impl Stack {
    /// Kernel entries of the samples at two lists of places, `[layers, jobs, tile, tile]`.
    fn tiles(&self, graph: &mut Graph, places: [Id; 2], shift: Option<f32>) -> Id {
        let [layers, jobs, tile] = self.sizes;
        let shape = [layers, jobs, tile, tile];
        let rows = layers * self.samples;
        let matrices = graph.leaf(Leaf::State(self.side), &[rows, self.width]);
        let squares = graph.leaf(Leaf::State(2 + self.side), &[rows, 1]);
        // A row's place among those of all layers.
        let of_layers = places.map(|places| {
            let shape = [layers, jobs, tile];
            let zero = graph.scalar(0.0, &[jobs, tile]);
            let places = graph.binary(Binary::Max, places, zero);
            let places = graph.reshape(places, &[1, jobs, tile]);
            let places = graph.expand(places, &shape);
            let layer = graph.iota(0, &shape);
            let samples = graph.scalar(self.samples as f32, &shape);
            let start = graph.binary(Binary::Mul, layer, samples);
            graph.binary(Binary::Add, places, start)
        });
        let [x, y] = of_layers.map(|places| graph.gather(matrices, places));
        let product = graph.contract([x, y], [b"ljrd", b"ljcd", b"ljrc"]);
        let Some(shift) = shift else { return product };
        let [x2, y2] = of_layers.map(|places| graph.gather(squares, places));
        let x2 = graph.expand(x2, &shape);
        let y2 = graph.reshape(y2, &[layers, jobs, 1, tile]);
        let y2 = graph.expand(y2, &shape);
        let both = graph.binary(Binary::Add, product, product);
        let less = graph.binary(Binary::Sub, both, x2);
        let less = graph.binary(Binary::Sub, less, y2);
        let zero = graph.scalar(0.0, &shape);
        let exponent = graph.binary(Binary::Min, less, zero);
        let scales = graph.leaf(Leaf::Constant(self.side), &[layers, 1, 1, 1]);
        let scales = graph.expand(scales, &shape);
        let exponent = graph.binary(Binary::Mul, exponent, scales);
        let value = graph.unary(Unary::Exp, exponent);
        let shift = graph.scalar(shift, &shape);
        graph.binary(Binary::Sub, value, shift)
    }
}
