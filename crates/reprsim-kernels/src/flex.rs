//! From burn's tensors on the CPU to slices and back.

use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::ops::{Backward, NodeGuard, OpsKind};
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};

use faer::MatRef;

use crate::channels::Planes;

/// Whether tensors on this device are burn's flex tensors.
pub(crate) fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// The tensor of the CPU, which [`is_cpu`] has told there is.
pub(crate) fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    match tensor.try_into_primitive::<Flex>() {
        Ok(primitive) => primitive,
        Err(error) => unreachable!("a tensor of the CPU: {error:?}"),
    }
}

/// The same with its place in the graph of derivatives.
pub(crate) fn tracked<const D: usize>(
    tensor: Tensor<D>,
) -> FloatTensor<Autodiff<Flex, NoCheckpointing>> {
    match tensor.try_into_primitive::<Autodiff<Flex>>() {
        Ok(primitive) => primitive,
        Err(error) => unreachable!("a differentiable tensor of the CPU: {error:?}"),
    }
}

/// What an operation made of tensors at these `nodes`, in the graph of derivatives where one of them
/// is; `state` is what its derivative needs.
pub(crate) fn with_derivative<B: Backward<Flex, N>, const D: usize, const N: usize>(
    operation: B,
    nodes: [NodeGuard; N],
    output: FlexTensor,
    state: impl FnOnce(&FlexTensor) -> B::State,
) -> Tensor<D> {
    let prepared = operation
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    let output = match prepared {
        OpsKind::Tracked(prepared) => {
            let state = state(&output);
            prepared.finish(state, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// The four dimensions of a batch of images.
pub(crate) fn dims(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    [0, 1, 2, 3].map(|i| shape[i])
}

/// The planes of images, in whatever order they are in memory; images whose planes are
/// not contiguous are copied.
pub(crate) fn planes(tensor: &mut FlexTensor) -> Planes<'_> {
    let [_, _, h, w] = dims(tensor);
    let strides = tensor.layout().strides();
    let whole = (w == 1 || strides[3] == 1) && (h == 1 || strides[2] == w as isize);
    if !whole || strides[0] < 0 || strides[1] < 0 {
        *tensor = tensor.to_contiguous();
    }
    let strides = tensor.layout().strides();
    Planes {
        values: &tensor.storage::<f32>()[tensor.layout().start_offset()..],
        channel: strides[1] as usize,
        image: strides[0] as usize,
        pixels: h * w,
    }
}

/// The images' values in channel-major order, copied if they are in another.
pub(crate) fn channel_major(tensor: &mut FlexTensor) -> &[f32] {
    let [n, c, h, w] = dims(tensor);
    if tensor.layout().strides() != channel_major_strides([n, c, h, w]) {
        let order = &[1, 0, 2, 3];
        *tensor = tensor.permute(order).to_contiguous().permute(order);
    }
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + n * c * h * w]
}

/// The same, to be changed; copied first if another tensor shares them.
pub(crate) fn channel_major_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let count = channel_major(tensor).len();
    let start = tensor.layout().start_offset();
    &mut tensor.storage_mut::<f32>()[start..start + count]
}

/// All values in their own order.
pub(crate) fn contiguous(tensor: &mut FlexTensor) -> &[f32] {
    if !tensor.is_contiguous() {
        *tensor = tensor.to_contiguous();
    }
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

/// A matrix, or the transpose of one, as it lies in memory; anything else is copied first.
pub(crate) fn matrix(tensor: &mut FlexTensor) -> MatRef<'_, f32> {
    let shape = tensor.layout().shape();
    let (rows, columns) = (shape[0], shape[1]);
    if tensor.layout().strides() == [1, rows as isize] {
        let start = tensor.layout().start_offset();
        let values = &tensor.storage::<f32>()[start..start + rows * columns];
        return MatRef::from_column_major_slice(values, rows, columns);
    }
    MatRef::from_row_major_slice(contiguous(tensor), rows, columns)
}

/// All values in their own order, to be changed; copied first if another tensor shares
/// them.
pub(crate) fn contiguous_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    if !tensor.is_contiguous() {
        *tensor = tensor.to_contiguous();
    }
    let start = tensor.layout().start_offset();
    let len = tensor.layout().num_elements();
    &mut tensor.storage_mut::<f32>()[start..start + len]
}

/// Channel-major values as images `[n, c, h, w]`.
pub(crate) fn images(values: Vec<f32>, dims: [usize; 4]) -> FlexTensor {
    let layout = Layout::new(Shape::from(dims), channel_major_strides(dims).to_vec(), 0);
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// Values as a contiguous tensor.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from(dims));
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

/// Values as a contiguous tensor of another's shape.
pub(crate) fn like(values: Vec<f32>, other: &FlexTensor) -> FlexTensor {
    let layout = Layout::contiguous(other.layout().shape().clone());
    FlexTensor::new(Bytes::from_elems(values), layout, DType::F32)
}

fn channel_major_strides([n, _, h, w]: [usize; 4]) -> [isize; 4] {
    [h * w, n * h * w, w, 1].map(|stride| stride as isize)
}
