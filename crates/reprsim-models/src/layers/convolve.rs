//! burn's convolution layers, computed by the kernels of this workspace.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;
use reprsim_kernels::{
    After, Window, conv_transpose2d, conv_transpose2d_biased, conv2d, conv2d_biased,
};

/// The layer's output for images `[n, channels, height, width]`. Layers are square and without dilation,
/// as [`Init`](crate::Init) makes them.
pub(crate) fn convolve(layer: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    apply(layer, images, After::Nothing)
}

/// The same with a rectifier behind it.
pub(crate) fn convolve_relu(layer: &Conv2d, images: Tensor<4>) -> Tensor<4> {
    apply(layer, images, After::Relu)
}

fn apply(layer: &Conv2d, images: Tensor<4>, after: After) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let Some(placed) = placed(layer, [height, width]) else {
        return after.of(layer.forward(images));
    };
    let weight = layer.weight.val();
    let maps = match &layer.bias {
        Some(bias) => conv2d_biased(images, weight, bias.val(), after, placed.window),
        None => after.of(conv2d(images, weight, placed.window)),
    };
    placed.cut(maps)
}

/// A convolution with as many zeros on each side, and which of its results are wanted.
pub(super) struct Placed {
    pub window: Window,
    /// The first row and column.
    first: usize,
    /// Rows and columns.
    sides: [usize; 2],
}

impl Placed {
    /// The maps that are wanted of those of the window.
    pub fn cut(&self, maps: Tensor<4>) -> Tensor<4> {
        let Self { first, sides, .. } = *self;
        match maps.dims() {
            [_, _, height, width] if [height, width] == sides => maps,
            _ => {
                let rows = first..first + sides[0];
                maps.slice_dim(2, rows)
                    .slice_dim(3, first..first + sides[1])
            }
        }
    }
}

/// How a layer is placed over images of these sides. Where it has fewer zeros before the image than behind
/// it, whole steps of its window are added before it, and the results there are not wanted. `None` where
/// height and width differ in that: it is left to burn.
pub(super) fn placed(layer: &Conv2d, sides: [usize; 2]) -> Option<Placed> {
    let (kernel, stride) = (layer.kernel_size[0], layer.stride[0]);
    let [rows, columns] = match layer.padding {
        PaddingConfig2d::Valid => [[0, 0]; 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
        // TensorFlow's: as many windows as steps, the odd zero behind.
        PaddingConfig2d::Same => sides.map(|side| {
            let zeros = ((side.div_ceil(stride) - 1) * stride + kernel).saturating_sub(side);
            [zeros / 2, zeros - zeros / 2]
        }),
    };
    if rows != columns {
        return None;
    }
    let [before, behind] = rows;
    let first = behind.saturating_sub(before).div_ceil(stride);
    Some(Placed {
        window: Window {
            kernel,
            stride,
            padding: before + first * stride,
        },
        first,
        sides: sides.map(|side| (side + before + behind - kernel) / stride + 1),
    })
}

/// [`convolve`] for a transposed convolution.
pub(crate) fn convolve_transposed(layer: &ConvTranspose2d, images: Tensor<4>) -> Tensor<4> {
    apply_transposed(layer, images, After::Nothing)
}

/// The same with a rectifier behind it.
pub(crate) fn convolve_transposed_relu(layer: &ConvTranspose2d, images: Tensor<4>) -> Tensor<4> {
    apply_transposed(layer, images, After::Relu)
}

fn apply_transposed(layer: &ConvTranspose2d, images: Tensor<4>, after: After) -> Tensor<4> {
    if layer.groups != 1 {
        return after.of(layer.forward(images));
    }
    let window = Window {
        kernel: layer.kernel_size[0],
        stride: layer.stride[0],
        padding: layer.padding[0],
    };
    let weight = layer.weight.val();
    match &layer.bias {
        Some(bias) => conv_transpose2d_biased(images, weight, bias.val(), after, window),
        None => after.of(conv_transpose2d(images, weight, window)),
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Distribution};

    use super::*;

    /// Every padding, with groups and without, gives burn's own values.
    #[test]
    fn layers_give_what_burns_own_give() {
        let device = Device::flex();
        let paddings = [
            PaddingConfig2d::Valid,
            PaddingConfig2d::Explicit(1, 1, 1, 1),
            PaddingConfig2d::Explicit(0, 0, 1, 1),
            PaddingConfig2d::Explicit(1, 1, 4, 4),
            PaddingConfig2d::Explicit(2, 2, 0, 0),
            PaddingConfig2d::Explicit(0, 1, 2, 1),
            PaddingConfig2d::Same,
        ];
        for padding in paddings {
            for [height, width] in [[8, 8], [9, 7], [8, 9]] {
                for (kernel, stride, groups) in [
                    (3, 1, 1),
                    (3, 2, 1),
                    (5, 2, 1),
                    (3, 2, 6),
                    (5, 2, 6),
                    (3, 2, 2),
                ] {
                    let layer = Conv2dConfig::new([6, 6], [kernel, kernel])
                        .with_stride([stride, stride])
                        .with_padding(padding.clone())
                        .with_groups(groups)
                        .init(&device);
                    let shape = [2, 6, height, width];
                    let images = Tensor::random(shape, Distribution::Default, &device);
                    let expected = layer.forward(images.clone());
                    let found = convolve(&layer, images);
                    assert_eq!(found.dims(), expected.dims());
                    let apart = (found - expected).abs().max().into_scalar::<f32>();
                    let what = format!("{padding:?} {height} {width} {kernel} {stride} {groups}");
                    assert!(apart < 1e-5, "{what}: {apart}");
                }
            }
        }
    }
}
