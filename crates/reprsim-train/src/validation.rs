//! The loss on held-out samples.

use burn::tensor::{Int, Tensor, TensorData};
use reprsim_models::{Network, Pass};

use crate::error::TrainError;
use crate::sums::{Kept, Sums};
use crate::supply::Supply;
use crate::task::TaskConfig;

/// Samples on whose loss a training is judged; no model learns from them.
#[derive(Clone, Copy, Debug)]
pub struct HeldOut<'a> {
    /// Samples, the same for all models.
    pub supply: &'a Supply,
    /// Which of them.
    pub indices: &'a [u32],
    /// The label of each of these in the model's own numbering; empty where samples have none.
    pub labels: &'a [u32],
}

/// The mean loss of a sample, nothing dropped and no noise; NaN for no samples. `network` is
/// ready for inference.
///
/// # Errors
/// [`TrainError::Device`], [`TrainError::Task`].
pub fn held_out_loss(
    network: &Network,
    task: &TaskConfig,
    held_out: HeldOut<'_>,
    batch: usize,
) -> Result<f64, TrainError> {
    let HeldOut {
        supply,
        indices,
        labels,
    } = held_out;
    if indices.is_empty() {
        return Ok(f64::NAN);
    }
    let mut sums = Sums::from_kept(&Kept::default(), supply.device());
    for start in (0..indices.len()).step_by(batch.max(1)) {
        let range = start..(start + batch.max(1)).min(indices.len());
        let count = range.len();
        let of = |place: usize| labels.get(place).copied().unwrap_or(0) as i32;
        let values: Vec<i32> = range.clone().map(of).collect();
        let labels: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(values, [count]), supply.device());
        let drawn = supply.drawn(&indices[range], labels);
        // No task draws anything for a target that is held out but what the batch names.
        let batch = task.batch(drawn, &mut reprsim_base::Stream::new(start as u64).rng())?;
        let output = network.output(batch.input, &mut Pass::inference())?;
        sums.add(&task.loss(output, batch.target)?, count);
    }
    Ok(sums.keep()?.means().loss)
}
