//! Recorded computations and their derivatives, by kernels on a GPU (a software one included)
//! and in f64 on the host, against burn's own on the CPU: at odd shapes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;

use burn::nn::PaddingConfig2d;
use burn::nn::pool::{AvgPool2dConfig, MaxPool2dConfig};
use burn::tensor::activation::{log_softmax, relu, sigmoid, softmax};
use burn::tensor::{
    DType, Device, Tensor, TensorData, module, ops::ConvOptions, ops::ConvTransposeOptions,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_graph::{
    Binary, Computation, Gpu, Graph, GraphError, Hardware, Inputs, Leaf, Precision, Program,
    Reduction, Region, Session, Shapes, Stacks, Target, Unary, gradients, interpret, record,
};
use reprsim_kernels::After;

#[path = "common/devices.rs"]
mod devices;

/// A computation of one number from arrays.
type Compute = fn(Vec<Tensor<1>>) -> Tensor<1>;

fn random(sizes: &[usize]) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut values = |n: usize| (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
    sizes.iter().map(|&n| values(n)).collect()
}

/// The number and its gradients, by burn on the CPU.
fn by_burn(compute: Compute, values: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let device = Device::flex().autodiff();
    let inputs: Vec<Tensor<1>> = (values.iter())
        .map(|v| Tensor::from_data(TensorData::new(v.clone(), [v.len()]), &device).require_grad())
        .collect();
    let loss = compute(inputs.clone());
    let gradients = loss.backward();
    let read = |tensor: Tensor<1>| tensor.into_data().iter::<f64>().collect();
    let mut found = vec![read(loss.inner())];
    found.extend(inputs.iter().map(|input| match input.grad(&gradients) {
        Some(gradient) => read(gradient),
        None => vec![0.0; input.dims()[0]],
    }));
    found
}

/// The same recorded: the computation, the nodes of the number and its gradients, and
/// constants.
fn recorded(compute: Compute, values: &[Vec<f32>]) -> (Computation, Vec<usize>, Vec<Vec<f32>>) {
    let (names, recorded) = record::<_, GraphError>(true, vec![], |tape| {
        let inputs: Vec<Tensor<1>> = (values.iter().enumerate())
            .map(|(i, v)| tape.float([v.len()], Leaf::Parameter(i)))
            .collect();
        let names: Vec<_> = inputs.iter().map(|input| tape.name(input)).collect();
        Ok((tape.name(&compute(inputs)), names))
    })
    .unwrap();
    let loss = recorded.node(names.0).unwrap();
    let inputs: Vec<usize> = names.1.iter().map(|n| recorded.node(*n).unwrap()).collect();
    let mut graph = recorded.graph;
    let found = gradients(&mut graph, loss, &inputs);
    let mut nodes = vec![loss];
    for (gradient, values) in found.into_iter().zip(values) {
        nodes.push(gradient.unwrap_or_else(|| graph.scalar(0.0, &[values.len()])));
    }
    let outputs = nodes.iter().map(|&id| (id, Target::Read)).collect();
    let computation = Computation {
        graph,
        outputs,
        feeds: vec![],
        ..Computation::default()
    };
    (computation, nodes, recorded.constants)
}

fn check(name: &str, compute: Compute, sizes: &[usize]) {
    let values = random(sizes);
    let expected = by_burn(compute, &values);
    let (computation, nodes, constants) = recorded(compute, &values);

    let wide = |values: &Vec<f32>| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let mut leaves = HashMap::new();
    for (i, values) in values.iter().enumerate() {
        leaves.insert(Leaf::Parameter(i), wide(values));
    }
    for (i, values) in constants.iter().enumerate() {
        leaves.insert(Leaf::Constant(i), wide(values));
    }
    let inputs = Inputs {
        leaves,
        ..Inputs::default()
    };
    let last = nodes.iter().copied().max().unwrap();
    let exact = interpret(&computation.graph, &inputs, last);
    for (i, (&node, expected)) in nodes.iter().zip(&expected).enumerate() {
        close(name, &format!("{i} in f64"), &exact[node], expected, 2e-5);
    }

    if devices::gpu().is_none() {
        return;
    }
    let shapes = Shapes {
        parameters: sizes.to_vec(),
        states: vec![],
        constants,
        moments: 0,
    };
    // Large tiles, as many as keep a card busy, and a device that binds only small arrays.
    let whole = Program::new(&computation, &shapes, None, Hardware::CARD).bytes() as usize / 4;
    let all = Hardware::CARD.bank;
    for (busy, bank) in [(1, all), (Hardware::CARD.busy, all), (1, 3 * whole / 4)] {
        let hardware = Hardware {
            busy,
            bank,
            ..Hardware::CARD
        };
        let program = Program::new(&computation, &shapes, None, hardware);
        let is_second = |d: &reprsim_graph::Dispatch| d.code.contains("arena1[feed");
        let has_two = program.dispatches().iter().any(is_second);
        assert_eq!(has_two, bank < all, "{name}: values in a second bank");
        // Several models side by side: what is alone is the same.
        let run = |models: usize| -> Vec<Vec<f32>> {
            let programs = vec![program.clone().into()];
            let session = Session::new(&Gpu::get().unwrap(), &shapes, models, programs).unwrap();
            let model = models - 1;
            for (i, values) in values.iter().enumerate() {
                session.write(model, Region::Parameter(i), values);
            }
            session.run(0, vec![0; session.fed(0) * models]).unwrap();
            let mut outputs = session.fetch(session.stage(0).unwrap()).unwrap();
            outputs.split_off(model * nodes.len())
        };
        let alone = run(1);
        for (i, (&node, ours)) in nodes.iter().zip(&alone).enumerate() {
            let ours: Vec<f64> = wide(ours);
            close(name, &format!("{i} on the GPU"), &ours, &exact[node], 1e-5);
        }
        assert_eq!(alone, run(3), "{name}: the same bits in a stack of three");
    }
}

fn close(name: &str, what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{name} {what}");
    let largest = theirs.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * largest,
            "{name} {what} [{i}]: {a} is not {b}"
        );
    }
}

/// Weighted by place, so that no gradient is like another.
fn weighted<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let n = tensor.dims().iter().product::<usize>();
    let weights: Vec<f32> = (0..n)
        .map(|i| ((i * 37 + 11) % 17) as f32 / 17.0 - 0.4)
        .collect();
    let weights = TensorData::new(weights, [n]);
    let device = tensor.device();
    (tensor.reshape([n]) * Tensor::from_data(weights, &device)).sum()
}

#[test]
fn products() {
    check(
        "1x1x1",
        |x| {
            weighted(
                x[0].clone()
                    .reshape([1, 1])
                    .matmul(x[1].clone().reshape([1, 1])),
            )
        },
        &[1, 1],
    );
    check(
        "7x13x31",
        |x| {
            weighted(
                x[0].clone()
                    .reshape([7, 13])
                    .matmul(x[1].clone().reshape([13, 31])),
            )
        },
        &[91, 403],
    );
    check(
        "65x129x67",
        |x| {
            weighted(
                x[0].clone()
                    .reshape([65, 129])
                    .matmul(x[1].clone().reshape([129, 67])),
            )
        },
        &[65 * 129, 129 * 67],
    );
    check(
        "batched, transposed",
        |x| {
            let a = x[0]
                .clone()
                .reshape([2, 3, 5, 7])
                .swap_dims(1, 2)
                .swap_dims(2, 3);
            let b = x[1].clone().reshape([2, 5, 3, 4]);
            weighted(softmax(a.matmul(b), 3))
        },
        &[210, 120],
    );
    check(
        "linear, long",
        |x| {
            weighted(relu(module::linear(
                x[0].clone().reshape([2, 700, 3]),
                x[1].clone().reshape([3, 5]),
                Some(x[2].clone()),
            )))
        },
        &[4200, 15, 5],
    );
}

#[test]
fn convolutions() {
    let convolve: Compute = |x| {
        let options = ConvOptions::new([2, 2], [1, 1], [1, 1], 1);
        let images = x[0].clone().reshape([3, 2, 7, 9]);
        let weight = x[1].clone().reshape([5, 2, 3, 3]);
        weighted(relu(module::conv2d(
            images,
            weight,
            Some(x[2].clone()),
            options,
        )))
    };
    check("stride 2", convolve, &[378, 90, 5]);
    check(
        "stride 1, twice",
        |x| {
            let options = || ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            let images = x[0].clone().reshape([2, 2, 6, 5]);
            let weight = x[1].clone().reshape([3, 2, 3, 3]);
            let maps = module::conv2d(images, weight, None, options());
            let weight = x[2].clone().reshape([4, 3, 3, 3]);
            weighted(module::conv2d(sigmoid(maps), weight, None, options()))
        },
        &[120, 54, 108],
    );
    check(
        "depthwise",
        |x| {
            let options = |kernel: usize, stride: usize| {
                ConvOptions::new([stride; 2], [kernel / 2; 2], [1, 1], 5)
            };
            let images = x[0].clone().reshape([3, 5, 9, 7]);
            let weight = x[1].clone().reshape([5, 1, 3, 3]);
            let maps = module::conv2d(images, weight, Some(x[3].clone()), options(3, 2));
            let weight = x[2].clone().reshape([5, 1, 5, 5]);
            weighted(module::conv2d(relu(maps), weight, None, options(5, 1)).exp())
        },
        &[3 * 5 * 63, 45, 125, 5],
    );
    check(
        "without padding",
        |x| {
            let options = ConvOptions::new([3, 3], [0, 0], [1, 1], 1);
            let images = x[0].clone().reshape([1, 3, 10, 8]);
            weighted(module::conv2d(
                images,
                x[1].clone().reshape([2, 3, 2, 2]),
                None,
                options,
            ))
        },
        &[240, 24],
    );
    check(
        "transposed",
        |x| {
            let options = ConvTransposeOptions::new([2, 2], [1, 1], [0, 0], [1, 1], 1);
            let images = x[0].clone().reshape([2, 3, 4, 3]);
            let weight = x[1].clone().reshape([3, 2, 4, 4]);
            weighted(module::conv_transpose2d(images, weight, Some(x[2].clone()), options).exp())
        },
        &[72, 96, 2],
    );
}

#[test]
fn pooling() {
    check(
        "largest of windows",
        |x| {
            let maps = x[0].clone().reshape([2, 3, 7, 6]) - 0.3;
            let pool = MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            weighted(pool.init().forward(maps).exp())
        },
        &[252],
    );
    check(
        "means of windows",
        |x| {
            let maps = x[0].clone().reshape([2, 3, 7, 6]);
            let pool = AvgPool2dConfig::new([2, 2]);
            weighted(pool.init().forward(maps).exp())
        },
        &[252],
    );
    check(
        "means of windows beyond the border",
        |x| {
            let maps = x[0].clone().reshape([2, 3, 7, 6]);
            let pool = AvgPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            weighted(pool.init().forward(maps).exp())
        },
        &[252],
    );
    check(
        "means of so many parts",
        |x| {
            let maps = x[0].clone().reshape([2, 3, 7, 6]);
            // Fewer than there are rows, parts that overlap, and more than there are columns.
            weighted(module::adaptive_avg_pool2d(maps, [5, 8]).exp())
        },
        &[252],
    );
    check(
        "copies of one",
        |x| {
            let maps = x[0].clone().reshape([4, 3, 1, 1]);
            weighted(module::adaptive_avg_pool2d(maps, [7, 7]).exp())
        },
        &[12],
    );
}

#[test]
fn norms() {
    check(
        "layer norm",
        |x| {
            let input = x[0].clone().reshape([6, 12, 12]);
            weighted(module::layer_norm(
                input,
                x[1].clone(),
                Some(x[2].clone()),
                1e-5,
            ))
        },
        &[864, 12, 12],
    );
    check(
        "layer norm of few",
        |x| {
            weighted(
                module::layer_norm(x[0].clone().reshape([1, 5]), x[1].clone(), None, 1e-5).exp(),
            )
        },
        &[5, 5],
    );
    let batch_norm: Compute = |x| {
        let input = x[0].clone().reshape([4, 3, 5, 5]);
        let scaling = reprsim_kernels::Scaling {
            gamma: x[1].clone(),
            beta: x[2].clone(),
            epsilon: 1e-5,
            after: After::Relu,
        };
        weighted(reprsim_kernels::batch_norm_train(input, scaling).output)
    };
    check("batch norm", batch_norm, &[300, 3, 3]);
    check(
        "batch norm below 6",
        |x| {
            let input = x[0].clone().reshape([4, 3, 5, 5]);
            let scaling = reprsim_kernels::Scaling {
                gamma: x[1].clone() * 9.0,
                beta: x[2].clone(),
                epsilon: 1e-3,
                after: After::Relu6,
            };
            weighted(reprsim_kernels::batch_norm_train(input, scaling).output)
        },
        &[300, 3, 3],
    );
    check(
        "batch norm of many",
        |x| {
            let input = x[0].clone().reshape([16, 2, 24, 24]);
            let scaling = reprsim_kernels::Scaling {
                gamma: x[1].clone(),
                beta: x[2].clone(),
                epsilon: 1e-5,
                after: After::Nothing,
            };
            weighted(reprsim_kernels::batch_norm_train(input, scaling).output)
        },
        &[16 * 2 * 576, 2, 2],
    );
}

#[test]
fn reductions_and_views() {
    check(
        "log softmax",
        |x| weighted(log_softmax(x[0].clone().reshape([13, 41]), 1)),
        &[533],
    );
    check(
        "softmax over rows",
        |x| weighted(softmax(x[0].clone().reshape([41, 3]), 0)),
        &[123],
    );
    check(
        "slices and sums",
        |x| {
            let a = x[0].clone().reshape([5, 7, 3]);
            let part = a.clone().slice([1..4, 2..7, 0..3]).sum_dim(1);
            let last = a.clone().swap_dims(0, 2).slice_dim(1, 6..7);
            weighted(part) + weighted(last.powi_scalar(2)) + a.mean_dim(2).tanh().mean()
        },
        &[105],
    );
    check(
        "joined",
        |x| {
            let (a, b) = (
                x[0].clone().reshape([2, 1, 3]),
                x[1].clone().reshape([2, 4, 3]),
            );
            weighted(Tensor::cat(vec![a, b.clone()], 1).exp() + 0.5) + b.log1p().abs().sum()
        },
        &[6, 24],
    );
    check(
        "divided",
        |x| {
            let b = x[1].clone().powi_scalar(2) + 0.5;
            weighted(x[0].clone().neg() / b.clone().sqrt())
                + weighted(b.log() * x[0].clone().clamp_min(-0.2))
        },
        &[301, 301],
    );
    check(
        "flipped and taken",
        |x| {
            let a = x[0].clone().reshape([5, 7, 3]).flip([1]);
            let places: Vec<i64> = (0..5 * 7 * 4).map(|i| (i * 5 + 1) % 3).collect();
            let places = TensorData::new(places, [5, 7, 4]);
            let places = Tensor::from_data(places, (&a.device(), DType::I64));
            weighted(a.clone().gather(2, places)) + weighted(a.clamp(-0.5, 0.5))
        },
        &[105],
    );
    check("one", |x| x[0].clone().sum(), &[1]);
    check("many", |x| (x[0].clone() * x[0].clone()).mean(), &[70_001]);
}

#[test]
fn functions() {
    check(
        "gelu",
        |x| weighted(burn::tensor::activation::gelu(x[0].clone() * 3.0)),
        &[257],
    );
    check(
        "sigmoid, tanh",
        |x| weighted(sigmoid(x[0].clone() * 8.0) + (x[0].clone() * 30.0).tanh()),
        &[99],
    );
}

/// Runs a graph whose leaves are parameters, and returns its outputs.
fn on_gpu(
    graph: Graph,
    outputs: Vec<usize>,
    values: &[Vec<f32>],
    precision: Precision,
) -> Vec<Vec<f32>> {
    let computation = Computation {
        graph,
        outputs: outputs.into_iter().map(|id| (id, Target::Read)).collect(),
        feeds: vec![],
        precision,
        ..Computation::default()
    };
    let shapes = Shapes {
        states: values.iter().map(Vec::len).collect(),
        ..Shapes::default()
    };
    let program = Program::new(&computation, &shapes, None, Gpu::get().unwrap().hardware);
    let session = Session::new(&Gpu::get().unwrap(), &shapes, 1, vec![program.into()]).unwrap();
    for (i, values) in values.iter().enumerate() {
        session.write(0, Region::State(i), values);
    }
    session.run(0, vec![0; session.fed(0)]).unwrap();
    session.fetch(session.stage(0).unwrap()).unwrap()
}

/// A long sum of which each addition loses something loses next to nothing in blocks.
#[test]
fn long_sums_keep_their_digits() {
    if devices::gpu().is_none() {
        return;
    }
    let n = 40_007;
    let values = vec![
        vec![0.1f32; n],
        (0..n).map(|i| 1.0 + 1e-3 * (i % 7) as f32).collect(),
    ];
    let mut graph = Graph::default();
    let [a, b] = [0, 1].map(|i| graph.leaf(Leaf::State(i), &[1, n]));
    let plain = graph.contract([a, b], [b"ik", b"jk", b"ij"]);
    let careful = graph.contract_in_blocks([a, b], [b"ik", b"jk", b"ij"]);
    let found = on_gpu(graph, vec![plain, careful], &values, Precision::F32);
    let products = (values[0].iter().zip(&values[1])).map(|(a, b)| f64::from(*a) * f64::from(*b));
    let exact: f64 = products.sum();
    let off = |of: &[f32]| (f64::from(of[0]) / exact - 1.0).abs();
    assert!(off(&found[1]) < 3e-7, "{} is not {exact}", found[1][0]);
    assert!(off(&found[0]) > 1e-6, "{} would do", found[0][0]);
}

/// A number as 16 bits hold it: rounded to 11 bits, to even.
fn rounded(value: f32, fewer: u32) -> f64 {
    // Of numbers around 1, to the nearest with so many bits fewer; of two the even one.
    let bits = value.to_bits();
    let half = (1 << (fewer - 1)) - 1;
    let rounded = bits + half + (bits >> fewer & 1);
    f64::from(f32::from_bits(rounded >> fewer << fewer))
}

/// Products of factors of 16 bits are what rounded factors give, by matrix units where there
/// are some: of all sizes, with a batch and what is fused to them.
#[test]
fn factors_of_sixteen_bits() {
    if devices::gpu().is_none() {
        return;
    }
    let gpu = Gpu::get().unwrap();
    devices::say(&format!("{}: {:?}", gpu.name, gpu.hardware.units));
    for [batch, m, n, depth] in [
        [1, 5, 3, 7],
        [2, 16, 16, 16],
        [3, 37, 70, 41],
        [1, 130, 65, 200],
    ] {
        let random = random(&[batch * m * depth, batch * depth * n]);
        // Not near 0, where 16 bits have fewer digits.
        let values: Vec<Vec<f32>> = (random.into_iter())
            .map(|of| of.into_iter().map(|v| v + v.signum()).collect())
            .collect();
        let mut graph = Graph::default();
        let a = graph.leaf(Leaf::State(0), &[batch, m, depth]);
        let b = graph.leaf(Leaf::State(1), &[batch, depth, n]);
        let product = graph.contract([a, b], [b"xik", b"xkj", b"xij"]);
        let half_of_it = graph.scalar(0.5, &[batch, m, n]);
        let output = graph.binary(Binary::Mul, product, half_of_it);
        for (precision, bits) in [(Precision::F16, 13), (Precision::Bf16, 16)] {
            let found = on_gpu(graph.clone(), vec![output], &values, precision);
            for x in 0..batch {
                for i in 0..m {
                    for j in 0..n {
                        let term = |k: usize| {
                            let a = rounded(values[0][(x * m + i) * depth + k], bits);
                            a * rounded(values[1][(x * depth + k) * n + j], bits)
                        };
                        let exact: f64 = (0..depth).map(term).sum();
                        let size: f64 = (0..depth).map(|k| term(k).abs()).sum();
                        let ours = f64::from(found[0][(x * m + i) * n + j]);
                        assert!(
                            (ours - 0.5 * exact).abs() <= 2e-6 * size,
                            "{precision:?}, {batch} {m} {n} {depth} at {x} {i} {j}: {ours} is not {}",
                            0.5 * exact
                        );
                    }
                }
            }
        }
    }
}

/// Arrays without values have no results, and their sums are 0.
#[test]
fn arrays_may_be_empty() {
    if devices::gpu().is_none() {
        return;
    }
    let mut graph = Graph::default();
    let a = graph.leaf(Leaf::State(0), &[3, 0]);
    let b = graph.leaf(Leaf::State(1), &[0, 2]);
    let c = graph.leaf(Leaf::State(2), &[3, 2]);
    // A sum over nothing, a result of nothing, and what goes on beside them.
    let product = graph.contract([a, b], [b"ik", b"kj", b"ij"]);
    let sum = graph.binary(Binary::Add, product, c);
    let none = graph.contract([b, c], [b"kj", b"ij", b"ki"]);
    let row = graph.reduce(Reduction::Sum, a, &[1]);
    let flat = graph.reshape(a, &[0, 3]);
    let sigmoid = graph.unary(Unary::Sigmoid, flat);
    let padded = graph.pad(a, &[0, 1], &[3, 2]);
    let values = [vec![], vec![], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]];
    let outputs = vec![sum, none, row, sigmoid, padded];
    let found = on_gpu(graph, outputs, &values, Precision::F32);
    assert_eq!(found[0], values[2]);
    assert_eq!(found[2], [0.0; 3]);
    assert_eq!((found[1].len(), found[3].len()), (0, 0));
    assert_eq!(found[4], [0.0; 6]);
}

/// burn has numbers for 65 536 devices that record, and a sweep trains more models.
#[test]
fn recordings_do_not_run_out() {
    for _ in 0..70_000 {
        let made = record::<_, GraphError>(false, vec![], |_| Ok(()));
        assert!(made.is_ok());
    }
}

/// What data name beyond an array is its last value, not the memory after it.
#[test]
fn places_beyond_an_array_are_its_last() {
    if devices::gpu().is_none() {
        return;
    }
    let (name, recorded) = record::<_, GraphError>(false, vec![], |tape| {
        let table = tape.float([3, 2], Leaf::Parameter(0));
        let places = tape.int([1, 2], Leaf::Feed(0));
        Ok(tape.name(&module::embedding(table, places)))
    })
    .unwrap();
    let shapes = Shapes {
        parameters: vec![6],
        ..Shapes::default()
    };
    let computation = Computation {
        outputs: vec![(recorded.node(name).unwrap(), Target::Read)],
        graph: recorded.graph,
        feeds: vec![2],
        ..Computation::default()
    };
    let program = Program::new(&computation, &shapes, None, Gpu::get().unwrap().hardware);
    let session = Session::new(&Gpu::get().unwrap(), &shapes, 1, vec![program.into()]).unwrap();
    session.write(0, Region::Parameter(0), &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut feed = vec![0; session.fed(0)];
    let at = session.feed_place(0, 0);
    (feed[at], feed[at + 1]) = (1f32.to_bits(), 4e6f32.to_bits());
    session.run(0, feed).unwrap();
    let outputs = session.fetch(session.stage(0).unwrap()).unwrap();
    assert_eq!(outputs, [[2.0, 3.0, 4.0, 5.0]]);
}

/// Models that have steps at the same time take them in the same launches, those that have none
/// are left as they are, and each ends with its own values.
#[test]
fn steps_at_hand_share_launches() {
    if devices::gpu().is_none() {
        return;
    }
    let mut graph = Graph::default();
    let state = graph.leaf(Leaf::State(0), &[4]);
    let doubled = graph.binary(Binary::Add, state, state);
    let computation = Computation {
        graph,
        outputs: vec![(doubled, Target::State(0))],
        ..Computation::default()
    };
    let shapes = Shapes {
        states: vec![4],
        ..Shapes::default()
    };
    let program = Program::new(&computation, &shapes, None, Hardware::CARD);
    let launches = program.dispatches().len() as u64;
    let gpu = Gpu::get().unwrap();
    let stacks = Stacks::new(4, u64::MAX);
    let seats: Vec<_> = (0..4)
        .map(|_| (stacks.seat(&gpu, &shapes, vec![program.clone().into()])).unwrap())
        .collect();
    for (model, seat) in seats.iter().enumerate() {
        let value = model as f32 + 1.0;
        seat.write(Region::State(0), &[value, -value, 0.5, 0.0])
            .unwrap();
    }
    // Five steps for the first, seven for the second, none for the third, five for the last.
    let steps = [5usize, 7, 0, 5];
    for (seat, steps) in seats.iter().zip(steps) {
        seat.run(0, vec![0; seat.fed(0) * steps]).unwrap();
    }
    for (model, (seat, steps)) in seats.iter().zip(steps).enumerate() {
        let value = (model as f32 + 1.0) * 2f32.powi(steps as i32);
        let third = 0.5 * 2f32.powi(steps as i32);
        assert_eq!(
            seat.read(Region::State(0)).unwrap(),
            [value, -value, third, 0.0],
            "model {model}"
        );
    }
    drop(seats);
    let done = stacks.tally();
    assert_eq!(done.steps, 17);
    assert_eq!(done.launches, 7 * launches);
}
