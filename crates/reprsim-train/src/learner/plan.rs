//! Everything of a recorded training that needs no device: its programs and arrays.

use std::collections::BTreeMap;

use reprsim_graph::{GraphError, Hardware, Program, Shapes, Step, StepRule};

use super::recording::{Feeds, Kind, Purpose, Recording, recorded};
use crate::batches::Batches;
use crate::config::OptimizerConfig;
use crate::error::TrainError;
use crate::job::Job;
use crate::optimizer::{BETA_1, EPSILON};
use crate::validation::HeldOut;

/// See the module.
#[cfg_attr(
    not(feature = "wgpu"),
    allow(dead_code, reason = "no GPU to replay steps")
)]
pub(super) struct Plan<'a> {
    pub programs: Vec<Program>,
    pub arrays: Shapes,
    /// What the model's arrays are, and their shapes, in the order in which a visitor meets
    /// them.
    pub kinds: Vec<Kind>,
    pub shapes: Vec<Vec<usize>>,
    /// Names of metrics.
    pub metrics: Vec<&'static str>,
    /// Number of running statistics; sums lie behind them.
    pub states: usize,
    /// Programs of a step, and of an evaluation, by number of samples.
    pub steps: BTreeMap<usize, (usize, Feeds)>,
    pub evaluations: BTreeMap<usize, (usize, Feeds)>,
    /// The state that holds what the loss is multiplied by.
    pub scale: Option<usize>,
    /// What the model is evaluated on.
    pub held_out: Option<HeldOut<'a>>,
}

impl<'a> Plan<'a> {
    /// Programs for such a device; `None` where a step is not
    /// recorded: with accumulated gradients, with a teacher, or an architecture with operations that graphs do not know.
    pub fn new(
        job: &Job<'a>,
        batches: &Batches<'_>,
        hardware: Hardware,
    ) -> Result<Option<Self>, TrainError> {
        if job.config.accumulate > 1 || job.task.teacher().is_some() {
            return Ok(None);
        }
        match Self::of(job, batches, hardware) {
            Ok(found) => Ok(found),
            Err(TrainError::Graph(GraphError::Operation(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(
        job: &Job<'a>,
        batches: &Batches<'_>,
        hardware: Hardware,
    ) -> Result<Option<Self>, TrainError> {
        let held_out = job.set.held_out.filter(|_| job.config.evaluate.is_some());
        let mut constants = vec![];
        let mut recordings: Vec<(bool, usize, Recording)> = vec![];
        for size in batches.all_sizes() {
            let made = recorded(job, job.set.supply, size, &Purpose::Train, constants)?;
            constants = made.constants.clone();
            recordings.push((true, size, made));
        }
        let Some((.., first)) = recordings.first() else {
            return Ok(None);
        };
        let scaling = first.scaling;
        let (kinds, shapes, metrics) = (
            first.kinds.clone(),
            first.shapes.clone(),
            first.metrics.clone(),
        );
        let treatments = first.treatments.clone();
        let states = kinds.iter().filter(|k| matches!(k, Kind::State(_))).count();
        let sum = states + 1 + metrics.len();
        if let Some(held_out) = held_out {
            for size in evaluated_sizes(held_out, job.config.batch) {
                let kinds = &kinds;
                let purpose = Purpose::Evaluate { sum, kinds };
                let made = recorded(job, held_out.supply, size, &purpose, constants)?;
                constants = made.constants.clone();
                recordings.push((false, size, made));
            }
        }

        let rule = rule(&job.config.optimizer);
        let sizes = |wanted: fn(&Kind) -> bool| -> Vec<usize> {
            let wanted = kinds.iter().zip(&shapes).filter(|(kind, _)| wanted(kind));
            wanted.map(|(_, shape)| shape.iter().product()).collect()
        };
        let mut state_sizes = sizes(|kind| matches!(kind, Kind::State(_)));
        state_sizes.resize(scaling.map_or(sum, |[_, last]| last) + 1, 1);
        let arrays = Shapes {
            parameters: sizes(|kind| matches!(kind, Kind::Parameter(_))),
            states: state_sizes,
            constants,
            moments: rule.moments(),
        };
        let decays: Vec<bool> = (kinds.iter().zip(&shapes))
            .filter(|(kind, _)| matches!(kind, Kind::Parameter(_)))
            .map(|(_, shape)| job.config.optimizer.decays(shape.len()))
            .collect();
        let (mut steps, mut evaluations, mut programs) = (BTreeMap::new(), BTreeMap::new(), vec![]);
        for (training, size, made) in recordings {
            let step = made.feeds.rates.map(|rates| Step {
                rule,
                rates,
                decays: decays.clone(),
                trains: treatments.iter().map(|t| t.trains).collect(),
                times: treatments.iter().map(|t| t.times as f32).collect(),
                clip: job.config.clip.map(|norm| norm as f32),
                scaling,
            });
            let of = if training {
                &mut steps
            } else {
                &mut evaluations
            };
            of.insert(size, (programs.len(), made.feeds));
            programs.push(Program::new(
                &made.computation,
                &arrays,
                step.as_ref(),
                hardware,
            ));
        }
        Ok(Some(Self {
            programs,
            arrays,
            kinds,
            shapes,
            metrics,
            states,
            steps,
            evaluations,
            scale: scaling.map(|[scale, _]| scale),
            held_out,
        }))
    }
}

/// Numbers of samples of an evaluation's batches.
fn evaluated_sizes(held_out: HeldOut<'_>, batch: usize) -> Vec<usize> {
    let (n, batch) = (held_out.indices.len(), batch.max(1));
    let mut sizes = vec![batch.min(n), n % batch];
    sizes.retain(|&size| size > 0);
    sizes.dedup();
    sizes
}

fn rule(optimizer: &OptimizerConfig) -> StepRule {
    match *optimizer {
        OptimizerConfig::Sgd {
            momentum,
            weight_decay,
            ..
        } => StepRule::Sgd {
            momentum: momentum as f32,
            decay: weight_decay as f32,
        },
        OptimizerConfig::Adam { weight_decay, .. }
        | OptimizerConfig::AdamW { weight_decay, .. } => StepRule::Adam {
            beta_1: BETA_1,
            beta_2: optimizer.beta_2(),
            epsilon: EPSILON,
            decay: weight_decay as f32,
            decoupled: matches!(optimizer, OptimizerConfig::AdamW { .. }),
        },
    }
}
