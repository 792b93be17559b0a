//! The size of both models: no overlap, but what an overlap can be crossed with.

use reprsim_models::ModelConfig;

use super::{Asked, Cause, Design, Refusal, Subject, Words};

/// A size of both models.
pub(crate) struct Size {
    name: &'static str,
    /// The architecture in that size, where it has one.
    sized: fn(&ModelConfig, usize) -> Option<ModelConfig>,
}

/// The models' width.
pub(crate) const WIDTH: Size = Size {
    name: "width",
    sized: ModelConfig::with_width,
};

/// The models' depth.
pub(crate) const DEPTH: Size = Size {
    name: "depth",
    sized: ModelConfig::with_depth,
};

/// Largest width or depth that is no slip of the keyboard.
const LARGEST: f64 = 65_536.0;

impl Cause for Size {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_overlap(&self) -> bool {
        false
    }

    fn stands_alone(&self) -> bool {
        false
    }

    /// Levels are whole numbers for which there is an architecture.
    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let name = self.name;
        for (entry, &level) in asked.levels.iter().enumerate() {
            let refuse = |reason: String| Err(Refusal::of("levels", reason).entry(entry));
            if level.fract() != 0.0 {
                return refuse(format!("a {name} is a whole number"));
            }
            if !(1.0..=LARGEST).contains(&level) {
                return refuse(format!(
                    "{name} = {level}: it must be between 1 and {LARGEST}"
                ));
            }
            let Some(sized) = self.model(asked.model, level) else {
                return refuse(format!("a {} has no {name}", asked.model.name()));
            };
            if let Err(error) = sized.check() {
                return refuse(error.to_string());
            }
        }
        Ok(())
    }

    fn model(&self, model: &ModelConfig, level: f64) -> Option<ModelConfig> {
        (self.sized)(model, level as usize)
    }

    fn changes_model(&self) -> bool {
        true
    }

    fn is_ceiling(&self, _: f64) -> bool {
        true
    }

    fn scale(&self, level: f64) -> f64 {
        level.log2()
    }

    fn title(&self) -> String {
        self.name.into()
    }

    fn step(&self) -> &'static str {
        "with each doubling"
    }

    fn subject(&self) -> Subject {
        Subject {
            more: format!("Greater {} makes", self.name),
            matters: format!("{} matters", self.name),
            again: "more of it makes",
        }
    }

    fn explanation(&self, _: Words, _: &Design<'_>) -> String {
        format!("The {} of both models varies.", self.name)
    }
}
