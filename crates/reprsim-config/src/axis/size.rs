//! The size of both models: no overlap, but what an overlap can be crossed with.

use reprsim_models::{ModelConfig, ModelShape};

use super::{Asked, Cause, Design, Refusal, Subject, Words};

/// A size of both models.
pub(crate) struct Size {
    name: &'static str,
    of: Of,
}

/// What the levels of a size are.
enum Of {
    /// Numbers, for which there is an architecture where it has such a dimension.
    Dimension(fn(&ModelConfig, usize) -> Option<ModelConfig>),
    /// The sizes of listed architectures, in millions of weights.
    Models,
}

/// The models' width.
pub(crate) const WIDTH: Size = Size {
    name: "width",
    of: Of::Dimension(ModelConfig::with_width),
};

/// The models' depth.
pub(crate) const DEPTH: Size = Size {
    name: "depth",
    of: Of::Dimension(ModelConfig::with_depth),
};

/// Any architectures, by their number of weights.
pub(crate) const MODELS: Size = Size {
    name: "size",
    of: Of::Models,
};

/// Largest width or depth that is no slip of the keyboard.
const LARGEST: f64 = 65_536.0;
/// Digits to which a number of weights is told.
const DIGITS: i32 = 3;

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

    /// Levels are whole numbers for which there is an architecture; listed architectures learn what
    /// that of the experiment learns.
    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        let name = self.name;
        for (entry, &level) in asked.levels.iter().enumerate() {
            let refuse = |reason: String| Err(Refusal::of("levels", reason).entry(entry));
            if let Of::Dimension(_) = self.of {
                if level.fract() != 0.0 {
                    return refuse(format!("a {name} is a whole number"));
                }
                if !(1.0..=LARGEST).contains(&level) {
                    return refuse(format!(
                        "{name} = {level}: it must be between 1 and {LARGEST}"
                    ));
                }
            }
            let Some(sized) = self.model(asked.model, level, &asked.design) else {
                return refuse(format!("a {} has no {name}", asked.model.name()));
            };
            if let Err(error) = sized.check() {
                return refuse(error.to_string());
            }
            let [ours, theirs] = [asked.model, &sized].map(|model| (model.takes(), model.gives()));
            if ours != theirs {
                return refuse(format!(
                    "a {} learns something else than the {} under [model]",
                    sized.name(),
                    asked.model.name()
                ));
            }
        }
        Ok(())
    }

    fn model(&self, model: &ModelConfig, level: f64, design: &Design<'_>) -> Option<ModelConfig> {
        match self.of {
            Of::Dimension(sized) => sized(model, level as usize),
            Of::Models => {
                let mut models = design.models.iter();
                let listed = models.find(|model| self.level_of(model) == Some(level));
                listed.cloned()
            }
        }
    }

    fn lists_models(&self) -> bool {
        matches!(self.of, Of::Models)
    }

    /// Millions of weights without the head, which depends on what is learned.
    fn level_of(&self, model: &ModelConfig) -> Option<f64> {
        let weights = model.weights(ModelShape::nominal(model.takes())).ok()? as f64;
        let digits = (weights.log10().floor() as i32 + 1 - DIGITS).max(0);
        let unit = 10f64.powi(digits);
        Some((weights / unit).round() * unit / 1e6)
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
        match self.of {
            Of::Dimension(_) => self.name.into(),
            Of::Models => "size (millions of weights)".into(),
        }
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
        match self.of {
            Of::Dimension(_) => format!("The {} of both models varies.", self.name),
            Of::Models => {
                "Both models are of each listed architecture in turn. The level is its number \
                 of weights in millions without the head, counted at images of 224 pixels (of text at \
                 GPT-2's window and vocabulary)."
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> ModelConfig {
        serde_json::from_value(serde_json::json!({ "name": name })).unwrap()
    }

    /// torchvision's documentation less a head of 1000 classes: 11.69 - 0.51, 21.80 - 0.51, 25.56 - 2.05,
    /// 44.55 - 2.05 and 60.19 - 2.05 million.
    #[test]
    fn sizes_are_those_that_are_published() {
        let names = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"];
        let sizes = names.map(|name| MODELS.level_of(&named(name)).unwrap());
        assert_eq!(sizes, [11.2, 21.3, 23.5, 42.5, 58.1]);
        let models = names.map(named);
        let design = Design {
            models: &models,
            ..Design::of("size")
        };
        for (name, size) in names.into_iter().zip(sizes) {
            let found = MODELS.model(&named("resnet18"), size, &design);
            assert_eq!(found, Some(named(name)));
        }
        assert_eq!(MODELS.model(&named("resnet18"), 1.0, &design), None);
    }
}
