//! Style overlap: the same items, shared drawings of them.

use rand::Rng;
use reprsim_data::DataError;
use reprsim_data::split::{PairSplit, Reached, StyleSplit, split_styles};

use super::{Asked, Cause, Design, Place, Refusal, SplitRequest, Words};

pub(crate) struct Style;

impl Cause for Style {
    fn name(&self) -> &'static str {
        "style"
    }

    fn settings(&self) -> &'static [&'static str] {
        &["factors"]
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        match asked.design.factors.len() {
            2 => Ok(()),
            0 => Err(Refusal::of(
                "",
                "a style axis needs 'factors': what is drawn, and how, such as \
                 [\"concept\", \"artist\"]",
            )),
            _ => Err(Refusal::of(
                "factors",
                "a style axis needs two factors: what is drawn, and how",
            )),
        }
    }

    fn split(
        &self,
        request: &SplitRequest<'_>,
        rng: &mut dyn Rng,
    ) -> Option<Result<PairSplit, DataError>> {
        let [item, style] = request.design.factors else {
            return None;
        };
        let split = StyleSplit {
            dataset: request.dataset,
            item,
            style,
            per_model: request.per_model,
            overlap: request.place.level(self.name())?,
        };
        Some(split_styles(&split, rng))
    }

    fn reached(&self, _: &Place, reached: Reached) -> Option<f64> {
        Some(reached.samples)
    }

    fn explanation(&self, _: Words, design: &Design<'_>) -> String {
        format!(
            "Both models see the same items, one drawing of each; of the given share of them the \
             same drawing, of the others drawings in two styles ({}).",
            design.factors.join(", ")
        )
    }
}
