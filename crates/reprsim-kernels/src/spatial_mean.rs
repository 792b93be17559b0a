//! The mean over positions, with its derivative.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};

use crate::channels::Planes;
use crate::flex::{
    contiguous, dims, images, is_cpu, planes, primitive, tensor, tracked, with_derivative,
};
use crate::profile::timed;
use crate::sums::sum;

/// The mean of each plane of images `[n, c, h, w]`: `[n, c]`.
pub fn spatial_mean(input: Tensor<4>) -> Tensor<2> {
    let [n, c, h, w] = input.dims();
    if !is_cpu(&input.device()) {
        return input.reshape([n, c, h * w]).mean_dim(2).reshape([n, c]);
    }
    if !input.device().is_autodiff() {
        return Tensor::from_primitive::<Flex>(means(&mut primitive(input)));
    }
    let input = tracked(input);
    let nodes = [input.node()];
    let output = means(&mut input.into_primitive());
    with_derivative(SpatialMean, nodes, output, |_| [n, c, h, w])
}

fn means(input: &mut FlexTensor) -> FlexTensor {
    let [n, c, ..] = dims(input);
    let mut means = vec![0.0; n * c];
    let count: usize = dims(input).iter().product();
    timed("mean over positions", count, count, || {
        Arch::new().dispatch(Means {
            planes: planes(input),
            means: &mut means,
            channels: c,
        });
    });
    tensor(means, [n, c])
}

/// A type, so that the compiler puts it inside the function that has the processor's vector
/// instructions.
struct Means<'a> {
    planes: Planes<'a>,
    means: &'a mut [f32],
    channels: usize,
}

impl WithSimd for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let pixels = self.planes.pixels as f32;
        let images = self.means.len() / self.channels.max(1);
        // Channel after channel, as they mostly lie in memory.
        for channel in 0..self.channels {
            for image in 0..images {
                let plane = self.planes.plane(channel, image);
                self.means[image * self.channels + channel] = sum(plane, |x| x) / pixels;
            }
        }
    }
}

#[derive(Debug)]
struct SpatialMean;

impl Backward<Flex, 1> for SpatialMean {
    type State = [usize; 4];

    fn backward(self, ops: Ops<[usize; 4], 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [node] = ops.parents;
        let [n, c, h, w] = ops.state;
        let mut gradient = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = node {
            let gradient = contiguous(&mut gradient);
            let pixels = (h * w) as f32;
            let mut values = Vec::with_capacity(n * c * h * w);
            for channel in 0..c {
                for i in 0..n {
                    let each = gradient[i * c + channel] / pixels;
                    values.extend(std::iter::repeat_n(each, h * w));
                }
            }
            gradients.register::<Flex>(node.id, images(values, ops.state));
        }
    }
}
