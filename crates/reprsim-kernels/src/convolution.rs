//! Convolutions of tensors, with their derivatives.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::activation::relu;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};

use crate::affine::{Then, row_sums, shut};
use crate::batch_norm::{Scaling, batch_norm};
use crate::channels::Planes;
use crate::flex::{
    channel_major, channel_major_mut, contiguous, dims, images, is_cpu, planes, primitive, tensor,
    tracked, with_derivative,
};
use crate::geometry::{Geometry, Window};
use crate::linear::After;
use crate::profile::timed;
use crate::{direct, products, winograd};

/// The convolution (as neural networks mean it: a correlation) of images `[n, c, h, w]`
/// with `weight` `[channels, c, kernel, kernel]`: `[n, channels, h', w']` with
/// h' = (h + 2 padding - kernel) / stride + 1, rounded down.
pub fn conv2d(input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    if !is_cpu(&input.device()) {
        let Window {
            stride, padding, ..
        } = window;
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        return module::conv2d(input, weight, None, options);
    }
    apply(Direction::Down, input, weight, window)
}

/// [`conv2d`] and then the batch normalisation of its output with a given mean and variance, on a
/// device without automatic differentiation. Where the convolution is a direct one, the scale becomes a
/// part of the weights, and the shift and the rectifier a part of the convolution: values differ from
/// those of the two in turn by rounding.
pub fn conv2d_batch_norm(
    input: Tensor<4>,
    weight: Tensor<4>,
    window: Window,
    scaling: Scaling,
    mean: Tensor<1>,
    variance: Tensor<1>,
) -> Tensor<4> {
    if is_cpu(&input.device()) && !input.device().is_autodiff() {
        let [outputs, ..] = weight.dims();
        let geometry = Geometry::convolution(input.dims(), outputs, window);
        if direct::suits(&geometry) && !winograd::suits(&geometry) {
            let scale = scaling.gamma / (variance + scaling.epsilon).sqrt();
            let bias = scaling.beta - mean * scale.clone();
            let weight = weight * scale.reshape([outputs, 1, 1, 1]);
            let (mut input, mut weight) = (primitive(input), primitive(weight));
            let mut bias = primitive(bias);
            let least = if scaling.relu { 0.0 } else { f32::NEG_INFINITY };
            let (operations, values) = cost(&geometry);
            let output = timed("convolution and batch norm", operations, values, || {
                let bias = Some(contiguous(&mut bias));
                let then = Then { bias, least };
                direct::convolve(
                    &planes(&mut input),
                    contiguous(&mut weight),
                    &geometry,
                    then,
                )
            });
            return Tensor::from_primitive::<Flex>(images(
                output,
                batch(&geometry, geometry.small),
            ));
        }
    }
    batch_norm(conv2d(input, weight, window), scaling, mean, variance)
}

/// The transposed convolution of images `[n, c, h, w]` with `weight`
/// `[c, channels, kernel, kernel]`: the adjoint of [`conv2d`], `[n, channels, h', w']` with
/// h' = (h - 1) stride + kernel - 2 padding.
pub fn conv_transpose2d(input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    if !is_cpu(&input.device()) {
        let Window {
            stride, padding, ..
        } = window;
        let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0; 2], [1; 2], 1);
        return module::conv_transpose2d(input, weight, None, options);
    }
    apply(Direction::Up, input, weight, window)
}

/// [`conv2d`], then `bias` (`[channels]`) added to each channel, then what `after` says.
pub fn conv2d_biased(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    after: After,
    window: Window,
) -> Tensor<4> {
    if !is_cpu(&input.device()) {
        return shifted(conv2d(input, weight, window), bias, after);
    }
    apply_biased(Direction::Down, input, weight, bias, after, window)
}

/// [`conv_transpose2d`], then `bias` (`[channels]`) added to each channel, then what `after` says.
pub fn conv_transpose2d_biased(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    after: After,
    window: Window,
) -> Tensor<4> {
    if !is_cpu(&input.device()) {
        return shifted(conv_transpose2d(input, weight, window), bias, after);
    }
    apply_biased(Direction::Up, input, weight, bias, after, window)
}

fn shifted(images: Tensor<4>, bias: Tensor<1>, after: After) -> Tensor<4> {
    let [channels] = bias.dims();
    let output = images + bias.reshape([1, channels, 1, 1]);
    match after {
        After::Nothing => output,
        After::Relu => relu(output),
    }
}

/// Which way: a convolution, or its adjoint.
#[derive(Clone, Copy, Debug)]
enum Direction {
    Down,
    Up,
}

impl Direction {
    fn geometry(self, input: &FlexTensor, weight: &FlexTensor, window: Window) -> Geometry {
        let [first, second, ..] = dims(weight);
        match self {
            Self::Down => Geometry::convolution(dims(input), first, window),
            Self::Up => Geometry::transposed(dims(input), second, window),
        }
    }

    fn forward(
        self,
        input: &mut FlexTensor,
        weight: &[f32],
        geometry: &Geometry,
        then: Then<'_>,
    ) -> FlexTensor {
        let name = match (self, winograd::suits(geometry)) {
            (Self::Down, true) => "convolution, transformed",
            (Self::Down, false) => "convolution",
            (Self::Up, true) => "convolution, transformed: adjoint",
            (Self::Up, false) => "convolution: adjoint",
        };
        let (operations, values) = cost(geometry);
        timed(name, operations, values, || {
            self.compute(input, weight, geometry, then)
        })
    }

    fn compute(
        self,
        input: &mut FlexTensor,
        weight: &[f32],
        geometry: &Geometry,
        then: Then<'_>,
    ) -> FlexTensor {
        match self {
            Self::Down => {
                let input = planes(input);
                let output = if winograd::suits(geometry) {
                    then.applied(winograd::convolve(&input, weight, geometry))
                } else if direct::suits(geometry) {
                    direct::convolve(&input, weight, geometry, then)
                } else {
                    then.applied(products::convolve(&input, weight, geometry))
                };
                images(output, batch(geometry, geometry.small))
            }
            Self::Up => {
                let input = channel_major(input);
                let output = match winograd::suits(geometry) {
                    true => winograd::convolve_back(input, weight, geometry),
                    false => products::convolve_back(input, weight, geometry),
                };
                images(then.applied(output), batch(geometry, geometry.large))
            }
        }
    }

    fn input_gradient(
        self,
        gradient: &mut FlexTensor,
        weight: &[f32],
        geometry: &Geometry,
    ) -> FlexTensor {
        match self {
            Self::Down => Self::Up.forward(gradient, weight, geometry, Then::NOTHING),
            Self::Up => Self::Down.forward(gradient, weight, geometry, Then::NOTHING),
        }
    }

    fn weight_gradient(
        self,
        input: &mut FlexTensor,
        gradient: &mut FlexTensor,
        geometry: &Geometry,
    ) -> Vec<f32> {
        let name = match winograd::suits(geometry) {
            true => "convolution, transformed: in weights",
            false => "convolution: in weights",
        };
        let (operations, values) = cost(geometry);
        let (large, small): (Planes<'_>, &[f32]) = match self {
            Self::Down => (planes(input), channel_major(gradient)),
            Self::Up => (planes(gradient), channel_major(input)),
        };
        timed(name, operations, values, || {
            match winograd::suits(geometry) {
                true => winograd::correlate(&large, small, geometry),
                false => products::correlate(&large, small, geometry),
            }
        })
    }
}

/// Operations of a convolution, or of half of its derivative, and the values of its three arrays.
fn cost(geometry: &Geometry) -> (usize, usize) {
    let weights = geometry.large[0] * geometry.small[0] * geometry.taps();
    let large = geometry.n * geometry.large[0] * geometry.pixels();
    let small = geometry.n * geometry.small[0] * geometry.positions();
    let operations = 2 * weights * geometry.n * geometry.positions();
    (operations, weights + large + small)
}

fn batch(geometry: &Geometry, [c, h, w]: [usize; 3]) -> [usize; 4] {
    [geometry.n, c, h, w]
}

fn apply(direction: Direction, input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    if !input.device().is_autodiff() {
        let (mut input, mut weight) = (primitive(input), primitive(weight));
        let geometry = direction.geometry(&input, &weight, window);
        let output = direction.forward(
            &mut input,
            contiguous(&mut weight),
            &geometry,
            Then::NOTHING,
        );
        return Tensor::from_primitive::<Flex>(output);
    }
    let input = tracked(input);
    let weight = tracked(weight);
    let nodes = [input.node(), weight.node()];
    let (mut input, mut weight) = (input.into_primitive(), weight.into_primitive());
    let geometry = direction.geometry(&input, &weight, window);
    let output = direction.forward(
        &mut input,
        contiguous(&mut weight),
        &geometry,
        Then::NOTHING,
    );
    with_derivative(Convolution(direction), nodes, output, |_| {
        (input, weight, geometry)
    })
}

fn apply_biased(
    direction: Direction,
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    after: After,
    window: Window,
) -> Tensor<4> {
    let least = match after {
        After::Nothing => f32::NEG_INFINITY,
        After::Relu => 0.0,
    };
    let forward = |input: &mut FlexTensor, weight: &mut FlexTensor, bias: &mut FlexTensor| {
        let geometry = direction.geometry(input, weight, window);
        let bias = Some(contiguous(bias));
        let then = Then { bias, least };
        let output = direction.forward(input, contiguous(weight), &geometry, then);
        (output, geometry)
    };
    if !input.device().is_autodiff() {
        let (mut input, mut weight) = (primitive(input), primitive(weight));
        let (output, _) = forward(&mut input, &mut weight, &mut primitive(bias));
        return Tensor::from_primitive::<Flex>(output);
    }
    let (input, weight, bias) = (tracked(input), tracked(weight), tracked(bias));
    let nodes = [input.node(), weight.node(), bias.node()];
    let (mut input, mut weight) = (input.into_primitive(), weight.into_primitive());
    let (output, geometry) = forward(&mut input, &mut weight, &mut bias.into_primitive());
    with_derivative(Convolution(direction), nodes, output, |output| {
        let output = (after == After::Relu).then(|| output.clone());
        ((input, weight, geometry), output)
    })
}

#[derive(Debug)]
struct Convolution(Direction);

impl Backward<Flex, 3> for Convolution {
    /// That of a convolution alone, and its output where a rectifier follows.
    type State = (<Self as Backward<Flex, 2>>::State, Option<FlexTensor>);

    fn backward(
        self,
        ops: Ops<<Self as Backward<Flex, 3>>::State, 3>,
        gradients: &mut Gradients,
        _: &mut Checkpointer,
    ) {
        let [input_node, weight_node, bias_node] = ops.parents;
        let ((mut input, mut weight, geometry), output) = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        let [_, channels, ..] = dims(&gradient);
        let count = gradient.layout().num_elements();
        let sums = timed("bias and rectifier: back", 2 * count, 3 * count, || {
            let gradient = channel_major_mut(&mut gradient);
            if let Some(mut output) = output {
                shut(gradient, channel_major(&mut output));
            }
            row_sums(gradient, channels)
        });
        if let Some(node) = bias_node {
            gradients.register::<Flex>(node.id, tensor(sums, [channels]));
        }
        let shape = dims(&weight);
        if let Some(node) = weight_node {
            let values = self.0.weight_gradient(&mut input, &mut gradient, &geometry);
            gradients.register::<Flex>(node.id, tensor(values, shape));
        }
        if let Some(node) = input_node {
            let weight = contiguous(&mut weight);
            let values = self.0.input_gradient(&mut gradient, weight, &geometry);
            gradients.register::<Flex>(node.id, values);
        }
    }
}

impl Backward<Flex, 2> for Convolution {
    type State = (FlexTensor, FlexTensor, Geometry);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [input_node, weight_node] = ops.parents;
        let (mut input, mut weight, geometry) = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        let shape = dims(&weight);
        if let Some(node) = weight_node {
            let values = self.0.weight_gradient(&mut input, &mut gradient, &geometry);
            gradients.register::<Flex>(node.id, tensor(values, shape));
        }
        if let Some(node) = input_node {
            let weight = contiguous(&mut weight);
            let values = self.0.input_gradient(&mut gradient, weight, &geometry);
            gradients.register::<Flex>(node.id, values);
        }
    }
}
