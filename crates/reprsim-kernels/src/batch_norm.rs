//! Batch normalisation of tensors, with its derivative.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::{Tensor, module};
use reprsim_graph::custom;

use crate::after::After;
use crate::flex::{
    channel_major, contiguous, dims, images, is_cpu, primitive, tensor, tracked, with_derivative,
};
use crate::normalization::{Affine, normalize, normalize_backward, normalize_train};
use crate::profile::timed;

/// What becomes of a normalised channel.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// Scale of each channel, `[c]`.
    pub gamma: Tensor<1>,
    /// Shift of each channel, `[c]`.
    pub beta: Tensor<1>,
    /// Added to the variance.
    pub epsilon: f64,
    /// What becomes of the results.
    pub after: After,
}

/// What [`batch_norm_train`] returns.
#[derive(Clone, Debug)]
pub struct BatchNormTrained {
    /// Normalised, scaled, shifted and perhaps rectified; like the input.
    pub output: Tensor<4>,
    /// Mean of each channel over the batch, `[c]`, without a gradient.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, `[c]`, without a gradient.
    pub variance: Tensor<1>,
}

/// Batch normalisation (Ioffe and Szegedy 2015) of `[n, c, h, w]` with the mean and
/// variance of the batch, on a device with automatic differentiation or while a model's
/// training is recorded.
pub fn batch_norm_train(input: Tensor<4>, scaling: Scaling) -> BatchNormTrained {
    let options = Options::of(&scaling);
    let (gamma, beta, epsilon) = (scaling.gamma, scaling.beta, scaling.epsilon);
    if !is_cpu(&input.device()) {
        let dims = input.dims();
        let channels = [dims[1]];
        let [least, most] = options.after.bounds().map(f64::from);
        let made = custom(
            "batch_norm_train",
            &input,
            &[gamma.clone(), beta.clone()],
            &[epsilon, least, most],
            [&dims, &channels, &channels],
        );
        if let Some([output, mean, variance]) = made {
            return BatchNormTrained {
                output: output.tensor(),
                mean: mean.tensor(),
                variance: variance.tensor(),
            };
        }
        let result = module::batch_norm_train(input, gamma, beta, epsilon);
        return BatchNormTrained {
            output: options.after.of(result.output),
            mean: result.mean.detach(),
            variance: result.variance.detach(),
        };
    }
    let (input, gamma, beta) = (tracked(input), tracked(gamma), tracked(beta));
    let nodes = [input.node(), gamma.node(), beta.node()];
    let (mut input, mut gamma, mut beta) = (
        input.into_primitive(),
        gamma.into_primitive(),
        beta.into_primitive(),
    );
    let shape = dims(&input);
    let affine = options.affine(contiguous(&mut gamma), contiguous(&mut beta));
    let count: usize = shape.iter().product();
    let normalized = timed("batch norm", 8 * count, 3 * count, || {
        normalize_train(channel_major(&mut input), affine)
    });
    let [mean, variance] =
        [normalized.mean, normalized.variance].map(|values| tensor(values, [shape[1]]));
    let output = images(normalized.output, shape);
    let kept = [mean.clone(), variance.clone()];
    let output = with_derivative(BatchNorm, nodes, output, |output| {
        let [mean, variance] = kept;
        State {
            input,
            output: output.clone(),
            gamma,
            mean,
            variance,
            options,
        }
    });
    let statistic = |values| Tensor::from_primitive::<Flex>(values).autodiff();
    BatchNormTrained {
        output,
        mean: statistic(mean),
        variance: statistic(variance),
    }
}

/// Batch normalisation of `[n, c, h, w]` with a given mean and variance (`[c]`), which have no
/// derivative.
pub fn batch_norm(
    input: Tensor<4>,
    scaling: Scaling,
    mean: Tensor<1>,
    variance: Tensor<1>,
) -> Tensor<4> {
    let device = input.device();
    if device.is_autodiff() {
        return differentiable(input, scaling, mean, variance);
    }
    let options = Options::of(&scaling);
    let (gamma, beta, epsilon) = (scaling.gamma, scaling.beta, scaling.epsilon);
    if !is_cpu(&device) {
        let output = module::batch_norm(input, gamma, beta, mean, variance, epsilon);
        return options.after.of(output);
    }
    let mut input = primitive(input);
    let [mut gamma, mut beta, mut mean, mut variance] =
        [gamma, beta, mean, variance].map(primitive);
    let count: usize = dims(&input).iter().product();
    let values = timed("batch norm", 4 * count, 2 * count, || {
        normalize(
            channel_major(&mut input),
            contiguous(&mut mean),
            contiguous(&mut variance),
            options.affine(contiguous(&mut gamma), contiguous(&mut beta)),
        )
    });
    Tensor::from_primitive::<Flex>(images(values, dims(&input)))
}

/// The same as burn's operations, whose derivatives burn knows: `(x - mean) gamma / sqrt(variance
/// + epsilon) + beta`.
fn differentiable(
    input: Tensor<4>,
    scaling: Scaling,
    mean: Tensor<1>,
    variance: Tensor<1>,
) -> Tensor<4> {
    let [_, channels, ..] = input.dims();
    let of_channel = |values: Tensor<1>| values.reshape([1, channels, 1, 1]);
    let scale = scaling.gamma / variance.add_scalar(scaling.epsilon).sqrt();
    let centred = input - of_channel(mean);
    let after = scaling.after;
    after.of(centred * of_channel(scale) + of_channel(scaling.beta))
}

#[derive(Clone, Copy, Debug)]
struct Options {
    epsilon: f32,
    after: After,
}

impl Options {
    fn of(scaling: &Scaling) -> Self {
        Self {
            epsilon: scaling.epsilon as f32,
            after: scaling.after,
        }
    }

    fn affine<'a>(&self, gamma: &'a [f32], beta: &'a [f32]) -> Affine<'a> {
        Affine {
            gamma,
            beta,
            epsilon: self.epsilon,
            bounds: self.after.bounds(),
        }
    }
}

#[derive(Debug)]
struct BatchNorm;

#[derive(Clone, Debug)]
struct State {
    input: FlexTensor,
    output: FlexTensor,
    gamma: FlexTensor,
    mean: FlexTensor,
    variance: FlexTensor,
    options: Options,
}

impl Backward<Flex, 3> for BatchNorm {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [input_node, gamma_node, beta_node] = ops.parents;
        let mut state = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        let shape = dims(&state.input);
        let count: usize = shape.iter().product();
        let found = timed("batch norm: back", 10 * count, 4 * count, || {
            normalize_backward(
                channel_major(&mut state.input),
                channel_major(&mut state.output),
                channel_major(&mut gradient),
                contiguous(&mut state.mean),
                contiguous(&mut state.variance),
                // The shift has no part in the gradients.
                state.options.affine(contiguous(&mut state.gamma), &[]),
            )
        });
        if let Some(node) = input_node {
            gradients.register::<Flex>(node.id, images(found.input, shape));
        }
        if let Some(node) = gamma_node {
            gradients.register::<Flex>(node.id, tensor(found.gamma, [shape[1]]));
        }
        if let Some(node) = beta_node {
            gradients.register::<Flex>(node.id, tensor(found.beta, [shape[1]]));
        }
    }
}
