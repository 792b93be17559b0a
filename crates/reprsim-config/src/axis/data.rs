//! Data overlap: shared samples, same classes (the paper's "horizontal").

use rand::Rng;
use reprsim_data::DataError;
use reprsim_data::split::{DataSplit, PairSplit, Reached, split_data};

use super::{Cause, Design, Place, SplitRequest, Words};

pub(crate) struct Data;

impl Cause for Data {
    fn name(&self) -> &'static str {
        "data"
    }

    fn needed(&self, per_model: usize, lowest: f64) -> usize {
        ((2.0 - lowest) * per_model as f64).ceil() as usize
    }

    fn split(
        &self,
        request: &SplitRequest<'_>,
        rng: &mut dyn Rng,
    ) -> Option<Result<PairSplit, DataError>> {
        let split = DataSplit {
            labels: request.labels,
            classes: request.classes,
            per_model: request.per_model,
            overlap: request.place.level(self.name())?,
        };
        Some(split_data(&split, rng))
    }

    fn reached(&self, place: &Place, reached: Reached) -> Option<f64> {
        match place.level("class") {
            // Within common classes, which are the only ones that share samples.
            Some(_) => (reached.labels > 0.0).then(|| reached.samples / reached.labels),
            None => Some(reached.samples),
        }
    }

    fn explanation(&self, words: Words, design: &Design<'_>) -> String {
        let Words {
            samples,
            class,
            classes,
        } = words;
        if design.has("class") {
            format!(
                "Of the {samples} of a common {class} the given share are the same for both models."
            )
        } else if design.has("task") {
            format!(
                "The two models see training sets of equal size, of which the given share are the \
                 same {samples}."
            )
        } else {
            format!(
                "The two models learn the same {classes} from training sets of equal size, of which \
                 the given share are the same {samples}."
            )
        }
    }
}
