//! Derivatives: a graph's own, added to it (reverse mode).

use std::collections::BTreeMap;

use crate::graph::{Binary, Graph, Id, Op, Reduction, Rule, Unary, View, size};

/// Adds the derivative of the single value `loss` for each of `of`; `None` for what it does
/// not depend on.
pub fn gradients(graph: &mut Graph, loss: Id, of: &[Id]) -> Vec<Option<Id>> {
    let last = loss;
    // What some of `of` flows into.
    let mut active = vec![false; last + 1];
    for id in 0..=last {
        active[id] = of.contains(&id)
            || (graph.rules.get(&id) != Some(&Rule::Constant)
                && graph.needs(id).iter().any(|&need| active[need]));
    }
    let mut flow = Flow {
        graph,
        active,
        incoming: BTreeMap::new(),
    };
    let shape = flow.graph.shape(loss).to_vec();
    let one = flow.graph.scalar(1.0, &shape);
    flow.incoming.insert(loss, one);
    for id in (0..=last).rev() {
        if of.contains(&id) {
            continue;
        }
        if let Some(gradient) = flow.incoming.remove(&id) {
            flow.back(id, gradient);
        }
    }
    of.iter().map(|id| flow.incoming.get(id).copied()).collect()
}

struct Flow<'a> {
    graph: &'a mut Graph,
    active: Vec<bool>,
    /// The derivative for each node that was reached.
    incoming: BTreeMap<Id, Id>,
}

impl Flow<'_> {
    fn give(&mut self, to: Id, gradient: Id) {
        if !self.active[to] {
            return;
        }
        let sum = match self.incoming.get(&to) {
            Some(&other) => self.graph.add(other, gradient),
            None => gradient,
        };
        self.incoming.insert(to, sum);
    }

    fn back(&mut self, id: Id, d: Id) {
        if let Some(rule) = self.graph.rules.get(&id).cloned() {
            self.by_rule(id, d, &rule);
            return;
        }
        match self.graph.op(id).clone() {
            Op::Leaf(_) | Op::Scalar(_) | Op::Iota(_) | Op::Hash(..) => {}
            Op::Unary(function, a) => {
                if self.active[a] {
                    let d = self.unary(function, a, id, d);
                    self.give(a, d);
                }
            }
            Op::Binary(function, a, b) => self.binary(function, [a, b], d),
            Op::Select(condition, yes, no) => {
                let shape = self.graph.shape(d).to_vec();
                let zero = self.graph.scalar(0.0, &shape);
                let (of_yes, of_no) = (
                    self.graph.select(condition, d, zero),
                    self.graph.select(condition, zero, d),
                );
                self.give(yes, of_yes);
                self.give(no, of_no);
            }
            Op::View(view, a) => {
                let d = self.view(&view, a, id, d);
                self.give(a, d);
            }
            Op::Reduce(reduction, a, axes) => {
                let shape = self.graph.shape(a).to_vec();
                let wide = self.graph.expand(d, &shape);
                match reduction {
                    Reduction::Sum => self.give(a, wide),
                    Reduction::Max | Reduction::Min => {
                        // To the first of equals.
                        let found = self.graph.expand(id, &shape);
                        let equal = self.graph.binary(Binary::Equal, a, found);
                        let first = first(self.graph, equal, &axes);
                        let d = self.graph.mul(wide, first);
                        self.give(a, d);
                    }
                }
            }
            Op::Contract { of, labels, .. } => {
                for side in [0, 1] {
                    if self.active[of[side]] {
                        self.contract(of, &labels, side, d);
                    }
                }
            }
            Op::Take(values, index) => {
                // Each value is given what was taken from it, by a product with the matrix that
                // has a 1 where a place names it.
                let shape = self.graph.shape(values).to_vec();
                let taken = self.graph.shape(index).to_vec();
                let (last, rows) = (shape.len() - 1, size(&shape[..shape.len() - 1]));
                let (n, count) = (shape[last], taken[last]);
                let index = self.graph.reshape(index, &[rows, count, 1]);
                let index = self.graph.expand(index, &[rows, count, n]);
                let places = self.graph.push(Op::Iota(2), vec![rows, count, n]);
                let hit = self.graph.binary(Binary::Equal, index, places);
                let d = self.graph.reshape(d, &[rows, count]);
                let d = product(self.graph, [hit, d], [b"rkn", b"rk", b"rn"]);
                let d = self.graph.reshape(d, &shape);
                self.give(values, d);
            }
            Op::Gather(table, index) => {
                // Each row is the sum of what was taken from it: a product with the matrix
                // that has a 1 where a place names a row.
                let &[v, width] = self.graph.shape(table) else {
                    unreachable!("a table has two dimensions")
                };
                let count = size(self.graph.shape(index));
                let column = self.graph.reshape(index, &[count, 1]);
                let column = self.graph.expand(column, &[count, v]);
                let rows = self.graph.push(Op::Iota(1), vec![count, v]);
                let hit = self.graph.binary(Binary::Equal, column, rows);
                let d = self.graph.reshape(d, &[count, width]);
                let d = product(self.graph, [hit, d], [b"kv", b"kd", b"vd"]);
                self.give(table, d);
            }
        }
    }

    fn by_rule(&mut self, id: Id, d: Id, rule: &Rule) {
        let graph = &mut *self.graph;
        match rule {
            Rule::Constant => {}
            Rule::Normalized { of, scale, axes } => {
                let count: usize = axes.iter().map(|&a| graph.shape(id)[a]).product();
                let sum = graph.long_sum(d, axes);
                let with = graph.mul(d, id);
                let product = graph.long_sum(with, axes);
                let [sum, product] = [sum, product].map(|x| graph.scaled(x, 1.0 / count as f32));
                let slope = graph.mul(id, product);
                let inner = graph.sub(d, sum);
                let inner = graph.sub(inner, slope);
                let d = graph.mul(inner, *scale);
                self.give(*of, d);
            }
            Rule::Softmax { of, axis } => {
                let with = graph.mul(d, id);
                let sum = graph.sum(with, &[*axis]);
                let inner = graph.sub(d, sum);
                let d = graph.mul(inner, id);
                self.give(*of, d);
            }
            Rule::LogSoftmax { of, axis } => {
                let sum = graph.sum(d, &[*axis]);
                let share = graph.unary(Unary::Exp, id);
                let share = graph.mul(share, sum);
                let d = graph.sub(d, share);
                self.give(*of, d);
            }
        }
    }

    fn unary(&mut self, function: Unary, x: Id, y: Id, d: Id) -> Id {
        let graph = &mut *self.graph;
        let shape = graph.shape(x).to_vec();
        let (zero, one) = (graph.scalar(0.0, &shape), graph.scalar(1.0, &shape));
        match function {
            Unary::Neg => graph.unary(Unary::Neg, d),
            Unary::Abs => {
                let (up, down) = (
                    graph.binary(Binary::Greater, x, zero),
                    graph.binary(Binary::Greater, zero, x),
                );
                let sign = graph.sub(up, down);
                graph.mul(d, sign)
            }
            Unary::Exp => graph.mul(d, y),
            Unary::Log => graph.div(d, x),
            Unary::Log1p => {
                let shifted = graph.add(x, one);
                graph.div(d, shifted)
            }
            Unary::Sqrt => {
                let half = graph.scaled(d, 0.5);
                graph.div(half, y)
            }
            Unary::Recip => {
                let square = graph.mul(y, y);
                let product = graph.mul(d, square);
                graph.unary(Unary::Neg, product)
            }
            Unary::Tanh => {
                let square = graph.mul(y, y);
                let slope = graph.sub(one, square);
                graph.mul(d, slope)
            }
            Unary::Sigmoid => {
                let other = graph.sub(one, y);
                let slope = graph.mul(y, other);
                graph.mul(d, slope)
            }
            Unary::Erf => {
                // 2 / sqrt(pi) e^(-x^2)
                let square = graph.mul(x, x);
                let minus = graph.unary(Unary::Neg, square);
                let bell = graph.unary(Unary::Exp, minus);
                let slope = graph.scaled(bell, std::f32::consts::FRAC_2_SQRT_PI);
                graph.mul(d, slope)
            }
            Unary::Relu => {
                let open = graph.binary(Binary::Greater, y, zero);
                graph.select(open, d, zero)
            }
        }
    }

    fn binary(&mut self, function: Binary, [a, b]: [Id; 2], d: Id) {
        let active = [self.active[a], self.active[b]];
        let graph = &mut *self.graph;
        let shape = graph.shape(d).to_vec();
        let [of_a, of_b] = match function {
            Binary::Add => [Some(d), Some(d)],
            Binary::Sub => [Some(d), Some(graph.unary(Unary::Neg, d))],
            Binary::Mul => [
                active[0].then(|| graph.mul(d, b)),
                active[1].then(|| graph.mul(d, a)),
            ],
            Binary::Div => [
                Some(graph.div(d, b)),
                active[1].then(|| {
                    let square = graph.mul(b, b);
                    let ratio = graph.div(a, square);
                    let product = graph.mul(d, ratio);
                    graph.unary(Unary::Neg, product)
                }),
            ],
            Binary::Max | Binary::Min => {
                let zero = graph.scalar(0.0, &shape);
                let first = match function {
                    Binary::Max => graph.binary(Binary::GreaterEqual, a, b),
                    _ => graph.binary(Binary::GreaterEqual, b, a),
                };
                [
                    Some(graph.select(first, d, zero)),
                    Some(graph.select(first, zero, d)),
                ]
            }
            Binary::Equal | Binary::Greater | Binary::GreaterEqual => [None, None],
        };
        for (to, d) in [(a, of_a), (b, of_b)] {
            if let Some(d) = d {
                self.give(to, d);
            }
        }
    }

    /// The gradient of what a view shows.
    fn view(&mut self, view: &View, a: Id, id: Id, d: Id) -> Id {
        let graph = &mut *self.graph;
        let (from, to) = (graph.shape(a).to_vec(), graph.shape(id).to_vec());
        match view {
            View::Reshape => graph.reshape(d, &from),
            View::Permute(axes) => {
                let mut inverse = vec![0; axes.len()];
                axes.iter()
                    .enumerate()
                    .for_each(|(i, &axis)| inverse[axis] = i);
                graph.permute(d, &inverse)
            }
            View::Expand => {
                let axes: Vec<usize> = (0..from.len()).filter(|&i| from[i] != to[i]).collect();
                graph.long_sum(d, &axes)
            }
            View::Flip(axes) => graph.push(Op::View(View::Flip(axes.clone()), d), from),
            View::Slice(starts) => graph.pad(d, starts, &from),
            View::Pad(before) => graph.slice(d, before, &from),
            View::Windows { stride, padding } => {
                let (stride, padding) = (*stride, *padding);
                let shape = vec![from[0], from[1], to[2], to[3], from[2], from[3]];
                let view = Op::View(View::Fold { stride, padding }, d);
                let folded = graph.push(view, shape);
                let sum = graph.sum(folded, &[2, 3]);
                graph.reshape(sum, &from)
            }
            View::Fold { .. } | View::Spread { .. } => {
                unreachable!("they are made by derivatives, and by contractions")
            }
        }
    }

    /// The gradient of one factor of a contraction.
    fn contract(&mut self, of: [Id; 2], labels: &[Vec<u8>; 3], side: usize, d: Id) {
        let graph = &mut *self.graph;
        let other = of[1 - side];
        let [mine, others, result] = [&labels[side], &labels[1 - side], &labels[2]];
        // A convolution's images: what the adjoint of windows adds up is contracted instead.
        if let Op::View(View::Windows { stride, padding }, images) = *graph.op(of[side]) {
            let kernel = graph.shape(of[side])[2];
            let &[_, _, h, w] = graph.shape(images) else {
                unreachable!("images have four dimensions")
            };
            let wide = graph.spread(d, kernel, [stride, padding], [h, w]);
            let d = product(graph, [wide, other], [b"noxyhw", b"ocxy", b"nchw"]);
            self.give(images, d);
            return;
        }
        if let Op::View(View::Spread { stride, padding }, images) = *graph.op(of[side]) {
            let kernel = graph.shape(of[side])[2];
            let wide = graph.windows(d, kernel, stride, padding);
            let d = product(graph, [wide, other], [b"ncxyhw", b"ocxy", b"nohw"]);
            self.give(images, d);
            return;
        }
        let d = product(graph, [d, other], [result, others, mine]);
        self.give(of[side], d);
    }
}

/// Where the first of those along `axes` is that are not 0.
fn first(graph: &mut Graph, hit: Id, axes: &[usize]) -> Id {
    let shape = graph.shape(hit).to_vec();
    // The number of each place along the reduced dimensions together.
    let mut number = graph.scalar(0.0, &shape);
    for &axis in axes {
        let along = graph.push(Op::Iota(axis), shape.clone());
        number = graph.scaled(number, shape[axis] as f32);
        number = graph.add(number, along);
    }
    let far = graph.scalar(f32::MAX, &shape);
    let place = graph.select(hit, number, far);
    let least = graph.reduce(Reduction::Min, place, axes);
    graph.binary(Binary::Equal, place, least)
}

/// Results of a contraction that keep a card busy.
const BUSY: usize = 64 * 64 * 64;

/// A contraction; one of few results and many products is cut along its first summed
/// dimension, and the parts are added up.
pub(crate) fn product(graph: &mut Graph, of: [Id; 2], labels: [&[u8]; 3]) -> Id {
    let [a, b, result] = labels;
    let summed = |label: &&u8| b.contains(label) && !result.contains(label);
    let Some(&first) = a.iter().find(summed) else {
        return graph.contract(of, labels);
    };
    let length: usize = (a.iter().zip(graph.shape(of[0])))
        .filter(|(label, _)| summed(label))
        .map(|(_, &n)| n)
        .product();
    let results: usize = {
        let sizes = |labels: &[u8], of: Id| -> usize {
            (labels.iter().zip(graph.shape(of)))
                .filter(|(label, _)| result.contains(label))
                .map(|(_, &n)| n)
                .product()
        };
        sizes(a, of[0]) * sizes(b, of[1])
    };
    let n = a
        .iter()
        .position(|&l| l == first)
        .map_or(1, |i| graph.shape(of[0])[i]);
    let wanted = (length / 512).min(BUSY / results.max(1)).min(64);
    let parts = (1..=wanted.max(1))
        .rev()
        .find(|&p| n.is_multiple_of(p))
        .unwrap_or(1);
    if parts == 1 {
        return graph.contract(of, labels);
    }
    const PART: u8 = b'*';
    let mut cut = |of: Id, labels: &[u8]| {
        let place = labels.iter().position(|&l| l == first).unwrap_or(0);
        let mut shape = graph.shape(of).to_vec();
        shape.splice(place..=place, [parts, n / parts]);
        let mut labels = labels.to_vec();
        labels.insert(place, PART);
        (graph.reshape(of, &shape), labels)
    };
    let (left, left_labels) = cut(of[0], a);
    let (right, right_labels) = cut(of[1], b);
    let mut labels = vec![PART];
    labels.extend(result);
    let parts = graph.contract([left, right], [&left_labels, &right_labels, &labels]);
    let sum = graph.sum(parts, &[0]);
    let shape = graph.shape(sum)[1..].to_vec();
    graph.reshape(sum, &shape)
}
