//! A graph's values computed one after another in f64: what every kernel is tested against.

use std::collections::HashMap;

use crate::graph::{Binary, Graph, Id, Leaf, Op, Reduction, Unary, View, size};

/// The values of leaves.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Of each leaf.
    pub leaves: HashMap<Leaf, Vec<f64>>,
    /// Words of each feed that is a key of hashes.
    pub keys: HashMap<usize, u32>,
}

/// The values of all nodes up to `last`.
pub fn interpret(graph: &Graph, inputs: &Inputs, last: Id) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = Vec::with_capacity(last + 1);
    for id in 0..=last {
        let found = node(graph, inputs, &values, id);
        values.push(found);
    }
    values
}

fn unravel(mut place: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &n) in index.iter_mut().zip(shape).rev() {
        *i = place % n;
        place /= n;
    }
    index
}

fn linear(index: &[usize], shape: &[usize]) -> usize {
    index
        .iter()
        .zip(shape)
        .fold(0, |place, (&i, &n)| place * n + i)
}

fn node(graph: &Graph, inputs: &Inputs, values: &[Vec<f64>], id: Id) -> Vec<f64> {
    let shape = graph.shape(id);
    let count = size(shape);
    let each = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..count).map(f).collect() };
    match graph.op(id) {
        Op::Leaf(leaf) => inputs.leaves.get(leaf).cloned().unwrap_or(vec![0.0; count]),
        Op::Scalar(bits) => vec![f64::from(f32::from_bits(*bits)); count],
        Op::Iota(axis) => each(&|i| unravel(i, shape)[*axis] as f64),
        Op::Unary(function, a) => each(&|i| unary(*function, values[*a][i])),
        Op::Binary(function, a, b) => each(&|i| binary(*function, values[*a][i], values[*b][i])),
        Op::Select(c, yes, no) => each(&|i| match values[*c][i] != 0.0 {
            true => values[*yes][i],
            false => values[*no][i],
        }),
        Op::Hash(feed, number) => {
            let key = mixed(inputs.keys.get(feed).copied().unwrap_or(0) ^ mixed(*number));
            each(&|i| {
                let hash = mixed((i as u32).wrapping_mul(0x9E37_79B9).wrapping_add(key));
                f64::from(hash & 0xFF_FFFF)
            })
        }
        Op::View(view, a) => {
            let from = graph.shape(*a);
            each(&|i| match viewed(view, &unravel(i, shape), shape, from) {
                Some(place) => values[*a][place],
                None => 0.0,
            })
        }
        Op::Reduce(reduction, a, axes) => {
            let from = graph.shape(*a);
            let mut found = vec![
                match reduction {
                    Reduction::Sum => 0.0,
                    Reduction::Max => f64::NEG_INFINITY,
                    Reduction::Min => f64::INFINITY,
                };
                count
            ];
            for (i, &value) in values[*a].iter().enumerate() {
                let mut index = unravel(i, from);
                axes.iter().for_each(|&axis| index[axis] = 0);
                let into = &mut found[linear(&index, shape)];
                *into = match reduction {
                    Reduction::Sum => *into + value,
                    Reduction::Max => into.max(value),
                    Reduction::Min => into.min(value),
                };
            }
            found
        }
        Op::Contract { of, labels, .. } => {
            let [a, b, result] = labels;
            let mut sizes = [1; 256];
            for (labels, of) in [(a, of[0]), (b, of[1])] {
                for (&label, &n) in labels.iter().zip(graph.shape(of)) {
                    sizes[usize::from(label)] = n;
                }
            }
            let summed: Vec<u8> = a.iter().copied().filter(|l| !result.contains(l)).collect();
            let inner: Vec<usize> = summed.iter().map(|&l| sizes[usize::from(l)]).collect();
            let mut at = [0usize; 256];
            let mut found = vec![];
            for i in 0..count {
                for (&label, n) in result.iter().zip(unravel(i, shape)) {
                    at[usize::from(label)] = n;
                }
                let mut sum = 0.0;
                for k in 0..size(&inner) {
                    for (&label, n) in summed.iter().zip(unravel(k, &inner)) {
                        at[usize::from(label)] = n;
                    }
                    let place = |labels: &[u8]| {
                        labels.iter().fold(0, |place, &l| {
                            place * sizes[usize::from(l)] + at[usize::from(l)]
                        })
                    };
                    sum += values[of[0]][place(a)] * values[of[1]][place(b)];
                }
                found.push(sum);
            }
            found
        }
        Op::Take(a, index) => {
            let from = graph.shape(*a);
            let (n, count) = (from[from.len() - 1], shape[shape.len() - 1]);
            each(&|i| values[*a][i / count * n + values[*index][i] as usize])
        }
        Op::Gather(table, index) => {
            let width = graph.shape(*table)[1];
            each(&|i| values[*table][values[*index][i / width] as usize * width + i % width])
        }
    }
}

/// The place that a view shows, if it shows any.
fn viewed(view: &View, index: &[usize], shape: &[usize], from: &[usize]) -> Option<usize> {
    let inner: Vec<usize> = match view {
        View::Reshape => return Some(linear(index, shape)),
        View::Permute(axes) => {
            let mut inner = vec![0; axes.len()];
            axes.iter()
                .zip(index)
                .for_each(|(&axis, &i)| inner[axis] = i);
            inner
        }
        View::Expand => index
            .iter()
            .zip(from)
            .map(|(&i, &n)| i.min(n - 1))
            .collect(),
        View::Flip(axes) => (index.iter().enumerate())
            .map(|(d, &i)| {
                if axes.contains(&d) {
                    from[d] - 1 - i
                } else {
                    i
                }
            })
            .collect(),
        View::Slice(starts) => index.iter().zip(starts).map(|(i, s)| i + s).collect(),
        View::Pad(before) => {
            let shifted = index.iter().zip(before).map(|(i, b)| i.checked_sub(*b));
            shifted.collect::<Option<_>>()?
        }
        View::Windows { stride, padding } => {
            let place =
                |axis: usize| (index[4 + axis] * stride + index[2 + axis]).checked_sub(*padding);
            vec![index[0], index[1], place(0)?, place(1)?]
        }
        View::Spread { stride, padding } | View::Fold { stride, padding } => {
            let place = |axis: usize| {
                let place = (index[4 + axis] + padding).checked_sub(index[2 + axis])?;
                place.is_multiple_of(*stride).then_some(place / stride)
            };
            match view {
                View::Fold { .. } => [&index[..4], &[place(0)?, place(1)?]].concat(),
                _ => vec![index[0], index[1], place(0)?, place(1)?],
            }
        }
    };
    let inside = inner.iter().zip(from).all(|(i, n)| i < n);
    inside.then(|| linear(&inner, from))
}

fn unary(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Sqrt => x.sqrt(),
        Unary::Recip => 1.0 / x,
        Unary::Tanh => x.tanh(),
        Unary::Erf => erf(x),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Relu => x.max(0.0),
    }
}

/// The error function by its series, or by the continued fraction of its complement.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 3.0 {
        let mut term = a;
        let mut sum = a;
        for n in 1..200 {
            term *= -a * a / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI * x.signum();
    }
    let mut fraction = 0.0;
    for n in (1..60).rev() {
        fraction = 0.5 * f64::from(n) / (a + fraction);
    }
    let complement = (-a * a).exp() / (a + fraction) / std::f64::consts::PI.sqrt();
    (1.0 - complement) * x.signum()
}

fn binary(function: Binary, x: f64, y: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    match function {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Max => x.max(y),
        Binary::Min => x.min(y),
        Binary::Equal => truth(x == y),
        Binary::Greater => truth(x > y),
        Binary::GreaterEqual => truth(x >= y),
    }
}

/// A hash of 32 bits (Wellons 2018, `lowbias32`).
pub fn mixed(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}
