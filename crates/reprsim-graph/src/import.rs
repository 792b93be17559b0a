//! burn's operations as those of a graph.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::TensorData;
use burn_capture::TensorId;
use burn_ir::{
    ActivationOperationIr as Activation, BaseOperationIr as Base, BinaryOpIr, BoolOperationIr,
    CustomOpIr, FloatOperationIr as Float, IntOperationIr, ModuleOperationIr as Module,
    NumericOperationIr as Numeric, OperationIr, ScalarIr, ScalarOpIr, TensorIr, UnaryOpIr,
};

use crate::error::GraphError;
use crate::gradient::product;
use crate::graph::{Binary, Graph, Id, Leaf, Op, Reduction, Rule, Unary, View};

/// A graph under construction.
pub(crate) struct Importer<'a> {
    pub graph: Graph,
    pub constants: Vec<Vec<f32>>,
    pub nodes: HashMap<TensorId, Id>,
    leaves: HashMap<TensorId, Leaf>,
    values: &'a BTreeMap<TensorId, TensorData>,
}

/// A recorded array's values as f32.
fn values(data: &TensorData) -> Vec<f32> {
    data.iter::<f64>().map(|v| v as f32).collect()
}

fn number(scalar: &ScalarIr) -> f32 {
    match *scalar {
        ScalarIr::Float(x) => x as f32,
        ScalarIr::Int(x) => x as f32,
        ScalarIr::UInt(x) => x as f32,
        ScalarIr::Bool(x) => f32::from(u8::from(x)),
    }
}

fn shape_of(tensor: &TensorIr) -> Vec<usize> {
    tensor.shape.iter().copied().collect()
}

impl<'a> Importer<'a> {
    pub fn new(
        values: &'a BTreeMap<TensorId, TensorData>,
        leaves: Vec<(TensorId, Leaf)>,
        constants: Vec<Vec<f32>>,
    ) -> Self {
        let mut importer = Self {
            graph: Graph::default(),
            constants,
            nodes: HashMap::new(),
            leaves: leaves.into_iter().collect(),
            values,
        };
        // In the order of their numbers, which is that of their making.
        for (id, data) in values {
            if importer.leaves.contains_key(id) {
                let shape: Vec<usize> = data.shape().iter().copied().collect();
                importer.leaf(*id, &shape);
            }
        }
        importer
    }

    fn leaf(&mut self, id: TensorId, shape: &[usize]) -> Id {
        let node = match self.leaves.get(&id) {
            Some(leaf) => self.graph.leaf(leaf.clone(), shape),
            None => {
                let values = self.values.get(&id).map(values).unwrap_or_default();
                let first = values.first().copied().unwrap_or(0.0);
                match values.iter().all(|&v| v == first) {
                    true => self.graph.scalar(first, shape),
                    false => {
                        let found = self.constants.iter().position(|c| *c == values);
                        let number = found.unwrap_or(self.constants.len());
                        if found.is_none() {
                            self.constants.push(values);
                        }
                        self.graph.leaf(Leaf::Constant(number), shape)
                    }
                }
            }
        };
        self.nodes.insert(id, node);
        node
    }

    fn get(&mut self, tensor: &TensorIr) -> Id {
        match self.nodes.get(&tensor.id) {
            Some(&node) => node,
            None => self.leaf(tensor.id, &shape_of(tensor)),
        }
    }

    fn put(&mut self, tensor: &TensorIr, node: Id) {
        // A parameter that is made only when it is first asked for is recorded as made.
        let node = match self.leaves.get(&tensor.id) {
            Some(leaf) => self.graph.leaf(leaf.clone(), &shape_of(tensor)),
            None => node,
        };
        self.nodes.insert(tensor.id, node);
    }

    fn unary(&mut self, function: Unary, op: &UnaryOpIr) {
        let a = self.get(&op.input);
        let node = self.graph.unary(function, a);
        self.put(&op.out, node);
    }

    fn binary(&mut self, function: Binary, op: &BinaryOpIr) {
        let (a, b) = (self.get(&op.lhs), self.get(&op.rhs));
        let node = self.graph.binary(function, a, b);
        self.put(&op.out, node);
    }

    fn scalar(&mut self, function: Binary, op: &ScalarOpIr, scalar_first: bool) {
        let a = self.get(&op.lhs);
        let shape = self.graph.shape(a).to_vec();
        let b = self.graph.scalar(number(&op.rhs), &shape);
        let (a, b) = if scalar_first { (b, a) } else { (a, b) };
        let node = self.graph.binary(function, a, b);
        self.put(&op.out, node);
    }

    fn reduce(&mut self, tensor: &TensorIr, out: &TensorIr, axes: &[usize], how: Reduced) {
        let a = self.get(tensor);
        let node = match how {
            Reduced::By(Reduction::Sum) => self.graph.long_sum(a, axes),
            Reduced::By(reduction) => self.graph.reduce(reduction, a, axes),
            Reduced::Mean => {
                let count: usize = axes.iter().map(|&axis| self.graph.shape(a)[axis]).product();
                let sum = self.graph.long_sum(a, axes);
                self.graph.scaled(sum, 1.0 / count as f32)
            }
        };
        let node = self.graph.reshape(node, &shape_of(out));
        self.put(out, node);
    }

    fn all(&mut self, tensor: &TensorIr, out: &TensorIr, how: Reduced) {
        let axes: Vec<usize> = (0..tensor.shape.num_dims()).collect();
        self.reduce(tensor, out, &axes, how);
    }

    /// Adds an operation.
    pub fn operation(&mut self, operation: &OperationIr) -> Result<(), GraphError> {
        let known = match operation {
            OperationIr::BaseFloat(op) | OperationIr::BaseInt(op) | OperationIr::BaseBool(op) => {
                self.base(op)
            }
            OperationIr::NumericFloat(_, op) | OperationIr::NumericInt(_, op) => self.numeric(op),
            OperationIr::Bool(BoolOperationIr::IntoFloat(op) | BoolOperationIr::IntoInt(op))
            | OperationIr::Int(IntOperationIr::IntoFloat(op))
            | OperationIr::Float(_, Float::IntoInt(op)) => {
                let node = self.get(&op.input);
                self.put(&op.out, node);
                true
            }
            OperationIr::Bool(BoolOperationIr::Or(op)) => {
                self.binary(Binary::Max, op);
                true
            }
            OperationIr::Bool(BoolOperationIr::And(op)) => {
                self.binary(Binary::Min, op);
                true
            }
            OperationIr::Float(_, op) => self.float(op),
            OperationIr::Module(op) => self.module(op),
            OperationIr::Activation(op) => self.activation(op),
            OperationIr::Custom(op) => self.custom(op),
            OperationIr::Init(_) | OperationIr::Drop(_) => true,
            _ => false,
        };
        match known {
            true => Ok(()),
            false => {
                let name = format!("{operation:?}");
                let short: String = name.chars().take(120).collect();
                Err(GraphError::Operation(short))
            }
        }
    }

    fn base(&mut self, op: &Base) -> bool {
        match op {
            Base::Reshape(op) => {
                let a = self.get(&op.input);
                let node = self.graph.reshape(a, &shape_of(&op.out));
                self.put(&op.out, node);
            }
            Base::SwapDims(op) => {
                let a = self.get(&op.input);
                let mut axes: Vec<usize> = (0..op.input.shape.num_dims()).collect();
                axes.swap(op.dim1, op.dim2);
                let node = self.graph.permute(a, &axes);
                self.put(&op.out, node);
            }
            Base::Permute(op) => {
                let a = self.get(&op.input);
                let node = self.graph.permute(a, &op.axes);
                self.put(&op.out, node);
            }
            Base::Expand(op) => {
                let a = self.get(&op.input);
                let shape = shape_of(&op.out);
                // New dimensions come first.
                let mut from = vec![1; shape.len() - self.graph.shape(a).len()];
                from.extend(self.graph.shape(a));
                let a = self.graph.reshape(a, &from);
                let node = self.graph.expand(a, &shape);
                self.put(&op.out, node);
            }
            Base::Flip(op) => {
                let a = self.get(&op.input);
                let view = Op::View(View::Flip(op.axes.clone()), a);
                let node = self.graph.push(view, shape_of(&op.out));
                self.put(&op.out, node);
            }
            Base::Slice(op) => {
                let a = self.get(&op.tensor);
                let shape = shape_of(&op.out);
                let mut starts = vec![0; shape.len()];
                for (dim, range) in op.ranges.iter().enumerate() {
                    if range.step != 1 || range.start < 0 {
                        return false;
                    }
                    starts[dim] = range.start as usize;
                }
                let node = self.graph.slice(a, &starts, &shape);
                self.put(&op.out, node);
            }
            Base::Cat(op) => {
                // The sum of all parts, each in the midst of zeros.
                let shape = shape_of(&op.out);
                let mut at = 0;
                let mut whole = None;
                for tensor in &op.tensors {
                    let part = self.get(tensor);
                    let mut before = vec![0; shape.len()];
                    before[op.dim] = at;
                    at += tensor.shape[op.dim];
                    let padded = self.graph.pad(part, &before, &shape);
                    whole = Some(match whole {
                        Some(sum) => self.graph.add(sum, padded),
                        None => padded,
                    });
                }
                let Some(whole) = whole else { return false };
                self.put(&op.out, whole);
            }
            Base::MaskFill(op) => {
                let (a, mask) = (self.get(&op.tensor), self.get(&op.mask));
                let shape = self.graph.shape(a).to_vec();
                let mask = self.graph.expand(mask, &shape);
                let fill = self.graph.scalar(number(&op.value), &shape);
                let node = self.graph.select(mask, fill, a);
                self.put(&op.out, node);
            }
            Base::MaskWhere(op) => {
                let (a, mask) = (self.get(&op.tensor), self.get(&op.mask));
                let value = self.get(&op.value);
                let shape = shape_of(&op.out);
                let [a, mask, value] = [a, mask, value].map(|id| self.graph.expand(id, &shape));
                let node = self.graph.select(mask, value, a);
                self.put(&op.out, node);
            }
            Base::Gather(op) => {
                let (a, index) = (self.get(&op.tensor), self.get(&op.indices));
                let last = op.tensor.shape.num_dims() - 1;
                if op.dim != last {
                    return false;
                }
                if op.indices.shape[last] != 1 {
                    let node = self.graph.push(Op::Take(a, index), shape_of(&op.out));
                    self.put(&op.out, node);
                    return true;
                }
                // One value of each row: the sum of what is left when all others are 0.
                let shape = self.graph.shape(a).to_vec();
                let places = self.graph.push(Op::Iota(last), shape.clone());
                let hit = self.graph.binary(Binary::Equal, places, index);
                let zero = self.graph.scalar(0.0, &shape);
                let kept = self.graph.select(hit, a, zero);
                let node = self.graph.sum(kept, &[last]);
                self.put(&op.out, node);
            }
            Base::Equal(op) => self.binary(Binary::Equal, op),
            Base::EqualElem(op) => self.scalar(Binary::Equal, op, false),
            Base::Cast(op) => {
                let node = self.get(&op.input);
                self.put(&op.out, node);
            }
            Base::Ones(op) => {
                let node = self.graph.scalar(1.0, &shape_of(&op.out));
                self.put(&op.out, node);
            }
            Base::Zeros(op) => {
                let node = self.graph.scalar(0.0, &shape_of(&op.out));
                self.put(&op.out, node);
            }
            _ => return false,
        }
        true
    }

    fn numeric(&mut self, op: &Numeric) -> bool {
        match op {
            Numeric::Add(op) => self.binary(Binary::Add, op),
            Numeric::AddScalar(op) => self.scalar(Binary::Add, op, false),
            Numeric::Sub(op) => self.binary(Binary::Sub, op),
            Numeric::SubScalar(op) => self.scalar(Binary::Sub, op, false),
            Numeric::Mul(op) => self.binary(Binary::Mul, op),
            Numeric::MulScalar(op) => self.scalar(Binary::Mul, op, false),
            Numeric::Div(op) => self.binary(Binary::Div, op),
            Numeric::DivScalar(op) => self.scalar(Binary::Div, op, false),
            Numeric::Greater(op) => self.binary(Binary::Greater, op),
            Numeric::GreaterElem(op) => self.scalar(Binary::Greater, op, false),
            Numeric::GreaterEqual(op) => self.binary(Binary::GreaterEqual, op),
            Numeric::GreaterEqualElem(op) => self.scalar(Binary::GreaterEqual, op, false),
            Numeric::LowerElem(op) => self.scalar(Binary::Greater, op, true),
            Numeric::LowerEqualElem(op) => self.scalar(Binary::GreaterEqual, op, true),
            Numeric::Clamp(op) => {
                let a = self.get(&op.tensor);
                let shape = self.graph.shape(a).to_vec();
                let [min, max] = [&op.min, &op.max].map(|s| self.graph.scalar(number(s), &shape));
                let node = self.graph.binary(Binary::Max, a, min);
                let node = self.graph.binary(Binary::Min, node, max);
                self.put(&op.out, node);
            }
            Numeric::ClampMin(op) => self.scalar(Binary::Max, op, false),
            Numeric::ClampMax(op) => self.scalar(Binary::Min, op, false),
            Numeric::Abs(op) => self.unary(Unary::Abs, op),
            Numeric::Neg(op) => self.unary(Unary::Neg, op),
            Numeric::Mean(op) => self.all(&op.input, &op.out, Reduced::Mean),
            Numeric::Sum(op) => self.all(&op.input, &op.out, Reduced::By(Reduction::Sum)),
            Numeric::MeanDim(op) => {
                self.reduce(&op.input, &op.out, &[op.axis], Reduced::Mean);
            }
            Numeric::SumDim(op) => {
                self.reduce(&op.input, &op.out, &[op.axis], Reduced::By(Reduction::Sum));
            }
            Numeric::SumDims(op) => {
                self.reduce(&op.input, &op.out, &op.axes, Reduced::By(Reduction::Sum));
            }
            Numeric::MaxDim(op) => {
                self.reduce(&op.input, &op.out, &[op.axis], Reduced::By(Reduction::Max));
            }
            Numeric::PowiScalar(op) => {
                let a = self.get(&op.lhs);
                if number(&op.rhs) != 2.0 {
                    return false;
                }
                let node = self.graph.mul(a, a);
                self.put(&op.out, node);
            }
            Numeric::ArgMax(op) => {
                // The first place of the largest.
                let a = self.get(&op.input);
                let shape = self.graph.shape(a).to_vec();
                let largest = self.graph.reduce(Reduction::Max, a, &[op.axis]);
                let hit = self.graph.binary(Binary::Equal, a, largest);
                let places = self.graph.push(Op::Iota(op.axis), shape.clone());
                let far = self.graph.scalar(shape[op.axis] as f32, &shape);
                let found = self.graph.select(hit, places, far);
                let node = self.graph.reduce(Reduction::Min, found, &[op.axis]);
                self.put(&op.out, node);
            }
            Numeric::Full(op) => {
                let node = self.graph.scalar(number(&op.value), &shape_of(&op.out));
                self.put(&op.out, node);
            }
            _ => return false,
        }
        true
    }

    fn float(&mut self, op: &Float) -> bool {
        match op {
            Float::Exp(op) => self.unary(Unary::Exp, op),
            Float::Log(op) => self.unary(Unary::Log, op),
            Float::Log1p(op) => self.unary(Unary::Log1p, op),
            Float::Erf(op) => self.unary(Unary::Erf, op),
            Float::Sqrt(op) => self.unary(Unary::Sqrt, op),
            Float::Tanh(op) => self.unary(Unary::Tanh, op),
            Float::Recip(op) => self.unary(Unary::Recip, op),
            Float::PowfScalar(op) => {
                let a = self.get(&op.lhs);
                let node = match number(&op.rhs) {
                    2.0 => self.graph.mul(a, a),
                    0.5 => self.graph.unary(Unary::Sqrt, a),
                    _ => return false,
                };
                self.put(&op.out, node);
            }
            Float::Matmul(op) => {
                let (a, b) = (self.get(&op.lhs), self.get(&op.rhs));
                let node = self.matmul(a, b);
                self.put(&op.out, node);
            }
            _ => return false,
        }
        true
    }

    /// `[..., m, k]` with `[..., k, n]`, dimensions of size 1 before them repeated.
    fn matmul(&mut self, a: Id, b: Id) -> Id {
        let rank = self.graph.shape(a).len();
        let mut labels = [vec![], vec![], vec![]];
        let (mut shapes, mut out) = ([vec![], vec![]], vec![]);
        for dim in 0..rank - 2 {
            let label = b'0' + dim as u8;
            let sizes = [self.graph.shape(a)[dim], self.graph.shape(b)[dim]];
            out.push(sizes[0].max(sizes[1]));
            for side in [0, 1] {
                // What is repeated has no label of its own.
                if sizes[side] == sizes[0].max(sizes[1]) {
                    labels[side].push(label);
                    shapes[side].push(sizes[side]);
                }
            }
            labels[2].push(label);
        }
        let [m, k] = [rank - 2, rank - 1].map(|d| self.graph.shape(a)[d]);
        let n = self.graph.shape(b)[rank - 1];
        labels[0].extend(b"mk");
        labels[1].extend(b"kn");
        labels[2].extend(b"mn");
        shapes[0].extend([m, k]);
        shapes[1].extend([k, n]);
        let (a, b) = (
            self.graph.reshape(a, &shapes[0]),
            self.graph.reshape(b, &shapes[1]),
        );
        let [of_a, of_b, of_out] = &labels;
        product(&mut self.graph, [a, b], [of_a, of_b, of_out])
    }

    fn module(&mut self, op: &Module) -> bool {
        match op {
            Module::Linear(op) => {
                let (x, weight) = (self.get(&op.x), self.get(&op.weight));
                // Any dimensions, then the inputs.
                let rank = self.graph.shape(x).len();
                let outer: Vec<u8> = (0..rank as u8 - 1).map(|d| b'0' + d).collect();
                let labels =
                    |last: u8| -> Vec<u8> { outer.iter().copied().chain([last]).collect() };
                let mut node = self
                    .graph
                    .contract([x, weight], [&labels(b'i'), b"io", &labels(b'o')]);
                if let Some(bias) = &op.bias {
                    let bias = self.get(bias);
                    let mut shape = vec![1; rank];
                    shape[rank - 1] = self.graph.shape(bias)[0];
                    let bias = self.graph.reshape(bias, &shape);
                    node = self.graph.add(node, bias);
                }
                self.put(&op.out, node);
            }
            Module::Conv2d(op) => {
                let options = &op.options;
                let [(top, bottom), (left, right)] = options.padding;
                let same = [bottom, left, right].iter().all(|&p| p == top);
                let [stride, other] = options.stride;
                let square = op.weight.shape[2] == op.weight.shape[3];
                let channels = [op.x.shape[1], op.weight.shape[0], options.groups];
                let depthwise = channels.iter().all(|&c| c == options.groups);
                if !same
                    || stride != other
                    || !square
                    || options.dilation != [1, 1]
                    || !(options.groups == 1 || depthwise)
                {
                    return false;
                }
                let (x, weight) = (self.get(&op.x), self.get(&op.weight));
                let kernel = op.weight.shape[2];
                let windows = self.graph.windows(x, kernel, stride, top);
                let node = match options.groups {
                    1 => (self.graph).contract([windows, weight], [b"ncxyhw", b"ocxy", b"nohw"]),
                    // A channel has no others to be multiplied with at once: each result is a short sum.
                    groups => {
                        let weight =
                            (self.graph).reshape(weight, &[1, groups, kernel, kernel, 1, 1]);
                        let products = self.graph.mul(windows, weight);
                        let sum = self.graph.sum(products, &[2, 3]);
                        self.graph.reshape(sum, &shape_of(&op.out))
                    }
                };
                self.shifted(node, op.bias.as_ref(), &op.out);
            }
            Module::ConvTranspose2d(op) => {
                let options = &op.options;
                let [stride, other] = options.stride;
                let [padding, beside] = options.padding;
                let square = op.weight.shape[2] == op.weight.shape[3];
                let plain = options.dilation == [1, 1]
                    && options.groups == 1
                    && options.padding_out == [0, 0];
                if !plain || stride != other || padding != beside || !square {
                    return false;
                }
                let (x, weight) = (self.get(&op.x), self.get(&op.weight));
                let to = [op.out.shape[2], op.out.shape[3]];
                let wide = self
                    .graph
                    .spread(x, op.weight.shape[2], [stride, padding], to);
                let node = self
                    .graph
                    .contract([wide, weight], [b"noxyhw", b"ocxy", b"nchw"]);
                self.shifted(node, op.bias.as_ref(), &op.out);
            }
            Module::MaxPool2d(op) => {
                let [kernel, other] = op.kernel_size;
                let (stride, padding) = (op.stride[0], op.padding[0]);
                let plain = op.dilation == [1, 1] && !op.ceil_mode;
                let same = op.stride[1] == stride && op.padding[1] == padding;
                if !plain || !same || other != kernel {
                    return false;
                }
                let x = self.get(&op.x);
                let windows = self.graph.windows(x, kernel, stride, padding);
                let shape = self.graph.shape(x).to_vec();
                let ones = self.graph.scalar(1.0, &shape);
                let inside = self.graph.windows(ones, kernel, stride, padding);
                let shape = self.graph.shape(windows).to_vec();
                let least = self.graph.scalar(f32::MIN, &shape);
                let kept = self.graph.select(inside, windows, least);
                let node = self.graph.reduce(Reduction::Max, kept, &[2, 3]);
                let node = self.graph.reshape(node, &shape_of(&op.out));
                self.put(&op.out, node);
            }
            Module::Embedding(op) => {
                let (table, index) = (self.get(&op.weights), self.get(&op.indices));
                let node = self.graph.gather(table, index);
                self.put(&op.out, node);
            }
            Module::LayerNorm(op) => {
                let x = self.get(&op.input);
                let last = self.graph.shape(x).len() - 1;
                let [normal, ..] = self.graph.normalized(x, &[last], number(&op.epsilon));
                let mut shape = vec![1; last + 1];
                shape[last] = self.graph.shape(x)[last];
                let gamma = self.get(&op.gamma);
                let gamma = self.graph.reshape(gamma, &shape);
                let mut node = self.graph.mul(normal, gamma);
                if let Some(beta) = &op.beta {
                    let beta = self.get(beta);
                    let beta = self.graph.reshape(beta, &shape);
                    node = self.graph.add(node, beta);
                }
                self.put(&op.out, node);
            }
            Module::BatchNorm(op) => {
                let x = self.get(&op.x);
                let channels = self.graph.shape(x)[1];
                let [gamma, beta, mean, variance] = [&op.gamma, &op.beta, &op.mean, &op.variance]
                    .map(|tensor| {
                        let node = self.get(tensor);
                        self.graph.reshape(node, &[1, channels, 1, 1])
                    });
                let epsilon = self.graph.scalar(number(&op.epsilon), &[1, channels, 1, 1]);
                let shifted = self.graph.add(variance, epsilon);
                let root = self.graph.unary(Unary::Sqrt, shifted);
                let scale = self.graph.div(gamma, root);
                let centred = self.graph.sub(x, mean);
                let scaled = self.graph.mul(centred, scale);
                let node = self.graph.add(scaled, beta);
                self.put(&op.out, node);
            }
            _ => return false,
        }
        true
    }

    fn shifted(&mut self, mut node: Id, bias: Option<&TensorIr>, out: &TensorIr) {
        if let Some(bias) = bias {
            let bias = self.get(bias);
            let channels = self.graph.shape(bias)[0];
            let bias = self.graph.reshape(bias, &[1, channels, 1, 1]);
            node = self.graph.add(node, bias);
        }
        self.put(out, node);
    }

    fn activation(&mut self, op: &Activation) -> bool {
        match op {
            Activation::Relu(op) => self.unary(Unary::Relu, op),
            Activation::Sigmoid(op) => self.unary(Unary::Sigmoid, op),
            Activation::Gelu(op) => {
                // x (1 + erf(x / sqrt 2)) / 2
                let x = self.get(&op.input);
                let scaled = self.graph.scaled(x, std::f32::consts::FRAC_1_SQRT_2);
                let erf = self.graph.unary(Unary::Erf, scaled);
                let shape = self.graph.shape(x).to_vec();
                let one = self.graph.scalar(1.0, &shape);
                let sum = self.graph.add(erf, one);
                let half = self.graph.scaled(sum, 0.5);
                let node = self.graph.mul(x, half);
                self.put(&op.out, node);
            }
            Activation::Softmax(op) => {
                let a = self.get(&op.input);
                let node = self.graph.softmax(a, op.axis, false);
                self.put(&op.out, node);
            }
            Activation::LogSoftmax(op) => {
                let a = self.get(&op.input);
                let node = self.graph.softmax(a, op.axis, true);
                self.put(&op.out, node);
            }
            _ => return false,
        }
        true
    }

    /// Our own operations: see `reprsim-kernels`.
    fn custom(&mut self, op: &CustomOpIr) -> bool {
        let scalars: Vec<f32> = op.scalars.iter().map(number).collect();
        let inputs: Vec<Id> = op.inputs.iter().map(|tensor| self.get(tensor)).collect();
        match (op.id.as_str(), &inputs[..], &op.outputs[..], &scalars[..]) {
            (
                "batch_norm_train",
                &[x, gamma, beta],
                [y, mean, variance],
                &[epsilon, least, most],
            ) => {
                let channels = self.graph.shape(x)[1];
                let [normal, m, v] = self.graph.normalized_channels(x, epsilon);
                let [gamma, beta] =
                    [gamma, beta].map(|id| self.graph.reshape(id, &[1, channels, 1, 1]));
                let scaled = self.graph.mul(normal, gamma);
                let mut output = self.graph.add(scaled, beta);
                let shape = self.graph.shape(output).to_vec();
                if least == 0.0 {
                    output = self.graph.unary(Unary::Relu, output);
                }
                if most.is_finite() {
                    let most = self.graph.scalar(most, &shape);
                    output = self.graph.binary(Binary::Min, output, most);
                }
                self.put(y, output);
                for (tensor, node) in [(mean, m), (variance, v)] {
                    let node = self.graph.reshape(node, &[channels]);
                    self.graph.rules.insert(node, Rule::Constant);
                    self.put(tensor, node);
                }
            }
            ("dropout", &[x, seed], [y], &[rate, number, threshold]) => {
                let shape = self.graph.shape(x).to_vec();
                let &Op::Leaf(Leaf::Feed(feed)) = self.graph.op(seed) else {
                    return false;
                };
                let hash = self
                    .graph
                    .push(Op::Hash(feed, number as u32), shape.clone());
                let least = self.graph.scalar(threshold, &shape);
                let kept = self.graph.binary(Binary::GreaterEqual, hash, least);
                let scaled = self.graph.scaled(x, 1.0 / (1.0 - rate));
                let zero = self.graph.scalar(0.0, &shape);
                let node = self.graph.select(kept, scaled, zero);
                self.put(y, node);
            }
            _ => return false,
        }
        true
    }
}

#[derive(Clone, Copy)]
enum Reduced {
    By(Reduction),
    Mean,
}
