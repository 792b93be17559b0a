//! A computation as a graph of few kinds of operations on arrays of f32.
//!
//! Whatever a network computes is element-wise operations, views (another order, shape or
//! selection of the same values), reductions, and contractions (sums of products, of which
//! matrix products and convolutions are two). Everything else is written as these, so that
//! derivatives, fusion and code are a few rules each.

use std::collections::HashMap;

/// A node's place in its graph; what it needs lies before it.
pub type Id = usize;

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// -x
    Neg,
    /// |x|
    Abs,
    /// e^x
    Exp,
    /// Natural logarithm.
    Log,
    /// ln(1 + x)
    Log1p,
    /// Square root.
    Sqrt,
    /// 1 / x
    Recip,
    /// Hyperbolic tangent.
    Tanh,
    /// Error function.
    Erf,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// max(x, 0)
    Relu,
}

/// A function of two values; comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// x + y
    Add,
    /// x - y
    Sub,
    /// x y
    Mul,
    /// x / y
    Div,
    /// The larger.
    Max,
    /// The smaller.
    Min,
    /// Whether x = y.
    Equal,
    /// Whether x > y.
    Greater,
    /// Whether x >= y.
    GreaterEqual,
}

/// How values become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// The same values in another arrangement; the node's shape is that of the arrangement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// Another shape of as many values in the same order.
    Reshape,
    /// Dimension i is dimension `axes[i]` of what is viewed.
    Permute(Vec<usize>),
    /// Dimensions of size 1 repeated.
    Expand,
    /// From these places on, as far as the node's shape goes.
    Slice(Vec<usize>),
    /// Backwards along these dimensions.
    Flip(Vec<usize>),
    /// The values with these many zeros before them and others after, in each dimension.
    Pad(Vec<usize>),
    /// The square windows of a convolution: `[n, c, h, w]` as `[n, c, k, k, h', w']`, zero
    /// beyond the border.
    Windows {
        /// Step from window to window.
        stride: usize,
        /// Rows and columns of zeros around.
        padding: usize,
    },
    /// What the adjoint of windows adds up: `[n, c, k, k, h', w']` as `[n, c, k, k, h, w]`,
    /// zero where position (h, w) is not at place (k, k) of any window.
    Fold {
        /// Step from window to window.
        stride: usize,
        /// Rows and columns of zeros around.
        padding: usize,
    },
    /// The same of windows whose values are all alike: `[n, c, h', w']` as `[n, c, k, k, h, w]`, zero
    /// where position (h, w) is not at place (k, k) of any window.
    Spread {
        /// Step from window to window.
        stride: usize,
        /// Rows and columns of zeros around.
        padding: usize,
    },
}

/// What a graph does not compute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// A parameter of the model, by number.
    Parameter(usize),
    /// What the model keeps beside parameters, by number.
    State(usize),
    /// Values that never change, by number.
    Constant(usize),
    /// Values of this step, by number.
    Feed(usize),
    /// The bytes (0 to 255) of samples of the resident data, of which this feed holds the
    /// places: `[n, ...]`.
    Samples(usize),
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Not computed.
    Leaf(Leaf),
    /// The same value everywhere, as its bits.
    Scalar(u32),
    /// The index along a dimension.
    Iota(usize),
    /// Element by element.
    Unary(Unary, Id),
    /// Element by element, of equal shapes.
    Binary(Binary, Id, Id),
    /// The second where the first is not 0, else the third.
    Select(Id, Id, Id),
    /// A hash of each place's number and the key that a feed holds, mixed with a number: 24
    /// bits.
    Hash(usize, u32),
    /// The same values elsewhere.
    View(View, Id),
    /// Over these dimensions, which stay with size 1.
    Reduce(Reduction, Id, Vec<usize>),
    /// The sum of products of two arrays over the labels of dimensions that are not among
    /// those of the result (Einstein's notation).
    Contract {
        /// The arrays.
        of: [Id; 2],
        /// Labels of the dimensions of both and of the result.
        labels: [Vec<u8>; 3],
        /// Whether products are added up in blocks, and these in larger ones, so that long sums
        /// keep their digits. (What Kahan would carry along drivers optimise away.)
        in_blocks: bool,
    },
    /// Along the last dimension, the value at the place that the second array, of the result's
    /// shape, holds.
    Take(Id, Id),
    /// Rows of a table `[v, d]` at the places that an array holds: `[..., d]`.
    Gather(Id, Id),
}

/// A derivative that is known to be simpler than that of the operations by which the node is
/// computed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Nothing flows back.
    Constant,
    /// Of `of` brought to mean 0 and variance 1 over `axes`; `scale` is 1 / the standard
    /// deviation.
    Normalized { of: Id, scale: Id, axes: Vec<usize> },
    /// The softmax of `of` along `axis`.
    Softmax { of: Id, axis: usize },
    /// Its logarithm.
    LogSoftmax { of: Id, axis: usize },
}

/// An operation with the shape of its result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// What it is.
    pub op: Op,
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
}

/// A graph; equal nodes are one.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) rules: HashMap<Id, Rule>,
    known: HashMap<Node, Id>,
}

/// The number of values of a shape.
pub(crate) fn size(shape: &[usize]) -> usize {
    shape.iter().product()
}

impl Graph {
    /// The shape of a node.
    pub fn shape(&self, id: Id) -> &[usize] {
        &self.nodes[id].shape
    }

    pub(crate) fn op(&self, id: Id) -> &Op {
        &self.nodes[id].op
    }

    pub(crate) fn push(&mut self, op: Op, shape: Vec<usize>) -> Id {
        let node = Node { op, shape };
        if let Some(&id) = self.known.get(&node) {
            return id;
        }
        let id = self.nodes.len();
        self.nodes.push(node.clone());
        self.known.insert(node, id);
        id
    }

    /// A leaf of some shape.
    pub fn leaf(&mut self, leaf: Leaf, shape: &[usize]) -> Id {
        self.push(Op::Leaf(leaf), shape.to_vec())
    }

    /// `value` everywhere.
    pub fn scalar(&mut self, value: f32, shape: &[usize]) -> Id {
        self.push(Op::Scalar(value.to_bits()), shape.to_vec())
    }

    /// The value of a node that is the same everywhere.
    pub(crate) fn value(&self, id: Id) -> Option<f32> {
        match self.op(id) {
            Op::Scalar(bits) => Some(f32::from_bits(*bits)),
            _ => None,
        }
    }

    /// A function of each value.
    pub fn unary(&mut self, function: Unary, of: Id) -> Id {
        let shape = self.shape(of).to_vec();
        self.push(Op::Unary(function, of), shape)
    }

    /// A function of pairs of values; shapes are equal or have size 1 where they differ.
    pub fn binary(&mut self, function: Binary, a: Id, b: Id) -> Id {
        let shape: Vec<usize> = (self.shape(a).iter().zip(self.shape(b)))
            .map(|(&a, &b)| if a == 1 { b } else { a })
            .collect();
        let (a, b) = (self.expand(a, &shape), self.expand(b, &shape));
        match (function, self.value(a), self.value(b)) {
            (Binary::Add, Some(0.0), _) => return b,
            (Binary::Mul, Some(1.0), _) => return b,
            (Binary::Add | Binary::Sub, _, Some(0.0)) => return a,
            (Binary::Mul | Binary::Div, _, Some(1.0)) => return a,
            (Binary::Mul, Some(0.0), _) => return a,
            (Binary::Mul, _, Some(0.0)) => return b,
            (_, Some(x), Some(y)) => {
                let folded = match function {
                    Binary::Add => Some(x + y),
                    Binary::Sub => Some(x - y),
                    Binary::Mul => Some(x * y),
                    Binary::Div => Some(x / y),
                    _ => None,
                };
                if let Some(value) = folded {
                    return self.scalar(value, &shape);
                }
            }
            _ => {}
        }
        self.push(Op::Binary(function, a, b), shape)
    }

    pub(crate) fn add(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Add, a, b)
    }

    pub(crate) fn sub(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Sub, a, b)
    }

    pub(crate) fn mul(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Mul, a, b)
    }

    pub(crate) fn div(&mut self, a: Id, b: Id) -> Id {
        self.binary(Binary::Div, a, b)
    }

    /// Multiplied by a number.
    pub(crate) fn scaled(&mut self, a: Id, by: f32) -> Id {
        let shape = self.shape(a).to_vec();
        let by = self.scalar(by, &shape);
        self.mul(a, by)
    }

    /// `yes` where `condition` is not 0, else `no`; of equal shapes.
    pub fn select(&mut self, condition: Id, yes: Id, no: Id) -> Id {
        let shape = self.shape(condition).to_vec();
        self.push(Op::Select(condition, yes, no), shape)
    }

    /// Dimensions of size 1 repeated to `shape`.
    pub fn expand(&mut self, of: Id, shape: &[usize]) -> Id {
        if self.shape(of) == shape {
            return of;
        }
        if let Some(value) = self.value(of) {
            return self.scalar(value, shape);
        }
        self.push(Op::View(View::Expand, of), shape.to_vec())
    }

    /// Another shape of the same size.
    pub fn reshape(&mut self, of: Id, shape: &[usize]) -> Id {
        if self.shape(of) == shape {
            return of;
        }
        if let Some(value) = self.value(of) {
            return self.scalar(value, shape);
        }
        match *self.op(of) {
            Op::View(View::Reshape, of) => self.reshape(of, shape),
            _ => self.push(Op::View(View::Reshape, of), shape.to_vec()),
        }
    }

    /// Dimension i is dimension `axes[i]` of `of`.
    pub fn permute(&mut self, of: Id, axes: &[usize]) -> Id {
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape(of)[axis]).collect();
        if let Some(value) = self.value(of) {
            return self.scalar(value, &shape);
        }
        match axes.windows(2).all(|pair| pair[0] < pair[1]) {
            true => of,
            false => self.push(Op::View(View::Permute(axes.to_vec()), of), shape),
        }
    }

    /// The part of `shape` that begins at `starts`.
    pub fn slice(&mut self, of: Id, starts: &[usize], shape: &[usize]) -> Id {
        match self.shape(of) == shape {
            true => of,
            false => self.push(Op::View(View::Slice(starts.to_vec()), of), shape.to_vec()),
        }
    }

    /// `of` in the midst of zeros.
    pub fn pad(&mut self, of: Id, before: &[usize], shape: &[usize]) -> Id {
        if size(self.shape(of)) == 0 {
            return self.scalar(0.0, shape);
        }
        self.push(Op::View(View::Pad(before.to_vec()), of), shape.to_vec())
    }

    /// Reduces dimensions, which stay with size 1.
    pub fn reduce(&mut self, reduction: Reduction, of: Id, axes: &[usize]) -> Id {
        let mut shape = self.shape(of).to_vec();
        let mut axes: Vec<usize> = (axes.iter().copied()).filter(|&a| shape[a] != 1).collect();
        axes.sort_unstable();
        if axes.is_empty() {
            return of;
        }
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        axes.iter().for_each(|&a| shape[a] = 1);
        match (self.value(of), reduction) {
            (_, Reduction::Sum) if count == 0 => self.scalar(0.0, &shape),
            (Some(value), Reduction::Sum) => self.scalar(value * count as f32, &shape),
            (Some(value), _) => self.scalar(value, &shape),
            _ => self.push(Op::Reduce(reduction, of, axes), shape),
        }
    }

    pub(crate) fn sum(&mut self, of: Id, axes: &[usize]) -> Id {
        self.reduce(Reduction::Sum, of, axes)
    }

    pub(crate) fn mean(&mut self, of: Id, axes: &[usize]) -> Id {
        let count: usize = axes.iter().map(|&a| self.shape(of)[a]).product();
        let sum = self.sum(of, axes);
        self.scaled(sum, 1.0 / count as f32)
    }

    /// The sum of products over the labels that the result lacks.
    pub fn contract(&mut self, of: [Id; 2], labels: [&[u8]; 3]) -> Id {
        self.contraction(of, labels, false)
    }

    /// The same for long sums: in blocks, so that they keep their digits.
    pub fn contract_in_blocks(&mut self, of: [Id; 2], labels: [&[u8]; 3]) -> Id {
        self.contraction(of, labels, true)
    }

    fn contraction(&mut self, of: [Id; 2], labels: [&[u8]; 3], in_blocks: bool) -> Id {
        let size_of = |label: &u8| {
            let place = |i: usize| labels[i].iter().position(|l| l == label);
            match (place(0), place(1)) {
                (Some(place), _) => self.shape(of[0])[place],
                (None, Some(place)) => self.shape(of[1])[place],
                (None, None) => 1,
            }
        };
        let shape: Vec<usize> = labels[2].iter().map(size_of).collect();
        if of.iter().any(|&of| size(self.shape(of)) == 0) {
            return self.scalar(0.0, &shape);
        }
        let op = Op::Contract {
            of,
            labels: labels.map(<[u8]>::to_vec),
            in_blocks,
        };
        self.push(op, shape)
    }

    /// Rows of a table `[v, d]` at the places that an array holds.
    pub fn gather(&mut self, table: Id, places: Id) -> Id {
        let mut shape = self.shape(places).to_vec();
        shape.push(self.shape(table)[1]);
        self.push(Op::Gather(table, places), shape)
    }

    /// The index along a dimension, everywhere in `shape`.
    pub fn iota(&mut self, axis: usize, shape: &[usize]) -> Id {
        self.push(Op::Iota(axis), shape.to_vec())
    }

    /// The windows of a convolution, `[n, c, k, k, h', w']`.
    pub(crate) fn windows(&mut self, of: Id, kernel: usize, stride: usize, padding: usize) -> Id {
        let &[n, c, h, w] = self.shape(of) else {
            unreachable!("images have four dimensions")
        };
        let steps = |side: usize| (side + 2 * padding - kernel) / stride + 1;
        let shape = vec![n, c, kernel, kernel, steps(h), steps(w)];
        self.push(Op::View(View::Windows { stride, padding }, of), shape)
    }

    /// What the adjoint of windows adds up, `[n, c, k, k, h, w]`.
    pub(crate) fn spread(
        &mut self,
        of: Id,
        kernel: usize,
        [stride, padding]: [usize; 2],
        [h, w]: [usize; 2],
    ) -> Id {
        let &[n, c, ..] = self.shape(of) else {
            unreachable!("images have four dimensions")
        };
        let shape = vec![n, c, kernel, kernel, h, w];
        self.push(Op::View(View::Spread { stride, padding }, of), shape)
    }

    /// What a node is computed of.
    pub(crate) fn needs(&self, id: Id) -> Vec<Id> {
        match self.op(id) {
            Op::Leaf(_) | Op::Scalar(_) | Op::Iota(_) | Op::Hash(..) => vec![],
            Op::Unary(_, a) | Op::View(_, a) | Op::Reduce(_, a, _) => vec![*a],
            Op::Binary(_, a, b) | Op::Gather(a, b) | Op::Take(a, b) => vec![*a, *b],
            Op::Contract { of, .. } => of.to_vec(),
            Op::Select(a, b, c) => vec![*a, *b, *c],
        }
    }

    /// Brings values to mean 0 and variance 1 over `axes`; their mean and (biased) variance
    /// too.
    pub(crate) fn normalized(&mut self, of: Id, axes: &[usize], epsilon: f32) -> [Id; 3] {
        let mean = self.mean(of, axes);
        let centred = self.sub(of, mean);
        let square = self.mul(centred, centred);
        let variance = self.mean(square, axes);
        let (output, scale) = self.scaled_by_deviation(centred, variance, epsilon);
        let axes = axes.to_vec();
        self.rules
            .insert(output, Rule::Normalized { of, scale, axes });
        [output, mean, variance]
    }

    fn scaled_by_deviation(&mut self, centred: Id, variance: Id, epsilon: f32) -> (Id, Id) {
        let shape = self.shape(variance).to_vec();
        let epsilon = self.scalar(epsilon, &shape);
        let shifted = self.add(variance, epsilon);
        let root = self.unary(Unary::Sqrt, shifted);
        let scale = self.unary(Unary::Recip, root);
        (self.mul(centred, scale), scale)
    }

    /// The same over all dimensions of `[n, c, h, w]` but c, where many values a channel are
    /// first reduced in parts of some images each: means of parts and squares around them,
    /// which add up exactly (Chan, Golub and LeVeque 1983).
    pub(crate) fn normalized_channels(&mut self, of: Id, epsilon: f32) -> [Id; 3] {
        let &[n, c, h, w] = self.shape(of) else {
            unreachable!("images have four dimensions")
        };
        let parts = parts(n, h * w, c);
        if parts == 1 {
            return self.normalized(of, &[0, 2, 3], epsilon);
        }
        let split = self.reshape(of, &[parts, n / parts, c, h, w]);
        let part_mean = self.mean(split, &[1, 3, 4]);
        let centred = self.sub(split, part_mean);
        let square = self.mul(centred, centred);
        let within = self.sum(square, &[1, 3, 4]);
        let mean = self.mean(part_mean, &[0]);
        let between = self.sub(part_mean, mean);
        let between = self.mul(between, between);
        let between = self.scaled(between, (n / parts * h * w) as f32);
        let squares = self.add(within, between);
        let squares = self.sum(squares, &[0]);
        let variance = self.scaled(squares, 1.0 / (n * h * w) as f32);
        let [mean, variance] = [mean, variance].map(|id| self.reshape(id, &[1, c, 1, 1]));
        let centred = self.sub(of, mean);
        let (output, scale) = self.scaled_by_deviation(centred, variance, epsilon);
        let axes = vec![0, 2, 3];
        self.rules
            .insert(output, Rule::Normalized { of, scale, axes });
        [output, mean, variance]
    }

    /// The sum over `axes`; a long one over the first dimension and others in two steps.
    pub(crate) fn long_sum(&mut self, of: Id, axes: &[usize]) -> Id {
        let shape = self.shape(of).to_vec();
        let kept: usize = (0..shape.len())
            .filter(|d| !axes.contains(d))
            .map(|d| shape[d])
            .product();
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        let parts = match axes.contains(&0) {
            true => parts(shape[0], count / shape[0], kept),
            false => 1,
        };
        if parts == 1 {
            return self.sum(of, axes);
        }
        let mut split = vec![parts, shape[0] / parts];
        split.extend(&shape[1..]);
        let split = self.reshape(of, &split);
        let inner: Vec<usize> = axes.iter().map(|&a| a + 1).collect();
        let partial = self.sum(split, &inner);
        let whole = self.sum(partial, &[0]);
        let mut shape = shape;
        axes.iter().for_each(|&a| shape[a] = 1);
        self.reshape(whole, &shape)
    }

    /// The softmax along a dimension, or its logarithm.
    pub(crate) fn softmax(&mut self, of: Id, axis: usize, logarithm: bool) -> Id {
        let largest = self.reduce(Reduction::Max, of, &[axis]);
        let shifted = self.sub(of, largest);
        let exp = self.unary(Unary::Exp, shifted);
        let sum = self.sum(exp, &[axis]);
        let (output, rule) = match logarithm {
            true => {
                let log = self.unary(Unary::Log, sum);
                (self.sub(shifted, log), Rule::LogSoftmax { of, axis })
            }
            false => (self.div(exp, sum), Rule::Softmax { of, axis }),
        };
        self.rules.insert(output, rule);
        output
    }
}

/// Values that a workgroup reduces before it pays to have several.
const LONG: usize = 4096;

/// Into how many equal parts the first dimension (of size `n`) of a reduction is cut whose
/// other reduced dimensions have `rest` values, and which has `kept` results.
fn parts(n: usize, rest: usize, kept: usize) -> usize {
    if n * rest < LONG || kept >= 512 {
        return 1;
    }
    let wanted = (n * rest / LONG * 2).min(1024 / kept.max(1)).clamp(1, 64);
    (1..=wanted)
        .rev()
        .find(|&p| n.is_multiple_of(p))
        .unwrap_or(1)
}
