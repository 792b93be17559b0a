//! Convolutions of tensors, with their derivatives.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor, module};

use crate::affine::{Then, row_sums, shut};
use crate::after::After;
use crate::batch_norm::{Scaling, batch_norm};
use crate::channels::Planes;
use crate::flex::{
    channel_major, channel_major_mut, contiguous, dims, images, is_cpu, planes, primitive, tensor,
    tracked, with_derivative,
};
use crate::geometry::{Geometry, Window};
use crate::profile::timed;
use crate::{depthwise, direct, products, winograd};

/// The convolution (as neural networks mean it: a correlation) of images `[n, c, h, w]`
/// with `weight` `[channels, c / groups, kernel, kernel]`: `[n, channels, h', w']` with
/// h' = (h + 2 padding - kernel) / stride + 1, rounded down. What the weights lack of the images' channels
/// says into how many groups both sides' channels are divided, each seeing one of the other side.
pub fn conv2d(input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    let geometry = geometry_of(input.dims(), weight.dims(), window);
    if !is_ours(&input, &geometry) {
        let Window {
            stride, padding, ..
        } = window;
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], geometry.groups);
        return module::conv2d(input, weight, None, options);
    }
    apply(Direction::Down, input, weight, window)
}

/// Whether a convolution is by kernels of ours: on the CPU, without groups or depthwise.
fn is_ours(input: &Tensor<4>, geometry: &Geometry) -> bool {
    is_cpu(&input.device()) && (geometry.groups == 1 || depthwise::suits(geometry))
}

/// The sizes of a convolution of images with weights of these dimensions.
fn geometry_of(input: [usize; 4], weight: [usize; 4], window: Window) -> Geometry {
    let [outputs, inputs, ..] = weight;
    Geometry::convolution(input, outputs, window).in_groups(input[1] / inputs.max(1))
}

/// [`conv2d`] and then the batch normalisation of its output with a given mean and variance, on a
/// device without automatic differentiation. Where the convolution is a direct or a depthwise one, the scale becomes a
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
    let geometry = geometry_of(input.dims(), weight.dims(), window);
    if is_ours(&input, &geometry) && !input.device().is_autodiff() {
        let [outputs, ..] = weight.dims();
        if matches!(Way::of(&geometry), Way::Depthwise | Way::Direct) {
            let scale = scaling.gamma / (variance + scaling.epsilon).sqrt();
            let bias = scaling.beta - mean * scale.clone();
            let weight = weight * scale.reshape([outputs, 1, 1, 1]);
            let (mut input, mut weight) = (primitive(input), primitive(weight));
            let mut bias = primitive(bias);
            let bounds = scaling.after.bounds();
            let (operations, values) = cost(&geometry);
            let output = timed("convolution and batch norm", operations, values, || {
                let bias = Some(contiguous(&mut bias));
                let then = Then { bias, bounds };
                Direction::Down.compute(&mut input, contiguous(&mut weight), &geometry, then)
            });
            return Tensor::from_primitive::<Flex>(output);
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
    if !is_ours(&input, &geometry_of(input.dims(), weight.dims(), window)) {
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
    after.of(images + bias.reshape([1, channels, 1, 1]))
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug)]
enum Way {
    Depthwise,
    Transformed,
    Direct,
    Products,
}

impl Way {
    fn of(geometry: &Geometry) -> Self {
        match geometry {
            _ if depthwise::suits(geometry) => Self::Depthwise,
            _ if winograd::suits(geometry) => Self::Transformed,
            _ if direct::suits(geometry) => Self::Direct,
            _ => Self::Products,
        }
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
        let weight = dims(weight);
        match self {
            Self::Down => geometry_of(dims(input), weight, window),
            Self::Up => Geometry::transposed(dims(input), weight[1], window),
        }
    }

    fn forward(
        self,
        input: &mut FlexTensor,
        weight: &[f32],
        geometry: &Geometry,
        then: Then<'_>,
    ) -> FlexTensor {
        let name = match (self, Way::of(geometry)) {
            (Self::Down, Way::Depthwise) => "convolution, depthwise",
            (Self::Down, Way::Transformed) => "convolution, transformed",
            (Self::Down, _) => "convolution",
            (Self::Up, Way::Depthwise) => "convolution, depthwise: adjoint",
            (Self::Up, Way::Transformed) => "convolution, transformed: adjoint",
            (Self::Up, _) => "convolution: adjoint",
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
                let output = match Way::of(geometry) {
                    Way::Depthwise => depthwise::convolve(&input, weight, geometry, then),
                    Way::Direct => direct::convolve(&input, weight, geometry, then),
                    Way::Transformed => then.applied(winograd::convolve(&input, weight, geometry)),
                    Way::Products => then.applied(products::convolve(&input, weight, geometry)),
                };
                images(output, batch(geometry, geometry.small))
            }
            Self::Up => {
                let input = channel_major(input);
                let output = match Way::of(geometry) {
                    Way::Depthwise => depthwise::convolve_back(input, weight, geometry),
                    Way::Transformed => winograd::convolve_back(input, weight, geometry),
                    Way::Direct | Way::Products => products::convolve_back(input, weight, geometry),
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
        let way = Way::of(geometry);
        let name = match way {
            Way::Depthwise => "convolution, depthwise: in weights",
            Way::Transformed => "convolution, transformed: in weights",
            Way::Direct | Way::Products => "convolution: in weights",
        };
        let (operations, values) = cost(geometry);
        let (large, small): (Planes<'_>, &[f32]) = match self {
            Self::Down => (planes(input), channel_major(gradient)),
            Self::Up => (planes(gradient), channel_major(input)),
        };
        timed(name, operations, values, || match way {
            Way::Depthwise => depthwise::correlate(&large, small, geometry),
            Way::Transformed => winograd::correlate(&large, small, geometry),
            Way::Direct | Way::Products => products::correlate(&large, small, geometry),
        })
    }
}

/// Operations of a convolution, or of half of its derivative, and the values of its three arrays.
fn cost(geometry: &Geometry) -> (usize, usize) {
    let weights = geometry.large[0] / geometry.groups * geometry.small[0] * geometry.taps();
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
    let bounds = after.bounds();
    let forward = |input: &mut FlexTensor, weight: &mut FlexTensor, bias: &mut FlexTensor| {
        let geometry = direction.geometry(input, weight, window);
        let bias = Some(contiguous(bias));
        let then = Then { bias, bounds };
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
        let output = (after != After::Nothing).then(|| (output.clone(), bounds));
        ((input, weight, geometry), output)
    })
}

#[derive(Debug)]
struct Convolution(Direction);

impl Backward<Flex, 3> for Convolution {
    /// That of a convolution alone, and its output where a rectifier of these bounds follows.
    type State = (
        <Self as Backward<Flex, 2>>::State,
        Option<(FlexTensor, [f32; 2])>,
    );

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
            if let Some((mut output, bounds)) = output {
                shut(gradient, channel_major(&mut output), bounds);
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
