//! The size of both models: no overlap, but what an overlap can be crossed with.

use reprsim_models::ModelConfig;

use super::{Asked, Cause, Design, Refusal, Subject, Words};

/// The models' width.
pub(crate) struct Width;

/// The models' depth.
pub(crate) struct Depth;

/// Largest width or depth that is no slip of the keyboard.
const LARGEST: f64 = 65_536.0;

impl Cause for Width {
    fn name(&self) -> &'static str {
        "width"
    }

    fn is_overlap(&self) -> bool {
        false
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        check(self, asked)
    }

    fn model(&self, model: &ModelConfig, level: f64) -> Option<ModelConfig> {
        model.with_width(level as usize)
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
        self.name().into()
    }

    fn step(&self) -> &'static str {
        STEP
    }

    fn subject(&self) -> Subject {
        subject(self.name())
    }

    fn explanation(&self, _: Words, _: &Design<'_>) -> String {
        "The width of both models varies.".into()
    }
}

impl Cause for Depth {
    fn name(&self) -> &'static str {
        "depth"
    }

    fn is_overlap(&self) -> bool {
        false
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        check(self, asked)
    }

    fn model(&self, model: &ModelConfig, level: f64) -> Option<ModelConfig> {
        model.with_depth(level as usize)
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
        self.name().into()
    }

    fn step(&self) -> &'static str {
        STEP
    }

    fn subject(&self) -> Subject {
        subject(self.name())
    }

    fn explanation(&self, _: Words, _: &Design<'_>) -> String {
        "The depth of both models varies.".into()
    }
}

const STEP: &str = "with each doubling";

fn subject(name: &str) -> Subject {
    Subject {
        more: format!("Greater {name} makes"),
        matters: format!("{name} matters"),
        again: "more of it makes",
    }
}

/// Levels are whole numbers for which there is an architecture.
fn check(cause: &dyn Cause, asked: &Asked<'_>) -> Result<(), Refusal> {
    let name = cause.name();
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
        let Some(sized) = cause.model(asked.model, level) else {
            return refuse(format!("a {} has no {name}", asked.model.name()));
        };
        if let Err(error) = sized.check() {
            return refuse(error.to_string());
        }
    }
    Ok(())
}
