//! The `[training]` section.

use reprsim_models::ModelConfig;
use reprsim_train::{Augmentation, Evaluate, OptimizerConfig, ScheduleConfig, TrainingConfig};

use super::reader::Reader;
use super::sections::ExperimentFile;
use crate::error::ConfigError;

/// Samples in a batch, and batches in a step, beyond which a number is a slip of the keyboard.
const MOST_SAMPLES: usize = 1 << 24;
/// The same for epochs and steps.
const MOST_STEPS: usize = 1_000_000_000;
/// Steps between evaluations of a model of text where a file does not say.
const EVALUATE_EVERY: usize = 100;

impl Reader<'_> {
    pub(super) fn training(
        &self,
        file: &ExperimentFile,
        model: &ModelConfig,
        text: bool,
    ) -> Result<TrainingConfig, ConfigError> {
        let mut config = file.training.clone();
        self.length(&config, text)?;
        self.count("training.batch", config.batch, MOST_SAMPLES)?;
        self.count("training.accumulate", config.accumulate, MOST_SAMPLES)?;
        self.optimizer(&config.optimizer)?;
        match config.schedule {
            ScheduleConfig::Constant => {}
            ScheduleConfig::Triangular { peak } => {
                self.within("training.schedule.peak", peak, 0.0, 1.0)?;
            }
            ScheduleConfig::Cosine { warmup, floor } => {
                self.within("training.schedule.warmup", warmup, 0.0, 1.0)?;
                self.within("training.schedule.floor", floor, 0.0, 1.0)?;
            }
        }
        let clip = config.clip.unwrap_or(if text { 1.0 } else { 0.0 });
        let clip = self.within("training.clip", clip, 0.0, f64::INFINITY)?;
        config.clip = (clip > 0.0).then_some(clip);
        self.within("training.dropout", config.dropout, 0.0, 0.99)?;
        if config.dropout > 0.0 && !model.drops() {
            return Err(self.at(
                "training.dropout",
                format!("a {} drops no activations", model.name()),
            ));
        }
        config.evaluate = self.evaluate(&config, text)?;
        if text {
            let misplaced = [
                ("augment", !config.augment.is_empty()),
                ("fill", !config.fill.is_empty()),
                ("drop_last", !config.drop_last),
            ];
            if let Some((key, _)) = misplaced.into_iter().find(|(_, given)| *given) {
                return Err(self.at(
                    &format!("training.{key}"),
                    format!("'{key}' is a setting of models of images only"),
                ));
            }
        }
        for (i, rate) in config.rates.iter().enumerate() {
            let place = format!("training.rates.{i}.times");
            if rate.times <= 0.0 {
                let reason = format!(
                    "times = {}: it must be above 0; 'freeze' keeps parts as they are",
                    rate.times
                );
                return Err(self.at(&place, reason));
            }
            self.within(&place, rate.times, 0.0, f64::INFINITY)?;
        }
        for (i, step) in config.augment.iter().enumerate() {
            self.augmentation(&format!("training.augment.{i}"), step)?;
        }
        let fill = &config.fill;
        let inside = fill.iter().all(|v| (0.0..=255.0).contains(v));
        if ![0, 1, 3].contains(&fill.len()) || !inside {
            return Err(self.at(
                "training.fill",
                "fill needs 1 or 3 values between 0 and 255",
            ));
        }
        Ok(config)
    }

    /// Images are passed over in epochs, text has no epochs.
    fn length(&self, config: &TrainingConfig, text: bool) -> Result<(), ConfigError> {
        match (text, config.epochs, config.steps) {
            (false, Some(epochs), None) => self.count("training.epochs", epochs, MOST_STEPS)?,
            (true, None, Some(steps)) => self.count("training.steps", steps, MOST_STEPS)?,
            (false, _, Some(_)) => {
                return Err(self.at(
                    "training.steps",
                    "'steps' is a setting of models of text only; images are passed over in 'epochs'",
                ));
            }
            (true, Some(_), _) => {
                return Err(self.at(
                    "training.epochs",
                    "'epochs' is a setting of models of images only; text is learned in 'steps'",
                ));
            }
            (false, None, None) => {
                return Err(self.at("training", "the key 'epochs' is missing in [training]"));
            }
            (true, None, None) => {
                return Err(self.at(
                    "training",
                    "a model of text is trained by steps: the key 'steps' is missing in [training]",
                ));
            }
        };
        Ok(())
    }

    fn optimizer(&self, config: &OptimizerConfig) -> Result<(), ConfigError> {
        let place = |key: &str| format!("training.optimizer.{key}");
        if config.lr() == 0.0 {
            return Err(self.at(&place("lr"), "lr = 0: nothing would be learned"));
        }
        self.within(&place("lr"), config.lr(), 0.0, f64::INFINITY)?;
        let (OptimizerConfig::Sgd { weight_decay, .. }
        | OptimizerConfig::Adam { weight_decay, .. }
        | OptimizerConfig::AdamW { weight_decay, .. }) = *config;
        self.within(&place("weight_decay"), weight_decay, 0.0, f64::INFINITY)?;
        match *config {
            OptimizerConfig::Sgd { momentum, .. } => {
                self.within(&place("momentum"), momentum, 0.0, 1.0)?;
            }
            OptimizerConfig::AdamW { beta_2, .. } => {
                self.within(&place("beta_2"), beta_2, 0.0, 0.999_999)?;
            }
            OptimizerConfig::Adam { .. } => {}
        }
        Ok(())
    }

    /// Models of text are always evaluated.
    fn evaluate(
        &self,
        config: &TrainingConfig,
        text: bool,
    ) -> Result<Option<Evaluate>, ConfigError> {
        let given = config.evaluate.clone().or(text.then(Evaluate::default));
        let Some(mut evaluate) = given else {
            return Ok(None);
        };
        let every = match config.steps {
            Some(steps) => EVALUATE_EVERY.min(steps),
            None => 1,
        };
        let every = evaluate.every.unwrap_or(every);
        evaluate.every = Some(self.positive("training.evaluate.every", every)?);
        self.positive("training.evaluate.samples", evaluate.samples)?;
        if let Some(patience) = evaluate.patience {
            self.positive("training.evaluate.patience", patience)?;
        }
        Ok(Some(evaluate))
    }

    fn augmentation(&self, place: &str, step: &Augmentation) -> Result<(), ConfigError> {
        self.within(&format!("{place}.p"), step.probability(), 0.0, 1.0)?;
        match *step {
            Augmentation::Flip { .. } => {}
            Augmentation::Brightness { magnitude, .. }
            | Augmentation::Contrast { magnitude, .. }
            | Augmentation::Saturation { magnitude, .. } => {
                self.within(&format!("{place}.magnitude"), magnitude, 0.0, f64::INFINITY)?;
            }
            Augmentation::Translate { pixels, .. } => {
                self.positive(&format!("{place}.pixels"), pixels)?;
            }
            Augmentation::Cutout { side, .. } => {
                self.positive(&format!("{place}.side"), side)?;
            }
        }
        Ok(())
    }
}
