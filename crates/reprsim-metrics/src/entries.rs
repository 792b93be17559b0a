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
    match layer.view.on_host() {
        true => Ok(HostValues::from(on_host(layer, rows, columns, map)?)),
        false => HostValues::of(tile(layer, rows, columns, map)?),
    }
}

/// The same on the layer's device.
pub(crate) fn tile(
    layer: &KernelLayer,
    rows: &Range<usize>,
    columns: &Range<usize>,
    map: Option<&[u32]>,
) -> Result<Tensor<2>, MetricError> {
    let view = layer.view;
    if view.on_host() {
        let values = on_host(layer, rows, columns, map)?;
        let values = TensorData::new(values, [rows.len(), columns.len()]);
        return Ok(Tensor::from_data(values, &Device::flex()));
    }
    let (i, j) = (numbers(rows, map), numbers(columns, map));
    let (x, y) = match map {
        None => (view.chunk(rows.clone())?, view.chunk(columns.clone())?),
        Some(_) => (view.gather(&i)?, view.gather(&j)?),
    };
    layer.tile(x, y, &i, &j)
}

/// Those of a layer on the host.
fn on_host(
    layer: &KernelLayer,
    rows: &Range<usize>,
    columns: &Range<usize>,
    map: Option<&[u32]>,
) -> Result<Vec<f32>, MetricError> {
    let view = layer.view;
    let (i, j) = (numbers(rows, map), numbers(columns, map));
    let near = |range: &Range<usize>, each: &[u32]| match map {
        None => view.near(range.clone()),
        Some(_) => {
            let mut rows = Vec::with_capacity(each.len() * view.width());
            view.near_each(each, &mut rows)?;
            Ok(rows.into())
        }
    };
    let product = || {
        Ok(host::gram(
            &near(rows, &i)?,
            &near(columns, &j)?,
            view.width(),
        ))
    };
    layer.entries(&i, &j, product)
}

/// The samples at these places.
fn numbers(places: &Range<usize>, map: Option<&[u32]>) -> Vec<u32> {
    match map {
        None => (places.start as u32..places.end as u32).collect(),
        Some(map) => map[places.clone()].to_vec(),
    }
}
