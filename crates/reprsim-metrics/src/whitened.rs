//! Layers in orthonormal bases as layers of their own: inner products and distances that no
//! invertible linear map changes.

use burn::tensor::Device;
use rayon::prelude::*;

use crate::basis::{Asked, Basis, Directions};
use crate::subspace::Columns;
use crate::view::{Room, Transform, View};
use crate::{Layer, Matrix, MetricError, Undefined};

/// Views of the whitened `layers`, under `transform`; a layer that has no basis says why.
pub(crate) fn views(
    layers: &[Layer],
    transform: Transform,
    room: &Room,
    device: &Device,
) -> Result<Vec<View>, MetricError> {
    let asked = Asked::by(&[Directions::All]);
    (layers.par_iter())
        .map(|layer| {
            let view = View::new(layer, Columns::Centred.transform(0.0), room, device)?;
            if view.degenerate.is_some() {
                return Ok(view);
            }
            let mut basis = Basis::new(view, &asked)?;
            if basis.is_empty() {
                basis.view.degenerate = Some(Undefined::OnlyRounding);
                return Ok(basis.view);
            }
            let (n, r) = (basis.view.rows(), basis.asked());
            let whitened = Matrix::new(basis.samples()?, n, r)?;
            let layer = Layer::new(layer.name.clone(), whitened);
            View::new(&layer, transform, room, device)
        })
        .collect()
}
