//! The next token of a text, at every position.

use rand::Rng;
use reprsim_models::{Input, Output, OutputKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classify::cross_entropy;
use super::contract::{Batch, Loss, Reduction, Target, Task};
use crate::error::TrainError;
use crate::supply::Drawn;

/// Learns the next token of a text at every position, by cross-entropy in nats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PredictSettings {}

impl Task for PredictSettings {
    const NAME: &'static str = "predict";
    const NEEDS: OutputKind = OutputKind::TokenLogits;

    fn batch(&self, drawn: Drawn, _: &mut dyn Rng) -> Result<Batch, TrainError> {
        let windows = drawn.windows(Self::NAME)?;
        let [_, length] = windows.dims();
        Ok(Batch {
            input: Input::Tokens(windows.clone().slice_dim(1, 0..length - 1)),
            target: Target::Tokens(windows.slice_dim(1, 1..length)),
        })
    }

    fn loss(&self, output: Output, target: Target) -> Result<Loss, TrainError> {
        match (output, target) {
            (Output::TokenLogits(logits), Target::Tokens(tokens)) => {
                let [n, time, vocabulary] = logits.dims();
                let value = cross_entropy(
                    logits.reshape([n * time, vocabulary]),
                    tokens.reshape([n * time]),
                    0.0,
                );
                Ok(Loss {
                    value,
                    reduction: Reduction::Mean,
                    metrics: vec![],
                })
            }
            (output, _) => Err(TrainError::output(Self::NAME, Self::NEEDS, output.kind())),
        }
    }
}
