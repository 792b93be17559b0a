//! A teacher's scores, beside the class of a sample.

use std::path::Path;

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor};
use rand::Rng;
use reprsim_models::{ModelConfig, Output, OutputKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classify::{cross_entropy, hits, largest};
use super::contract::{Batch, Loss, Reduction, Target, Task, Teacher, WrongSetting};
use crate::error::TrainError;
use crate::supply::Drawn;

/// Learns the scores that a trained model, the teacher, gives to the same (augmented) samples, and
/// their classes (Hinton, Vinyals and Dean 2015). What a training is judged by on held-out samples is the
/// cross-entropy of the classes alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DistillSettings {
    /// Weights of teachers, entries as of `[initial]`, trained on the same classes. The pair of
    /// repetition s learns from number s, counted from 0 and from the first again after the last.
    pub teachers: Vec<String>,
    /// What names the content of these files.
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<String>,
    /// Whether both models of a pair learn from one teacher; else model b learns from the next one.
    pub shared: bool,
    /// The teachers' architecture; the models' own if absent.
    pub architecture: Option<ModelConfig>,
    /// What both models' scores are divided by, above 0: the higher, the more the teacher's small
    /// scores count.
    pub temperature: f64,
    /// Share of the teacher in the loss, above 0 up to 1; the rest is the classes'.
    pub weight: f64,
}

impl Default for DistillSettings {
    fn default() -> Self {
        Self {
            teachers: vec![],
            content: vec![],
            shared: true,
            architecture: None,
            temperature: 4.0,
            weight: 0.9,
        }
    }
}

impl Task for DistillSettings {
    const NAME: &'static str = "distill";
    const NEEDS: OutputKind = OutputKind::Logits;

    fn check(&self) -> Result<(), WrongSetting> {
        let wrong = |key: &'static str, reason: String| Err(WrongSetting { key, reason });
        let least = if self.shared { 1 } else { 2 };
        if self.teachers.len() < least {
            let given = self.teachers.len();
            return wrong(
                "teachers",
                format!(
                    "{given} teachers: there must be at least {least}, files of weights{}",
                    if self.shared {
                        ""
                    } else {
                        ", where models of a pair have different ones"
                    }
                ),
            );
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            let reason = format!("temperature = {}: it must be above 0", self.temperature);
            return wrong("temperature", reason);
        }
        if !(self.weight > 0.0 && self.weight <= 1.0) {
            let reason = format!("weight = {}: it must be above 0, up to 1", self.weight);
            return wrong("weight", reason);
        }
        match self
            .architecture
            .as_ref()
            .map(|model| (model, model.check()))
        {
            Some((_, Err(error))) => wrong("architecture", error.to_string()),
            Some((model, Ok(()))) if model.gives() != Self::NEEDS => wrong(
                "architecture",
                format!("a {} gives no {}", model.name(), Self::NEEDS.name()),
            ),
            _ => Ok(()),
        }
    }

    fn files(&self) -> &[String] {
        &self.teachers
    }

    fn with_files(&self, teachers: Vec<String>, content: Vec<String>) -> Self {
        Self {
            teachers,
            content,
            ..self.clone()
        }
    }

    fn placeless(&self) -> Self {
        Self {
            teachers: vec![],
            ..self.clone()
        }
    }

    fn of_model(&self, seed: usize, model: usize) -> Self {
        let number = match self.shared {
            true => seed,
            false => seed + model,
        };
        Self {
            teachers: turn(&self.teachers, number),
            content: turn(&self.content, number),
            shared: true,
            ..self.clone()
        }
    }

    fn teacher(&self) -> Option<Teacher<'_>> {
        Some(Teacher {
            checkpoint: Path::new(self.teachers.first()?),
            model: self.architecture.as_ref(),
        })
    }

    fn batch(&self, drawn: Drawn, _: &mut dyn Rng) -> Result<Batch, TrainError> {
        Batch::labelled(drawn, Self::NAME)
    }

    fn loss(&self, output: Output, target: Target) -> Result<Loss, TrainError> {
        let (labels, scores) = match target {
            Target::Labels(labels) => (labels, None),
            Target::Taught { labels, scores } => (labels, Some(scores)),
            other => return Err(TrainError::target(Self::NAME, "labels", other.name())),
        };
        let metrics = hits(&output, &labels).into_iter().collect();
        let Output::Logits(logits) = output else {
            return Err(TrainError::output(Self::NAME, Self::NEEDS, output.kind()));
        };
        let value = match scores {
            None => cross_entropy(logits, labels, 0.0),
            Some(scores) => {
                let taught = divergence(scores, logits.clone(), self.temperature);
                let classes = cross_entropy(logits, labels, 0.0);
                taught.mul_scalar(self.weight) + classes.mul_scalar(1.0 - self.weight)
            }
        };
        Ok(Loss {
            value,
            reduction: Reduction::Mean,
            metrics,
        })
    }

    fn answers(&self, output: &Output) -> Option<Tensor<1, Int>> {
        largest(output)
    }
}

/// The entry whose turn it is; none of none.
fn turn<T: Clone>(entries: &[T], number: usize) -> Vec<T> {
    entries
        .iter()
        .cycle()
        .skip(number % entries.len().max(1))
        .take(1)
        .cloned()
        .collect()
}

/// The mean over samples of the Kullback-Leibler divergence of the student's softened probabilities
/// from the teacher's, both `[n, classes]` scores divided by `temperature`, times its square, which keeps
/// gradients at one size (Hinton et al. 2015, section 2); PyTorch's `KLDivLoss(reduction =
/// "batchmean")` times that square.
pub fn divergence(teacher: Tensor<2>, student: Tensor<2>, temperature: f64) -> Tensor<1> {
    let [n, _] = teacher.dims();
    let teacher = teacher.div_scalar(temperature);
    let student = log_softmax(student.div_scalar(temperature), 1);
    let distance = softmax(teacher.clone(), 1) * (log_softmax(teacher, 1) - student);
    let mean = distance.sum().div_scalar(n as f64);
    mean.mul_scalar(temperature * temperature)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn settings(count: usize, shared: bool) -> DistillSettings {
        DistillSettings {
            teachers: (0..count).map(|i| format!("{i}.pth")).collect(),
            content: (0..count).map(|i| i.to_string()).collect(),
            shared,
            ..DistillSettings::default()
        }
    }

    #[test]
    fn pairs_take_teachers_in_turn() {
        let of =
            |task: &DistillSettings, seed, model| task.of_model(seed, model).content[0].clone();
        let shared = settings(2, true);
        assert_eq!([of(&shared, 0, 0), of(&shared, 0, 1)], ["0", "0"]);
        assert_eq!([of(&shared, 3, 0), of(&shared, 3, 1)], ["1", "1"]);
        let own = settings(3, false);
        assert_eq!([of(&own, 2, 0), of(&own, 2, 1)], ["2", "0"]);
        let taken = own.of_model(2, 1);
        assert_eq!(taken.teacher().unwrap().checkpoint.to_str(), Some("0.pth"));
        taken.check().unwrap();
        assert!(settings(1, false).check().is_err() && settings(0, true).check().is_err());
        let nobody = DistillSettings::default().of_model(1, 1);
        assert!(nobody.teachers.is_empty());
    }

    /// Values of `torch.nn.KLDivLoss(reduction="batchmean")` on the same scores, times 9.
    #[test]
    fn divergence_is_torchs() {
        let device = Device::flex();
        let teacher = [[2.0f32, -1.0, 0.5], [0.0, 3.0, -2.0]];
        let student = [[0.5f32, 0.5, -0.5], [1.0, 1.0, 1.0]];
        let [teacher, student] = [teacher, student].map(|v| Tensor::<2>::from_data(v, &device));
        let found = divergence(teacher.clone(), student, 3.0);
        let found = found.into_data().iter::<f64>().next().unwrap();
        assert!((found - TORCH).abs() < 1e-5, "{found}");
        let same = divergence(teacher.clone(), teacher, 3.0);
        let same = same.into_data().iter::<f64>().next().unwrap();
        assert!(same.abs() < 1e-6, "{same}");
    }

    const TORCH: f64 = 1.345_722_556;
}
