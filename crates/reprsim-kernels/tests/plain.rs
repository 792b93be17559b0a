//! Every operation and its derivatives against burn's own, for many shapes.

use burn::tensor::activation::{self, log_softmax, relu};
use burn::tensor::module;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_kernels::{
    After, Dropout, Scaling, Window, attention, batch_norm, batch_norm_train, conv_transpose2d,
    conv_transpose2d_biased, conv2d, conv2d_batch_norm, conv2d_biased, cross_entropy, gelu,
    layer_norm, linear, spatial_mean,
};

fn random<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// The largest difference as a share of the largest magnitude.
fn difference<const D: usize>(found: Tensor<D>, expected: Tensor<D>) -> f32 {
    assert_eq!(found.dims(), expected.dims());
    let largest = expected.clone().abs().max().into_scalar::<f32>();
    let apart = (found - expected).abs().max().into_scalar::<f32>();
    apart / largest.max(1e-6)
}

/// Shapes of images, channels of the output, windows: the models' and odd ones.
fn cases() -> Vec<([usize; 4], usize, Window)> {
    let window = |kernel, stride, padding| Window {
        kernel,
        stride,
        padding,
    };
    vec![
        ([5, 3, 28, 28], 16, window(3, 2, 1)),
        ([70, 16, 14, 14], 8, window(3, 2, 1)),
        ([2, 40, 32, 32], 6, window(3, 1, 1)),
        ([130, 33, 4, 4], 5, window(3, 1, 1)),
        ([3, 8, 8, 8], 16, window(1, 2, 0)),
        ([2, 3, 32, 32], 4, window(7, 2, 3)),
        ([4, 2, 28, 28], 3, window(4, 2, 1)),
        ([1, 1, 5, 9], 2, window(3, 3, 2)),
        ([2, 3, 11, 6], 1, window(2, 1, 0)),
        ([5, 64, 32, 32], 64, window(3, 1, 1)),
        ([67, 17, 8, 8], 19, window(3, 1, 1)),
        ([131, 24, 4, 4], 40, window(3, 1, 1)),
        ([3, 16, 7, 14], 33, window(3, 1, 1)),
        ([1, 31, 3, 3], 16, window(3, 1, 1)),
    ]
}

/// Values of a function of images and weights, and its gradients in both for an output
/// weighted by fixed random numbers.
fn evaluate(
    function: &dyn Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
    images: &Tensor<4>,
    weight: &Tensor<4>,
) -> [Tensor<4>; 3] {
    let images = images.clone().autodiff().require_grad();
    let weight = weight.clone().autodiff().require_grad();
    let output = function(images.clone(), weight.clone());
    let weighting = random(output.dims(), 99).autodiff();
    let gradients = (output.clone() * weighting).sum().backward();
    let gradient = |of: &Tensor<4>| match of.grad(&gradients) {
        Some(gradient) => gradient,
        None => panic!("no gradient"),
    };
    [output.inner(), gradient(&images), gradient(&weight)]
}

/// How far values may be apart: 3x3 windows of stride 1 between many channels are transformed
/// (Winograd), and their rounding is that of numbers a few times as large.
fn tolerance([_, inputs, ..]: [usize; 4], outputs: usize, window: Window) -> f32 {
    let transformed = (window.kernel, window.stride, window.padding) == (3, 1, 1);
    match transformed && inputs.min(outputs) >= 16 {
        true => 2e-5,
        false => 1e-5,
    }
}

#[test]
fn convolutions_equal_burns() {
    for (shape, channels, window) in cases() {
        let images = random(shape, 1);
        let weight = random([channels, shape[1], window.kernel, window.kernel], 2);
        let plain = |images, weight| {
            let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1);
            module::conv2d(images, weight, None, options)
        };
        let expected = evaluate(&plain, &images, &weight);
        let found = evaluate(&|x, w| conv2d(x, w, window), &images, &weight);
        for (found, expected) in found.into_iter().zip(expected.clone()) {
            let apart = difference(found, expected);
            assert!(
                apart < tolerance(shape, channels, window),
                "{shape:?} {channels} {window:?}: {apart}"
            );
        }
        // The same images in another order in memory, and without derivatives.
        let turned = images.swap_dims(0, 1).clone() + 0.0;
        let found = conv2d(turned.swap_dims(0, 1), weight, window);
        let [expected, ..] = expected;
        assert!(
            difference(found, expected) < tolerance(shape, channels, window),
            "{shape:?} {window:?}"
        );
    }
}

/// Shapes of images and windows of depthwise convolutions: the models' and odd ones.
fn depthwise_cases() -> Vec<([usize; 4], Window)> {
    let window = |kernel, stride, padding| Window {
        kernel,
        stride,
        padding,
    };
    vec![
        ([2, 32, 28, 28], window(3, 1, 1)),
        ([3, 24, 29, 27], window(3, 2, 1)),
        ([2, 24, 28, 28], window(3, 2, 2)),
        ([3, 17, 14, 14], window(5, 1, 2)),
        ([2, 6, 15, 14], window(5, 2, 2)),
        ([1, 9, 7, 7], window(7, 1, 3)),
        ([4, 5, 9, 33], window(7, 2, 3)),
        ([5, 3, 1, 1], window(3, 1, 1)),
        ([2, 7, 2, 3], window(3, 2, 1)),
        ([1, 2, 11, 6], window(5, 1, 0)),
    ]
}

#[test]
fn depthwise_convolutions_equal_burns() {
    for (shape, window) in depthwise_cases() {
        let channels = shape[1];
        let images = random(shape, 1);
        let weight = random([channels, 1, window.kernel, window.kernel], 2);
        let bias = random([channels], 3);
        let options =
            || ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], channels);
        let plain = |images, weight| module::conv2d(images, weight, None, options());
        let expected = evaluate(&plain, &images, &weight);
        let found = evaluate(&|x, w| conv2d(x, w, window), &images, &weight);
        for (found, expected) in found.into_iter().zip(expected.clone()) {
            let apart = difference(found, expected);
            assert!(apart < 1e-5, "{shape:?} {window:?}: {apart}");
        }
        // The same images in another order in memory, and without derivatives.
        let turned = images.clone().swap_dims(0, 1) + 0.0;
        let found = conv2d(turned.swap_dims(0, 1), weight.clone(), window);
        let [expected, ..] = expected;
        assert!(difference(found, expected) < 1e-5, "{shape:?} {window:?}");
        let plain = |images, weight, bias| module::conv2d(images, weight, Some(bias), options());
        for after in [After::Nothing, After::Relu, After::Relu6] {
            let expected = |x, w, b| after.of(plain(x, w, b) * 8.0);
            let kernel = |x, w, b: Tensor<1>| conv2d_biased(x, w * 8.0, b * 8.0, after, window);
            biased_agree(&expected, &kernel, &images, &weight, &bias);
        }
    }
}

/// Groups of several channels, and those that give more than they take, are burn's.
#[test]
fn convolutions_in_groups_equal_burns() {
    for (inputs, outputs, groups) in [(6, 4, 2), (4, 8, 4), (9, 9, 3)] {
        let window = Window {
            kernel: 3,
            stride: 2,
            padding: 1,
        };
        let images = random([2, inputs, 9, 8], 1);
        let weight = random([outputs, inputs / groups, 3, 3], 2);
        let plain = |images, weight| {
            let options = ConvOptions::new([2; 2], [1; 2], [1; 2], groups);
            module::conv2d(images, weight, None, options)
        };
        let expected = evaluate(&plain, &images, &weight);
        let found = evaluate(&|x, w| conv2d(x, w, window), &images, &weight);
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(difference(found, expected) < 1e-6, "{inputs} {groups}");
        }
    }
}

#[test]
fn transposed_convolutions_equal_burns() {
    for (shape, channels, window) in cases() {
        if window.kernel <= 2 * window.padding || window.kernel < window.stride {
            continue; // burn's own asks for these
        }
        let images = random(shape, 3);
        let weight = random([shape[1], channels, window.kernel, window.kernel], 4);
        let plain = |images, weight| {
            let options = ConvTransposeOptions::new(
                [window.stride; 2],
                [window.padding; 2],
                [0; 2],
                [1; 2],
                1,
            );
            module::conv_transpose2d(images, weight, None, options)
        };
        let expected = evaluate(&plain, &images, &weight);
        let found = evaluate(&|x, w| conv_transpose2d(x, w, window), &images, &weight);
        for (found, expected) in found.into_iter().zip(expected) {
            let apart = difference(found, expected);
            assert!(
                apart < tolerance(shape, channels, window),
                "{shape:?} {channels} {window:?}: {apart}"
            );
        }
    }
}

#[test]
fn fully_connected_layers_equal_burns() {
    // Rows, and what goes in and comes out: a small product, and wide and tall ones in parts.
    for (rows, inputs, outputs) in [(3, 5, 2), (64, 300, 512), (700, 96, 130), (1, 4, 1)] {
        let input = random([rows, inputs], 5);
        let weight = random([inputs, outputs], 6);
        let bias = random([outputs], 7);
        for (biased, rectified) in [(true, true), (true, false), (false, true), (false, false)] {
            let bias = biased.then(|| bias.clone());
            let after = if rectified {
                After::Relu
            } else {
                After::Nothing
            };
            let plain = |x: Tensor<3>, w: Tensor<2>, b: Option<Tensor<1>>| {
                let output = module::linear(x, w, b);
                if rectified { relu(output) } else { output }
            };
            let own = |x, w, b| linear(x, w, b, after);
            let gradients =
                |function: &dyn Fn(Tensor<3>, Tensor<2>, Option<Tensor<1>>) -> Tensor<3>| {
                    // A view, and one dimension more.
                    let x = input.clone().autodiff().require_grad();
                    let w = weight.clone().autodiff().require_grad();
                    let b = bias.clone().map(|b| b.autodiff().require_grad());
                    let turned = x.clone().swap_dims(0, 1).swap_dims(0, 1).unsqueeze::<3>();
                    let output = function(turned, w.clone(), b.clone());
                    let weighting = random(output.dims(), 8).autodiff();
                    let found = (output.clone() * weighting).sum().backward();
                    let bias = b.and_then(|b| b.grad(&found)).map(Tensor::unsqueeze::<2>);
                    let arrays = [
                        Some(output.inner().squeeze_dim::<2>(0)),
                        x.grad(&found),
                        w.grad(&found),
                        bias,
                    ];
                    arrays.into_iter().flatten().collect::<Vec<_>>()
                };
            let (found, expected) = (gradients(&own), gradients(&plain));
            assert_eq!(found.len(), 3 + usize::from(biased));
            for (found, expected) in found.into_iter().zip(expected) {
                let apart = difference(found, expected);
                assert!(apart < 1e-5, "{rows} {inputs} {outputs} {after:?}: {apart}");
            }
            // Without derivatives.
            let alone = own(input.clone().unsqueeze::<3>(), weight.clone(), bias.clone());
            let expected = plain(input.clone().unsqueeze::<3>(), weight.clone(), bias);
            assert!(difference(alone, expected) < 1e-5);
        }
    }
}

/// Attention and layer norms as chains of burn's operations.
#[test]
fn attention_equals_burns() {
    // Sequences, positions, heads, length of a query: less and more than a block of queries.
    for (n, time, heads, size) in [(2, 7, 2, 3), (3, 64, 4, 16), (1, 150, 2, 8), (2, 1, 1, 4)] {
        for causal in [true, false] {
            let width = heads * size;
            let all = random([n, time, 3 * width], 12) * 2.0;
            let weighting = random([n, time, width], 13);
            let plain = |all: Tensor<3>| {
                let part = |part: usize| -> Tensor<4> {
                    let part = all.clone().slice_dim(2, part * width..(part + 1) * width);
                    part.reshape([n, time, heads, size]).swap_dims(1, 2)
                };
                let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (size as f64).sqrt();
                let scores = match causal {
                    true => {
                        let device = scores.device();
                        let later = Tensor::<2, Bool>::tril_mask([time, time], 0, &device);
                        scores.mask_fill(later.unsqueeze::<4>(), f32::NEG_INFINITY)
                    }
                    false => scores,
                };
                let mixed = activation::softmax(scores, 3).matmul(part(2));
                mixed.swap_dims(1, 2).reshape([n, time, width])
            };
            let own = |all| attention(all, heads, causal, &mut Dropout::none());
            let both = |function: &dyn Fn(Tensor<3>) -> Tensor<3>| {
                let all = all.clone().autodiff().require_grad();
                let output = function(all.clone());
                let found = (output.clone() * weighting.clone().autodiff())
                    .sum()
                    .backward();
                [output.inner(), all.grad(&found).unwrap()]
            };
            for (found, expected) in both(&own).into_iter().zip(both(&plain)) {
                let apart = difference(found, expected);
                assert!(apart < 2e-6, "{n} {time} {heads} {size} {causal}: {apart}");
            }
            assert!(difference(own(all.clone()), plain(all.clone())) < 2e-6);
        }
    }
}

#[test]
fn layer_norms_equal_burns() {
    for (rows, width) in [(3, 5), (300, 64), (1, 1), (129, 40)] {
        let input = random([rows, width], 14) * 3.0 + 1.0;
        let (gamma, beta) = (random([width], 15), random([width], 16));
        let weighting = random([rows, width], 17);
        for shifted in [true, false] {
            let beta = shifted.then(|| beta.clone());
            let all = |function: &dyn Fn(Tensor<2>, Tensor<1>, Option<Tensor<1>>) -> Tensor<2>| {
                let x = input.clone().autodiff().require_grad();
                let gamma = gamma.clone().autodiff().require_grad();
                let beta = beta.clone().map(|beta| beta.autodiff().require_grad());
                let output = function(x.clone(), gamma.clone(), beta.clone());
                let found = (output.clone() * weighting.clone().autodiff())
                    .sum()
                    .backward();
                let vector = |of: &Tensor<1>| of.grad(&found).map(Tensor::unsqueeze::<2>);
                let arrays = [
                    Some(output.inner()),
                    x.grad(&found),
                    vector(&gamma),
                    beta.as_ref().and_then(vector),
                ];
                arrays.into_iter().flatten().collect::<Vec<_>>()
            };
            let plain = |x: Tensor<2>, gamma: Tensor<1>, beta: Option<Tensor<1>>| {
                let centred = x.clone() - x.mean_dim(1);
                let variance = centred.clone().square().mean_dim(1);
                let normal = centred / (variance + 1e-5).sqrt() * gamma.unsqueeze::<2>();
                match beta {
                    Some(beta) => normal + beta.unsqueeze::<2>(),
                    None => normal,
                }
            };
            let own = |x, gamma, beta| layer_norm(x, gamma, beta, 1e-5);
            let (found, expected) = (all(&own), all(&plain));
            assert_eq!(found.len(), 3 + usize::from(shifted));
            for (found, expected) in found.into_iter().zip(expected) {
                let apart = difference(found, expected);
                assert!(apart < 1e-5, "{rows} {width} {shifted}: {apart}");
            }
            let alone = own(input.clone(), gamma.clone(), beta.clone());
            let expected = plain(input.clone(), gamma.clone(), beta);
            assert!(difference(alone, expected) < 1e-5);
        }
    }
}

/// What is not finite in one image is none of another's business.
#[test]
fn images_are_apart() {
    let window = Window {
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let (images, weight) = (random([9, 16, 8, 8], 18), random([16, 16, 3, 3], 19));
    let spoilt = images.clone().slice_fill(4..5, f32::NAN);
    let (whole, spoilt) = (
        conv2d(images, weight.clone(), window),
        conv2d(spoilt, weight, window),
    );
    for others in [0..4, 5..9] {
        let pair = [&whole, &spoilt].map(|t| t.clone().slice_dim(0, others.clone()).into_data());
        assert_eq!(pair[0], pair[1]);
    }
    assert!(
        spoilt
            .slice_dim(0, 4..5)
            .is_nan()
            .all()
            .into_scalar::<bool>()
    );
}

#[test]
fn batch_norm_equals_burns() {
    for (shape, after) in [
        ([5, 3, 28, 28], After::Nothing),
        ([64, 16, 7, 7], After::Relu),
        ([6, 5, 7, 9], After::Relu6),
        ([3, 1, 1, 2], After::Relu),
    ] {
        let images = random(shape, 5) * 3.0 + 1.0;
        // So that some are above 6.
        let [gamma, beta] = [6, 7].map(|seed| random([shape[1]], seed) * 5.0 + 2.0);
        let scaling = |gamma: &Tensor<1>, beta: &Tensor<1>| Scaling {
            gamma: gamma.clone(),
            beta: beta.clone(),
            epsilon: 1e-5,
            after,
        };
        let evaluate = |ours: bool| {
            let [x, gamma, beta] = [
                images.clone().flatten::<1>(0, 3),
                gamma.clone(),
                beta.clone(),
            ]
            .map(|t| t.autodiff().require_grad());
            let images = x.clone().reshape(shape);
            let (output, mean, variance) = if ours {
                let result = batch_norm_train(images, scaling(&gamma, &beta));
                (result.output, result.mean, result.variance)
            } else {
                let result = module::batch_norm_train(images, gamma.clone(), beta.clone(), 1e-5);
                (after.of(result.output), result.mean, result.variance)
            };
            let weighting = random(shape, 99).autodiff();
            let gradients = (output.clone() * weighting).sum().backward();
            let mut all = vec![output.inner().flatten(0, 3), mean.inner(), variance.inner()];
            all.extend([x, gamma, beta].iter().filter_map(|t| t.grad(&gradients)));
            all
        };
        let (found, expected) = (evaluate(true), evaluate(false));
        assert_eq!(found.len(), 6);
        for (i, (found, expected)) in found.into_iter().zip(expected).enumerate() {
            let apart = difference(found, expected);
            assert!(apart < 2e-5, "{shape:?}, {after:?}, tensor {i}: {apart}");
        }
        // With statistics that are given.
        let mean = random([shape[1]], 8);
        let variance = random([shape[1]], 9).abs() + 0.1;
        let found = batch_norm(
            images.clone(),
            scaling(&gamma, &beta),
            mean.clone(),
            variance.clone(),
        );
        let plain = module::batch_norm(images, gamma, beta, mean, variance, 1e-5);
        assert!(difference(found, after.of(plain)) < 1e-5);
    }
}

#[test]
fn spatial_means_equal_burns() {
    for shape in [[5, 3, 28, 28], [2, 64, 4, 4], [1, 1, 1, 1], [3, 2, 7, 5]] {
        let [n, c, h, w] = shape;
        let images = random(shape, 12);
        let evaluate = |ours: bool| {
            let images = images.clone().autodiff().require_grad();
            let output = if ours {
                spatial_mean(images.clone())
            } else {
                let planes = images.clone().reshape([n, c, h * w]);
                planes.mean_dim(2).reshape([n, c])
            };
            let gradients = (output.clone() * random([n, c], 99).autodiff())
                .sum()
                .backward();
            (output.inner(), images.grad(&gradients))
        };
        let ((found, gradient), (expected, plain)) = (evaluate(true), evaluate(false));
        assert!(difference(found.clone(), expected) < 1e-5);
        match (gradient, plain) {
            (Some(gradient), Some(plain)) => assert!(difference(gradient, plain) < 1e-5),
            _ => panic!("no gradient"),
        }
        let turned = images.swap_dims(0, 1) + 0.0;
        assert!(difference(spatial_mean(turned.swap_dims(0, 1)), found) < 1e-5);
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    // Transformed, and by the matrix of windows.
    for stride in [1, 2] {
        threads_agree(Window {
            kernel: 3,
            stride,
            padding: 1,
        });
    }
}

fn threads_agree(window: Window) {
    let images = random([20, 70, 16, 16], 10);
    let weight = random([24, 70, 3, 3], 11);
    let depthwise = random([70, 1, 3, 3], 13);
    let matrix = random([256, 1200], 12);
    let with = |threads: usize| -> Vec<Vec<f32>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = match pool {
            Ok(pool) => pool,
            Err(error) => panic!("{error}"),
        };
        let all = || {
            let [output, x, w] = evaluate(&|x, w| conv2d(x, w, window), &images, &weight);
            let each = evaluate(&|x, w| conv2d(x, w, window), &images, &depthwise);
            let side = 16 / window.stride;
            let rows = output.clone().reshape([20 * 24 * side * side / 256, 256]);
            let connected = linear(rows.clone(), matrix.clone(), None, After::Relu);
            let all = rows
                .clone()
                .reshape([4, 20 * 24 * side * side / 1024 / 6, 6 * 256]);
            let mixed = attention(all.slice_dim(2, 0..48), 2, true, &mut Dropout::none());
            let flat = |tensor: Tensor<4>| tensor.reshape([-1]);
            let [each, each_x, each_w] = each.map(flat);
            [
                each,
                each_x,
                each_w,
                flat(output),
                flat(x),
                flat(w),
                connected.reshape([-1]),
                mixed.reshape([-1]),
            ]
        };
        pool.install(all)
            .map(|tensor: Tensor<1>| tensor.into_data().iter::<f32>().collect())
            .to_vec()
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_nan_stays_one() {
    let mut values = vec![1.0f32; 8];
    values[3] = f32::NAN;
    let images = Tensor::<4>::from_data(TensorData::new(values, [2, 1, 2, 2]), &Device::flex());
    let one = || Tensor::<1>::ones([1], &Device::flex());
    let scaling = Scaling {
        gamma: one(),
        beta: one(),
        epsilon: 1e-5,
        after: After::Relu,
    };
    let output = batch_norm(images, scaling, one(), one());
    assert_eq!(
        output
            .into_data()
            .iter::<f32>()
            .filter(|v| v.is_nan())
            .count(),
        1
    );
}

/// A function of values, and its gradient for an output weighted by random numbers.
fn with_gradient(input: &Tensor<2>, function: impl Fn(Tensor<2>) -> Tensor<2>) -> [Tensor<2>; 2] {
    let input = input.clone().autodiff().require_grad();
    let output = function(input.clone());
    let weighting = random(output.dims(), 98).autodiff();
    let gradients = (output.clone() * weighting).sum().backward();
    [output.inner(), input.grad(&gradients).expect("a gradient")]
}

#[test]
fn gelu_is_burns() {
    // Over four standard deviations, more than one thread's share, and transposed.
    for input in [
        random([7, 6001], 1) * 5.0,
        (random([5, 3], 2) * 8.0).swap_dims(0, 1),
    ] {
        let ours = with_gradient(&input, gelu);
        let burns = with_gradient(&input, activation::gelu);
        for (ours, burns) in ours.into_iter().zip(burns) {
            assert!(difference(ours, burns) < 1e-6);
        }
        let still = gelu(input.clone());
        assert!(difference(still, activation::gelu(input)) < 1e-6);
    }
}

#[test]
fn cross_entropy_is_burns() {
    for (shape, spread) in [([6, 3], 1.0), ([40, 321], 30.0), ([3, 2], 8.0)] {
        let [n, classes] = shape;
        let values: Vec<i64> = (0..n).map(|i| (i * 5 % classes) as i64).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::new(values, [n]), &Device::flex());
        let plain = |logits: Tensor<2>| {
            let targets = targets.clone().autodiff().reshape([n, 1]);
            let picked = log_softmax(logits, 1).gather(1, targets);
            picked.mean().neg().reshape([1, 1])
        };
        let ours = |logits| cross_entropy(logits, targets.clone().autodiff()).reshape([1, 1]);
        let logits = random(shape, 3) * spread;
        for logits in [logits.clone(), logits.reshape([classes, n]).swap_dims(0, 1)] {
            let (ours, burns) = (with_gradient(&logits, ours), with_gradient(&logits, plain));
            for (ours, burns) in ours.into_iter().zip(burns) {
                assert!(difference(ours, burns) < 2e-6);
            }
            let still = cross_entropy(logits.clone(), targets.clone());
            let [right, _] = with_gradient(&logits, plain);
            assert!(difference(still.reshape([1, 1]), right) < 2e-6);
        }
    }
}

#[test]
fn convolutions_with_bias_and_rectifier_equal_burns() {
    for (shape, channels, window) in cases() {
        let images = random(shape, 1);
        let weight = random([channels, shape[1], window.kernel, window.kernel], 2);
        let bias = random([channels], 3);
        let plain = |images, weight, bias| {
            let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], 1);
            module::conv2d(images, weight, Some(bias), options)
        };
        let kernel = |x, w, b| conv2d_biased(x, w, b, After::Nothing, window);
        biased_agree(&plain, &kernel, &images, &weight, &bias);
        let rectified = |x, w, b| relu(plain(x, w, b));
        let kernel = |x, w, b| conv2d_biased(x, w, b, After::Relu, window);
        biased_agree(&rectified, &kernel, &images, &weight, &bias);
        if window.kernel <= 2 * window.padding || window.kernel < window.stride {
            continue; // burn's own transposed one asks for these
        }
        let weight = random([shape[1], channels, window.kernel, window.kernel], 4);
        let plain = |images, weight, bias| {
            let (stride, padding) = ([window.stride; 2], [window.padding; 2]);
            let options = ConvTransposeOptions::new(stride, padding, [0; 2], [1; 2], 1);
            relu(module::conv_transpose2d(
                images,
                weight,
                Some(bias),
                options,
            ))
        };
        let kernel = |x, w, b| conv_transpose2d_biased(x, w, b, After::Relu, window);
        biased_agree(&plain, &kernel, &images, &weight, &bias);
    }
}

type Biased<'a> = &'a dyn Fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>;

/// Values, gradients in images, weights and bias, and values without derivatives.
fn biased_agree(
    plain: Biased<'_>,
    kernel: Biased<'_>,
    images: &Tensor<4>,
    weight: &Tensor<4>,
    bias: &Tensor<1>,
) {
    let all = |function: Biased<'_>| {
        let images = images.clone().autodiff().require_grad();
        let weight = weight.clone().autodiff().require_grad();
        let bias = bias.clone().autodiff().require_grad();
        let output = function(images.clone(), weight.clone(), bias.clone());
        let weighting = random(output.dims(), 99).autodiff();
        let gradients = (output.clone() * weighting).sum().backward();
        let gradients = (
            images.grad(&gradients),
            weight.grad(&gradients),
            bias.grad(&gradients),
        );
        let (Some(images), Some(weight), Some(bias)) = gradients else {
            panic!("no gradient")
        };
        (output.inner(), images, weight, bias)
    };
    let (found, expected) = (all(kernel), all(plain));
    let without = kernel(images.clone(), weight.clone(), bias.clone());
    let apart = [
        difference(found.0, expected.0.clone()),
        difference(without, expected.0),
        difference(found.1, expected.1),
        difference(found.2, expected.2),
        difference(found.3, expected.3),
    ];
    let dims = (images.dims(), weight.dims());
    assert!(
        apart.iter().all(|apart| *apart < 1e-4),
        "{dims:?}: {apart:?}"
    );
}

#[test]
fn batch_norm_behind_a_convolution_equals_the_two_in_turn() {
    let ordinary = cases().into_iter();
    let ordinary = ordinary.map(|(shape, channels, window)| (shape, channels, window, 1));
    let depthwise = depthwise_cases().into_iter();
    let depthwise = depthwise.map(|(shape, window)| (shape, shape[1], window, shape[1]));
    for (shape, channels, window, groups) in ordinary.chain(depthwise) {
        let images = random(shape, 1);
        let weight = random(
            [channels, shape[1] / groups, window.kernel, window.kernel],
            2,
        );
        for after in [After::Nothing, After::Relu, After::Relu6] {
            let scaling = || Scaling {
                gamma: random([channels], 3),
                beta: random([channels], 4),
                epsilon: 1e-5,
                after,
            };
            let (mean, variance) = (random([channels], 5), random([channels], 6).abs() + 0.5);
            let options = ConvOptions::new([window.stride; 2], [window.padding; 2], [1; 2], groups);
            let convolved = module::conv2d(images.clone(), weight.clone(), None, options);
            let expected = batch_norm(convolved, scaling(), mean.clone(), variance.clone());
            let (images, weight) = (images.clone(), weight.clone());
            let found = conv2d_batch_norm(images, weight, window, scaling(), mean, variance);
            let apart = difference(found, expected);
            assert!(apart < 5e-5, "{shape:?} {channels} {window:?}: {apart}");
        }
    }
}
