//! Expressions of a graph as lines of WGSL.

use std::collections::HashMap;

use crate::bank::cell;
use crate::fuse::Fused;
use crate::graph::{Binary, Graph, Id, Leaf, Op, Unary, View};
use crate::hardware::{Hardware, Precision};
use crate::index::{Index, linear, reshaped, unravel};
use crate::layout::{Layout, Samples};

/// What all expressions of a kernel are made from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub graph: &'a Graph,
    pub fused: &'a Fused,
    pub layout: &'a Layout,
    pub hardware: Hardware,
    pub precision: Precision,
    /// The kernel whose code is written.
    pub kernel: usize,
}

/// Lines of code, with the values that they have computed.
#[derive(Clone)]
pub(crate) struct Block<'a> {
    source: Source<'a>,
    pub lines: Vec<String>,
    known: HashMap<(Id, Vec<Index>), String>,
    /// Results of this kernel's reductions or contraction, by node.
    bound: HashMap<Id, String>,
    prefix: String,
}

impl<'a> Block<'a> {
    /// Without lines; names begin with `prefix`.
    pub fn new(source: Source<'a>, prefix: &str) -> Self {
        Self {
            source,
            lines: vec![],
            known: HashMap::new(),
            bound: HashMap::new(),
            prefix: prefix.to_string(),
        }
    }

    /// A block inside this one, which knows what this one knows.
    pub fn inner(&self, prefix: &str) -> Self {
        Self {
            lines: vec![],
            prefix: prefix.to_string(),
            ..self.clone()
        }
    }

    /// From here on `id` is the variable `name`.
    pub fn bind(&mut self, id: Id, name: &str) {
        self.bound.insert(id, name.to_string());
    }

    pub fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn name(&self) -> String {
        format!("{}{}", self.prefix, self.lines.len())
    }

    /// A variable that holds the index, if it is not simple.
    pub fn index(&mut self, index: Index) -> Index {
        match &index {
            Index::Computed(text) if text.starts_with('(') => {
                let key = (usize::MAX, vec![index.clone()]);
                if let Some(name) = self.known.get(&key) {
                    return Index::of(name.clone());
                }
                let name = self.name();
                self.line(format!("let {name} = {text};"));
                self.known.insert(key, name.clone());
                Index::of(name)
            }
            _ => index,
        }
    }

    fn named(&mut self, index: Vec<Index>) -> Vec<Index> {
        index.into_iter().map(|i| self.index(i)).collect()
    }

    /// The node's value at an index, as a variable or a number.
    pub fn value(&mut self, id: Id, index: &[Index]) -> String {
        if let Some(name) = self.bound.get(&id) {
            return name.clone();
        }
        let graph = self.source.graph;
        if let Op::Scalar(bits) = graph.op(id) {
            return number(f32::from_bits(*bits));
        }
        let key = (id, index.to_vec());
        if let Some(name) = self.known.get(&key) {
            return name.clone();
        }
        let text = self.expression(id, index);
        let name = self.name();
        self.line(format!("let {name} = {text};"));
        self.known.insert(key, name.clone());
        name
    }

    fn expression(&mut self, id: Id, index: &[Index]) -> String {
        let Source {
            graph,
            fused,
            layout,
            kernel,
            ..
        } = self.source;
        let shape = graph.shape(id);
        // What another kernel makes is read.
        if fused.made_by.get(&id).is_some_and(|&maker| maker != kernel) {
            let place = self.index(linear(index, shape));
            return load(layout.place(id), &place);
        }
        match graph.op(id) {
            Op::Scalar(bits) => number(f32::from_bits(*bits)),
            Op::Leaf(leaf) => self.leaf(leaf, index, shape),
            Op::Iota(axis) => format!("f32({})", index[*axis]),
            Op::Unary(function, a) => {
                let a = self.value(*a, index);
                unary(*function, &a)
            }
            Op::Binary(function, a, b) => {
                let (a, b) = (self.value(*a, index), self.value(*b, index));
                binary(*function, &a, &b)
            }
            Op::Select(condition, yes, no) => {
                let condition = self.value(*condition, index);
                let (yes, no) = (self.value(*yes, index), self.value(*no, index));
                format!("select({no}, {yes}, {condition} != 0.0)")
            }
            Op::Hash(feed, number) => {
                let place = self.index(linear(index, shape));
                let at = layout.feed(*feed);
                format!("f32(hash24({place}, feed[fed + {at}u], {number}u))")
            }
            Op::View(view, a) => self.view(view, *a, index, shape),
            Op::Take(a, places) => {
                let place = self.value(*places, index);
                let place = self.named_by(&place, graph.shape(*a).last().copied());
                let mut inner = index.to_vec();
                if let Some(last) = inner.last_mut() {
                    *last = place;
                }
                self.value(*a, &inner)
            }
            Op::Gather(table, places) => {
                let (last, outer) = index.split_last().unwrap_or((&Index::Known(0), &[]));
                let row = self.value(*places, outer);
                let row = self.named_by(&row, graph.shape(*table).first().copied());
                self.value(*table, &[row, last.clone()])
            }
            Op::Reduce(..) | Op::Contract { .. } => {
                unreachable!("reductions and contractions are bound or read")
            }
        }
    }

    fn leaf(&mut self, leaf: &Leaf, index: &[Index], shape: &[usize]) -> String {
        let layout = self.source.layout;
        match leaf {
            Leaf::Parameter(_) | Leaf::State(_) | Leaf::Constant(_) => {
                let place = self.index(linear(index, shape));
                load(layout.leaf(leaf), &place)
            }
            Leaf::Feed(feed) => {
                let place = self.index(linear(index, shape));
                let at = layout.feed(*feed);
                format!("bitcast<f32>(feed[fed + {at}u + {place}])")
            }
            Leaf::Samples(feed) => {
                let inner = linear(&index[1..], &shape[1..]);
                let at = layout.feed(*feed);
                let (word, byte) = match layout.samples {
                    Samples::None => ("0u".into(), Index::Known(0)),
                    Samples::Resident(bytes) => {
                        let place = Index::of(format!("(feed[fed + {at}u + {}])", index[0]));
                        let place = self.index(place);
                        let byte = self.index(place.times(bytes).plus(&inner));
                        (format!("data[{byte} / 4u]"), byte)
                    }
                    Samples::Fed(bytes) => {
                        let byte = self.index(index[0].times(bytes).plus(&inner));
                        (format!("feed[fed + {at}u + {byte} / 4u]"), byte)
                    }
                };
                format!("f32(({word} >> (({byte} % 4u) * 8u)) & 255u)")
            }
        }
    }

    fn view(&mut self, view: &View, a: Id, index: &[Index], shape: &[usize]) -> String {
        let from = self.source.graph.shape(a).to_vec();
        match view {
            View::Reshape => {
                let inner = reshaped(index, shape, &from);
                let inner = self.named(inner);
                self.value(a, &inner)
            }
            View::Permute(axes) => {
                let mut inner = vec![Index::Known(0); axes.len()];
                for (i, &axis) in axes.iter().enumerate() {
                    inner[axis] = index[i].clone();
                }
                self.value(a, &inner)
            }
            View::Expand => {
                let inner: Vec<Index> = (index.iter().zip(&from))
                    .map(|(i, &n)| if n == 1 { Index::Known(0) } else { i.clone() })
                    .collect();
                self.value(a, &inner)
            }
            View::Flip(axes) => {
                let flipped = |d: usize, i: &Index| match axes.contains(&d) {
                    true => Index::Known(from[d] as u32 - 1).less(i),
                    false => i.clone(),
                };
                let inner = index
                    .iter()
                    .enumerate()
                    .map(|(d, i)| flipped(d, i))
                    .collect();
                let inner = self.named(inner);
                self.value(a, &inner)
            }
            View::Slice(starts) => {
                let inner = (index.iter().zip(starts))
                    .map(|(i, &start)| i.plus(&Index::Known(start as u32)))
                    .collect();
                let inner = self.named(inner);
                self.value(a, &inner)
            }
            View::Pad(before) => {
                let mut conditions = vec![];
                let mut inner = vec![];
                for (dim, i) in index.iter().enumerate() {
                    let (start, n) = (before[dim], from[dim]);
                    if start == 0 && n == shape[dim] {
                        inner.push(i.clone());
                        continue;
                    }
                    inner.push(self.within(i.minus(start as u32), n, &mut conditions));
                }
                let value = self.value(a, &inner);
                format!("select(0.0, {value}, {})", conditions.join(" && "))
            }
            View::Windows { stride, padding } => {
                // h = h' stride + k - padding
                let mut conditions = vec![];
                let mut inner = vec![index[0].clone(), index[1].clone()];
                for axis in [0, 1] {
                    let (k, step) = (&index[2 + axis], &index[4 + axis]);
                    let place = step.times(*stride).plus(k).minus(*padding as u32);
                    let whole = *padding == 0;
                    inner.push(match whole {
                        true => self.index(place),
                        false => self.within(place, from[2 + axis], &mut conditions),
                    });
                }
                let value = self.value(a, &inner);
                match conditions.is_empty() {
                    true => value,
                    false => format!("select(0.0, {value}, {})", conditions.join(" && ")),
                }
            }
            View::Spread { stride, padding } | View::Fold { stride, padding } => {
                // h' = (h + padding - k) / stride, where that is whole.
                let mut conditions = vec![];
                let outer = if matches!(view, View::Fold { .. }) {
                    4
                } else {
                    2
                };
                let mut inner = index[..outer].to_vec();
                for axis in [0, 1] {
                    let (k, h) = (&index[2 + axis], &index[4 + axis]);
                    let place = h.plus(&Index::Known(*padding as u32)).less(k);
                    let place = self.index(place);
                    if *stride > 1 {
                        conditions.push(format!("({place} % {stride}u == 0u)"));
                    }
                    // Where h + padding < k the difference wraps to a large number.
                    inner.push(self.within(
                        place.over(*stride),
                        from[outer + axis],
                        &mut conditions,
                    ));
                }
                let value = self.value(a, &inner);
                format!("select(0.0, {value}, {})", conditions.join(" && "))
            }
        }
    }

    /// The index that a value names, which no data can bring beyond a dimension of size `n`.
    fn named_by(&mut self, value: &str, n: Option<usize>) -> Index {
        let last = n.unwrap_or(1).max(1) - 1;
        self.index(Index::of(format!("(min(u32({value}), {last}u))")))
    }

    /// The index kept below `n`, and the condition under which it was.
    fn within(&mut self, index: Index, n: usize, conditions: &mut Vec<String>) -> Index {
        let index = self.index(index);
        conditions.push(format!("({index} < {n}u)"));
        self.index(Index::of(format!("(min({index}, {}u))", n - 1)))
    }

    /// Stores a value of the node wherever it belongs.
    pub fn store(&mut self, id: Id, index: &[Index], value: &str) {
        let layout = self.source.layout;
        let place = self.index(linear(index, self.source.graph.shape(id)));
        for at in layout.stores(id) {
            self.line(format!("{} = {value};", cell(*at, &place)));
        }
    }

    /// The index in an array of shape `to` of the place that `index` is in one of shape `from`.
    pub fn reshaped(&mut self, index: &[Index], from: &[usize], to: &[usize]) -> Vec<Index> {
        match from == to {
            true => index.to_vec(),
            false => {
                let index = reshaped(index, from, to);
                self.named(index)
            }
        }
    }

    /// The index of a place in an array of `shape`, as variables.
    pub fn unravel(&mut self, place: &Index, shape: &[usize]) -> Vec<Index> {
        let index = unravel(place, shape);
        self.named(index)
    }
}

fn load(at: usize, place: &Index) -> String {
    cell(at, place)
}

/// A number as WGSL writes it; infinities are the largest numbers there are.
pub(crate) fn number(value: f32) -> String {
    let value = value.clamp(f32::MIN, f32::MAX);
    match value < 0.0 {
        true => format!("({value:e}f)"),
        false => format!("{value:e}f"),
    }
}

fn unary(function: Unary, a: &str) -> String {
    match function {
        Unary::Neg => format!("-{a}"),
        Unary::Abs => format!("abs({a})"),
        Unary::Exp => format!("exp({a})"),
        Unary::Log => format!("log({a})"),
        Unary::Log1p => format!("log1p({a})"),
        Unary::Sqrt => format!("sqrt({a})"),
        Unary::Recip => format!("(1.0 / {a})"),
        // Beyond 15 it is 1 in f32, and e^x of some drivers has no more room.
        Unary::Tanh => format!("tanh(clamp({a}, -15.0, 15.0))"),
        Unary::Erf => format!("erf({a})"),
        Unary::Sigmoid => format!("(1.0 / (1.0 + exp(-{a})))"),
        // Not max(): a NaN must stay one.
        Unary::Relu => format!("select({a}, 0.0, {a} < 0.0)"),
    }
}

fn binary(function: Binary, a: &str, b: &str) -> String {
    match function {
        Binary::Add => format!("{a} + {b}"),
        Binary::Sub => format!("{a} - {b}"),
        Binary::Mul => format!("{a} * {b}"),
        Binary::Div => format!("{a} / {b}"),
        Binary::Max => format!("max({a}, {b})"),
        Binary::Min => format!("min({a}, {b})"),
        Binary::Equal => format!("select(0.0, 1.0, {a} == {b})"),
        Binary::Greater => format!("select(0.0, 1.0, {a} > {b})"),
        Binary::GreaterEqual => format!("select(0.0, 1.0, {a} >= {b})"),
    }
}

/// Functions that WGSL lacks.
pub(crate) const PRELUDE: &str = "
fn log1p(x: f32) -> f32 {
    // The rounding of 1 + x is taken out again (Kahan).
    let u = 1.0 + x;
    let d = u - 1.0;
    return select(log(u) * (x / select(d, 1.0, d == 0.0)), x, d == 0.0);
}
fn erf(x: f32) -> f32 {
    // Abramowitz and Stegun 7.1.26, right to 1.5e-7.
    let a = abs(x);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let y = 1.0 - p * exp(-a * a);
    return select(y, -y, x < 0.0);
}
fn to_bf16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let nearest = (bits + 0x7FFFu + ((bits >> 16u) & 1u)) & 0xFFFF0000u;
    return bitcast<f32>(select(nearest, bits, is_endless(x)));
}
fn is_endless(x: f32) -> bool {
    // Compilers may take it for granted that nothing is.
    return (bitcast<u32>(x) & 0x7F800000u) == 0x7F800000u;
}
fn mixed(value: u32) -> u32 {
    var x = value;
    x ^= x >> 16u;
    x *= 0x7FEB352Du;
    x ^= x >> 15u;
    x *= 0x846CA68Bu;
    return x ^ (x >> 16u);
}
fn hash24(place: u32, seed: u32, number: u32) -> u32 {
    return mixed(place * 0x9E3779B9u + mixed(seed ^ mixed(number))) & 0xFFFFFFu;
}
";
