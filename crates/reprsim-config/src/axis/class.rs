//! Class overlap: shared classes and their samples, so that task and data move together (the
//! paper's "vertical"). The classes of text are its corpora.

use rand::Rng;
use reprsim_data::DataError;
use reprsim_data::split::{
    ClassSplit, PairSplit, Reached, is_reachable, levels_text, reachable_class_levels,
    split_classes,
};

use super::{Asked, Cause, Design, Place, Refusal, SplitRequest, Words};

pub(crate) struct Class;

impl Cause for Class {
    fn name(&self) -> &'static str {
        "class"
    }

    fn crosses(&self) -> &'static [&'static str] {
        &["data"]
    }

    fn divides_classes(&self) -> bool {
        true
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let classes = asked.labels.classes();
        if classes < 4 {
            return Err(Refusal::of(
                "levels",
                format!("a class axis needs at least 4 classes; the label has {classes}"),
            ));
        }
        let reachable = reachable_class_levels(classes);
        for (entry, &level) in asked.levels.iter().enumerate() {
            if !is_reachable(level, &reachable) {
                let reachable = levels_text(&reachable);
                let reason =
                    format!("class overlap {level} cannot be reached; reachable: {reachable}");
                return Err(Refusal::of("levels", reason).entry(entry));
            }
        }
        if asked.design.has("data") && asked.levels.first() == Some(&0.0) {
            return Err(Refusal::of(
                "levels",
                "class overlap 0 has no common classes whose samples could overlap\n  \
                 leave 0 out of this grid, and add a class axis for it",
            ));
        }
        Ok(())
    }

    fn needed(&self, per_model: usize, lowest: f64) -> usize {
        ((2.0 - lowest) * per_model as f64).ceil() as usize
    }

    fn split(
        &self,
        request: &SplitRequest<'_>,
        rng: &mut dyn Rng,
    ) -> Option<Result<PairSplit, DataError>> {
        let split = ClassSplit {
            labels: request.labels,
            classes: request.classes,
            per_model: request.per_model,
            overlap: request.place.level(self.name())?,
            samples_overlap: request.place.level("data").unwrap_or(1.0),
        };
        Some(split_classes(&split, rng))
    }

    fn reached(&self, _: &Place, reached: Reached) -> Option<f64> {
        Some(reached.labels)
    }

    fn explanation(&self, words: Words, design: &Design<'_>) -> String {
        let Words {
            samples, classes, ..
        } = words;
        match design.has("data") {
            true => format!(
                "Each model learns half of the {classes}; the given share of them are common to both."
            ),
            false => format!(
                "Each model learns half of the {classes}; the given share of them, with their \
                 {samples}, are common to both. Task and data move together."
            ),
        }
    }
}
