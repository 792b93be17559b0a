//! The `[training]` section.

use reprsim_models::Objective;
use reprsim_train::{
    Augmentation, LanguageConfig, OptimizerConfig, ScheduleConfig, TrainingConfig,
};
use toml::Spanned;

use super::raw::{RawAugmentation, RawFile};
use super::reader::Reader;
use crate::ExperimentError;

/// Steps between evaluations where a file does not say.
const EVALUATE_EVERY: usize = 100;
/// Held-out windows of an evaluation where a file does not say.
const EVALUATE_WINDOWS: usize = 500;

impl Reader<'_> {
    pub(super) fn training(
        &self,
        file: &RawFile,
        objective: Objective,
    ) -> Result<TrainingConfig, ExperimentError> {
        let raw = &file.training;
        let language = self.language(file, objective)?;
        let lr = self.within("lr", &raw.optimizer.lr, 0.0, f64::INFINITY)?;
        if lr == 0.0 {
            return Err(self.at(&raw.optimizer.lr, "lr = 0: nothing would be learned"));
        }
        let optional = |what: &str, value: &Option<Spanned<f64>>, high: f64| {
            value
                .as_ref()
                .map_or(Ok(0.0), |v| self.within(what, v, 0.0, high))
        };
        let weight_decay = optional("weight_decay", &raw.optimizer.weight_decay, f64::INFINITY)?;
        let momentum = optional("momentum", &raw.optimizer.momentum, 1.0)?;
        let known = [("sgd", 0), ("adam", 1), ("adamw", 2)];
        let kind = self.pick("optimizer", &raw.optimizer.name, &known)?;
        if let (Some(value), true) = (&raw.optimizer.momentum, kind != 0) {
            return Err(self.at(value, "'momentum' is a setting of sgd only"));
        }
        let optimizer = match kind {
            0 => OptimizerConfig::Sgd {
                lr,
                momentum,
                weight_decay,
            },
            1 => OptimizerConfig::Adam { lr, weight_decay },
            _ => OptimizerConfig::AdamW {
                lr,
                weight_decay,
                beta_2: match &raw.optimizer.beta_2 {
                    Some(beta) => self.within("beta_2", beta, 0.0, 0.999_999)?,
                    None => 0.999,
                },
                decay_vectors: raw
                    .optimizer
                    .decay_vectors
                    .as_ref()
                    .is_none_or(|d| *d.get_ref()),
            },
        };
        let beta = raw.optimizer.beta_2.as_ref().map(|v| ("beta_2", v.span()));
        let vectors = raw.optimizer.decay_vectors.as_ref();
        let vectors = vectors.map(|v| ("decay_vectors", v.span()));
        if let (Some((key, span)), true) = (beta.or(vectors), kind != 2) {
            return Err(self.error(span.start, format!("'{key}' is a setting of adamw only")));
        }
        let augment = raw
            .augment
            .iter()
            .map(|step| self.augmentation(step))
            .collect::<Result<Vec<_>, _>>()?;
        let fill = match &raw.fill {
            None => vec![],
            Some(fill) => {
                let colour = fill.get_ref();
                let inside = colour.iter().all(|v| (0.0..=255.0).contains(v));
                if ![1, 3].contains(&colour.len()) || !inside {
                    return Err(self.at(fill, "fill needs 1 or 3 values between 0 and 255"));
                }
                colour.clone()
            }
        };
        let schedule = match &raw.schedule {
            None => ScheduleConfig::Constant,
            Some(raw) => {
                let known = [("constant", 0), ("triangular", 1), ("cosine", 2)];
                let kind = self.pick("schedule", &raw.name, &known)?;
                if let (Some(value), true) = (&raw.peak, kind != 1) {
                    return Err(
                        self.at(value, "'peak' is a setting of the triangular schedule only")
                    );
                }
                if let (Some(value), true) = (&raw.warmup, kind != 2) {
                    return Err(self.at(value, "'warmup' is a setting of the cosine schedule only"));
                }
                if let (Some(value), true) = (&raw.floor, kind != 2) {
                    return Err(self.at(value, "'floor' is a setting of the cosine schedule only"));
                }
                match kind {
                    0 => ScheduleConfig::Constant,
                    1 => ScheduleConfig::Triangular {
                        peak: raw
                            .peak
                            .as_ref()
                            .map_or(Ok(0.2), |v| self.within("peak", v, 0.0, 1.0))?,
                    },
                    _ => ScheduleConfig::Cosine {
                        warmup: optional("warmup", &raw.warmup, 1.0)?,
                        floor: optional("floor", &raw.floor, 1.0)?,
                    },
                }
            }
        };
        Ok(TrainingConfig {
            epochs: match (&raw.epochs, &language) {
                (Some(epochs), None) => self.positive("epochs", epochs)?,
                (None, None) => {
                    return Err(self.at(
                        &file.model.name,
                        "the key 'epochs' is missing in [training]",
                    ));
                }
                (_, Some(_)) => 0,
            },
            batch: self.positive("batch", &raw.batch)?,
            optimizer,
            schedule,
            label_smoothing: optional("label_smoothing", &raw.label_smoothing, 0.999)?,
            drop_last: raw.drop_last.as_ref().is_none_or(|d| *d.get_ref()),
            augment,
            fill,
            language,
        })
    }

    /// What only language models have, and what they have not.
    fn language(
        &self,
        file: &RawFile,
        objective: Objective,
    ) -> Result<Option<LanguageConfig>, ExperimentError> {
        let raw = &file.training;
        let place = |key, span: Option<std::ops::Range<usize>>| span.map(|s| (key, s.start));
        if objective != Objective::Predict {
            let misplaced = place("steps", raw.steps.as_ref().map(Spanned::span))
                .or(place(
                    "accumulate",
                    raw.accumulate.as_ref().map(Spanned::span),
                ))
                .or(place("clip", raw.clip.as_ref().map(Spanned::span)))
                .or(place("dropout", raw.dropout.as_ref().map(Spanned::span)))
                .or(place("evaluate", raw.evaluate.as_ref().map(Spanned::span)));
            return match misplaced {
                Some((key, start)) => {
                    Err(self.error(start, format!("'{key}' is a setting of the model gpt only")))
                }
                None => Ok(None),
            };
        }
        let misplaced = place("epochs", raw.epochs.as_ref().map(Spanned::span))
            .or(place(
                "label_smoothing",
                raw.label_smoothing.as_ref().map(Spanned::span),
            ))
            .or(place("augment", raw.augment.first().map(Spanned::span)))
            .or(place("fill", raw.fill.as_ref().map(Spanned::span)))
            .or(place(
                "drop_last",
                raw.drop_last.as_ref().map(Spanned::span),
            ));
        if let Some((key, start)) = misplaced {
            return Err(self.error(
                start,
                format!("'{key}' is not a setting of a gpt, which is trained for 'steps'"),
            ));
        }
        let Some(steps) = &raw.steps else {
            return Err(self.at(
                &file.model.name,
                "a gpt is trained by steps: the key 'steps' is missing in [training]",
            ));
        };
        let or = |what: &str, value: Option<&Spanned<usize>>, default: usize| match value {
            Some(value) => self.positive(what, value),
            None => Ok(default),
        };
        let evaluate = raw.evaluate.as_ref().map(Spanned::get_ref);
        let every = evaluate.and_then(|e| e.every.as_ref());
        let windows = evaluate.and_then(|e| e.windows.as_ref());
        let patience = evaluate.and_then(|e| e.patience.as_ref());
        let steps = self.positive("steps", steps)?;
        Ok(Some(LanguageConfig {
            steps,
            accumulate: or("accumulate", raw.accumulate.as_ref(), 1)?,
            clip: match &raw.clip {
                Some(clip) => {
                    let norm = self.within("clip", clip, 0.0, f64::INFINITY)?;
                    (norm > 0.0).then_some(norm)
                }
                None => Some(1.0),
            },
            dropout: match &raw.dropout {
                Some(dropout) => self.within("dropout", dropout, 0.0, 0.99)?,
                None => 0.0,
            },
            evaluate_every: or("every", every, EVALUATE_EVERY.min(steps))?,
            evaluate_windows: or("windows", windows, EVALUATE_WINDOWS)?,
            patience: match patience {
                Some(patience) => Some(self.positive("patience", patience)?),
                None => None,
            },
        }))
    }

    fn augmentation(
        &self,
        step: &Spanned<RawAugmentation>,
    ) -> Result<Augmentation, ExperimentError> {
        let raw = step.get_ref();
        let names = [
            "flip",
            "brightness",
            "contrast",
            "saturation",
            "translate",
            "cutout",
        ];
        let known: Vec<(&str, &str)> = names.iter().map(|n| (*n, *n)).collect();
        let name = self.pick("augmentation", &raw.name, &known)?;
        let colour = ["brightness", "contrast", "saturation"].contains(&name);
        let misplaced = [
            (
                raw.magnitude.as_ref().map(|v| v.span()),
                "magnitude",
                colour,
            ),
            (
                raw.pixels.as_ref().map(|v| v.span()),
                "pixels",
                name == "translate",
            ),
            (
                raw.side.as_ref().map(|v| v.span()),
                "side",
                name == "cutout",
            ),
        ];
        for (place, key, belongs) in misplaced {
            match (place, belongs) {
                (Some(span), false) => {
                    return Err(self.error(span.start, format!("{name} has no '{key}'")));
                }
                (None, true) => return Err(self.at(step, format!("{name} needs '{key}'"))),
                _ => {}
            }
        }
        let p = match &raw.p {
            Some(p) => self.within("p", p, 0.0, 1.0)?,
            None if name == "flip" => 0.5,
            None => 1.0,
        };
        let magnitude = match &raw.magnitude {
            Some(v) => self.within("magnitude", v, 0.0, f64::INFINITY)?,
            None => 0.0,
        };
        let size = |what: &str, value: &Option<Spanned<usize>>| {
            value.as_ref().map_or(Ok(0), |v| self.positive(what, v))
        };
        Ok(match name {
            "flip" => Augmentation::Flip { p },
            "brightness" => Augmentation::Brightness { magnitude, p },
            "contrast" => Augmentation::Contrast { magnitude, p },
            "saturation" => Augmentation::Saturation { magnitude, p },
            "translate" => Augmentation::Translate {
                pixels: size("pixels", &raw.pixels)?,
                p,
            },
            _ => Augmentation::Cutout {
                side: size("side", &raw.side)?,
                p,
            },
        })
    }
}
