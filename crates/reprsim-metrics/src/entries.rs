//! The entries of a layer's kernel for some samples and others.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

use crate::kernel::KernelLayer;
use crate::rows::Rows;
use crate::source::HostValues;
use crate::{MetricError, host};

/// The entries of a layer for some samples and others, each the place of one in `map`, row-major, on
/// the host.
pub(crate) fn entries(
    layer: &KernelLayer,
    rows: &Range<usize>,
    columns: &Range<usize>,
    map: Option<&[u32]>,
) -> Result<HostValues, MetricError> {
    HostValues::of(tile(layer, rows, columns, map)?)
}

/// The same on the layer's device.
pub(crate) fn tile(
    layer: &KernelLayer,
    rows: &Range<usize>,
    columns: &Range<usize>,
    map: Option<&[u32]>,
) -> Result<Tensor<2>, MetricError> {
    let numbers = |range: &Range<usize>| -> Vec<u32> {
        match map {
            None => (range.start as u32..range.end as u32).collect(),
            Some(map) => map[range.clone()].to_vec(),
        }
    };
    let (i, j) = (numbers(rows), numbers(columns));
    let view = layer.view;
    if view.on_host() {
        let near = |range: &Range<usize>, each: &[u32]| match map {
            None => view.near(range.clone()),
            Some(_) => {
                let mut rows = Vec::with_capacity(each.len() * view.width());
                view.near_each(each, &mut rows)?;
                Ok(rows.into())
            }
        };
        let device = Device::flex();
        return layer.entries(&i, &j, &device, || {
            let values = host::gram(&near(rows, &i)?, &near(columns, &j)?, view.width());
            let shape = [rows.len(), columns.len()];
            Ok(Tensor::from_data(TensorData::new(values, shape), &device))
        });
    }
    let (x, y) = match map {
        None => (
            layer.view.chunk(rows.clone())?,
            layer.view.chunk(columns.clone())?,
        ),
        Some(_) => (layer.view.gather(&i)?, layer.view.gather(&j)?),
    };
    layer.tile(x, y, &i, &j)
}
